"""Nothing is silently wrong: the same labels whatever the scale, the settings of the process, and the thread."""

import re
import subprocess
import sys
import threading
import tracemalloc
import warnings
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import Callback, Checkpoint

import skdeepsc
from skdeepsc import (
    EDSC,
    KSSC,
    LRR,
    NCSC,
    SSC,
    AutoEncoder,
    DSCNet,
    EnSC,
    _memory,
    _row_keys,
    affinity,
    metrics,
    segmentation,
)
from skdeepsc._random import seeded
from skdeepsc._row_keys import first_copies
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.deep import TrainedSolver
from skdeepsc.training import RandomAugmentation, epochs_of
from skdeepsc.training.batches import Batches
from tests.estimators import DEEP, SHALLOW, make_known

SHORT = {"n_clusters": 3, "autoencoder__max_epochs": 2, "max_epochs": 1, "augment": None, "random_state": 0}
SHORT |= {"subspace_epochs": 1, "classifier_epochs": 1, "n_nonzero_coefs": 4}
CLUSTERERS = [*DEEP, skdeepsc.SubspaceClustering, *SHALLOW]

pytestmark = [
    pytest.mark.usefixtures("few_first_epochs"),
    pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning"),
    pytest.mark.filterwarnings("ignore:The classifier is collapsing"),
    pytest.mark.filterwarnings("ignore:Pre-training has learnt hardly anything"),
]


@pytest.fixture(scope="module")
def rows():
    return make_union_of_subspaces(45, 12, n_subspaces=3, subspace_dim=3, random_state=0)[0]


def quick(clusterer, **params):
    return make_known(clusterer, **SHORT).set_params(**params)


# Copies


@pytest.mark.parametrize("clusterer", [skdeepsc.SubspaceClustering, *SHALLOW])
@pytest.mark.parametrize("subsample", [None, 30])
def test_copies_of_rows_change_nothing(clusterer, subsample, rows):
    once = quick(clusterer, subsample=subsample).fit(rows)
    thrice = quick(clusterer, subsample=subsample).fit(np.repeat(rows, 3, axis=0))
    assert np.array_equal(thrice.labels_, np.repeat(once.labels_, 3))
    assert np.array_equal(thrice.sample_indices_, 3 * once.sample_indices_)
    assert np.array_equal(thrice.predict(rows), once.predict(rows))
    if hasattr(once, "confidence_"):
        assert np.array_equal(thrice.confidence_, np.repeat(once.confidence_, 3))


@pytest.mark.parametrize("clusterer", DEEP)
def test_copies_share_their_label_where_a_network_learns_from_all(clusterer, rows):
    fitted = quick(clusterer).fit(np.tile(rows, (3, 1)))
    assert np.array_equal(fitted.labels_, np.tile(fitted.labels_[:45], 3))
    assert len(np.unique(fitted.labels_)) > 1


def test_fewer_distinct_samples_than_clusters_are_told():
    X = np.repeat(np.random.RandomState(0).normal(size=(2, 6)), 5, axis=0)
    with pytest.warns(
        segmentation.DegenerateAffinityWarning, match=r"X holds 2 distinct samples, and n_clusters=3: copies"
    ):
        assert SSC(3, random_state=0).fit(X).labels_.shape == (10,)


def test_sparse_copies_change_nothing(rows):
    often = sparse.csr_array(np.repeat(rows, 3, axis=0))
    labels = quick(skdeepsc.SSC).fit_predict(often)
    assert np.array_equal(labels, np.repeat(quick(skdeepsc.SSC).fit_predict(sparse.csr_array(rows)), 3))


@pytest.mark.parametrize("clusterer", SHALLOW)
@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
def test_multiples_of_rows_are_copies_where_all_have_unit_length(clusterer, to, rows):
    once = quick(clusterer).fit(to(rows))
    both = quick(clusterer).fit(to(np.vstack([rows, 3.7 * rows])))
    assert np.array_equal(both.labels_, np.tile(once.labels_, 2))
    assert both.sample_indices_.tolist() == list(range(45))
    assert len(quick(clusterer, normalization="none").fit(np.vstack([rows, 3.7 * rows])).sample_indices_) == 90


