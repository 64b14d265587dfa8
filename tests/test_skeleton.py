"""What all clusterers share: a fit that is all or nothing, one list of affinities, graphs for others, progress."""

import typing

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import SpectralClustering
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score

from skdeepsc import DSCSC, EDSC, NCSC, PSSC, SSC, SSCOMP, AutoEncoder, SubspaceClustering
from skdeepsc._base import BaseSelfExpressive
from skdeepsc._warn import warn_user
from skdeepsc.affinity import Affinity, top_affinity
from skdeepsc.datasets import make_union_of_subspaces
from tests.estimators import DEEP, ESTIMATORS, SHALLOW, make, make_known
from tests.test_training import Recorder, Tasks, raising

pytestmark = pytest.mark.usefixtures("few_first_epochs")

QUICK = {
    "n_clusters": 3, "autoencoder__max_epochs": 2, "max_epochs": 1, "subspace_epochs": 1, "classifier_epochs": 1,
    "views": ["pixels"], "random_state": 0,
}  # fmt: skip
SELF_EXPRESSIVE = [cls for cls in (*DEEP, *SHALLOW) if issubclass(cls, BaseSelfExpressive)]


def quick(estimator, **params):
    return make_known(estimator, **{**QUICK, **params})


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.filterwarnings("ignore:The classifier is collapsing")
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_refused_fit_changes_nothing(images, estimator):
    X = images[0]
    broken = X.copy()
    broken[3, 2, 1] = np.nan
    fresh = quick(estimator)
    with pytest.raises(ValueError, match="NaN"):
        fresh.fit(broken)
    assert vars(fresh).keys() == vars(quick(estimator)).keys()
    answer = "predict" if hasattr(fresh, "predict") else "transform"
    with pytest.raises(NotFittedError):
        getattr(fresh, answer)(X)
    fitted = fresh.fit(X)
    before, said = dict(vars(fitted)), getattr(fitted, answer)(X)
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(broken[:, :4, :4])
    assert all(vars(fitted)[name] is value for name, value in before.items())
    np.testing.assert_array_equal(getattr(fitted, answer)(X), said)


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.filterwarnings("ignore:The classifier is collapsing")
@pytest.mark.parametrize("estimator", [*DEEP, SubspaceClustering, *SHALLOW])
def test_probabilities_belong_to_predictions(images, estimator):
    X = images[0]
    fitted = quick(estimator, n_neighbors=4).fit(X[:40])
    proba = fitted.predict_proba(X)
    assert proba.dtype == np.float64
    assert proba.shape[1] >= fitted.labels_.max() + 1
    assert proba.min() >= 0
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(proba[40:].argmax(1), fitted.predict(X[40:]))
    if not hasattr(fitted, "_classes") or fitted._classes is None:  # A classifier need not agree with the graph.
        np.testing.assert_array_equal(fitted.predict(X[:40]), fitted.labels_)


