"""Nothing is silently wrong: the same labels whatever the scale, the settings of the process, and the thread."""

import numpy as np
import pytest
import torch
from scipy import sparse
from skorch.callbacks import Callback

import skdeepsc
from skdeepsc import NCSC, DSCNet, affinity, metrics, segmentation
from skdeepsc.datasets import make_union_of_subspaces
from tests.estimators import DEEP, SHALLOW, make_known

SHORT = {"n_clusters": 3, "autoencoder__max_epochs": 2, "max_epochs": 1, "augment": None, "random_state": 0}
SHORT |= {"subspace_epochs": 1, "classifier_epochs": 1, "n_nonzero_coefs": 4}
CLUSTERERS = [*DEEP, skdeepsc.SubspaceClustering, *SHALLOW]

pytestmark = [
    pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning"),
    pytest.mark.filterwarnings("ignore:The classifier is collapsing"),
    pytest.mark.filterwarnings("ignore:Pre-training has learnt hardly anything"),
]


@pytest.fixture(scope="module")
def rows():
    return make_union_of_subspaces(45, 12, n_subspaces=3, subspace_dim=3, random_state=0)[0]


def quick(clusterer, **params):
    return make_known(clusterer, **SHORT).set_params(**params)


# Scales


@pytest.mark.parametrize("clusterer", CLUSTERERS)
def test_labels_do_not_depend_on_the_scale_of_the_samples(clusterer, rows):
    plain = quick(clusterer).fit(rows)
    scales = [(np.float64, -1000), (np.float32, 100), (np.float64, 1000), (np.float64, -100), (np.float32, -100)]
    for dtype, exponent in scales[: 2 if clusterer in DEEP else None]:
        scaled = np.ldexp(rows, exponent).astype(dtype)
        fitted = quick(clusterer).fit(scaled)
        assert np.array_equal(fitted.labels_, plain.labels_), (dtype, exponent)
        assert np.array_equal(fitted.predict(scaled), plain.predict(rows)), (dtype, exponent)


def test_decoded_samples_are_in_the_units_of_extreme_training_data(rows):
    encoder = skdeepsc.AutoEncoder(max_epochs=2, random_state=0)
    rebuilt = [encoder.fit(X).inverse_transform(encoder.transform(X)) for X in (rows, np.ldexp(rows, -700))]
    np.testing.assert_array_equal(np.ldexp(rebuilt[1], 700), rebuilt[0])


def test_a_rounding_error_is_no_direction(rows):
    for scale in (1e-30, 1.0, 1e30):
        level = np.full((45, 12), scale * 0.1, dtype=np.float32)
        assert not skdeepsc.EDSC(2, normalization="centered").fit(level).embedding_.any()


@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e200, 1e307])
def test_graphs_and_coefficients_have_no_scale(factor):
    coef = np.kron(np.eye(3), np.ones((5, 5))) - np.eye(15)
    truth = np.repeat(range(3), 5)
    for graph in (coef * factor, sparse.csr_array(coef * factor)):
        assert metrics.clustering_accuracy_score(truth, segmentation.spectral_labels(graph, 3, random_state=0)) == 1
        assert segmentation.normalized_cut(graph, truth) == 0
        for name in ("scaled", "row_normalized", "top"):
            found, plain = (affinity.compute_affinity(c, name) for c in (graph, coef))
            assert abs(found - plain).max() <= 1e-15


# Numbers that are none


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1j, "x"])
@pytest.mark.parametrize("name", affinity.__all__)
def test_coefficients_that_are_no_numbers_are_refused(name, bad):
    coef = np.ones((4, 4), dtype=object if bad == "x" else type(bad))
    coef[2, 1] = bad
    arguments = {"enhanced_affinity": (coef, 2), "affinity_from_top": (np.zeros((4, 4), int), coef)}
    with pytest.raises(ValueError, match=r"coef|NaN|infinit|[Cc]omplex|could not convert"):
        getattr(affinity, name)(*arguments.get(name, (coef,)))


def test_labels_and_scores_that_are_no_numbers_are_refused():
    graph, coef, missing = np.ones((3, 3)), np.full((3, 3), np.nan), [0, np.nan, 1]
    for call in (
        lambda: metrics.clustering_accuracy_score(missing, [0, 1, 1]),
        lambda: metrics.purity_score([0, 1, 1], [None, 1, 1]),
        lambda: metrics.subspace_preserving_error(coef, [0, 1, 1]),
        lambda: metrics.expression_residual(coef, graph),
        lambda: segmentation.normalized_cut(graph, missing),
        lambda: segmentation.edge_information(graph, missing),
        lambda: segmentation.match_labels(missing, [0, 1, 1]),
    ):
        with pytest.raises(ValueError, match="NaN"):
            call()
    scorer = metrics.make_labels_scorer(lambda features, labels: np.nan, needs_y=False)
    with pytest.raises(ValueError, match="is nan"):
        scorer(skdeepsc.EDSC(2, random_state=0).fit(np.eye(6)), np.eye(6))


class Poison(Callback):
    """NaN in a weight at the end of an epoch."""

    def __init__(self, phase, epoch):
        self.phase, self.epoch = phase, epoch

    def on_epoch_end(self, net, **kwargs):
        if (net.phase.name, len(net.history)) == (self.phase, self.epoch):
            with torch.no_grad():
                next(net.module_.encoder.parameters()).fill_(torch.nan)


@pytest.mark.parametrize("epoch", [1, 2])
@pytest.mark.parametrize(("clusterer", "phase"), [(DSCNet, "finetune"), (NCSC, "joint")])
def test_weights_that_turn_nan_end_the_fit_and_phase_terms_and_step_are_named(clusterer, phase, epoch, rows):
    broken = quick(clusterer, max_epochs=2, lr=3e-3, callbacks=[Poison(phase, epoch)])
    wanted = rf"encoder became NaN .* phase '{phase}', epoch 2, after costs of 'reconstruction' .*rate \(now 0.003"
    with pytest.raises(FloatingPointError, match=wanted):
        broken.fit(rows)