def test_entries_of_sparse_rows_that_name_a_place_twice_are_summed(rows):
    whole = sparse.csr_array(rows)
    parts = sparse.csr_array(
        (np.repeat(whole.data, 2) * np.tile([2.0, -1.0], whole.nnz), np.repeat(whole.indices, 2), 2 * whole.indptr)
    )
    for clusterer in SHALLOW:
        fitted = quick(clusterer).fit(parts)
        assert parts.nnz == 2 * whole.nnz
        np.testing.assert_allclose(fitted.coef_[:5].sum(), quick(clusterer).fit(whole).coef_[:5].sum(), rtol=1e-6)
        assert np.array_equal(fitted.predict(parts), fitted.predict(whole))


def test_first_copies_are_those_of_the_slow_version():
    generator = np.random.default_rng(0)
    for dtype in (np.uint8, np.float32, np.float64):
        X = generator.integers(-1 if dtype != np.uint8 else 0, 2, (300, 5)).astype(dtype)
        X[::7] *= dtype(-0.0)  # Zeros with a sign are zeros.
        seen = {}
        slow = [seen.setdefault(tuple((row + 0).tolist()), i) for i, row in enumerate(X)]
        assert np.array_equal(first_copies(X), slow)
        unsorted = sparse.csr_array((np.r_[X[:, 0], X[:, 1]], np.r_[[1] * 300, [0] * 300], np.arange(0, 601, 2)))
        assert np.array_equal(first_copies(sparse.csr_array(X)), slow)
        assert np.array_equal(first_copies(unsorted), first_copies(unsorted.toarray()))


def test_rows_that_differ_in_bits_whose_keys_agree_are_not_copies(monkeypatch):
    monkeypatch.setattr(_row_keys, "_row_keys", lambda rows: np.zeros(rows.shape[0], dtype=np.uint64))
    X = np.array([[1.0], [2.0], [1.0], [3.0]])
    assert first_copies(X).tolist() == [0, 1, 0, 3]


def test_zero_rows_are_named(rows):
    X = rows.copy()
    X[[4, 9]] = 0
    with pytest.warns(segmentation.DegenerateAffinityWarning, match=r"zeros, as they are represented \(4\)"):
        skdeepsc.SSC(3, random_state=0).fit(X)


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


# Parameters and inputs


BAD_PARAMETERS = [
    (DSCNet, "channels", {"autoencoder__channels": (0,), "image_shape": (3, 4)}),
    (DSCNet, "channels", {"autoencoder__channels": (), "image_shape": (3, 4)}),
    (DSCNet, "kernel_sizes", {"autoencoder__kernel_sizes": ("3",), "image_shape": (3, 4)}),
    (DSCNet, "hidden_sizes", {"autoencoder__hidden_sizes": (2.5, 2)}),
    (DSCNet, "network", {"autoencoder__network": lambda: None}),
    (DSCNet, "image_shape", {"image_shape": (-3, -4)}),
    (DSCNet, "image_shape", {"image_shape": (3.0, 4.0)}),
    (DSCNet, "device", {"device": "meta"}),
    (DSCNet, "callbacks", {"callbacks": ["EarlyStopping"]}),
    (DSCNet, "memory", {"memory": ""}),
    (DSCNet, "memory", {"memory": "/dev/null/cache"}),
    (DSCNet, "nope", {"affinity_params": {"nope": 1}}),
    (DSCNet, "n_coefs", {"affinity_params": {"n_coefs": 0}}),
    (DSCNet, "keep", {"affinity": "enhanced", "affinity_params": {"keep": -1}}),
    (DSCNet, "affinity", {"affinity": lambda coef: coef[:3, :3]}),
    (NCSC, "positive_threshold", {"positive_threshold": (2, 3)}),
    (NCSC, "negative_threshold", {"negative_threshold": []}),
    (skdeepsc.DSCSC, "augment", {"augment": {"nope": 1}}),
    (skdeepsc.KSSC, "kernel_params", {"kernel_params": {"nope": 1}}),
    (skdeepsc.KSSC, "kernel", {"kernel": lambda a, b: np.nan}),
    (skdeepsc.SSC, "norm", {"affinity_params": {"norm": "l7"}}),
    (skdeepsc.SSC, "n_jobs", {"n_jobs": 0}),
    (skdeepsc.SubspaceClustering, "views", {"views": [("a", StandardScaler)]}),
    (skdeepsc.SubspaceClustering, "'mine'", {"views": [("mine", FunctionTransformer(sparse.csr_array))]}),
    (skdeepsc.SubspaceClustering, "subspace_dims", {"subspace_dims": ["a"]}),
    (skdeepsc.Scattering, "image_size", {"image_size": 1}),
    (skdeepsc.MultiscaleScattering, "image_size", {"image_size": "3"}),
    (skdeepsc.MultiscaleScattering, "n_scales", {"n_scales": (99,)}),
]