def test_probabilities_of_a_classic_are_inverse_residuals():
    X, _ = make_union_of_subspaces(90, 12, random_state=0)
    fitted = EDSC(3, random_state=0).fit(X[::2])
    rows = X[1::2] / np.linalg.norm(X[1::2], axis=1, keepdims=True)
    coef = rows @ fitted._weights
    parts = [coef[:, fitted.labels_ == k] @ fitted.embedding_[fitted.labels_ == k] for k in range(3)]
    inverse = np.column_stack([1 / ((rows - part) ** 2).sum(1) for part in parts])
    np.testing.assert_allclose(fitted.predict_proba(X[1::2]), inverse / inverse.sum(1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(X[:1] * 0), 1 / 3)


@pytest.mark.parametrize("method", [PSSC, NCSC])
@pytest.mark.parametrize("phase", ["pretrain", "finetune", "joint"])
def test_an_interrupted_fit_changes_nothing(images, method, phase):
    X, _ = images
    fitted = quick(method).fit(X)
    labels, proba = fitted.labels_, fitted.transform(X)
    fitted.set_params(callbacks=[Recorder(raising(KeyboardInterrupt), phase, at=1)])
    if phase in {row["phase"] for row in fitted.history_}:
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(X[:40])
    assert fitted.labels_ is labels
    np.testing.assert_array_equal(fitted.transform(X), proba)


@pytest.mark.filterwarnings("ignore:The classifier is collapsing")
def test_an_interrupted_partial_fit_changes_nothing(images):
    X, _ = images
    fitted = quick(NCSC, lr=0.1).fit(X[:40])
    proba, history = fitted.predict_proba(X), list(fitted.history_)
    fitted.set_params(callbacks=[Recorder(raising(KeyboardInterrupt), "joint", at=1)])
    with pytest.raises(KeyboardInterrupt):
        fitted.partial_fit(X)
    np.testing.assert_array_equal(fitted.predict_proba(X), proba)
    assert fitted.history_ == history
    assert fitted.set_params(callbacks=None).partial_fit(X) is fitted
    assert not np.array_equal(fitted.predict_proba(X), proba)


def test_nothing_of_a_former_fit_is_left(images):
    fitted = quick(DSCSC).fit(images[0])
    fitted.note = "mine"
    assert fitted.augment_scores_
    fitted.set_params(augment="faces").fit(images[0])
    assert not hasattr(fitted, "augment_scores_")
    assert fitted.note == "mine"


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.parametrize("affinity", typing.get_args(Affinity))
@pytest.mark.parametrize("method", SELF_EXPRESSIVE)
def test_every_method_takes_every_affinity(method, affinity):
    X, _ = make_union_of_subspaces(60, 12, subspace_dim=3, random_state=0)
    params = {"subspace_rank": 3} if affinity == "enhanced" else None
    codes = {"autoencoder__hidden_sizes": (12,), "autoencoder__max_epochs": 0, "augment": None, "classifier_epochs": 0}
    fitted = quick(method, **codes, max_epochs=0, affinity=affinity, affinity_params=params).fit(X)
    assert fitted.affinity_matrix_.shape == (60, 60)
    assert fitted.labels_.shape == (60,)
    again = fitted.recluster(X, affinity=affinity, affinity_params=params)
    np.testing.assert_array_equal(again, fitted.labels_)


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
@pytest.mark.parametrize("method", [SSC(3, random_state=0), SSCOMP(3, affinity="top", random_state=0), PSSC(3)])
def test_scikit_learns_spectral_clustering_takes_the_affinity(method):
    X, y = make_union_of_subspaces(90, 20, random_state=0)
    matrix = method.fit(X).affinity_matrix_
    assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
    labels = SpectralClustering(3, affinity="precomputed", random_state=0).fit_predict(matrix)
    assert isinstance(method, PSSC) or adjusted_rand_score(y, labels) > 0.9
    many = sparse.csr_array(sparse.random(50, 50, density=0.5, random_state=0))
    many.indices, many.indptr = many.indices.astype(np.int64), many.indptr.astype(np.int64)
    assert top_affinity(many).indices.dtype == np.int32


def test_classics_recluster_and_keep_what_they_were_fitted_with():
    X, _ = make_union_of_subspaces(90, 20, noise=0.3, random_state=0)
    fitted = EDSC(3, subsample=60, random_state=0).fit(X)
    labels = fitted.labels_.copy()
    other = fitted.recluster(X, affinity="top")
    np.testing.assert_array_equal(other, EDSC(3, subsample=60, affinity="top", random_state=0).fit_predict(X))
    np.testing.assert_array_equal(fitted.labels_, labels)
    fitted.set_params(affinity="top", assign_labels="cluster_qr", n_clusters=5)
    np.testing.assert_array_equal(fitted.recluster(X), labels)


def test_all_clusterers_report_their_tasks(images):
    pytest.importorskip("sklearn.callback")
    for estimator in ESTIMATORS:
        if hasattr(estimator, "fit_predict"):
            tasks = Tasks()
            quick(estimator).set_callbacks(tasks).fit(images[0])
            assert [name for parent, name, _ in tasks.ended if parent == "fit"][-1] == "segment"
            assert tasks.ended[-1][:2] == (None, "fit")


def test_warnings_name_the_users_line():
    with pytest.warns(UserWarning, match="mine") as told:
        warn_user("mine")
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match="hardly anything") as told:
        AutoEncoder(max_epochs=100, lr=1e-9, batch_size="all", random_state=0).fit(np.eye(40).reshape(40, 8, 5))
    assert told[0].filename == __file__
    assert make(SSC, 3).n_clusters == 3
