"""What comes in is checked in one place: functions refuse by name what estimators refuse, and take what they take."""

import datetime
import pickle
import time
import tracemalloc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.datasets import load_digits
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skdeepsc
from skdeepsc import (
    SSC,
    AutoEncoder,
    DSCNet,
    EnSC,
    SubspaceClustering,
    _params,
    affinity,
    datasets,
    inspection,
    losses,
    metrics,
    nn,
    report,
    segmentation,
)
from skdeepsc._mapped import require_whole
from skdeepsc.training import RandomAugmentation
from tests.estimators import make_known

pytestmark = pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")

GRAPH = np.kron(np.eye(2), np.ones((5, 5))) - np.eye(10)
LABELS = np.repeat([0, 1], 5)
AXES = [SimpleNamespace(figure=None)] * 3  # What else axes have does not matter here.
EDSC = skdeepsc.EDSC(2, random_state=0).fit(GRAPH)
CLEAR = (TypeError, ValueError)
SHORT = {"n_clusters": 2, "autoencoder__max_epochs": 1, "max_epochs": 1, "augment": None, "random_state": 0}
SHORT |= {"subspace_epochs": 1, "classifier_epochs": 1}


def quick(clusterer, **params):
    return make_known(clusterer, **SHORT).set_params(**params)


@pytest.fixture(scope="module")
def rows():
    return datasets.make_union_of_subspaces(30, 12, n_subspaces=2, subspace_dim=3, random_state=0)[0]


@pytest.fixture(scope="module")
def encoder():
    return skdeepsc.AutoEncoder(hidden_sizes=(10,), max_epochs=1, random_state=0).fit(np.eye(10))