@pytest.mark.parametrize(("cls", "name", "params"), BAD_PARAMETERS)
def test_a_parameter_that_cannot_be_is_named(cls, name, params, rows):
    with pytest.raises((TypeError, ValueError), match=name):
        quick(cls, **params).fit(rows)


@pytest.mark.parametrize("cls", [skdeepsc.SSC, skdeepsc.AutoEncoder])
def test_what_holds_no_numbers_is_refused_in_a_sentence(cls, rows):
    for X, message in (
        (np.ma.masked_array(rows, mask=rows > 0.5), "masked"),
        (np.abs(rows).astype("datetime64[s]"), "dates"),
        (pd.DataFrame({"a": pd.to_datetime(range(9)), "b": range(9)}), "dates"),
        (torch.empty(9, 3, device="meta"), "meta"),
        (torch.tensor(rows).to_sparse(), "to_dense"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            quick(cls).fit(X)
    assert quick(cls).fit(np.ma.masked_array(rows, mask=False))


@pytest.mark.parametrize(
    ("cls", "params"),
    [
        (skdeepsc.KSSC, {"kernel": "linear", "normalization": "none", "gamma": 1e-9}),
        (skdeepsc.EnSC, {"alpha": 1.0, "normalization": "centered"}),
        (DSCNet, {"n_neighbors": 30, "n_clusters": 7}),
    ],
)
def test_a_fitted_model_keeps_the_parameters_of_its_fit(cls, params, rows):
    fitted = quick(cls).fit(rows)
    before = fitted.predict(rows), fitted.predict_proba(rows)
    fitted.set_params(**params)
    np.testing.assert_array_equal(fitted.predict(rows), before[0])
    np.testing.assert_array_equal(fitted.predict_proba(rows), before[1])


# The process


@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def loud():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for category in (segmentation.DegenerateAffinityWarning, ConvergenceWarning):
            warnings.simplefilter("ignore", category)
        yield


@contextmanager
def default_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


SETTINGS = {
    "frames": lambda: config_context(transform_output="pandas"),
    "default dtype": lambda: default_dtype(torch.float64),
    "half": lambda: default_dtype(torch.bfloat16),
    "default device": default_device,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "errors of numpy": lambda: np.errstate(all="raise"),
    "warnings are errors": loud,
}
DRAWING = [
    quick(NCSC, batch_size=20),
    quick(skdeepsc.PSSC, variant="paper"),
    quick(skdeepsc.DSCSC, augment="digits", image_shape=(3, 4), autoencoder__channels=(4,)),
    quick(skdeepsc.Contrastive, augment="rows"),
    quick(skdeepsc.SSC),
    quick(skdeepsc.MultiscaleScattering, image_shape=(3, 4)),
]


def learnt(estimator, X):
    """What a fit has found, and what follows from it."""
    fitted = clone(estimator).fit(X)
    found = fitted.transform(X) if hasattr(fitted, "transform") else fitted.predict_proba(X)
    return [found, *(getattr(fitted, name) for name in ("labels_", "embedding_") if hasattr(fitted, name))]


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("estimator", DRAWING, ids=lambda estimator: type(estimator).__name__)
def test_settings_of_the_process_change_nothing(estimator, rows):
    usual = learnt(estimator, rows)
    for setting in SETTINGS.values():
        with setting():
            found = learnt(estimator, rows)
        assert_same(found, usual)


def states():
    cudnn = torch.backends.cudnn
    return [
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        (cudnn.enabled, cudnn.benchmark, cudnn.deterministic),
        list(map(str, warnings.filters)),
    ]


def test_fits_in_threads_are_those_alone_and_leave_the_process_as_it_was(rows):
    dropout = torch.nn.Module()
    dropout.encoder = torch.nn.Sequential(torch.nn.Linear(12, 6), torch.nn.Dropout(0.3))
    dropout.decoder = torch.nn.Linear(6, 12)
    estimators = [*DRAWING, quick(DSCNet, autoencoder__network=dropout)]
    alone, together, before = [learnt(estimator, rows) for estimator in estimators], {}, states()

    def fit(number, estimator):
        together[number] = learnt(estimator, rows)

    for _ in range(2):
        threads = [threading.Thread(target=fit, args=pair) for pair in enumerate(estimators)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, wanted in enumerate(alone):
            assert_same(together.pop(number), wanted)
    assert states() == before


def test_python_without_docstrings_clusters():
    code = "from skdeepsc import SSC; print(SSC(2).fit([[0, 1], [1, 0], [1, 1]]).labels_.shape, SSC(2))"
    run = subprocess.run(
        [sys.executable, "-OO", "-W", "ignore", "-c", code], check=True, capture_output=True, text=True
    )
    assert run.stdout == "(3,) SSC(n_clusters=2)\n"


def test_a_checkpoint_keeps_the_best_epoch_of_a_phase(tmp_path, rows):
    keep = Checkpoint(monitor="train_loss_best", dirname=tmp_path)
    fitted = quick(DSCNet, max_epochs=3, callbacks=[keep]).fit(rows)
    assert (tmp_path / "params.pt").exists()
    assert "train_loss_best" not in fitted.history_[-1]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_outlier_beside_which_all_others_are_one_makes_no_nan(rows):
    X = np.vstack([rows[:29], 1e12 * rows[29:30]])
    found = skdeepsc.SubspaceClustering(3, random_state=0).fit(X)
    assert np.isfinite(found.predict_proba(X)).all()


# Memory


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_limits_of_containers_count(kind, monkeypatch, tmp_path):
    root, own = (tmp_path / "memory", "4:memory:/job/step") if kind == "v1" else (tmp_path, "0::/job/step")
    limit, used, spare = _memory._CGROUP_FILES[kind]
    (root / "job/step").mkdir(parents=True)
    (root / "job" / limit).write_text("1000000\n")  # That of a group above counts, too.
    (root / "job" / used).write_text("700000\n")
    (root / "job/memory.stat").write_text(f"anon 5\n{spare} 200000\n")
    (root / "job/step" / limit).write_text("max\n" if kind == "v2" else str(2**63 - 4096))
    (tmp_path / "own").write_text(own + "\n")
    monkeypatch.setattr(_memory, "_CGROUPS", tmp_path)
    monkeypatch.setattr(_memory, "_OWN_CGROUPS", tmp_path / "own")
    assert _memory.available_bytes("cpu") == 500_000


def test_a_limit_of_the_address_space_counts(monkeypatch):
    resource = pytest.importorskip("resource")
    pages = int(_memory._text("/proc/self/statm").split()[0])
    limit = pages * resource.getpagesize() + 2**24
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    assert _memory.available_bytes("cpu") <= 2**24


def test_all_pairs_of_a_view_are_refused_before_they_are_made(monkeypatch, rows):
    monkeypatch.setattr(_memory, "available_bytes", lambda device: 10_000)
    with pytest.raises(MemoryError, match=r"45 samples of 12 features, the view 'pixels', .*subsample=22"):
        skdeepsc.SubspaceClustering(3, subsample=None).fit(rows)


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 GB")]
)
def test_a_failing_allocation_says_what_would_fit(error, monkeypatch, rows):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("skdeepsc.deep._base.graphs_by_dim", fail)
    with pytest.raises(MemoryError, match=r"llocat.* subsample=22"):
        quick(DSCNet).fit(rows)


# Warnings


def test_a_warning_names_parameters_that_there_are_and_the_users_line(rows):
    X = np.vstack([rows[:20], np.zeros((2, 12))])
    for estimator, named in ((quick(skdeepsc.SSC), "a larger alpha"), (quick(skdeepsc.EDSC), "smaller subspace_dim")):
        with pytest.warns(segmentation.DegenerateAffinityWarning) as caught:
            estimator.fit(X)
        assert {warning.filename for warning in caught} == {__file__}
        (message,) = {str(warning.message) for warning in caught if "no affinity" in str(warning.message)}
        assert named in message
        for name in re.findall(r"larger (\w+)|smaller (\w+)", message.replace("n_coefs in ", "")):
            assert "".join(name) in estimator.get_params(), message


def test_samples_far_from_what_was_learnt_have_no_codes_that_are_no_numbers(rows):
    fitted = AutoEncoder(max_epochs=1, random_state=0).fit(rows.astype(np.float32))
    with pytest.raises(FloatingPointError, match="codes of some samples are NaN or infinite"):
        fitted.transform(rows.astype(np.float32) / np.abs(rows).max() * np.float32(3e38))


def test_an_affinity_of_ones_own_may_be_a_list_or_a_frame(rows):
    def plain_lists(coef):
        return (np.abs(coef) + np.abs(coef).T).tolist()

    for made in (plain_lists, lambda coef: pd.DataFrame(plain_lists(coef))):
        fitted = EDSC(3, affinity=made, random_state=0).fit(rows)
        assert fitted.explain(0, 1).affinity == fitted.affinity_matrix_[0, 1]


_ON_A_FULL_DISK = """
import resource, sys, warnings
import numpy as np
from skdeepsc import AutoEncoder, save

X = np.random.RandomState(0).uniform(size=(40, 64))
codes = AutoEncoder(max_epochs=2, random_state=0).fit(X).transform(X)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
for place in ("checkpoint", "memory"):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fitted = AutoEncoder(max_epochs=2, random_state=0, **{place: f"{sys.argv[1]}/{place}"}).fit(X)
    assert np.array_equal(fitted.transform(X), codes)
    assert told, place
try:
    save(fitted, f"{sys.argv[1]}/model.skdeepsc")
except OSError as error:
    assert "model.skdeepsc cannot be written" in str(error)
else:
    raise AssertionError("5000 bytes suffice")
"""


def test_a_full_disk_costs_what_was_to_be_kept_and_not_the_fit(tmp_path):
    done = subprocess.run([sys.executable, "-c", _ON_A_FULL_DISK, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_model_whose_coefficients_were_deleted_can_be_fitted_again(rows):
    once, again = EDSC(3, random_state=0).fit(rows), EDSC(3, random_state=0).fit(rows)
    del again.coef_
    np.testing.assert_array_equal(again.fit(rows).labels_, once.labels_)


def test_others_networks_are_judged_as_they_answer(rows):
    """Neither does dropout draw, nor does batch norm learn, where it is asked whether a network has learnt anything."""
    network = torch.nn.Module()
    network.encoder = torch.nn.Sequential(torch.nn.Linear(12, 6), torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.3))
    network.decoder = torch.nn.Linear(6, 12)
    state = torch.get_rng_state()
    fitted = AutoEncoder(network=network, max_epochs=40, batch_size=15, random_state=0).fit(rows)
    assert torch.equal(torch.get_rng_state(), state)
    assert fitted.network_.encoder[1].num_batches_tracked == 3 * len(fitted.history_)


def test_the_generators_of_the_device_in_use_are_seeded_and_given_back(monkeypatch):
    """Others draw from the generator of the device that a fit is on, which need not be the present one."""
    states, present = {0: "first's", 1: "second's"}, [0]

    @contextmanager
    def device(which):
        present.append(which.index)
        yield
        present.pop()

    def manual_seed(seed):
        states[present[-1]] = seed

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "manual_seed", manual_seed)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda which: states[which.index])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, which: states.update({which.index: state}))
    with seeded(5, "cuda:1", shared=True):
        assert states == {0: "first's", 1: 5}
    assert states == {0: "first's", 1: "second's"}


