"""Moves between labellings: against all labellings that a step may reach, and out of where k-means stays."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import entr
from sklearn.cluster import KMeans
from sklearn.neighbors import kneighbors_graph

from skdeepsc import _split_merge
from skdeepsc._kmeans import two_means
from skdeepsc._split_merge import split_and_merge
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.segmentation import edge_information, spectral_labels


def planted(sizes, seed=0, inside=0.5, outside=0.02):
    """A graph with more edges within clusters, its edges, and the clusters."""
    generator = np.random.RandomState(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    linked = generator.uniform(size=(len(y), len(y))) < np.where(y[:, None] == y, inside, outside)
    graph = np.triu(linked, 1).astype(float) * generator.uniform(0.5, 1.5, size=linked.shape)
    graph = sparse.coo_array(graph + graph.T)
    return graph, (graph.row, graph.col, graph.data), y


def test_one_cluster_in_two_and_two_in_one_are_mended():
    graph, edges, y = planted([30, 40, 20, 50])
    wrong = np.where(y == 1, 0, y)
    wrong[y == 3] = np.where(np.arange(50) < 25, 1, 3)
    rows = np.eye(4)[y] + 0.1 * np.random.RandomState(0).normal(size=(len(y), 4))
    found = split_and_merge(wrong, edges, [rows], 1e-6, np.random.RandomState(0))
    assert clustering_accuracy_score(y, wrong) < 0.75
    assert clustering_accuracy_score(y, found) == 1
    assert edge_information(graph, found) > edge_information(graph, wrong)


def score(graph, labels, price):
    """Edge information less a multiple of the entropy of the shares of the degrees."""
    shares = np.bincount(labels, np.asarray(graph.sum(axis=1)).ravel()) / graph.sum()
    return edge_information(graph, labels) - price * entr(shares).sum()


def one_step(seed, price, monkeypatch):
    """What a step makes of a disturbed labelling, and the scores of all that splits and mergers make of it."""
    graph, edges, y = planted([9, 12, 7, 10], seed, 0.4, 0.1)
    generator = np.random.RandomState(seed)
    labels = np.where(generator.uniform(size=len(y)) < 0.3, generator.permutation(y), y)
    rows = generator.normal(size=(len(y), 3))
    halves = _split_merge._halves([np.flatnonzero(labels == k) for k in range(4)], [rows], generator)
    with monkeypatch.context() as patched:
        patched.setattr(_split_merge, "_MOST_STEPS", 1)
        patched.setattr(_split_merge, "_halves", lambda groups, *_: [halves[labels[group[0]]] for group in groups])
        found = split_and_merge(labels, edges, [rows], -np.inf, generator, price)
    reached = []
    for k in range(4):
        for half in halves[k]:
            apart = labels.copy()
            apart[half] = 4
            for i in range(5):
                for j in range(i):
                    if {i, j} != {k, 4}:
                        reached.append(score(graph, np.where(apart == i, j, apart), price))
    return found, score(graph, found, price), np.array(reached)


@pytest.mark.parametrize("price", [0, 0.4])
def test_a_step_takes_one_of_the_best_of_all_splits_and_mergers(price, monkeypatch):
    """Mergers of others than the halves are reckoned as before the split, so that the very best may be missed."""
    ranks = []
    for seed in range(12):
        found, exact, reached = one_step(seed, price, monkeypatch)
        assert set(found) == {0, 1, 2, 3}
        assert np.isclose(exact, reached, atol=1e-12).any()
        ranks.append(np.mean(reached <= exact + 1e-12))
    assert np.mean(ranks) > 0.9
    assert np.median(ranks) == 1


def test_clusters_are_split_all_at_once_as_one_by_one():
    """By 2-means, to where every row is nearest to the mean of its half; the best of the starts as scikit-learn's."""
    generator = np.random.RandomState(0)
    X = generator.normal(size=(120, 3)).astype(np.float32)
    X[100:110] = X[100]  # Nothing to split.
    groups = [*np.split(generator.permutation(100), [15, 40, 41]), np.arange(100, 110), np.arange(110, 120)]
    for group, halves in zip(groups, two_means(X, groups, 20, generator), strict=True):
        assert halves.shape == (20, len(group))
        assert not halves[:, 0].any()
        if len(np.unique(X[group], axis=0)) == 1:
            assert not halves.any()
            continue
        inertias = []
        for half in halves:
            means = np.array([X[group[~half]].mean(0), X[group[half]].mean(0)])
            apart = ((X[group][:, None] - means) ** 2).sum(2)
            np.testing.assert_array_equal(apart.argmin(1), half)
            inertias.append(apart.min(1).sum())
        assert min(inertias) < 1.001 * KMeans(2, n_init=20, random_state=0).fit(X[group]).inertia_


