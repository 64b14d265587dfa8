"""Whatever array, parameters and order of calls: a clear error, or finite labels, and nothing else is changed.

``make stress`` looks at many more, by SKDEEPSC_EXAMPLES in the environment.
"""

import os
import random
import warnings

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError

import skdeepsc
from skdeepsc import affinity, metrics, segmentation
from tests.estimators import DEEP, SHALLOW, make_known

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.extra import numpy as hnp  # noqa: E402

N_EXAMPLES = int(os.environ.get("SKDEEPSC_EXAMPLES", "0"))
SOME = [skdeepsc.SSC, skdeepsc.LRR, skdeepsc.EDSC, skdeepsc.DSCNet]
CLUSTERERS = [skdeepsc.SubspaceClustering, *SHALLOW, *DEEP] if N_EXAMPLES else SOME
SHORT = {"autoencoder__max_epochs": 1, "max_epochs": 1, "classifier_epochs": 1, "subspace_epochs": 1, "augment": None}
SHORT |= {"views": ["pixels"], "max_iter": 20, "max_alternations": 2, "random_state": 0}
CLEAR = (ValueError, TypeError, FloatingPointError, MemoryError)

dtypes = st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.uint8, np.bool_])
shapes = st.tuples(st.integers(1, 14), st.integers(2, 6)) | st.tuples(st.integers(2, 12), st.just(3), st.just(4))


@st.composite
def arrays(draw):
    """Arrays with many equal, constant, huge, tiny and missing values, in any order of memory."""
    dtype, shape = draw(dtypes), draw(shapes)
    X = draw(hnp.arrays(dtype, shape, elements=hnp.from_dtype(np.dtype(dtype)), fill=st.nothing() | st.just(dtype(1))))
    if np.issubdtype(dtype, np.floating) and draw(st.booleans()):
        values = np.random.RandomState(draw(st.integers(0, 9))).normal(size=shape)
        with np.errstate(over="ignore"):
            X = np.ldexp(values, draw(st.integers(-1070, 1020))).astype(dtype)
    return draw(st.sampled_from([np.ascontiguousarray, np.asfortranarray, lambda X: X[::-1]]))(X)


def masked(X):
    return np.ma.masked_array(X, mask=X.flat[0] == X)


# What arrays come in as.
forms = st.sampled_from([np.asarray] * 6 + [np.ndarray.tolist, masked, lambda X: torch.from_numpy(X.copy())])
numbers = st.sampled_from([0.5, 1.0, 2.0, 10.0, 0.0, -1.0, np.nan, np.inf, 1e300, 1e-300])
choices = {
    "subsample": st.sampled_from([None, 5, 15, 0]),
    "noise": st.sampled_from(["auto", 0.2, 0.99, 1.0]),
    "affine": st.booleans(),
    "affinity": st.sampled_from(["symmetric", "scaled", "top", "enhanced", "low_rank", "nope"]),
    "affinity_params": st.none()
    | st.dictionaries(st.sampled_from(["n_coefs", "keep", "power", "x"]), numbers, max_size=1),
    "normalization": st.sampled_from(["unit", "centered", "none"]),
    "latent_normalization": st.sampled_from(["unit", "centered", "none"]),
    "image_shape": st.sampled_from([None, (3, 4), (2, 3), (-1, 3), ()]),
    "gamma_expression": numbers,
    "alpha": numbers,
    "subspace_dim": st.just("auto") | numbers | st.integers(-1, 20),
    "ridge_lambda": st.none() | numbers,
    "lr": numbers,
    "batch_size": st.integers(-1, 20),
    "init_size": st.integers(-1, 20),
    "n_neighbors": st.integers(-1, 20),
    "n_coefs": st.integers(-1, 20),
    "subspace_dims": st.lists(numbers, max_size=2),
    "views": st.sampled_from([["pixels"], ["scattering"], ["pixels", "scattering"], [], ["nope"]]),
    "kernel": st.sampled_from(["linear", "poly", "sigmoid", "cosine", "laplacian"]),
    "tol": numbers,
    "solver": st.sampled_from(["ridge", "trained", "nope"]),
    "init": st.sampled_from(["auto", "none", "spectral", "nope"]),
    "assign_labels": st.sampled_from(["auto", "kmeans", "discretize", "cluster_qr", "diffusion", "best"]),
}
# Few at once: of many, one would be refused nearly always, and nothing fitted.
changes = st.lists(st.sampled_from(sorted(choices)), max_size=2, unique=True)
params = changes.flatmap(lambda names: st.fixed_dictionaries({name: choices[name] for name in names}))
params = st.builds(lambda n, more: {"n_clusters": n, **more}, st.sampled_from([1, 2, 2, 3, 3, 15, 0]), params)
methods = ["fit", "refit", "predict", "predict_proba", "transform", "recluster", "explain"]
calls = st.lists(st.sampled_from(methods), max_size=4)


def state():
    return [
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        hash(random.getstate()),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        np.geterr(),
        [entry for entry in map(str, warnings.filters) if "sympy" not in entry],  # Torch imports it when it needs it.
    ]


