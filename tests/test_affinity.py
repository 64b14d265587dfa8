import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from skdeepsc import SSCOMP
from skdeepsc.affinity import (
    affinity_from_top,
    compute_affinity,
    enhanced_affinity,
    low_rank_affinity,
    row_normalized_affinity,
    scaled_affinity,
    symmetric_affinity,
    threshold_coefficients,
    thresholded_affinity,
    top_affinity,
)
from skdeepsc.datasets import make_union_of_subspaces


@pytest.fixture
def coef():
    return np.random.RandomState(0).normal(size=(30, 30))


def slow_threshold(coef, keep):
    """thrC of the released code, column by column."""
    result = np.zeros_like(coef)
    for j in range(coef.shape[1]):
        total, needed = 0.0, keep * np.abs(coef[:, j]).sum()
        for i in np.argsort(-np.abs(coef[:, j])):
            result[i, j] = coef[i, j]
            total += abs(coef[i, j])
            if total > needed:
                break
    return result


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_threshold_is_the_released_loop(coef, keep):
    np.testing.assert_array_equal(threshold_coefficients(coef, keep), slow_threshold(coef, keep))
    np.testing.assert_array_equal(threshold_coefficients(coef, keep, axis=1), slow_threshold(coef.T, keep).T)


def test_threshold_keeps_all_at_one(coef):
    np.testing.assert_array_equal(threshold_coefficients(coef, 1.0), coef)


def slow_enhanced(coef, n_clusters, subspace_dim, power, keep, diagonal):
    """post_proC of the released code with a full singular value decomposition."""
    coef = coef.copy()
    if diagonal != "keep":
        np.fill_diagonal(coef, 0)
    coef = slow_threshold(coef, keep)
    graph = (coef + coef.T) / 2
    if diagonal == "one":
        np.fill_diagonal(graph, 1)
    rank = min(n_clusters * subspace_dim + 1, len(coef))
    u, s, _ = np.linalg.svd(graph)
    factor = u[:, :rank] * np.sqrt(s[:rank])
    factor = factor / np.linalg.norm(factor, axis=1, keepdims=True)
    affinity = np.maximum(factor @ factor.T, 0) ** power
    return affinity / affinity.max()


@pytest.mark.parametrize("diagonal", ["zero", "one", "keep"])
@pytest.mark.parametrize("n_samples", [30, 240], ids=["dense", "truncated"])
def test_enhanced_is_the_released_post_processing(n_samples, diagonal):
    coef = np.random.RandomState(1).normal(size=(n_samples, n_samples))
    ours = enhanced_affinity(coef, 3, subspace_rank=2, power=3, keep=0.6, diagonal=diagonal)
    np.testing.assert_allclose(ours, slow_enhanced(coef, 3, 2, 3, 0.6, diagonal), atol=1e-8)


def test_enhanced_as_printed(coef):
    graph = threshold_coefficients(coef - np.diag(np.diag(coef)), 0.5)
    graph = (np.abs(graph) + np.abs(graph).T) / 2
    u, s, _ = np.linalg.svd(graph)
    wanted = np.abs((u[:, :5] * s[:5]) @ u[:, :5].T) ** 2
    ours = enhanced_affinity(coef, 2, subspace_rank=2, power=2, keep=0.5, diagonal="zero", variant="paper")
    np.testing.assert_allclose(ours, wanted / wanted.max(), atol=1e-10)


def test_algorithm_2_as_printed_knows_no_threshold(coef):
    u, s, _ = np.linalg.svd((np.abs(coef) + np.abs(coef).T) / 2)
    wanted = np.abs((u[:, :5] * s[:5]) @ u[:, :5].T) ** 2
    ours = enhanced_affinity(coef, 2, subspace_rank=2, power=2, variant="paper")
    np.testing.assert_allclose(ours, wanted / wanted.max(), atol=1e-10)


@pytest.mark.parametrize("name", ["symmetric", "thresholded", "enhanced", "row_normalized", "top"])
def test_affinities_are_affinities(coef, name):
    before = coef.copy()
    affinity = compute_affinity(coef, name, n_clusters=2)
    np.testing.assert_array_equal(coef, before)
    dense = affinity.toarray() if sparse.issparse(affinity) else affinity
    np.testing.assert_allclose(dense, dense.T)
    assert dense.min() >= 0
    if name in ("enhanced", "row_normalized"):
        assert dense.max() == pytest.approx(1)