@pytest.mark.parametrize("price", [0, 0.7])
def test_gains_of_mergers_are_differences_of_scores(price):
    graph, _, y = planted([6, 9, 12, 5], 1)
    shares = np.array([[graph.toarray()[np.ix_(y == i, y == j)].sum() for j in range(4)] for i in range(4)])
    gains = _split_merge._gains_of_all(shares / shares.sum(), price)
    for i in range(4):
        for j in range(i):
            expected = score(graph, np.where(y == i, j, y), price) - score(graph, y, price)
            np.testing.assert_allclose([gains[i, j], gains[j, i]], expected, atol=1e-12)
        assert gains[i, i] == -np.inf


@pytest.mark.parametrize("seed", range(4))
def test_what_is_fairest_is_another_labelling_than_what_has_the_most_information(seed):
    """A large class in two, small ones in one: more information, but less for the share of the entropy."""
    generator = np.random.RandomState(seed)
    y = np.repeat([0, 1, 2], [300, 15, 15])
    rows = generator.normal(size=(330, 4)) * np.where(y == 0, 1, 0.5)[:, None] + 4 * np.eye(4)[0] * (y > 0)[:, None]
    rows[y == 2, 1] += 3
    graph = kneighbors_graph(rows, 10)
    graph = (graph + graph.T).tocoo()
    halved = np.where(y == 0, rows[:, 0] > 0, 2)
    informed, fair = (
        split_and_merge(halved, (graph.row, graph.col, graph.data), [rows], 1e-6, np.random.RandomState(0), price)
        for price in (0, 0.5)
    )
    assert edge_information(graph, informed) > edge_information(graph, fair)
    assert clustering_accuracy_score(y, informed) < 0.6
    assert clustering_accuracy_score(y, fair) == 1


def test_moves_are_the_same_in_blocks(monkeypatch):
    _, edges, y = planted([12, 8, 15, 10, 9], 2, 0.4, 0.1)
    labels = np.random.RandomState(0).permutation(y)
    rows = np.random.RandomState(1).normal(size=(len(y), 3))
    found = []
    for held in (1, 2 * 6**2, 2**16):
        monkeypatch.setattr(_split_merge, "_HELD", held)
        found.append(split_and_merge(labels, edges, [rows], 1e-6, np.random.RandomState(0)))
    assert (found[0] != labels).any()
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("n_clusters", [1, 2, 3])
def test_few_clusters_stay_or_get_better(n_clusters):
    graph, edges, y = planted([20, 30, 25])
    labels = np.arange(len(y)) % n_clusters
    found = split_and_merge(labels, edges, [np.eye(3)[y]], 1e-6, np.random.RandomState(0))
    assert set(found) == set(range(n_clusters))
    assert edge_information(graph, found) >= edge_information(graph, labels)


def test_samples_without_edges_and_clusters_of_one_are_left_alone():
    labels, nothing = np.array([0, 0, 1, 2, 2]), np.zeros(0)
    found = split_and_merge(
        labels, (nothing.astype(int), nothing.astype(int), nothing), [np.eye(5)], 0.0, np.random.RandomState(0)
    )
    np.testing.assert_array_equal(found, labels)


def test_one_graph_has_one_answer():
    """Forty clusters close to each other: from one round of starts, some are in two, and some in one."""
    generator = np.random.RandomState(0)
    rows = np.repeat(generator.normal(size=(40, 5)), 12, axis=0) + 0.3 * generator.normal(size=(480, 5))
    graph = kneighbors_graph(rows, 5)
    answers = [spectral_labels(graph + graph.T, 40, assign_labels="best", random_state=seed) for seed in range(4)]
    assert min(clustering_accuracy_score(answers[0], answer) for answer in answers) > 0.95