READERS = {
    "coef": [
        affinity.symmetric_affinity,
        affinity.threshold_coefficients,
        affinity.top_affinity,
        lambda coef: affinity.compute_affinity(coef, "low_rank"),
        lambda coef: metrics.subspace_preserving_error(coef, LABELS),
        lambda coef: metrics.expression_residual(coef, GRAPH),
    ],
    "features": [lambda features: metrics.expression_residual(GRAPH, features)],
    "affinity": [
        lambda graph: segmentation.spectral_labels(graph, 2, random_state=0),
        lambda graph: segmentation.spectral_embedding(graph, 2, random_state=0)[1],
        lambda graph: segmentation.normalized_cut(graph, LABELS),
        lambda graph: segmentation.edge_information(graph, LABELS),
        lambda graph: segmentation.candidate_labels(graph, 2, random_state=0)["kmeans-1"],
        lambda graph: segmentation.choose_n_clusters(graph, [2], random_state=0)[0],
    ],
}
NO_NUMBERS = {
    "masked": np.ma.masked_array(GRAPH, mask=GRAPH > 0),
    "masked rows": list(np.ma.masked_array(GRAPH, mask=GRAPH > 0)),
    "dates": GRAPH.astype("datetime64[s]"),
    "a frame of dates": pd.DataFrame(GRAPH.astype("datetime64[s]")),
    "dates as objects": np.full((10, 10), pd.Timestamp(0), dtype=object),
    "records": np.zeros(10, dtype=[("a", float), ("b", float)]),
    "complex": GRAPH + 1j,
    "text": "coefficients.npy",
    "nothing": None,
    "lists of two lengths": [[1.0], [1.0, 2.0]] * 5,
    "on meta": torch.empty(10, 10, device="meta"),
    "a list of tensors on meta": [torch.empty(10, device="meta")] * 10,
    "a sparse tensor": torch.from_numpy(GRAPH).to_sparse(),
    "NaN": np.where(GRAPH > 0, np.nan, GRAPH),
    "sparse NaN": sparse.csr_array(np.where(GRAPH > 0, np.nan, GRAPH)),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_functions_refuse_by_name_what_holds_no_numbers(kind, encoder):
    for name, functions in {**READERS, "Z": [encoder.inverse_transform]}.items():
        for function in functions:
            with pytest.raises(CLEAR, match=rf"\b{name}\b"):
                function(NO_NUMBERS[kind])


@pytest.mark.parametrize("form", ["list", "frame", "tensor", "gradient", "half", "bytes", "csc"])
def test_functions_take_what_estimators_take(form):
    graph = GRAPH * (1 + np.add.outer(np.arange(10), np.arange(10)))  # No two weights of a row are the same.
    forms = {"list": graph.tolist, "frame": lambda: pd.DataFrame(graph), "tensor": lambda: torch.from_numpy(graph)}
    forms |= {"gradient": lambda: torch.tensor(graph, requires_grad=True), "half": lambda: torch.tensor(graph).half()}
    forms |= {"bytes": lambda: graph.astype(np.uint8), "csc": lambda: sparse.csc_array(graph)}
    for function in [function for name, functions in READERS.items() if name != "features" for function in functions]:
        found, plain = function(forms[form]()), function(graph)
        found, plain = (each.toarray() if sparse.issparse(each) else each for each in (found, plain))
        np.testing.assert_allclose(found, plain, atol=1e-6)


NO_LABELS = {
    "masked": np.ma.masked_array(LABELS, mask=LABELS > 0),
    "NA": np.array([pd.NA, *LABELS[1:]], dtype=object),
    "NaT": pd.to_datetime([None] * 10),
    "records": np.zeros(10, dtype=[("a", int)]),
    "of two kinds": np.array(["a", *LABELS[1:]], dtype=object),
    "lists of two lengths": [[1], [1, 2]] * 5,
    "on meta": torch.empty(10, device="meta"),
    "a column": LABELS[:, None],
}


@pytest.mark.parametrize("kind", NO_LABELS)
def test_labels_that_are_none_are_refused_by_name(kind):
    labels = NO_LABELS[kind]
    for call in (
        lambda: metrics.clustering_accuracy_score(labels, LABELS),
        lambda: metrics.subspace_preserving_error(GRAPH, labels),
        lambda: segmentation.normalized_cut(GRAPH, labels),
        lambda: segmentation.match_labels(labels, LABELS),
    ):
        with pytest.raises(CLEAR, match="labels"):
            call()


ARGUMENTS = [
    ("n_samples", lambda: datasets.make_union_of_subspaces(0)),
    ("noise", lambda: datasets.make_union_of_subspaces(noise=np.nan)),
    ("random_state", lambda: datasets.make_union_of_subspaces(random_state=-1)),
    ("random_state", lambda: segmentation.spectral_labels(GRAPH, 2, random_state=-1)),
    ("n_clusters", lambda: segmentation.spectral_labels(GRAPH, True)),
    ("n_clusters", lambda: segmentation.choose_n_clusters(GRAPH, 3)),
    ("n_clusters", lambda: segmentation.choose_n_clusters(GRAPH, [np.nan])),
    ("random_state", lambda: segmentation.choose_n_clusters(GRAPH, [2], random_state=-1)),
    ("columns", lambda: affinity.affinity_from_top(np.ma.masked_array([[1], [0]], mask=True), np.ones((2, 1)))),
    ("affinity", lambda: affinity.compute_affinity(GRAPH, lambda: 1)),
    ("cube", lambda: datasets.pixels_of(torch.empty(2, 3, 4, device="meta"))),
    ("fill", lambda: datasets.pixels_of(np.zeros((2, 2, 2)))[1]([0] * 4, fill="none")),
    ("size", lambda: datasets.load_images([__file__], size=np.nan)),
    ("background", lambda: datasets.load_images([__file__], background="no colour")),
    ("max_bytes", lambda: datasets.load_images([__file__], max_bytes=None)),
    ("n_jobs", lambda: datasets.load_images([__file__], n_jobs=0)),
    ("list of paths", lambda: datasets.load_images(None)),
    ("shift", lambda: RandomAugmentation(shift=-1.0)),
    ("norm", lambda: losses.coefficient_norm(torch.ones(2, 2), "l3")),
    ("loss", lambda: losses.classification_cost(torch.ones(2, 2), torch.zeros(2, dtype=torch.long), "none")),
    ("image_shape", lambda: nn.ConvAutoEncoder((8,))),
    ("estimator", lambda: report.find(None, GRAPH)),
    ("findings", lambda: report.write_table(None, "table.csv")),
    ("path", lambda: skdeepsc.load(None)),
    ("path", lambda: skdeepsc.save(StandardScaler(), 5.5)),
    ("labels", lambda: inspection.AffinityDisplay(GRAPH, LABELS[:3]).plot()),
    ("affinity", lambda: inspection.AffinityDisplay(GRAPH[:3], LABELS).plot()),
    ("ax", lambda: inspection.AffinityDisplay(GRAPH, LABELS).plot(ax=5)),
    ("images", lambda: inspection.ClusterImagesDisplay(GRAPH, LABELS).plot()),
    ("images", lambda: inspection.ClusterImagesDisplay(np.full((10, 4, 4), "a"), LABELS).plot()),
    ("images", lambda: inspection.ClusterImagesDisplay([None] * 10, LABELS).plot()),
    ("n_images", lambda: inspection.ClusterImagesDisplay(np.ones((10, 4, 4)), LABELS).plot(n_images=0)),
    ("StandardScaler", lambda: inspection.ClusterImagesDisplay.from_estimator(StandardScaler().fit(GRAPH), GRAPH)),
    ("names", lambda: inspection.ContactSheetDisplay(np.ones((10, 4, 4)), [[0]], names={"a": 1}).plot()),
    ("members", lambda: inspection.ContactSheetDisplay(np.ones((10, 4, 4)), [[10]]).plot()),
    ("standing", lambda: inspection.DoubtfulDisplay(GRAPH).plot()),
    ("explanation", lambda: inspection.ExplanationDisplay(None).plot()),
    ("labels", lambda: inspection.EmbeddingMapDisplay(GRAPH[:, :2], LABELS.astype(str)).plot()),
    ("projection", lambda: inspection.EmbeddingMapDisplay.from_estimator(EDSC, GRAPH, projection=5)),
    ("X", lambda: inspection.EmbeddingMapDisplay.from_estimator(EDSC, None)),
    ("X", lambda: inspection.ExplanationDisplay.from_estimator(EDSC, GRAPH[:5], 3)),
    ("n_samples", lambda: inspection.DoubtfulDisplay.from_estimator(EDSC, GRAPH, n_samples=2.5)),
    ("scores", lambda: inspection.NumberOfClustersDisplay({2: None}).plot()),
    ("names", lambda: report.find(EDSC, GRAPH, names=np.zeros((10, 2)))),
    ("pictures", lambda: report.find(EDSC, GRAPH, pictures=5)),
    ("history", lambda: inspection.HistoryDisplay([{}]).plot()),
    ("candidates", lambda: inspection.CandidatesDisplay({}, GRAPH, LABELS).plot(axes=AXES)),
    ("lr", lambda: skdeepsc.DSCNet().set_params(lr__nope=1)),
    ("affinity_params", lambda: skdeepsc.SSC().set_params(affinity_params__n_coefs=3)),
    ("solver", lambda: skdeepsc.DSCNet().set_params(solver="none", solver__lr=1)),
]


def test_arrays_are_known_by_an_alias_too(monkeypatch):
    """From Python 3.12 on, NumPy's ArrayLike has no arguments of its own."""

    class Alias:
        __value__ = _params.ArrayLike

    monkeypatch.setattr(_params, "ArrayLike", Alias)
    assert all(map(_params._is_open, [Alias, Alias | None, Any]))
    assert not any(map(_params._is_open, [int, int | None, _params.Count, _params.RandomState]))


@pytest.mark.parametrize("number", range(len(ARGUMENTS)), ids=lambda number: f"{ARGUMENTS[number][0]}-{number}")
def test_an_argument_that_cannot_be_is_named(number):
    name, call = ARGUMENTS[number]
    pytest.importorskip("matplotlib").use("agg")
    if "load_images" in call.__code__.co_names:
        pytest.importorskip("PIL")
    with pytest.raises(CLEAR, match=name):
        call()


def test_true_is_no_number(rows):
    for params in (
        {"n_clusters": True},
        {"subsample": True},
        {"image_shape": (True, 12)},
        {"lr": True},
        {"random_state": True},
    ):
        with pytest.raises(ValueError, match=next(iter(params))):
            quick(skdeepsc.DSCNet, **params).fit(rows)


def test_names_and_pictures_follow_the_order_of_a_series_not_its_index(tmp_path):
    names = pd.Series([f"{number}.png" for number in range(10)], index=range(9, -1, -1))
    found = report.find(EDSC, GRAPH, names=names, pictures=names)
    assert found.names == names.tolist() == list(found.pictures)
    assert "3.png" in EDSC.explain(3).describe(names).splitlines()[0]


def test_small_integers_of_numpy_are_numbers(rows):
    coef = np.random.RandomState(0).normal(size=(400, 400))
    graphs = [affinity.enhanced_affinity(coef, number) for number in (30, np.uint8(30))]  # times 12
    np.testing.assert_array_equal(*graphs)
    params = {"image_size": 32, "n_angles": 6, "order": 2, "image_shape": (3, 4)}
    of_numpy = {name: np.uint8(value) if isinstance(value, int) else value for name, value in params.items()}
    plain, same = (skdeepsc.MultiscaleScattering(**each).fit(rows) for each in (params, of_numpy))
    np.testing.assert_array_equal(same.transform(rows), plain.transform(rows))
    assert isinstance(same.get_params()["image_size"], np.uint8)  # A clone has what was given.
    sizes = np.array([130], dtype=np.uint8)
    params = {"n_clusters": np.uint8(2), "autoencoder__channels": list(sizes), "autoencoder__max_epochs": np.int8(1)}
    assert quick(skdeepsc.DSCNet, image_shape=(3, 4), **params).fit(rows).predict(rows).shape == (30,)
    with pytest.raises(ValueError, match="order"):
        skdeepsc.Scattering(order=True).fit(rows)


@pytest.mark.parametrize("form", [sparse.coo_matrix, sparse.lil_array, sparse.dok_array, sparse.dia_array])
def test_displays_take_sparse_rows_in_any_form(form, rows):
    pytest.importorskip("matplotlib").use("agg")
    fitted = skdeepsc.EDSC(2, random_state=0).fit(form(rows))
    assert inspection.ExplanationDisplay.from_estimator(fitted, form(rows), 3).explanation.sample == 3
    assert inspection.EmbeddingMapDisplay.from_estimator(fitted, form(rows)).points.shape == (30, 2)


def test_a_report_does_not_depend_on_the_scale(rows):
    orders = []
    for scale in (1.0, 2.0**1000, 2.0**-1000):
        found = report.find(skdeepsc.EDSC(2, random_state=0).fit(rows * scale), rows * scale)
        orders.append(np.concatenate([*found.members, found.points.ravel()]))
    np.testing.assert_allclose(orders[1:], orders[:1] * 2, atol=1e-6)


def test_a_report_is_of_the_samples_that_were_fitted(rows):
    fitted = skdeepsc.EDSC(2, random_state=0).fit(rows)
    for wanted, arguments in (("X", {"X": rows[:5]}), ("names", {"X": rows, "names": ["a"]})):
        with pytest.raises(ValueError, match=wanted):
            report.find(fitted, **arguments)


# What users hand in that computes


@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1e-30, 1e30, 1e300])
def test_the_scale_of_a_view_changes_no_label(scale, rows):
    def labels(scale):
        views = [("mine", FunctionTransformer(lambda X: X.astype(float) * scale))]
        fitted = skdeepsc.SubspaceClustering(2, views=views, random_state=0).fit(rows)
        return fitted.labels_, fitted.predict(rows)

    np.testing.assert_array_equal(labels(scale), labels(1.0))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_numbers_are_numbers(sign, rows):
    X = sign * (np.abs(rows) / np.abs(rows).max()) * np.finfo(float).max
    fitted = quick(skdeepsc.DSCNet).fit(X)
    assert np.isfinite(fitted.reconstruct(X)).all()
    coded = skdeepsc.AutoEncoder(max_epochs=1, random_state=0).fit(X)
    assert coded.input_scale_ == np.finfo(float).max
    assert np.isfinite(coded.inverse_transform(coded.transform(X))).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e20, 1e300])