@pytest.mark.parametrize("name", ["symmetric", "thresholded", "enhanced", "row_normalized", "top"])
def test_affinities_permute_with_the_samples(coef, name):
    order = np.random.RandomState(1).permutation(len(coef))
    plain = compute_affinity(coef, name, n_clusters=2)
    permuted = compute_affinity(coef[np.ix_(order, order)], name, n_clusters=2)
    dense = [a.toarray() if sparse.issparse(a) else a for a in (plain, permuted)]
    np.testing.assert_allclose(dense[1], dense[0][np.ix_(order, order)], atol=1e-8)


@pytest.mark.parametrize("name", ["symmetric", "thresholded", "enhanced", "row_normalized", "top"])
def test_zero_coefficients_give_no_pairs(name):
    affinity = compute_affinity(np.zeros((6, 6)), name, n_clusters=2)
    dense = affinity.toarray() if sparse.issparse(affinity) else affinity
    assert np.isfinite(dense).all()
    assert np.abs(dense - np.diag(np.diag(dense))).sum() == 0


def test_top_keeps_the_largest_positive_of_each_row(coef):
    top = top_affinity(coef, n_coefs=4)
    rows = coef.copy()
    np.fill_diagonal(rows, -np.inf)
    wanted = np.zeros_like(coef)
    for i, row in enumerate(rows):
        best = [j for j in np.argsort(-row)[:4] if row[j] > 0]
        wanted[i, best] = row[best] / row[best].sum()
    np.testing.assert_allclose(top.toarray(), (wanted + wanted.T) / 2)


def test_affinity_from_top_is_top_affinity(coef):
    np.fill_diagonal(coef, -np.inf)
    columns = np.argsort(-coef, axis=1)[:, :3]
    np.fill_diagonal(coef, 0)
    affinity = affinity_from_top(columns, np.take_along_axis(coef, columns, axis=1))
    np.testing.assert_allclose(affinity.toarray(), top_affinity(coef, n_coefs=3).toarray(), atol=1e-7)


def test_row_normalized_rows_end_at_one(coef):
    affinity = row_normalized_affinity(coef, symmetric=False)
    np.testing.assert_allclose(affinity.max(axis=1), 1)
    assert not np.allclose(affinity, affinity.T)


def test_callable_affinity_and_unknown_names(coef):
    assert compute_affinity(coef, symmetric_affinity) is not None
    with pytest.raises(ValueError, match=r"'affinity' parameter of compute_affinity .*'symmetric'"):
        compute_affinity(coef, "nearest")
    with pytest.raises(ValueError, match="'n_clusters' parameter of compute_affinity"):
        compute_affinity(coef, "symmetric", n_clusters=2.5)
    top = affinity_from_top(np.array([[1], [0]], dtype=np.uint32), np.ones((2, 1)))
    assert top.toarray().tolist() == [[0, 1], [1, 0]]
    with pytest.raises(ZeroDivisionError) as raised:
        compute_affinity(coef, lambda coef: 1 / 0)
    assert raised.value.__notes__ == ["It was raised by the function that is given as affinity."]
    with pytest.raises(ValueError, match="'diagonal' parameter"):
        enhanced_affinity(coef, 2, diagonal="none")
    with pytest.raises(ValueError, match="square"):
        thresholded_affinity(coef[:3])


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("symmetric", {}),
        ("scaled", {}),
        ("scaled", {"norm": "l2"}),
        ("thresholded", {"keep": 0.6, "axis": 0}),
        ("thresholded", {"keep": 0.6, "axis": 1}),
        ("row_normalized", {}),
        ("row_normalized", {"symmetric": False}),
        ("top", {"n_coefs": 2}),
        ("enhanced", {"subspace_rank": 2}),
        ("low_rank", {}),
    ],
)
def test_sparse_coefficients_have_the_affinity_of_dense_ones(name, params):
    generator = np.random.RandomState(0)
    coef = generator.normal(size=(30, 30)) * (generator.uniform(size=(30, 30)) < 0.2)
    coef[3], coef[:, 5] = 0, 0
    packed = sparse.csr_array(coef)
    wanted = compute_affinity(coef, name, n_clusters=3, **params)
    found = compute_affinity(packed, name, n_clusters=3, **params)
    if name not in ("enhanced", "low_rank"):
        assert found.format == "csr"
        found = found.toarray()
    np.testing.assert_allclose(found, wanted.toarray() if sparse.issparse(wanted) else wanted, atol=1e-12)
    np.testing.assert_array_equal(packed.toarray(), coef)


def test_scaled_affinity_divides_rows_before_it_symmetrises():
    coef = np.array([[9.0, 2.0, -4.0], [0.5, 9.0, 0.0], [0.0, 0.0, 9.0]])
    np.testing.assert_allclose(scaled_affinity(coef), [[0, 0.75, 0.5], [0.75, 0, 0], [0.5, 0, 0]])
    np.testing.assert_allclose(scaled_affinity(coef, norm="l1")[0], [0, (1 / 3 + 1) / 2, 1 / 3])