def test_on_cuda_only_what_decides_algorithms_is_set(monkeypatch):
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "allow_tf32", False)
    monkeypatch.setattr(cudnn, "benchmark", True)
    with seeded(5, "cuda:1"):
        assert (cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32) == (True, False, False)
    assert (cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32) == (False, True, False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["symmetric", "row_normalized", "thresholded", "enhanced", "low_rank", "top"])
def test_segmentation_takes_no_more_memory_than_is_foretold(name, dtype):
    coef = np.random.default_rng(0).random((800, 800)).astype(dtype)
    tracemalloc.start()
    try:
        made = affinity.compute_affinity(coef, name, n_clusters=3)
        segmentation.spectral_labels(made, 3, random_state=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    foretold = _memory.segmentation_bytes(name, coef.itemsize) * coef.size
    assert 0.6 * foretold < peak + coef.nbytes < 1.1 * foretold


class Net(torch.nn.Module):
    """An auto-encoder of rows of twelve values, as users write them."""

    def __init__(self, encoder, decoder=None):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder or torch.nn.Linear(6, 12)


class Single(torch.nn.Linear):
    """A layer that computes in single precision whatever it gets."""

    def forward(self, x):
        return super().forward(x.float())


class Stack(torch.nn.Sequential):
    """A sequence whose constructor takes something else."""

    def __init__(self, width):
        super().__init__(torch.nn.Linear(12, width), torch.nn.ReLU(), torch.nn.Flatten())


def test_frozen_parts_answer_as_after_training(rows):
    layers = torch.nn.Linear(12, 6), torch.nn.BatchNorm1d(6)
    codes = AutoEncoder(network=Net(torch.nn.Sequential(*layers)), max_epochs=5, random_state=0).fit(rows)
    short = {"subspace_epochs": 0, "classifier_epochs": 3, "max_epochs": 0, "init": "spectral", "random_state": 0}
    fitted = NCSC(3, autoencoder=FrozenEstimator(codes), **short).fit(rows)
    np.testing.assert_array_equal(fitted.transform(rows), codes.transform(rows))
    noisy = Net(torch.nn.Sequential(torch.nn.Linear(12, 6), torch.nn.Dropout(0.5)))
    solver = TrainedSolver(epochs=5)
    express = quick(DSCNet, autoencoder__network=noisy, solver=solver, max_epochs=0).fit(rows).history_[-5:]
    assert [row["phase"] for row in express] == ["express"] * 5
    costs = [row["expression"] for row in express]
    assert costs == sorted(costs, reverse=True)  # Of features that do not change from step to step.


@pytest.mark.parametrize("method", [skdeepsc.PSSC, NCSC])
def test_networks_of_single_precision_and_of_any_constructor_serve_all_methods(rows, method):
    for encoder in (Single(12, 6), torch.nn.Sequential(Single(12, 6), torch.nn.Unflatten(1, (2, 3))), Stack(6)):
        fitted = quick(method, autoencoder__network=Net(encoder)).fit(rows)
        assert fitted.labels_.shape == (45,)


def test_layers_that_change_what_they_get_are_refused(rows):
    layers = torch.nn.Dropout(0.5, inplace=True), torch.nn.Linear(12, 6)
    with pytest.raises(ValueError, match=r"The encoder changes what it is given in place, .* inplace=False"):
        AutoEncoder(network=Net(torch.nn.Sequential(*layers)), max_epochs=1).fit(rows)
    decoder = torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Linear(6, 12))
    with pytest.raises(ValueError, match="The decoder changes what it is given in place"):
        AutoEncoder(network=Net(torch.nn.Linear(12, 6), decoder), max_epochs=1).fit(rows)