def test_a_scale_far_from_the_samples_is_refused(scale, rows):
    with pytest.raises(ValueError, match=r"input_scale=\S+ is 2 \*\* -?\d+ times the largest magnitude in X"):
        skdeepsc.AutoEncoder(max_epochs=1, input_scale=scale).fit(rows)


class Found(ClusterMixin, BaseEstimator):
    """Labels as they are wanted."""

    def __init__(self, make):
        self.make = make

    def fit_predict(self, X, y=None):
        return self.make(len(X))


@pytest.mark.parametrize("clusterer", [skdeepsc.NCSC, skdeepsc.KSCN, skdeepsc.EDESC])
def test_first_labels_are_labels(clusterer, rows):
    for make in (lambda n: np.full(n, np.nan), lambda n: np.zeros(3), lambda n: np.zeros((n, 2)), lambda n: None):
        with pytest.raises(ValueError, match="labels of init"):
            quick(clusterer, init=Found(make)).fit(rows)
    with pytest.raises(TypeError, match="init"):
        quick(clusterer, init=skdeepsc.SSC).fit(rows)


@pytest.mark.parametrize("kernel", [lambda a, b: "x", lambda a, b: 1j, lambda a, b: -1.0, lambda a: 1.0])
def test_what_is_no_kernel_is_named(kernel, rows):
    with pytest.raises(CLEAR, match="kernel"):
        skdeepsc.KSSC(2, kernel=kernel).fit(rows)


