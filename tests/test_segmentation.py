import tracemalloc
import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import block_diag, eigh
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import kneighbors_graph

import skdeepsc.segmentation as segmentation
from skdeepsc._kmeans import k_means_starts, lloyd
from skdeepsc.affinity import enhanced_affinity
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.segmentation import (
    DegenerateAffinityWarning,
    candidate_labels,
    choose_by_graphs,
    choose_n_clusters,
    edge_information,
    fair_scores,
    match_labels,
    normalized_cut,
    spectral_embedding,
    spectral_labels,
)


def blocks(*sizes, leak=0.0, seed=0):
    """A block-diagonal affinity with a little between the blocks, shuffled, and its blocks."""
    generator = np.random.RandomState(seed)
    affinity = block_diag(*[generator.uniform(0.5, 1, size=(s, s)) for s in sizes])
    affinity += leak * generator.uniform(size=affinity.shape)
    affinity = (affinity + affinity.T) / 2
    np.fill_diagonal(affinity, 0)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = generator.permutation(len(labels))
    return affinity[np.ix_(order, order)], labels[order]


@pytest.mark.parametrize("assign_labels", ["kmeans", "discretize", "cluster_qr", "best"])
def test_zeros_and_parts_of_sums_in_a_sparse_graph_are_what_they_are_in_a_dense_one(assign_labels):
    matrix = block_diag(np.ones((4, 4)), np.ones((4, 4)), 0.0) - np.diag([1.0] * 8 + [0.0])
    stored = sparse.csr_array(np.ones((9, 9)))
    stored.data[:] = matrix.ravel()
    places = np.hstack([stored.tocoo().coords] * 2)
    in_parts = sparse.coo_array((np.concatenate([2 * stored.data, -stored.data]), places))
    vanishing = sparse.csr_array(np.where(np.eye(9, k=4) + np.eye(9, k=-4) > 0, 1e-320, 1e300 * matrix))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", segmentation.DegenerateAffinityWarning)
        wanted = spectral_labels(matrix, 3, assign_labels=assign_labels, random_state=0)
        for graph in (stored, in_parts, in_parts.tocsr(), vanishing):
            found = spectral_labels(graph, 3, assign_labels=assign_labels, random_state=0)
            assert adjusted_rand_score(wanted, found) == 1
        values, vectors = segmentation.spectral_embedding(stored, 3, random_state=0)
    assert np.isfinite(vectors).all()
    assert values.shape == (3,)


def test_faint_edges_of_a_dense_graph_are_edges():
    affinity, wanted = blocks(10, 10, 10, 10)
    strength = np.sqrt(np.array([1, 1, 1e-9, 1e-9]))[wanted]
    affinity *= np.outer(strength, strength)
    np.testing.assert_allclose(spectral_embedding(affinity, 4)[0], 1)
    for assign_labels in ("discretize", "kmeans", "cluster_qr", "diffusion", "best"):
        assert same_partition(spectral_labels(affinity, 4, assign_labels=assign_labels, random_state=0), wanted)


@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
def test_one_large_loop_hides_no_asymmetry(to):
    graph = np.triu(np.random.RandomState(0).uniform(size=(30, 30)))
    graph[0, 0] = 1e7
    with pytest.raises(ValueError, match="affinity must be symmetric"):
        spectral_labels(to(graph), 3)
    assert len(spectral_labels(to(graph + graph.T), 3, random_state=0)) == 30


@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
def test_edges_far_below_the_loops_are_symmetric(to):
    affinity = 1e-13 * blocks(12, 8, 20)[0]
    np.fill_diagonal(affinity, np.random.RandomState(0).uniform(0.9, 1, len(affinity)))
    assert len(spectral_labels(to(affinity), 3, random_state=0)) == 40


def test_names_of_small_types_are_as_many_as_there_are_clusters():
    assert len(np.unique(match_labels(np.arange(300), np.zeros(300, dtype=np.int8)))) == 300