def check_answer(estimator, name, answer, n_samples):
    if name in ("predict", "recluster"):
        assert answer.shape == (n_samples,)
        assert answer.dtype.kind == "i"
        assert answer.min() >= (0 if vars(estimator).get("noise") is None else -1)
        assert answer.max() < estimator.n_clusters
        assert estimator.labels_.max() >= 0
    elif name == "explain":
        assert len(answer) == n_samples
        assert all(np.isfinite([*each.weights, *each.shares]).all() for each in answer)
    else:
        assert len(answer) == n_samples
        if name == "predict_proba":
            np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)
        assert np.isfinite(getattr(answer, "data", answer) if hasattr(answer, "tocsr") else answer).all()


@pytest.mark.parametrize("clusterer", CLUSTERERS)
@pytest.mark.filterwarnings("ignore")
def test_a_clear_error_or_finite_labels(clusterer):
    @settings(
        max_examples=N_EXAMPLES or 25,
        deadline=None,
        phases=list(Phase) if N_EXAMPLES else [Phase.generate],  # Shrinking takes its time.
        derandomize=not N_EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(X=arrays(), other=arrays(), form=forms, params=params, calls=calls)
    def check(X, other, form, params, calls):
        known = clusterer().get_params(deep=False)
        estimator = make_known(clusterer, **SHORT)
        estimator.set_params(**{name: value for name, value in params.items() if name in known})
        before, kept = state(), (X.copy(), other.copy())
        for name in ["fit", *calls]:
            data = form(other if name == "refit" else X)
            how = {"X": data} if name == "explain" else {}
            method = getattr(estimator, "fit" if name == "refit" else name, None)
            learnt = vars(estimator).get("labels_")
            try:
                answer = method(*(() if how else (data,)), **how) if method else None
            except NotFittedError:
                assert learnt is None
            except CLEAR as error:
                assert len(str(error)) > 15
                assert vars(estimator).get("labels_") is learnt
            else:
                if answer is estimator:
                    name, answer = "predict", estimator.labels_
                if method:
                    check_answer(estimator, name, answer, len(data))
        assert state() == before
        np.testing.assert_array_equal(X, kept[0])
        np.testing.assert_array_equal(other, kept[1])

    check()


matrices = hnp.arrays(
    st.sampled_from([np.float64, np.float32]),
    st.integers(1, 9).map(lambda n: (n, n)),
    elements=st.sampled_from([0.0, 0.0, 1.0, 2.0, -1.0, 0.5, np.nan, np.inf, 1e-45, 3e38]),
)
FUNCTIONS = {
    **{name: getattr(affinity, f"{name}_affinity") for name in ("symmetric", "scaled", "thresholded", "low_rank")},
    **{name: getattr(affinity, f"{name}_affinity") for name in ("row_normalized", "top")},
    "enhanced": lambda coef, labels: affinity.enhanced_affinity(coef, 2, diagonal="zero"),
    "labels": lambda graph, labels: segmentation.spectral_labels(abs(graph + graph.T), 2, random_state=0),
    "cut": lambda graph, labels: segmentation.normalized_cut(abs(graph + graph.T), labels),
    "information": lambda graph, labels: segmentation.edge_information(abs(graph + graph.T), labels),
    "number": lambda graph, labels: segmentation.choose_n_clusters(abs(graph + graph.T), random_state=0)[0],
    "preserving": metrics.subspace_preserving_error,
    "residual": lambda coef, labels: metrics.expression_residual(coef, np.eye(len(coef))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore")
def test_functions_of_matrices_are_clear_or_finite_whatever_the_form_and_the_scale(name):
    function = FUNCTIONS[name]
    takes_labels = name not in ("symmetric", "scaled", "thresholded", "low_rank", "row_normalized", "top")
    has_scale = name in ("symmetric", "thresholded", "residual")

    def answer(matrix, labels):
        found = function(matrix, labels) if takes_labels else function(matrix)
        return found.toarray() if sparse.issparse(found) else np.asarray(found)

    @settings(
        max_examples=N_EXAMPLES or 15,
        deadline=None,
        derandomize=not N_EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(matrix=matrices, exponent=st.integers(-900, 900), is_sparse=st.booleans(), data=st.data())
    def check(matrix, exponent, is_sparse, data):
        labels = data.draw(st.lists(st.integers(0, 2), min_size=len(matrix), max_size=len(matrix)))
        before, kept = state(), matrix.copy()
        try:
            found = answer(matrix, labels)
        except CLEAR as error:
            assert len(str(error)) > 15
            return
        finally:
            assert state() == before
            np.testing.assert_array_equal(matrix, kept)
        assert np.isfinite(matrix).all()
        assert np.isfinite(found).all()
        if np.abs(matrix[matrix != 0]).min(initial=1.0) > 1e-30 and np.abs(matrix).max() < 1e30 and not has_scale:
            plain = matrix.astype(np.float64)
            pair = [plain, np.ldexp(plain, exponent)]
            pair = [sparse.csr_array(each) for each in pair] if is_sparse else pair
            np.testing.assert_allclose(answer(pair[1], labels), answer(pair[0], labels), atol=1e-6)

    check()