def test_what_augments_must_make_tensors(rows):
    for augment in (lambda x: None, lambda x: x.numpy(), lambda: 1):
        with pytest.raises(TypeError, match="augment"):
            skdeepsc.Contrastive(augment=augment, max_epochs=1, random_state=0).fit(rows)


# Labels have one name, and nothing of the process is used


def test_equal_clusterings_have_equal_labels(rows):
    for clusterer in (skdeepsc.SSC, skdeepsc.KSCN, skdeepsc.EDESC):
        plain = quick(clusterer).fit_predict(rows)
        for scale, dtype in ((1e30, np.float32), (1e-30, np.float64)):
            assert np.array_equal(quick(clusterer).fit_predict((rows * scale).astype(dtype)), plain), (clusterer, scale)
    auto = [skdeepsc.SubspaceClustering("auto", random_state=0).fit_predict(rows * scale) for scale in (1.0, 1e30)]
    assert np.array_equal(*auto)
    found = segmentation.spectral_labels(GRAPH[::-1, ::-1], 2, random_state=1)
    assert np.array_equal(found, LABELS)


def test_without_a_random_state_the_global_generator_stays():
    before = np.random.get_state()[1].copy()
    segmentation.spectral_labels(GRAPH, 2)
    segmentation.candidate_labels(GRAPH, 2)
    datasets.make_union_of_subspaces(9)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


