import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from skdeepsc import PSSC, AutoEncoder
from skdeepsc.inspection import AffinityDisplay, ClusterImagesDisplay, HistoryDisplay

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def fitted(images):
    return PSSC(3, autoencoder=AutoEncoder(max_epochs=3), max_epochs=2, random_state=0).fit(images[0])


def test_affinity_is_drawn_by_cluster(fitted):
    display = AffinityDisplay.from_estimator(fitted)
    order = np.argsort(fitted.labels_, kind="stable")
    drawn = np.asarray(display.image_.get_array())
    np.testing.assert_allclose(drawn, fitted.affinity_matrix_.toarray()[np.ix_(order, order)], atol=1e-7)
    dense = AffinityDisplay(np.ones((4, 4)), [0, 0, 1, 1]).plot(ax=plt.gca(), cmap="gray")
    assert dense.ax_ is plt.gcf().axes[0]


def test_large_affinities_are_drawn_as_means(fitted):
    affinity = fitted.affinity_matrix_.toarray()
    affinity = affinity[np.ix_(*[np.argsort(fitted.labels_, kind="stable")] * 2)]
    wanted = np.zeros((20, 20))
    for i in range(20):
        for j in range(20):
            block = affinity[3 * i : 3 * i + 3, 3 * j : 3 * j + 3]
            wanted[i, j] = block.sum() / (6 if i == j else 9)
    display = AffinityDisplay.from_estimator(fitted, max_size=20)
    np.testing.assert_allclose(np.asarray(display.image_.get_array()), wanted, atol=1e-7)


def test_every_cost_of_every_phase_is_drawn(fitted):
    display = HistoryDisplay.from_estimator(fitted)
    assert [ax.get_title() for ax in display.axes_] == ["pretrain", "head"]
    legend = {text.get_text() for text in display.axes_[1].get_legend().get_texts()}
    assert legend == {"reconstruction", "locality", "expression", "graph", "label"}
    with pytest.raises(ValueError, match="2 phases, but 1 axes"):
        HistoryDisplay(fitted.history_).plot(axes=[plt.gca()])
    with pytest.raises(ValueError, match="empty"):
        HistoryDisplay([]).plot()


def test_images_are_drawn_by_cluster(fitted, images):
    display = ClusterImagesDisplay.from_estimator(fitted, images[0], n_images=4)
    canvas = np.asarray(display.ax_.images[0].get_array())
    assert canvas.shape == (3 * 9 - 1, 4 * 9 - 1)
    colour = np.random.RandomState(0).uniform(size=(6, 3, 5, 5))
    assert ClusterImagesDisplay(colour, [0, 0, 1, 1, 2, 2]).plot(n_images=2).ax_.images[0].get_array().ndim == 3
    flat = PSSC(3, autoencoder=AutoEncoder(max_epochs=1), max_epochs=0, random_state=0).fit(images[0].reshape(60, -1))
    with pytest.raises(ValueError, match="give it image_shape"):
        ClusterImagesDisplay.from_estimator(flat, images[0])


def test_displays_say_how_to_get_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.pyplot'] = None\n"
        "from skdeepsc.inspection import HistoryDisplay\n"
        "try: HistoryDisplay([{'phase': 'a', 'epoch': 1, 'loss': 1.0}]).plot()\n"
        "except ImportError as error: assert 'skdeepsc[plot]' in str(error)\n"
        "else: raise SystemExit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
