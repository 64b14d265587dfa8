from itertools import permutations

import matplotlib
import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepsc import SSC, EnSC
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.inspection import ContingencyDisplay
from skdeepsc.metrics import (
    accuracy_scorer,
    ari_scorer,
    clustering_accuracy_score,
    edge_information_scorer,
    expression_residual,
    expression_scorer,
    make_labels_scorer,
    nmi_scorer,
    normalized_cut_scorer,
    purity_score,
    silhouette_scorer,
    subspace_preserving_error,
)
from skdeepsc.model_selection import TransductiveSplit
from skdeepsc.report import find
from skdeepsc.segmentation import edge_information, normalized_cut

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def test_accuracy_is_the_best_of_all_matchings():
    generator = np.random.RandomState(0)
    for _ in range(20):
        y, labels = generator.randint(4, size=(2, 30))
        best = max(np.mean(np.array(p)[labels] == y) for p in permutations(range(4)))
        assert clustering_accuracy_score(y, labels) == pytest.approx(best)


@pytest.mark.parametrize(("n_classes", "n_clusters"), [(3, 5), (5, 3)])
def test_accuracy_of_rectangular_tables(n_classes, n_clusters):
    generator = np.random.RandomState(1)
    y, labels = generator.randint(n_classes, size=40), generator.randint(n_clusters, size=40)
    names = range(max(n_classes, n_clusters))
    best = max(np.mean(np.array(p)[labels] == y) for p in permutations(names, n_clusters))
    assert clustering_accuracy_score(y, labels) == pytest.approx(best)


@pytest.mark.parametrize("missing", [np.nan, None])
def test_words_with_a_missing_one_are_refused(missing):
    with pytest.raises(ValueError, match="holds NaN or None: every sample needs a label"):
        clustering_accuracy_score(["a", "a", "b", missing], [0, 0, 1, 1])


def test_accuracy_takes_any_names():
    assert clustering_accuracy_score(["b", "b", "a"], [10, 10, -1]) == 1
    with pytest.raises(ValueError, match="same length"):
        clustering_accuracy_score([0, 1], [0])


def test_purity_is_the_loop():
    generator = np.random.RandomState(0)
    y, labels = generator.randint(4, size=(2, 50))
    right = sum(np.bincount(y[labels == k]).max() for k in np.unique(labels))
    assert purity_score(y, labels) == pytest.approx(right / 50)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_subspace_preserving_error_is_the_loop(container):
    generator = np.random.RandomState(0)
    coef, y = generator.normal(size=(12, 12)), generator.randint(3, size=12)
    shares = []
    for i in range(12):
        own = sum(abs(coef[i, j]) for j in range(12) if j != i and y[j] == y[i])
        shares.append(own / sum(abs(coef[i, j]) for j in range(12) if j != i))
    assert subspace_preserving_error(container(coef), y) == pytest.approx(1 - np.mean(shares))


def test_subspace_preserving_error_ends():
    assert subspace_preserving_error(np.kron(np.eye(2), np.ones((3, 3))), [0, 0, 0, 1, 1, 1]) == 0
    assert subspace_preserving_error(np.zeros((3, 3)), [0, 1, 2]) == 1