def same_partition(a, b):
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


@pytest.mark.parametrize("assign_labels", ["discretize", "kmeans", "cluster_qr", "diffusion", "best"])
@pytest.mark.parametrize("leak", [0.0, 0.02], ids=["separate", "leaking"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_blocks_are_found(assign_labels, leak, container):
    affinity, wanted = blocks(12, 8, 20, leak=leak)
    labels = spectral_labels(container(affinity), 3, assign_labels=assign_labels, random_state=0)
    assert same_partition(labels, wanted)


SOLVERS = {
    "dense": (np.asarray, {"_DENSE_LIMIT": 3000}),
    "dense factors": (np.asarray, {"_DENSE_LIMIT": 10}),
    "iterative": (sparse.csr_array, {"_SPARSE_LIMIT": 10, "_FACTOR_EDGES": 0}),
    "factored": (sparse.csr_array, {"_SPARSE_LIMIT": 10, "_FACTOR_EDGES": 1000}),
}


@pytest.fixture(params=SOLVERS)
def solver(request, monkeypatch):
    """Limits under which a small graph is decomposed by each solver, and the arrays that it takes."""
    container, limits = SOLVERS[request.param]
    for name, limit in limits.items():
        monkeypatch.setattr(segmentation, name, limit)
    return container


def test_embedding_solves_the_eigenproblem(solver):
    affinity, _ = blocks(40, 60, 50, leak=0.1)
    affinity += np.diag(np.random.RandomState(0).uniform(0, 5, size=150))
    values, vectors = spectral_embedding(solver(affinity), 6, random_state=0)
    scale = affinity.sum(1) ** -0.5
    normalized = scale[:, None] * affinity * scale
    np.testing.assert_allclose(values, eigh(normalized, eigvals_only=True)[::-1][:6], atol=1e-9)
    np.testing.assert_allclose(normalized @ vectors, vectors * values, atol=1e-7)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(6), atol=1e-8)


def test_no_eigenvector_of_a_graph_with_many_components_is_lost(solver):
    """An iterative solver on the whole graph finds only some of the 30 eigenvectors of the eigenvalue 1."""
    affinity, wanted = blocks(*[20] * 30)
    values, _ = spectral_embedding(solver(affinity), 30, random_state=0)
    np.testing.assert_allclose(values, 1)
    for assign_labels in ("discretize", "kmeans", "cluster_qr"):
        labels = spectral_labels(affinity, 30, assign_labels=assign_labels, random_state=0)
        assert same_partition(labels, wanted)


@pytest.mark.parametrize(
    ("container", "weak", "limit"),
    [
        pytest.param(sparse.csr_array, 1e-4, 5000, id="sparse"),
        pytest.param(sparse.csr_array, 1e-4, 100, id="sparse-large"),
        pytest.param(sparse.csr_array, 1e-13, 5000, id="sparse-weaker"),
        pytest.param(sparse.csr_array.toarray, 1e-4, 5000, id="dense"),
        pytest.param(sparse.csr_array.toarray, 1e-13, 5000, id="dense-weaker"),
    ],
)
def test_no_eigenvector_of_many_weakly_linked_groups_is_lost(monkeypatch, container, weak, limit):
    """Their eigenvalues crowd below 1, where iterations with the graph itself crawl and lose some."""
    monkeypatch.setattr(segmentation, "_FACTOR_LIMIT", limit)
    monkeypatch.setattr(segmentation, "_DENSE_LIMIT", 800)
    graph, group = weakly_linked(60, 20, weak)
    values, _ = spectral_embedding(container(graph), 60, random_state=0)
    scale = sparse.diags_array(np.asarray(graph.sum(axis=1)).ravel() ** -0.5)
    normalized = (scale @ graph @ scale).toarray()
    np.testing.assert_allclose(values, eigh(normalized, eigvals_only=True)[::-1][:60], atol=1e-9)
    assert same_partition(spectral_labels(container(graph), 60, random_state=0), group)


def test_a_dense_crowd_takes_few_steps(monkeypatch):
    """Iterations with the graph itself take thousands, those with the inverse as many as there are eigenvalues."""
    monkeypatch.setattr(segmentation, "_DENSE_LIMIT", 800)
    steps = []
    solve = segmentation.cho_solve
    monkeypatch.setattr(segmentation, "cho_solve", lambda *args, **kwargs: steps.append(1) or solve(*args, **kwargs))
    spectral_embedding(weakly_linked(60, 20, 1e-4)[0].toarray(), 60, random_state=0)
    assert 60 < len(steps) < 6 * 60


@pytest.mark.parametrize("loops", [0.0, 1e6], ids=["all alike", "all close to 1"])
def test_eigenvalues_that_iterations_do_not_part(monkeypatch, loops):
    """Of a star's eigenvalues all but two are alike; weak edges among strong loops leave them all close to 1."""
    monkeypatch.setattr(segmentation, "_DENSE_LIMIT", 10)
    affinity = np.full((200, 200), 1e-9)
    affinity[0] = affinity[:, 0] = 1
    affinity += np.diag(np.random.RandomState(0).uniform(0, loops, 200))
    values, vectors = spectral_embedding(affinity, 6, random_state=0)
    scale = affinity.sum(1) ** -0.5
    normalized = scale[:, None] * affinity * scale
    np.testing.assert_allclose(values, eigh(normalized, eigvals_only=True)[::-1][:6], atol=1e-12)
    np.testing.assert_allclose(normalized @ vectors, vectors * values, atol=1e-12)


def test_an_eigenvector_that_lanczos_loses_is_noticed(monkeypatch):
    graph, _ = weakly_linked(60, 20, 1e-4)
    found = segmentation.eigsh

    def loses(*args, **kwargs):
        values, vectors = found(*args, **kwargs)
        kept = np.delete(np.argsort(-values), 7)
        return values[kept], vectors[:, kept]

    values, _ = spectral_embedding(graph, 30, random_state=0)
    monkeypatch.setattr(segmentation, "eigsh", loses)
    np.testing.assert_allclose(spectral_embedding(graph, 30, random_state=0)[0], values, atol=1e-10)


def weakly_linked(n_groups, size, weak, seed=0):
    """Groups of samples, each a random sparse graph, in a chain of weak edges; the graph and the group of each."""
    generator, group = np.random.RandomState(seed), np.repeat(np.arange(n_groups), size)
    row = np.repeat(np.arange(len(group)), 5)
    column = group[row] * size + generator.randint(size, size=len(row))
    ends = np.arange(n_groups - 1) * size
    weights = np.r_[generator.uniform(0.2, 1, len(row)), np.full(len(ends), weak)]
    edges = (np.r_[row, ends], np.r_[column, ends + size])
    graph = sparse.coo_array((weights, edges), shape=(len(group), len(group))).tocsr()
    return graph + graph.T, group


@pytest.mark.parametrize(("leak", "assign_labels"), [(True, "best"), (False, "kmeans")], ids=["connected", "separate"])
def test_a_sparse_affinity_stays_sparse(leak, assign_labels):
    """A dense matrix of 20,000 samples, 3.2 GB, would be ten times what is allowed."""
    n_samples, generator = 20_000, np.random.RandomState(0)
    wanted = np.arange(n_samples) % 2
    i = np.repeat(np.arange(n_samples), 4)
    j = (i + 2 * generator.randint(1, n_samples // 2, size=len(i))) % n_samples  # Of the same cluster.
    if leak:
        j[::50] = generator.randint(n_samples, size=len(j[::50]))
    coef = sparse.csr_array((generator.uniform(0.5, 1, size=len(i)), (i, j)), shape=(n_samples, n_samples))
    affinity = coef + coef.T
    tracemalloc.start()
    try:
        labels = spectral_labels(affinity, 2, assign_labels=assign_labels, random_state=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.mean(match_labels(labels, wanted) == wanted) > 0.999
    assert peak < 8 * n_samples**2 / 10


def test_more_components_than_clusters_are_merged_whole_and_said():
    affinity, wanted = blocks(10, 10, 10, 10)
    with pytest.warns(DegenerateAffinityWarning, match="4 connected components"):
        labels = spectral_labels(affinity, 2, assign_labels="kmeans", random_state=0)
    assert len(set(labels)) == 2
    assert len(set(zip(labels, wanted, strict=True))) == 4


def test_one_cluster_and_as_many_as_samples():
    affinity, _ = blocks(5, 5, leak=0.1)
    assert set(spectral_labels(affinity, 1)) == {0}
    assert sorted(spectral_labels(affinity, 10)) == list(range(10))
    with pytest.raises(ValueError, match="n_clusters=11"):
        spectral_labels(affinity, 11)


@pytest.mark.parametrize("assign_labels", ["discretize", "kmeans", "cluster_qr"])
def test_isolated_samples_are_said(assign_labels):
    affinity, wanted = blocks(10, 10, leak=0.01)
    affinity = block_diag(affinity, np.zeros((2, 2)))
    with pytest.warns(DegenerateAffinityWarning, match="2 of 22 samples have no affinity"):
        labels = spectral_labels(affinity, 2, assign_labels=assign_labels, random_state=0)
    assert same_partition(labels[:20], wanted)
    assert set(labels) <= {0, 1}


@pytest.mark.filterwarnings("ignore:One of 3")
def test_constant_affinity_is_said():
    with pytest.warns(DegenerateAffinityWarning, match="same affinity"):
        spectral_labels(np.ones((20, 20)), 3, random_state=0)


@pytest.mark.filterwarnings("ignore:One of 3")
def test_collapse_by_a_dominant_diagonal_is_said():
    """The diagonal of a ridge solution without the zero constraint can be all that thresholding leaves."""
    affinity, wanted = blocks(20, 20, 20, leak=0.01)
    coef = affinity + 100 * np.eye(60)
    labels = spectral_labels(enhanced_affinity(coef, 3, subspace_rank=2, keep=0.5), 3, random_state=0)
    assert same_partition(labels, wanted)
    ruined = enhanced_affinity(coef, 3, subspace_rank=2, keep=0.5, diagonal="keep")
    with pytest.warns(DegenerateAffinityWarning, match="have no affinity to any other sample"):
        spectral_labels(ruined, 3, random_state=0)


def test_one_cluster_that_takes_almost_all_is_said():
    affinity, _ = blocks(92, 2, 2, 2, 2, leak=0.001)
    with pytest.warns(DegenerateAffinityWarning, match="One of 5 clusters holds 92 of 100 samples: unless classes"):
        spectral_labels(affinity, 5, random_state=0)


def test_bad_affinities_are_refused():
    with pytest.raises(ValueError, match="square"):
        spectral_labels(np.ones((3, 2)), 2)
    with pytest.raises(ValueError, match="negative"):
        spectral_labels(-np.ones((3, 3)), 2)
    with pytest.raises(ValueError, match="symmetric"):
        spectral_labels(np.triu(np.ones((6, 6))), 2)
    with pytest.raises(ValueError, match="'assign_labels' parameter"):
        spectral_labels(blocks(5, 5, leak=0.1)[0], 2, assign_labels="random")


def test_isolated_samples_with_loops_do_not_take_a_cluster():
    affinity, wanted = blocks(12, 12, 12)
    affinity = block_diag(affinity, np.eye(3))
    with pytest.warns(DegenerateAffinityWarning, match="3 of 39"):
        labels = spectral_labels(affinity, 3, random_state=0)
    assert same_partition(labels[:36], wanted)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_normalized_cut_is_the_loop(container):
    affinity, labels = blocks(6, 9, 5, leak=0.3)
    np.fill_diagonal(affinity, 7)
    total = 0.0
    for k in range(3):
        inside = [i for i in range(20) if labels[i] == k]
        volume = sum(affinity[i, j] for i in inside for j in range(20) if i != j)
        cut = sum(affinity[i, j] for i in inside for j in range(20) if labels[j] != k)
        total += cut / volume
    assert normalized_cut(container(affinity), labels) == pytest.approx(total)


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
def test_complete_graphs_whose_eigenvalues_bunch_are_labelled():
    for n_samples in (6, 17, 30, 43, 60):
        for n_clusters in (2, 3, 4):
            complete = np.ones((n_samples, n_samples)) - np.eye(n_samples)
            labels = spectral_labels(complete, n_clusters, assign_labels="best", random_state=0)
            assert labels.shape == (n_samples,)


def test_public_functions_do_not_see_what_numpy_is_set_to():
    blocks = np.kron(np.eye(3), np.ones((8, 8)))
    coef = np.random.RandomState(0).uniform(size=(24, 24)) * 1e-300
    with np.errstate(all="raise"):
        for way in ("kmeans", "diffusion", "best"):
            assert len(set(spectral_labels(blocks, 3, assign_labels=way, random_state=0))) == 3
        assert choose_n_clusters(blocks, random_state=0)[0] == 3
        assert np.isfinite(enhanced_affinity(coef, 3)).all()
        assert edge_information(blocks * 1e-300, np.arange(24) // 8) > 1


def test_normalized_cut_counts_an_isolated_cluster_as_cut():
    assert normalized_cut(block_diag(np.ones((2, 2)), 0), [0, 0, 1]) == pytest.approx(1)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_edge_information_is_the_loop(container):
    generator = np.random.RandomState(0)
    affinity = generator.uniform(size=(12, 12)) * (generator.uniform(size=(12, 12)) < 0.5)
    affinity = affinity + affinity.T
    labels = generator.randint(3, size=12)
    shares = affinity - np.diag(np.diag(affinity))
    shares /= shares.sum()
    expected = 0.0
    for k in range(3):
        for other in range(3):
            share = shares[np.ix_(labels == k, labels == other)].sum()
            expected += share * np.log(share / (shares[labels == k].sum() * shares[labels == other].sum()))
    assert edge_information(container(affinity), labels) == pytest.approx(expected)
    assert edge_information(container(affinity), 7 - labels) == pytest.approx(expected)


def test_edge_information_of_the_extremes():
    assert edge_information(np.kron(np.eye(3), np.ones((6, 6))), np.repeat([0, 1, 2], 6)) == pytest.approx(np.log(3))
    assert edge_information(np.ones((8, 8)) - np.eye(8), np.zeros(8)) == pytest.approx(0)
    assert edge_information(np.zeros((4, 4)), [0, 0, 1, 1]) == 0


def test_edge_information_prefers_classes_to_fragments():
    """Three classes, one of which has a small part apart: the normalised cut would rather merge the others."""
    affinity = block_diag(*(np.ones((size, size)) for size in (40, 40, 34, 6)))
    affinity[:80, :80] += 0.02
    classes, fragment = np.repeat([0, 1, 2], 40), np.repeat([0, 1, 2], [80, 34, 6])
    assert edge_information(affinity, classes) > edge_information(affinity, fragment)
    assert normalized_cut(affinity, classes) > normalized_cut(affinity, fragment) == 0


def test_candidates_are_labellings_and_best_has_the_most_information():
    affinity, _ = blocks(20, 15, 10, leak=0.3)
    candidates = candidate_labels(affinity, 3, random_state=0)
    assert {"kmeans-1", "diffusion-8-1", "cluster_qr", "discretize"} <= set(candidates)
    assert all(labels.shape == (45,) for labels in candidates.values())
    best = spectral_labels(affinity, 3, assign_labels="best", random_state=0)
    most = max(edge_information(affinity, labels) for labels in candidates.values())
    assert edge_information(affinity, best) == pytest.approx(most)


def test_starts_together_are_those_of_scikit_learn_one_by_one():
    """From the same centres the same labels and inertia; an empty cluster gets a row that lies far from its own."""
    generator = np.random.RandomState(0)
    X = generator.normal(size=(300, 5)) + generator.normal(size=(4, 5)).repeat(75, axis=0)
    starts = X[generator.randint(300, size=(3, 6))]
    starts[0, 0] = 50.0
    labels, inertia = lloyd(X, starts)
    for found, lost, centers in zip(labels, inertia, starts, strict=True):
        alone = KMeans(6, init=centers, n_init=1, algorithm="lloyd").fit(X)
        np.testing.assert_array_equal(found, alone.labels_)
        assert lost == pytest.approx(alone.inertia_)
    labels, inertia = k_means_starts(X, 6, 4, generator)
    greedy = [KMeans(6, n_init=1, random_state=seed).fit(X).inertia_ for seed in range(4)]
    assert inertia.mean() < 1.05 * np.mean(greedy)
    assert set(k_means_starts(np.ones((5, 2)), 3, 2, generator)[0].ravel()) == {0}


def test_best_labels_are_better_than_the_first_candidates():
    generator = np.random.RandomState(0)
    centers = generator.normal(size=(30, 6))
    X = np.repeat(centers, 12, axis=0) + 0.55 * generator.normal(size=(360, 6))
    affinity = kneighbors_graph(X, 5)
    affinity = affinity.maximum(affinity.T)
    found = [spectral_labels(affinity, 30, assign_labels="best", random_state=seed) for seed in range(4)]
    first = [candidate_labels(affinity, 30, random_state=seed).values() for seed in range(4)]
    first = [max(edge_information(affinity, labels) for labels in labellings) for labellings in first]
    best = [edge_information(affinity, labels) for labels in found]
    assert min(best) > np.mean(first)
    assert np.mean(best) > np.mean(first) + np.std(first)


def uneven_digits(seed, *sizes):
    """A graph of neighbours of so many samples of some digits, and the digits."""
    X, y = load_digits(return_X_y=True)
    drawn = zip(np.random.RandomState(seed).permutation(10), sizes, strict=False)
    rows = np.concatenate([np.flatnonzero(y == k)[:size] for k, size in drawn])
    graph = kneighbors_graph(X[rows], 5)
    return (graph + graph.T) / 2, y[rows]


@pytest.mark.parametrize("seed", [1, 2])
def test_best_labels_are_fair_to_classes_of_uneven_sizes(seed, monkeypatch):
    """Of the most edge information are labellings in which the largest class is cut, and small ones are one."""
    graph, y = uneven_digits(seed, 18, 36, 90, 170)
    fair = spectral_labels(graph, 4, assign_labels="best", random_state=0)
    assert clustering_accuracy_score(y, fair) > 0.97
    monkeypatch.setattr(segmentation, "_FAIR_GAIN", 1.0)
    unfair = spectral_labels(graph, 4, assign_labels="best", random_state=0)
    assert clustering_accuracy_score(y, unfair) < 0.75
    assert edge_information(graph, unfair) > edge_information(graph, fair)


def test_what_is_fair_is_sought_beyond_where_starts_end(monkeypatch):
    graph, y = uneven_digits(11, 12, 30, 60, 100, 170)

    def accuracies():
        labellings = [spectral_labels(graph, 5, assign_labels="best", random_state=seed) for seed in range(3)]
        return [clustering_accuracy_score(y, labels) for labels in labellings]

    sought = accuracies()
    assert min(sought) > 0.93
    assert np.ptp(sought) < 0.005
    monkeypatch.setattr(segmentation, "_fairer", lambda kept, *_: [kept[0][2]])
    assert min(accuracies()) < 0.8


def test_best_labels_are_as_many_as_asked_for(monkeypatch):
    """Fewer clusters have less entropy, and may be fairer for that alone."""
    graph, labels = blocks(10, 12, 40, 40, leak=0.4)
    few = {"fewer": np.where(labels == 1, 0, labels)}
    monkeypatch.setattr(segmentation, "_without_starts", lambda *_: few)
    monkeypatch.setattr(segmentation, "_FAIR_GAIN", -1.0)
    assert set(spectral_labels(graph, 4, assign_labels="best", random_state=0)) == {0, 1, 2, 3}


def test_fair_scores_are_the_formula_and_dominated_labellings_are_never_the_fairest():
    generator = np.random.RandomState(0)
    information, entropy = np.sort(generator.uniform(size=(2, 200)), axis=1)[:, ::-1]
    entropy = generator.permutation(entropy)
    found = fair_scores(information, entropy)
    price = 0.9 * information[0] / entropy[0]
    np.testing.assert_allclose(found, [information[n] - price * entropy[n] for n in range(200)])
    assert (fair_scores(information, np.zeros(200)) == information).all()
    scored = list(zip(information, entropy, range(200), strict=True))
    kept = segmentation._undominated([scored[place] for place in generator.permutation(200)])
    assert kept[0] == scored[0]
    assert {each[2] for each in kept} == {n for n in range(200) if (entropy[:n] > entropy[n]).all()}
    assert found.argmax() in [each[2] for each in kept]


def test_candidates_of_one_cluster_and_of_as_many_as_samples():
    affinity, _ = blocks(3, 2)
    assert set(candidate_labels(affinity, 1)["only"]) == {0}
    assert sorted(candidate_labels(affinity, 5)["only"]) == list(range(5))


def test_matching_is_the_best_of_all_renamings():
    from itertools import permutations

    generator = np.random.RandomState(0)
    for _ in range(20):
        labels, reference = generator.randint(4, size=(2, 25))
        best = max(np.sum(np.array(p)[labels] == reference) for p in permutations(range(4)))
        matched = match_labels(labels, reference)
        assert np.sum(matched == reference) == best
        assert same_partition(labels, matched)


def test_matching_with_more_clusters_keeps_them_apart():
    matched = match_labels([0, 0, 1, 2, 3], [7, 7, 7, 5, 5])
    assert len(set(matched)) == 4
    assert matched[0] == 7


def test_no_warning_on_a_good_affinity():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spectral_labels(blocks(30, 30, 40, leak=0.05)[0], 3, random_state=0)


# The number of clusters


def test_saving_is_the_likelihood_less_the_price():
    affinity, labels = blocks(12, 8, 20, leak=0.02)
    np.fill_diagonal(affinity, 0)
    ends = [affinity[labels == k].sum() / affinity.sum() for k in range(3)]
    p = sum(affinity[np.ix_(labels == k, labels == k)].sum() for k in range(3)) / affinity.sum()
    s, h, n = sum(np.square(ends)), np.array([12, 8, 20]) / 40, 40
    likelihood = 1.5 * n * (p * np.log(p / s) + (1 - p) * np.log((1 - p) / (1 - s)))
    wanted = likelihood + n * (h * np.log(h)).sum() - np.log(1.5 * n) - 1.5 * np.log(n)
    _, savings = choose_n_clusters(sparse.csr_array(affinity), [3], random_state=0)
    assert savings[3] == pytest.approx(wanted / n)


@pytest.mark.parametrize("n_groups", [2, 4, 9, 21])
def test_number_of_clusters_is_found(n_groups):
    """Also one that is not on the grid."""
    assert choose_n_clusters(weakly_linked(n_groups, 30, 1e-3)[0], random_state=0)[0] == n_groups


def test_graphs_that_save_nearly_as_much_as_any_choose_a_number():
    """By the one labelling for each number, of any of them, that saves most in their mean."""
    graphs = [weakly_linked(9, 30, weight, seed=seed)[0] for seed, weight in enumerate((1e-3, 2e-3))]
    noise = sparse.random_array((270, 270), density=0.03, random_state=0, format="csr")
    best, savings = choose_by_graphs([graphs[0], noise + noise.T, graphs[1]], 0, map)
    assert best == 9
    assert list(savings) == sorted(savings)

    numbers, wanted = segmentation._checked_numbers(None, 270), {}
    labellers = [segmentation._Labeller(graph, max(numbers), np.random.RandomState(0)) for graph in graphs]
    for number in numbers:
        labellings = [labels for labeller in labellers for labels in labeller.labellings(number)]
        saved = [
            [segmentation._saving(segmentation._edges(graph), labels, 270) for graph in graphs] for labels in labellings
        ]
        wanted[number] = max(np.mean(each) for each in saved)
    assert {number: savings[number] for number in numbers} == pytest.approx(wanted)
    one, other = (choose_n_clusters(graph, random_state=0)[1] for graph in graphs)
    assert min(savings[number] - (one[number] + other[number]) / 2 for number in numbers) < -0.01
    assert choose_by_graphs([noise + noise.T], 0, map)[0] == 1


def test_graphs_that_save_little_at_once_get_no_starts(monkeypatch):
    """But all do, if none saves anything so."""
    begun, whole = [], segmentation._Labeller.for_each
    monkeypatch.setattr(segmentation._Labeller, "for_each", lambda own, all_: begun.append(own) or whole(own, all_))
    halves = [sparse.random_array((270, 270), density=0.03, random_state=seed, format="csr") for seed in (0, 1)]
    noise = [half + half.T for half in halves]
    graphs = [weakly_linked(9, 30, 1e-3)[0], noise[0], weakly_linked(9, 30, 2e-3, seed=1)[0]]
    assert choose_by_graphs(graphs, 0, map)[0] == 9
    assert len(set(begun)) == 2
    assert choose_by_graphs(noise, 0, map)[0] == 1
    assert len(set(begun)) == 4


def test_the_number_between_those_of_the_grid_is_the_graphs_in_the_mean():
    graphs = [weakly_linked(19, 12, weight)[0] for weight in (1e-3, 1e-2)]
    best, savings = choose_by_graphs(graphs, 0, map)
    assert best == 19
    assert {17, 18, 19, 20} <= set(savings)


def test_savings_are_finite_where_no_edge_leaves_a_cluster():
    for seed in range(5):
        generator = np.random.RandomState(seed)
        blocks = [generator.uniform(0.1, 3, size=(n, n)) for n in generator.randint(20, 40, size=4)]
        affinity = sparse.block_diag(blocks).toarray()
        savings = choose_n_clusters(affinity + affinity.T, random_state=0)[1]
        assert np.isfinite([savings[number] for number in range(2, 5)]).all()


def test_numbers_to_try_are_checked():
    graph, _ = weakly_linked(3, 20, 1e-3)
    assert list(choose_n_clusters(graph, range(2, 5), random_state=0)[1]) == [2, 3, 4]
    for numbers in ([1, 2], [], [2.5], [100]):
        with pytest.raises(ValueError, match="n_clusters must hold whole numbers from 2 to n_samples = 60"):
            choose_n_clusters(graph, numbers)


@pytest.mark.parametrize("seed", range(3))
def test_rounding_of_single_precision_is_no_asymmetry(seed):
    rows = np.abs(np.random.RandomState(seed).randn(1500, 30)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    affinity = rows @ rows.T
    scale = 1 / np.sqrt(affinity.sum(axis=1))
    normalized = scale[:, None] * affinity * scale
    for graph in (normalized, normalized @ normalized):
        normalized_cut(graph, np.arange(1500) % 3)
    affinity[3, 7] *= 2
    with pytest.raises(ValueError, match="must be symmetric"):
        normalized_cut(affinity, np.arange(1500) % 3)