def in_place(x):
    x += 0.5 * torch.randn_like(x)
    return x


def apart(x):
    return x + 0.5 * torch.randn_like(x)


def test_an_augmentation_may_change_what_it_gets(rows):
    made = [quick(skdeepsc.PSSC, augment=augment, max_epochs=3).fit(rows) for augment in (in_place, apart)]
    np.testing.assert_array_equal(made[0].embedding_, made[1].embedding_)


def test_a_last_batch_of_one_sample_joins_the_one_before(rows):
    network = Net(torch.nn.Sequential(torch.nn.Linear(12, 6), torch.nn.BatchNorm1d(6)))
    fitted = AutoEncoder(network=network, max_epochs=2, batch_size=22, random_state=0).fit(rows)  # 45 = 2 * 22 + 1
    assert len(fitted.history_) == 2
    batches = Batches(torch.arange(45.0)[:, None], 22)
    assert [len(batch["x"]) for batch, _ in batches] == [22, 23]
    assert len(batches) == 2
    assert [len(batch["x"]) for batch, _ in Batches(torch.zeros(3, 1), 1)] == [1, 1, 1]


def test_first_labels_are_of_samples_in_their_own_units(rows):
    large = rows * 1e15
    kmeans = FrozenEstimator(KMeans(3, n_init=3, random_state=0).fit(large.astype(np.float32)))
    short = {"subspace_epochs": 0, "classifier_epochs": 100, "max_epochs": 0, "random_state": 0}
    fitted = NCSC(3, init=kmeans, autoencoder=AutoEncoder(max_epochs=20), **short).fit(large)
    assert len(set(fitted.labels_)) == 3
    of_doubles = FrozenEstimator(KMeans(3, n_init=3, random_state=0).fit(rows.astype(float)))
    assert len(set(NCSC(3, init=of_doubles, autoencoder=AutoEncoder(max_epochs=20), **short).fit(rows).labels_)) == 3