# Faults


def test_a_pickle_that_lacks_what_this_version_learns_is_told(rows):
    fitted = pickle.loads(pickle.dumps(quick(skdeepsc.DSCNet).fit(rows)))
    del fitted._unit_latent
    with pytest.raises(ValueError, match=r"DSCNet lacks '_unit_latent'.* another version"):
        fitted.predict(rows)


def test_a_mapped_file_that_shrinks_ends_a_fit(rows, tmp_path):
    np.save(tmp_path / "rows.npy", np.tile(rows.astype(np.float32), (200, 1)))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    require_whole(mapped[10:20])
    fitted = quick(skdeepsc.NCSC).fit(rows.astype(np.float32))
    with open(tmp_path / "rows.npy", "r+b") as file:
        file.truncate(1000)
    with pytest.raises(OSError, match="has been cut off"):
        require_whole(np.asarray(mapped).reshape(200, -1, 12))
    with pytest.raises(OSError, match="has been cut off"):
        fitted._fill(None, np.asarray(mapped), np.empty(6000))


def mapped(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


@pytest.mark.parametrize(
    "to",
    [
        lambda X: (X * 1000).astype(np.uint16),
        lambda X: X * 1e60,
        lambda X: X.astype(">f4"),
        lambda X: np.asfortranarray(X, dtype=np.float32),
        lambda X: X.astype(np.float16).reshape(-1, 4, 5),
    ],
    ids=["uint16", "huge", "big-endian", "columns first", "images of float16"],
)
def test_mapped_samples_are_what_they_are_as_arrays(to, tmp_path):
    X = to(np.abs(datasets.make_union_of_subspaces(40, 20, n_subspaces=3, subspace_dim=2, random_state=0)[0]))
    for estimator in (
        skdeepsc.SubspaceClustering(3, views=["pixels", "contrast"], subsample=60, noise="auto", random_state=0),
        skdeepsc.SSCOMP(3, subsample=60, random_state=0),
        skdeepsc.Scattering(n_scales=1, n_angles=2, image_shape=(4, 5)),
        skdeepsc.AutoEncoder(hidden_sizes=(4,), max_epochs=1, random_state=0),
    ):
        found = []
        for samples in (X, mapped(X, tmp_path)):
            estimator.fit(samples)
            answer = estimator.predict if hasattr(estimator, "predict") else estimator.transform
            found.append((getattr(estimator, "labels_", None), answer(samples)))
        np.testing.assert_equal(found[1], found[0])


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_wrong_far_down_in_a_mapped_file_is_told(wrong, rows, tmp_path, monkeypatch):
    monkeypatch.setattr("skdeepsc._input._CHECKED_VALUES", 100)
    X = np.where(np.arange(rows.size).reshape(rows.shape) == rows.size - 1, wrong, rows)
    for clusterer in (skdeepsc.SubspaceClustering(2), skdeepsc.SSCOMP(2)):
        with pytest.raises(ValueError, match="Input X contains"):
            clusterer.fit(mapped(X, tmp_path))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint16])
