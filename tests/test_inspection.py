import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepsc import PSSC, AutoEncoder, SubspaceClustering
from skdeepsc.inspection import (
    AffinityDisplay,
    ClusterImagesDisplay,
    ContactSheetDisplay,
    DoubtfulDisplay,
    HistoryDisplay,
)
from skdeepsc.report import find

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
    for cluster, shown in enumerate(display.shown_):
        assert len(shown) == 4
        assert set(fitted.labels_[shown]) == {cluster}
    colour = np.random.RandomState(0).uniform(size=(6, 3, 5, 5))
    drawn = ClusterImagesDisplay(colour, [0, 0, 1, 1, 2, 2]).plot(n_images=2)
    assert np.ptp(drawn.ax_.images[0].get_array(), axis=-1).any()
    assert [label.get_text() for label in drawn.ax_.get_yticklabels()] == ["0  (2)", "1  (2)", "2  (2)"]
    rows = images[0].reshape(60, -1)
    flat = PSSC(3, autoencoder=AutoEncoder(max_epochs=1), max_epochs=0, random_state=0).fit(rows)
    for draw in (ClusterImagesDisplay.from_estimator, ContactSheetDisplay.from_estimator):
        with pytest.raises(ValueError, match="give it image_shape"):
            draw(flat, rows)
    assert len(ClusterImagesDisplay.from_estimator(flat, rows, images=images[0]).shown_) == 3


class Counted:
    """Images, and which of them were asked for."""

    def __init__(self, images):
        self.images, self.asked = images, set()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        self.asked.add(number)
        return self.images[number]


def test_a_contact_sheet_has_the_typical_first_and_reads_only_what_it_shows(images):
    fitted = SubspaceClustering(3, views=["pixels"], random_state=0).fit(images[0])
    wanted, counted = find(fitted, images[0]).members, Counted(images[0])
    names = [f"{number}.png" for number in range(60)]
    display = ContactSheetDisplay.from_estimator(fitted, images[0], images=counted, names=names, n_images=5)
    for shown, members in zip(display.shown_, wanted, strict=True):
        assert shown.tolist() == [*members[:3], *members[-2:]]
    assert counted.asked == {0, *np.concatenate(display.shown_).tolist()}  # The first tells what they are.
    written = [text.get_text() for text in display.ax_.texts]
    assert all(names[number] in written for number in np.concatenate(display.shown_))
    assert written.count("…") == 3
    sizes = [f"{cluster}  ({len(members)})" for cluster, members in enumerate(wanted)]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == sizes
    # The pictures are where they are said to be: the first of the second cluster, by its pixels.
    side, (height, width) = 56, images[0][0].shape
    row = display.ax_.images[0].get_array().shape[0] // 3
    corner = display.ax_.images[0].get_array()[row : row + side : side // height, : side : side // width, 0]
    image = images[0][wanted[1][0]]
    np.testing.assert_allclose(corner, (image - image.min()) / np.ptp(image) * 255, atol=0.51)


def test_a_hundred_clusters_are_five_pages():
    images = np.zeros((200, 4, 4), dtype=np.uint8)
    members = np.arange(200).reshape(100, 2)
    display = ContactSheetDisplay(images, members).plot(page=4)
    assert display.n_pages_ == 5
    assert np.concatenate(display.shown_).tolist() == list(range(160, 200))
    assert "page 5 of 5" in display.ax_.get_title(loc="left")
    with pytest.raises(ValueError, match="page=5 must be less than n_pages_, 5"):
        display.plot(page=5)


def test_the_doubtful_are_shown_beside_both_clusters_and_what_expresses_them(images):
    fitted = SubspaceClustering(3, views=["pixels"], random_state=0).fit(images[0])
    found = find(fitted, images[0])
    display = DoubtfulDisplay.from_estimator(fitted, images[0], n_samples=4)
    assert display.shown_.tolist() == found.doubtful(4).tolist()
    written = [text.get_text() for text in display.ax_.texts]
    for number in display.shown_:
        explanation = fitted.explain(int(number), top=5)
        assert f"sample {number}" in written
        assert f"cluster {found.second[number]}: {found.second_support[number]:.2f}" in written
        assert f"{explanation.weights[0]:+.2f}, in {explanation.labels[0]}" in written
    bars = DoubtfulDisplay(display.standing).plot(n_samples=4)
    widths = [bar.get_width() for bar in bars.ax_.patches]
    assert widths == [support[number] for number in display.shown_ for support in (found.support, found.second_support)]


def test_pipelines_are_drawn_by_what_their_last_step_sees(images):
    rows = images[0].reshape(60, -1)
    pipeline = make_pipeline(StandardScaler(), SubspaceClustering(3, image_shape=(8, 8), random_state=0)).fit(rows)
    assert find(pipeline, rows).cluster.tolist() == pipeline[-1].labels_.tolist()
    for display in (ContactSheetDisplay, DoubtfulDisplay, ClusterImagesDisplay):
        drawn = display.from_estimator(pipeline, rows)
        assert drawn.ax_.images
    AffinityDisplay.from_estimator(pipeline)


def test_displays_say_how_to_get_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.pyplot'] = None\n"
        "from skdeepsc.inspection import HistoryDisplay\n"
        "try: HistoryDisplay([{'phase': 'a', 'epoch': 1, 'loss': 1.0}]).plot()\n"
        "except ImportError as error: assert 'skdeepsc[plot]' in str(error)\n"
        "else: raise SystemExit(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