def test_maps_that_are_read_backwards_are_samples(rows, tmp_path):
    np.save(tmp_path / "rows.npy", rows.astype(np.float32))
    for mode in ("r", "r+", "c"):
        mapped = np.load(tmp_path / "rows.npy", mmap_mode=mode)[::-1]
        found = quick(skdeepsc.KSCN).fit(mapped)
        np.testing.assert_array_equal(found.labels_, quick(skdeepsc.KSCN).fit(np.array(mapped)).labels_)


def test_mapped_bytes_are_in_the_units_of_the_fit(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "bytes.npy", rng.integers(0, 255, (45, 12)).astype(np.uint8))
    mapped = np.load(tmp_path / "bytes.npy", mmap_mode="r")
    fitted = AutoEncoder(max_epochs=1, random_state=0).fit(mapped * 1e-15)
    np.testing.assert_array_equal(fitted.transform(mapped), fitted.transform(np.array(mapped)))


def test_one_sample_that_is_clustered_has_the_first_label(rows):
    assert set(quick(skdeepsc.PSSC, n_clusters=1, subsample=1, augment="rows").fit(rows).labels_) == {0}
    assert set(quick(NCSC, n_clusters=1, init_size=1, init="head").fit(rows).labels_) == {0}


def test_each_partial_fit_draws_other_batches(rows, monkeypatch):
    fitted, drawn, drawn_of = quick(NCSC, batch_size=15).fit(rows), [], Batches._drawn
    monkeypatch.setattr(Batches, "_drawn", lambda self: (drawn.append(b[0]["index"]) or b for b in drawn_of(self)))
    for _ in range(2):
        fitted.partial_fit(rows)
    assert not torch.equal(drawn[0], drawn[3])