def test_large_loops_leave_the_preserving_error():
    coef = np.array([[0, 1.0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    for to in (np.asarray, sparse.csr_array):
        assert subspace_preserving_error(to(coef + 1e17 * np.eye(4)), [0, 0, 1, 1]) == 0.25


def test_residual_is_a_share():
    generator = np.random.RandomState(0)
    z, coef = generator.normal(size=(10, 4)), generator.normal(size=(10, 10))
    wanted = sum(np.square(z[i] - sum(coef[i, j] * z[j] for j in range(10))).sum() for i in range(10))
    assert expression_residual(coef, z) == pytest.approx(wanted / np.square(z).sum())
    assert expression_residual(coef, 5 * z) == pytest.approx(expression_residual(coef, z))
    assert expression_residual(np.eye(10), z) == pytest.approx(0)


@pytest.fixture
def blobs():
    from sklearn.datasets import make_blobs

    return make_blobs(60, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)


@pytest.mark.parametrize("scorer", [accuracy_scorer, nmi_scorer, ari_scorer, silhouette_scorer])
def test_scorers_work_in_a_search(blobs, scorer):
    X, y = blobs
    search = GridSearchCV(
        make_pipeline(StandardScaler(), KMeans(n_init=2, random_state=0)),
        {"kmeans__n_clusters": [2, 3]},
        scoring=scorer,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_ == {"kmeans__n_clusters": 3}


def test_clusterers_without_predict_are_scored_on_their_training_set(blobs):
    X, y = blobs
    search = GridSearchCV(
        SpectralClustering(random_state=0),
        {"n_clusters": [2, 3]},
        cv=TransductiveSplit(),
        scoring=accuracy_scorer,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_ == {"n_clusters": 3}
    assert search.best_score_ == 1
    with pytest.raises(ValueError, match="TransductiveSplit"):
        accuracy_scorer(search.best_estimator_, X[:5], y[:5])


def test_scorers_are_loud(blobs):
    X, _ = blobs
    fitted = KMeans(3, n_init=1, random_state=0).fit(X)
    with pytest.raises(ValueError, match="y is None"):
        accuracy_scorer(fitted, X)
    with pytest.raises(ValueError, match="needs 2 to n_samples - 1 clusters"):
        silhouette_scorer(KMeans(1, n_init=1).fit(X), X)


@pytest.mark.parametrize(
    ("scorer", "sign", "score"),
    [(edge_information_scorer, 1, edge_information), (normalized_cut_scorer, -1, normalized_cut)],
)
def test_scorers_of_graphs_see_the_rows_that_the_graph_has(blobs, scorer, sign, score):
    X, _ = blobs
    fitted = make_pipeline(StandardScaler(), EnSC(3, subsample=30, random_state=0)).fit(X)
    graph, rows = fitted[-1].affinity_matrix_, fitted[-1].sample_indices_
    assert len(rows) == 30
    assert scorer(fitted) == sign * score(graph, fitted[-1].labels_[rows])
    with pytest.raises(ValueError, match=f"{scorer.__name__} compares graphs of samples, and KMeans has no affinity"):
        scorer(KMeans(3, n_init=1).fit(X))


def test_scorers_take_sparse_rows_tensors_and_pipelines_within_pipelines(blobs):
    X, _ = blobs
    inner = make_pipeline(StandardScaler(), EnSC(3, random_state=0))
    nested = make_pipeline(StandardScaler(), inner).fit(X)
    assert edge_information_scorer(nested) == edge_information_scorer(nested[-1][-1])
    fitted = EnSC(3, random_state=0).fit(sparse.csr_array(X))
    for samples in (sparse.csr_array(X), torch.tensor(X, requires_grad=True)):
        assert silhouette_scorer(fitted, samples) == pytest.approx(silhouette_scorer(fitted, X))
    clusterer = SpectralClustering(3, affinity="precomputed", random_state=0).fit(np.maximum(X @ X.T, 0))
    assert accuracy_scorer(clusterer, sparse.csr_array(X), clusterer.labels_) == 1


def test_own_scorers_pass_their_arguments(blobs):
    X, y = blobs
    scorer = make_labels_scorer(lambda y, labels, shift: adjusted_rand_score(y, labels) + shift, shift=2)
    assert scorer(KMeans(3, n_init=1, random_state=0).fit(X), X, y) == pytest.approx(3)


def test_transductive_split_is_all_and_all():
    splitter = TransductiveSplit()
    ((train, test),) = splitter.split(np.zeros((5, 2)))
    assert train.tolist() == test.tolist() == list(range(5))
    assert splitter.get_n_splits() == 1


def test_the_residual_of_sparse_rows_is_that_of_the_same_rows_dense():
    rows = make_union_of_subspaces(60, 12, random_state=0)[0]
    rows = rows * (rows > 0)
    as_sparse, as_dense = (SSC(3, random_state=0).fit(X) for X in (sparse.csr_array(rows), rows))
    assert expression_scorer(as_sparse) == pytest.approx(expression_scorer(as_dense))


def nested(rows):
    """The same clusterer after the same steps, in one pipeline and however else."""
    steps = StandardScaler(), PCA(3, random_state=0), EnSC(3, random_state=0)
    flat = make_pipeline(*steps).fit(rows)
    search = GridSearchCV(
        make_pipeline(*map(clone, steps)), {"pca__n_components": [3]}, cv=TransductiveSplit(), scoring=silhouette_scorer
    )
    return flat, {
        "pipelines": make_pipeline(clone(steps[0]), make_pipeline(*map(clone, steps[1:]))).fit(rows),
        "search": search.fit(rows),
        "frozen": FrozenEstimator(flat),
        "frozen last": make_pipeline(*map(clone, steps[:2]), FrozenEstimator(flat[-1])).fit(rows),
    }


def test_scores_and_pictures_do_not_depend_on_what_a_clusterer_is_wrapped_in():
    rows = make_union_of_subspaces(60, 12, n_subspaces=3, random_state=0)[0]
    rows *= 10.0 ** np.random.default_rng(0).uniform(-2, 2, 12)
    flat, others = nested(rows)
    wanted = find(flat, rows)
    table = ContingencyDisplay.from_estimator(flat, rows, flat[-1].labels_).table_
    assert silhouette_scorer(flat, rows) == silhouette_score(flat[:-1].transform(rows), flat.predict(rows))
    for name, other in others.items():
        assert silhouette_scorer(other, rows) == pytest.approx(silhouette_scorer(flat, rows), abs=1e-6), name
        assert edge_information_scorer(other, rows) == edge_information_scorer(flat, rows)
        found = find(other, rows)
        np.testing.assert_array_equal(found.doubtful(9), wanted.doubtful(9))
        np.testing.assert_allclose(found.probability, wanted.probability)
        np.testing.assert_array_equal(
            ContingencyDisplay.from_estimator(other, rows, flat[-1].labels_).table_, table, err_msg=name
        )
    plt.close("all")


def test_distances_to_centres_are_no_features():
    """KMeans transforms, into as many dimensions as there are clusters: no two numbers of clusters would compare."""
    rows = make_blobs(120, centers=4, n_features=8, cluster_std=3.0, random_state=1)[0]
    for n_clusters in (2, 4):
        kmeans = KMeans(n_clusters, n_init=2, random_state=0).fit(rows)
        assert silhouette_scorer(kmeans, rows) == silhouette_score(rows, kmeans.labels_)


def test_scorers_have_names():
    assert accuracy_scorer.__name__ == "clustering_accuracy_score"
    assert silhouette_scorer.__name__ == "silhouette_score"