def test_mapped_samples_are_never_in_memory_as_a_whole(dtype, tmp_path, monkeypatch):
    monkeypatch.setattr("skdeepsc._input._BLOCK_ROWS", 200)
    monkeypatch.setattr("skdeepsc._input._CHECKED_VALUES", 2**14)
    monkeypatch.setattr("skdeepsc._subspace_clustering._KEPT_BYTES", 0)
    X = datasets.make_union_of_subspaces(9000, 100, n_subspaces=3, subspace_dim=2, random_state=0)[0]
    X = mapped((X * 1000 + 30000).astype(dtype), tmp_path)
    clustering = skdeepsc.SubspaceClustering(3, subsample=100, subspace_dims=[2], random_state=0)
    clustering.fit(X[:300])  # What is allocated once for all.
    tracemalloc.start()
    for step in (clustering.fit, clustering.predict):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        step(X)
        grown = tracemalloc.get_traced_memory()[1] - before
        assert grown < 2 * X.size, (step, grown / X.size)  # In float32 they have four bytes a value.
    tracemalloc.stop()


def test_a_clock_that_is_set_back_changes_no_history(rows, monkeypatch):
    hours = iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: -3600.0 * next(hours))
    fitted = quick(skdeepsc.AutoEncoder, max_epochs=2).fit(rows)
    assert min(row["seconds"] for row in fitted.history_) >= 0


DAY = np.datetime64("2020-01-01")


@pytest.mark.parametrize(
    "X", [[[DAY, DAY + 1], [DAY, DAY]], np.array([[DAY, 1], [2, DAY]], dtype=object), [np.array([DAY, DAY])] * 2]
)
def test_dates_within_lists_and_objects_are_refused(X):
    with pytest.raises(TypeError, match="X holds dates or times"):
        SSC(2).fit(X)


def test_numbers_that_no_float_can_hold_are_refused():
    with pytest.raises(ValueError, match="X holds numbers that no float64 can hold"):
        SSC(2).fit(np.array([[10**400] * 4] * 9, dtype=object))


@pytest.mark.filterwarnings("ignore:Coefficients did not converge")
def test_the_largest_numbers_raise_no_warnings():
    largest = np.finfo(np.float64).max
    X = np.array([[largest, -largest, 0], [largest, largest, 1], [-largest, largest, 2], [1, 2, largest]])
    assert SSC(2, random_state=0).fit_predict(X).shape == (4,)