def test_an_affinity_of_any_sparse_format_is_csr(rows):
    fitted = quick(DSCNet, affinity=lambda coef: sparse.coo_matrix(np.abs(coef) + np.abs(coef).T)).fit(rows)
    assert isinstance(fitted.affinity_matrix_, sparse.csr_array)
    fitted.explain(0, 1)


class Beside(torch.nn.Sequential):
    """A sequence with a way around its layers."""

    def forward(self, x):
        return self[1](torch.hstack([self[0](x), x]))


class NoMemory(torch.nn.Linear):
    """A layer for which there is no memory in double precision."""

    def forward(self, x):
        if x.dtype == torch.float64:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return super().forward(x)


def test_the_shape_of_codes_is_what_the_encoder_makes(rows):
    net = Net(Beside(torch.nn.Linear(12, 4), torch.nn.Flatten()), torch.nn.Linear(16, 12))
    assert quick(NCSC, autoencoder__network=net).fit(rows).labels_.shape == (45,)


def test_no_memory_for_double_precision_is_told(rows):
    with pytest.raises(MemoryError, match=r"Memory has run out: CUDA out of memory.* subsample="):
        quick(skdeepsc.PSSC, autoencoder__network=Net(NoMemory(12, 6))).fit(rows)


def test_auto_epochs_are_as_many_steps_as_they_say():
    for n_samples in (50, 51, 101, 120, 401):
        epochs = epochs_of(1500, n_samples, 50)
        assert 1500 <= epochs * len(Batches(torch.zeros(n_samples, 1), 50)) < 1500 + n_samples


def test_a_frozen_clusterer_that_predicts_nothing_is_refused_before_any_training(rows):
    frozen = FrozenEstimator(SpectralClustering(3).fit(rows))
    with pytest.raises(ValueError, match="init is a frozen SpectralClustering, which has no predict"):
        quick(NCSC, init=frozen).fit(rows)


# Numbers and labels of unusual kinds


def test_fractions_are_numbers(rows):
    np.testing.assert_array_equal(
        SSC(3, alpha=Fraction(20), random_state=0).fit_predict(rows), SSC(3, alpha=20, random_state=0).fit_predict(rows)
    )
    coef = SSC(3, random_state=0).fit(rows).coef_.toarray()
    kept = [affinity.threshold_coefficients(coef, share) for share in (Fraction(1, 2), 0.5)]
    np.testing.assert_array_equal(*kept)
    assert RandomAugmentation(shift=Fraction(1, 2)).shift == 0.5
    with pytest.raises(ValueError, match="n_clusters"):
        SSC(Fraction(3)).fit(rows)