def test_low_rank_affinity_is_the_cosine_of_the_factors_rows():
    factor = np.random.RandomState(0).normal(size=(12, 3))
    coef = factor @ factor.T  # Its own factor, up to a rotation.
    lengths = np.linalg.norm(factor, axis=1)
    cosines = coef / np.outer(lengths, lengths)
    np.testing.assert_allclose(low_rank_affinity(coef, power=2.0), cosines**2, atol=1e-10)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_bridge_links_the_parts_of_a_graph_weakly(coef, container):
    """A tenth of the graph of four times as many coefficients; the parts that the few leave are linked by it."""
    few, many = top_affinity(coef, n_coefs=2).toarray(), top_affinity(coef, n_coefs=8).toarray()
    bridged = top_affinity(container(coef), n_coefs=2, bridge=0.1)
    np.testing.assert_allclose(bridged.toarray(), (few + 0.1 * many) / 1.1, atol=1e-12)
    blocks = np.kron(np.eye(3), np.ones((10, 10))) + 0.01
    assert connected_components(top_affinity(container(blocks), n_coefs=2))[0] >= 3
    assert connected_components(top_affinity(container(blocks), n_coefs=3, bridge=0.1))[0] == 1


def test_any_power_and_any_random_state_of_the_enhanced_affinity():
    coef = np.random.RandomState(0).uniform(size=(30, 30))
    assert np.isfinite(enhanced_affinity(coef, 3, power=1e300)).all()
    for random_state in (None, np.random.RandomState(0)):
        np.testing.assert_allclose(enhanced_affinity(coef, 3, random_state=random_state), enhanced_affinity(coef, 3))
    with pytest.raises(ValueError, match="'random_state' parameter"):
        enhanced_affinity(coef, 3, random_state=-1)


def test_a_row_of_large_coefficients_leaves_the_thresholds_of_others(coef):
    coef = np.abs(coef).astype(np.float32)
    coef[0] *= 1e7
    found = threshold_coefficients(sparse.csr_array(coef), 0.3, axis=1)
    np.testing.assert_array_equal(found.toarray(), threshold_coefficients(coef, 0.3, axis=1))


def test_a_coefficient_after_those_that_hold_the_share_is_left_out():
    coef = np.array([[0, 2.0, 1, 1], [4, 0, 2, 2], [1, 1, 0, 2], [2, 2, 4, 0]])
    for to in (np.asarray, sparse.csr_array):
        found = threshold_coefficients(to(coef), 0.5, axis=1)
        found = found.toarray() if sparse.issparse(found) else found
        np.testing.assert_array_equal((found > 0).sum(axis=1), 1)


def test_single_precision_stays_single_in_sparse_affinities(coef):
    assert symmetric_affinity(sparse.csr_array(coef.astype(np.float32))).dtype == np.float32


@pytest.mark.filterwarnings("ignore:The affinity falls into")
@pytest.mark.parametrize("rank", [2, 3])
def test_bunched_singular_values_are_found(rank):
    """Where a partial decomposition does not come to an end, or has nothing to start from, there is the whole one."""
    X = make_union_of_subspaces(400, 30, n_subspaces=6, subspace_dim=2, random_state=0)[0]
    coef = SSCOMP(6, n_nonzero_coefs=2, random_state=0).fit(X).coef_
    assert np.isfinite(enhanced_affinity(coef, 6, subspace_rank=rank)).all()
    assert not enhanced_affinity(np.zeros((250, 250)), 3, diagonal="zero", subspace_rank=rank).any()


def test_of_equal_coefficients_the_first_are_kept():
    coef = np.random.RandomState(0).randint(0, 3, (12, 12)).astype(float)
    for n_coefs in (1, 3, 5):
        made = top_affinity(coef, n_coefs=n_coefs).toarray()
        np.testing.assert_array_equal(made, top_affinity(sparse.csr_array(coef), n_coefs=n_coefs).toarray())


@pytest.mark.parametrize("keep", [0.2, 0.3, 0.5, 0.7])
def test_equal_coefficients_are_kept_alike_in_every_row(keep):
    """As many of ten equal ones as make up the share, where rounding errors of sums would take one more or less."""
    coef = np.zeros((300, 300))
    for row in range(300):
        coef[row, (row + 1 + np.arange(10) * 7) % 300] = 0.1 + row
    dense, few = (threshold_coefficients(form(coef), keep, axis=1) for form in (np.array, sparse.csr_array))
    np.testing.assert_array_equal(np.count_nonzero(dense, axis=1), round(10 * keep))
    np.testing.assert_array_equal(few.toarray(), dense)