def test_integers_beyond_those_of_torch_are_floats(images):
    autoencoder = AutoEncoder(max_epochs=1)
    fitted = DSCNet(3, gamma_coef=10**30, max_epochs=1, autoencoder=autoencoder, random_state=0).fit(images[0])
    assert fitted.gamma_coef == 10**30
    as_float = DSCNet(3, gamma_coef=1e30, max_epochs=1, autoencoder=autoencoder, random_state=0).fit(images[0])
    np.testing.assert_array_equal(fitted.labels_, as_float.labels_)


def test_complex_labels_are_refused():
    with pytest.raises(TypeError, match="labels_true holds complex numbers"):
        metrics.clustering_accuracy_score(np.array([0, 0, 1]) + 1j, [0, 0, 1])


def test_names_of_clusters_may_be_any_integers():
    matched = segmentation.match_labels([0, 1, 1, 2], [0, 2**61, 2**61, 0])
    assert matched.tolist() == [0, 2**61, 2**61, 1]


@pytest.mark.parametrize("kind", ["uint8", "UInt8", "uint8[pyarrow]", "table"])
def test_bytes_are_bytes_in_every_container(kind):
    if "a" in kind:
        pytest.importorskip("pyarrow")
    digits = load_digits().data[:40].astype(np.uint8)
    frame = pd.DataFrame(digits).rename(columns=str).astype(kind if kind != "table" else "uint8")
    if kind == "table":
        import pyarrow

        frame = pyarrow.Table.from_pandas(frame)
    of_frame, of_array = (AutoEncoder(max_epochs=1, image_shape=(8, 8), random_state=0) for _ in range(2))
    codes = of_frame.fit_transform(frame)
    assert of_frame.input_scale_ == 255
    np.testing.assert_array_equal(codes, of_array.fit_transform(digits))


def test_bytes_that_are_missing_are_told():
    frame = pd.DataFrame(load_digits().data[:40].astype(np.uint8)).astype("UInt8")
    frame.iloc[3, 4] = pd.NA
    with pytest.raises(ValueError, match="contains NaN"):
        AutoEncoder(max_epochs=1).fit(frame)


@pytest.mark.parametrize("scale", [1e100, 1e-60])
@pytest.mark.parametrize("kind", ["list", "Float64", "object"])
def test_containers_without_a_type_of_numbers_hold_any_magnitude(kind, scale):
    rows = datasets.make_union_of_subspaces(60, 12, n_subspaces=3, random_state=0)[0]
    made = {
        "list": np.ndarray.tolist,
        "Float64": lambda array: pd.DataFrame(array).astype("Float64"),
        "object": lambda array: array.astype(object),
    }[kind]
    wanted = SubspaceClustering(3, random_state=0).fit(rows * scale).labels_
    np.testing.assert_array_equal(SubspaceClustering(3, random_state=0).fit(made(rows * scale)).labels_, wanted)


@pytest.mark.parametrize("kind", ["table", "frame"])
def test_dates_of_arrow_are_refused(kind):
    pyarrow = pytest.importorskip("pyarrow")
    days = pyarrow.array([datetime.date(2020, 1, 1 + day % 28) for day in range(30)])
    table = pyarrow.table({"a": days, "b": list(range(30))})
    with pytest.raises(TypeError, match="holds dates or times"):
        EnSC(3).fit(table if kind == "table" else table.to_pandas(types_mapper=pd.ArrowDtype))


class Frame:
    """What polars has and scikit-learn asks of it: columns with types of their own."""

    def __init__(self, values, name):
        self.values_, self.shape, self.dtypes = values, values.shape, [name] * values.shape[1]

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values_, dtype=dtype)

    def __len__(self):
        return len(self.values_)

    def null_count(self):
        return np.isnan(self.values_.astype(float)).sum(axis=0)[None]


def test_frames_with_types_of_their_own_are_read_as_they_say():
    digits = load_digits().data[:40]
    assert AutoEncoder(max_epochs=1, random_state=0).fit(Frame(digits.astype(np.uint8), "UInt8")).input_scale_ == 255
    assert AutoEncoder(max_epochs=1, random_state=0).fit(Frame(digits, "Float64")).input_scale_ == 16
    with pytest.raises(TypeError, match="holds dates or times"):
        EnSC(3).fit(Frame(digits, "Datetime(time_unit='us', time_zone=None)"))