def test_large_integers_are_labels_of_their_own():
    """Of a list with small and large ones, NumPy makes floats, in which two of these are one."""
    for last in (1, -1):
        labels = [2**63 + 2, 2**63 + 2, 2**63 + 1, last]
        assert metrics.clustering_accuracy_score([0, 0, 1, 2], labels) == 1


def test_what_is_no_label_is_told():
    with pytest.raises(ValueError, match="labels_pred holds NaN or None"):
        metrics.clustering_accuracy_score([0, 1], [Decimal("sNaN"), Decimal(1)])
    if hasattr(np.dtypes, "StringDType"):
        words = np.array(["a", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan))
        with pytest.raises(ValueError, match="labels_pred holds NaN or None"):
            metrics.clustering_accuracy_score([0, 1], words)


@pytest.mark.parametrize("y", [np.ma.array([0] * 30, mask=[True] + [False] * 29), [np.nan] * 30, [None] * 30, [0] * 29])
def test_scorers_refuse_what_are_no_labels(rows, y):
    fitted = EDSC(3, random_state=0).fit(rows)
    for scorer in (metrics.accuracy_scorer, metrics.nmi_scorer, metrics.ari_scorer):
        with pytest.raises(ValueError, match=r"\b(y|labels_true)\b"):
            scorer(fitted, rows, y)


@pytest.mark.parametrize(("scale", "dtype"), [(1e-25, "f4"), (1e20, "f4"), (1e-200, "f8"), (1e200, "f8")])
def test_the_silhouette_is_the_same_at_all_scales(rows, scale, dtype):
    def score(X):
        return metrics.silhouette_scorer(EDSC(3, random_state=0).fit(X), X)

    assert score((rows * scale).astype(dtype)) == pytest.approx(score(rows), rel=1e-5)


def test_a_kernel_may_change_what_it_gets(rows):
    def kernel(a, b):
        a *= 2
        return float(a @ b) / 2

    own = KSSC(3, kernel=kernel, random_state=0).fit(rows)
    np.testing.assert_array_equal(own.labels_, KSSC(3, kernel="linear", random_state=0).fit(rows).labels_)
    np.testing.assert_array_equal(own.embedding_, KSSC(3, kernel="linear", random_state=0).fit(rows).embedding_)
    with pytest.raises(ValueError, match=r"kernel=.* gives magnitudes of 2 \*\* .* divide it"):
        KSSC(3, kernel=lambda a, b: a @ b * 1e300).fit(rows)
    with pytest.raises(TypeError, match=r"kernel_params=.* names of arguments"):
        KSSC(3, kernel=kernel, kernel_params={1: 2}).fit(rows)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (EDSC(3, affinity_params={"coef": 1}), "affinity_params: .* gets its 'coef' already"),
        (
            EDSC(3, affinity="enhanced", affinity_params={"n_clusters": 2}),
            "affinity_params: .* its 'n_clusters' already",
        ),
        (EnSC(3, l1_ratio=1e-310), "l1_ratio=1e-310 leaves no number"),
    ],
)
def test_parameters_that_leave_nothing_are_told(rows, estimator, message):
    with pytest.raises((TypeError, ValueError), match=message):
        estimator.fit(rows)


def test_a_ridge_that_is_too_small_is_told():
    X, _ = make_union_of_subspaces(60, 100, subspace_dim=2, random_state=0)
    with pytest.raises(ValueError, match=r"A ridge penalty of 1e-30 is too small .* give a larger ridge_lambda"):
        EDSC(3, ridge_lambda=1e-30).fit(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_lrr_labels_new_rows_under_any_noise(rows):
    assert set(LRR(3, noise_lambda=1e160, random_state=0).fit(rows).predict(rows)) <= {0, 1, 2}


def test_arrays_that_only_say_where_they_are_have_features(rows):
    class Array:
        def __init__(self, values):
            self.values, self.__array_interface__ = values, values.__array_interface__

    fitted = EDSC(3, random_state=0).fit(Array(rows))
    assert fitted.n_features_in_ == rows.shape[1]
    with pytest.raises(ValueError, match="features"):
        fitted.predict(rows[:, :3])
