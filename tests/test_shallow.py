"""The classic methods: optimisers against slow or obvious references, new rows, kinds of input."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline

from skdeepsc import EDSC, KSSC, LRR, LRSC, S3C, SSC, SSCOMP, AutoEncoder, EnSC
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.metrics import clustering_accuracy_score, subspace_preserving_error
from skdeepsc.shallow._lrr import relative_gap
from skdeepsc.shallow._lrsc import shrunk_values, thin_svd
from skdeepsc.shallow._quadratic import solve_l1_quadratics
from skdeepsc.shallow._ssc_omp import matching_pursuit


def dense(matrix):
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.fixture
def rows():
    """Thirty noisy samples of two planes in eight dimensions, unit length."""
    return unit(make_union_of_subspaces(30, 8, n_subspaces=2, subspace_dim=2, noise=0.3, random_state=0)[0])


# EDSC


@pytest.mark.parametrize("n_features", [8, 50])
def test_edsc_is_a_ridge_regression_of_each_row_on_the_others(n_features):
    z = unit(np.random.RandomState(0).normal(size=(20, n_features)))
    coef = EDSC(2, ridge_lambda=0.3, random_state=0).fit(z).coef_
    free = EDSC(2, ridge_lambda=0.3, zero_diagonal=False, random_state=0).fit(z).coef_
    for i in range(len(z)):
        others = np.delete(np.arange(len(z)), i)
        gram = z[others] @ z[others].T + 0.3 * np.eye(len(z) - 1)
        np.testing.assert_allclose(coef[i, others], np.linalg.solve(gram, z[others] @ z[i]), atol=1e-10)
        np.testing.assert_allclose(free[i], np.linalg.solve(z @ z.T + 0.3 * np.eye(len(z)), z @ z[i]), atol=1e-10)
        assert coef[i, i] == 0


@pytest.mark.parametrize("n_features", [8, 50])
def test_the_dimension_of_edsc_is_its_degrees_of_freedom(n_features):
    z = unit(np.random.RandomState(0).normal(size=(20, n_features)))
    fitted = EDSC(2, subspace_dim=1.5, random_state=0).fit(z)
    hat = z @ z.T @ np.linalg.inv(z @ z.T + fitted.ridge_lambda_ * np.eye(20))
    assert np.trace(hat) == pytest.approx(3)
    assert fitted.subspace_dim_ == 1.5
    given = EDSC(2, ridge_lambda=fitted.ridge_lambda_, random_state=0).fit(z)
    assert given.subspace_dim_ is None
    np.testing.assert_allclose(given.coef_, fitted.coef_, atol=1e-12)
    assert np.trace(EDSC(2, subspace_dim=100, zero_diagonal=False, random_state=0).fit(z).coef_) <= 0.7 * 20 + 1e-9


def test_edsc_chooses_the_dimension_without_labels():
    """Crossing subspaces need more, lines in noise less than one; nothing that is too far off finds the clusters."""
    for dim, n_features, noise, wrong in ((4, 10, 0.1, 0.25), (4, 10, 0.2, 1), (1, 4, 0.3, 4)):
        X, y = make_union_of_subspaces(150, n_features, subspace_dim=dim, noise=noise, random_state=0)
        found = adjusted_rand_score(y, EDSC(3, random_state=0).fit(X).labels_)
        assert found > 0.95
        assert adjusted_rand_score(y, EDSC(3, subspace_dim=wrong, random_state=0).fit(X).labels_) < found - 0.5
    assert EDSC(1, random_state=0).fit(X).subspace_dim_ == 0.25


# LRSC


def lrsc_cost(coef, clean, z, tau, alpha):
    cost = np.linalg.norm(coef, "nuc") + tau / 2 * np.square(clean - coef @ clean).sum()
    return cost + (alpha / 2 * np.square(z - clean).sum() if alpha else 0)


def test_noise_free_lrsc_is_the_shape_interaction_matrix():
    X, _ = make_union_of_subspaces(40, 20, n_subspaces=2, subspace_dim=3, random_state=0)
    left = np.linalg.svd(X)[0][:, :6]
    estimator = LRSC(2, tau=None, random_state=0).fit(X)
    np.testing.assert_allclose(estimator.coef_, left @ left.T, atol=1e-7)
    assert estimator.rank_ == 6


def test_lrsc_fulfils_the_optimality_conditions(rows):
    """0 is a subgradient: tau (Z - CZ) Z^T = U V^T + W: singular vectors of C, and W beside them, of norm <= 1."""
    tau = 5.0
    coef = LRSC(2, tau=tau, random_state=0).fit(rows).coef_
    left, values, right = np.linalg.svd(coef)
    rank = int((values > 1e-9).sum())
    assert 0 < rank < 8
    gradient = left.T @ (tau * (rows - coef @ rows) @ rows.T) @ right.T
    np.testing.assert_allclose(gradient[:rank, :rank], np.eye(rank), atol=1e-8)
    np.testing.assert_allclose(gradient[:rank, rank:], 0, atol=1e-8)
    np.testing.assert_allclose(gradient[rank:, :rank], 0, atol=1e-8)
    assert np.linalg.norm(gradient[rank:, rank:], 2) <= 1


@pytest.mark.parametrize(("tau", "alpha"), [(2.0, 9.0), (5.0, 0.7), (5.0, 5.0), (0.1, 100.0), (None, 3.0)])
def test_lrsc_cleans_singular_values_as_a_fine_grid_does(tau, alpha):
    values = np.linspace(0.01, 4, 40)
    grid = np.linspace(0, 4.5, 450001)
    if tau is None:
        loss = (grid > 0).astype(float)
    else:
        loss = np.where(grid > tau**-0.5, 1 - 0.5 / (tau * np.maximum(grid, 1e-9) ** 2), tau / 2 * grid**2)
    best = [grid[np.argmin(loss + alpha / 2 * (value - grid) ** 2)] for value in values]
    np.testing.assert_allclose(shrunk_values(values, tau, alpha), best, atol=2e-5)


def test_lrsc_with_noise_has_the_least_cost_around_it(rows):
    tau, alpha = 6.0, 8.0
    estimator = LRSC(2, tau=tau, noise_alpha=alpha, random_state=0).fit(rows)
    left, values, right = np.linalg.svd(rows, full_matrices=False)
    clean = left * shrunk_values(values, tau, alpha) @ right
    least = lrsc_cost(estimator.coef_, clean, rows, tau, alpha)
    generator = np.random.RandomState(0)
    for size in (1e-3, 1e-1):
        for _ in range(50):
            other = estimator.coef_ + size * generator.normal(size=estimator.coef_.shape)
            shifted = clean + size * generator.normal(size=clean.shape)
            assert lrsc_cost(other, shifted, rows, tau, alpha) > least
            assert lrsc_cost(estimator.coef_, shifted, rows, tau, alpha) > least
            assert lrsc_cost(other, clean, rows, tau, alpha) > least


# SSC-OMP


def pursue_slowly(target, atoms, n_steps, tol=0.0):
    """The textbook's loop: choose, solve the least squares problem, take the residual."""
    support, coef = [], np.zeros(len(atoms))
    residual = target
    while len(support) < n_steps and residual @ residual > tol * (target @ target):
        support.append(int(np.argmax(np.abs(atoms @ residual))))
        solution = np.linalg.lstsq(atoms[support].T, target, rcond=None)[0]
        residual = target - solution @ atoms[support]
        coef[support] = solution
    return coef


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("tol", [0.0, 0.2])
def test_omp_is_the_textbook_loop_for_each_sample(rows, to, tol):
    coef = SSCOMP(2, n_nonzero_coefs=5, residual_tol=tol, random_state=0).fit(to(rows)).coef_.toarray()
    for i in range(len(rows)):
        atoms = rows.copy()
        atoms[i] = 0
        np.testing.assert_allclose(coef[i], pursue_slowly(rows[i], atoms, 5, tol), atol=1e-9)
    assert ((coef != 0).sum(1) == 5).all() == (tol == 0)


def test_omp_survives_duplicates_zeros_and_full_spans():
    X = np.vstack([np.eye(3), np.eye(3), 2 * np.eye(3), np.zeros((1, 3))])
    coef = matching_pursuit(X, X, 8, 0.0, own=np.arange(10))
    np.testing.assert_allclose((coef @ X)[:9], X[:9], atol=1e-12)
    assert np.bincount(coef.nonzero()[0], minlength=10).tolist() == [1] * 9 + [0]
    flat = np.random.RandomState(0).normal(size=(40, 3)) @ np.random.RandomState(1).normal(size=(3, 9))
    coef = matching_pursuit(flat, flat, 8, 0.0, own=np.arange(40))
    np.testing.assert_allclose(coef @ flat, flat, atol=1e-10)
    assert np.abs(coef.data).max() < 100
    assert np.bincount(coef.nonzero()[0]).max() == 3


@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
def test_single_precision_chooses_the_atoms_that_double_does(to):
    """Noisy multiples of three images: late atoms are as good as others but for a hair."""
    rng = np.random.RandomState(0)
    for _ in range(10):
        images = rng.uniform(size=(3, 64)).repeat(10, axis=0) * rng.uniform(0.6, 1, size=(30, 1))
        X = unit(images + 0.04 * rng.uniform(size=images.shape)).astype(np.float32)
        single, double = (matching_pursuit(Z, Z, 10, 0.0, own=np.arange(30)) for Z in (to(X), to(X.astype(float))))
        assert single.dtype == np.float32
        np.testing.assert_array_equal(single.indices, double.indices)
        np.testing.assert_allclose(single.data, double.data, rtol=1e-6)


# EnSC, and the solver of all methods with an l1 norm


def conditions(coef, gradient, l1, l2=0.0):
    """Largest violation of the optimality conditions of an elastic net; `gradient` is that of half the residual."""
    slope = gradient - l2 * coef
    off = np.where(coef != 0, np.abs(slope - l1 * np.sign(coef)), np.maximum(np.abs(slope) - l1, 0))
    return off[~np.eye(len(coef), dtype=bool)].max()


@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
def test_ensc_fulfils_the_conditions_and_is_coordinate_descent(rows, to, l1_ratio):
    estimator = EnSC(2, alpha=20, l1_ratio=l1_ratio, tol=1e-9, random_state=0).fit(to(rows))
    coef = estimator.coef_.toarray()
    for i in range(len(rows)):
        others = np.delete(np.arange(len(rows)), i)
        gamma = 20 * l1_ratio / np.abs(rows[others] @ rows[i]).max()
        slow = ElasticNet(1 / gamma / 8, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-14, max_iter=100000)
        slow.fit(rows[others].T, rows[i])
        np.testing.assert_allclose(coef[i, others], slow.coef_, atol=1e-6)
        assert coef[i, i] == 0
    assert estimator.kkt_violation_ <= 1e-9
    assert estimator.n_iter_ >= 1


def test_working_sets_grow_to_the_optimum_and_are_told_when_they_do_not(monkeypatch):
    monkeypatch.setattr("skdeepsc.shallow._elastic_net._FIRST", 2)
    monkeypatch.setattr("skdeepsc.shallow._elastic_net._MORE", 1)
    z = unit(np.random.RandomState(0).normal(size=(80, 30)))
    estimator = EnSC(2, alpha=50, tol=1e-8, random_state=0).fit(z)
    coef = estimator.coef_.toarray()
    l1 = np.abs(z @ z.T - np.eye(80)).max(1, keepdims=True) / 50
    assert conditions(coef / l1, (z - coef @ z) @ z.T / l1, 1.0, l1 / 9) < 1e-7
    assert estimator.n_iter_ > 5
    with pytest.warns(ConvergenceWarning, match="max_iter=2 rounds"):
        assert EnSC(2, max_iter=2, random_state=0).fit(z).kkt_violation_ > 1e-6


def test_many_small_problems_are_solved_to_full_precision():
    generator = np.random.RandomState(0)
    factor = generator.normal(size=(50, 12, 6))  # Singular: fewer features than atoms, and atoms that are equal.
    factor[:25, 3] = factor[:25, 4]
    quadratic = factor @ factor.transpose(0, 2, 1)
    linear = np.einsum("nij,nj->ni", factor, generator.normal(size=(50, 6)))
    thresholds = generator.uniform(0.01, 1, size=(50, 12))
    coef = solve_l1_quadratics(quadratic, linear, thresholds, generator.normal(size=(50, 12)), 1e-10)
    slope = linear - np.einsum("nij,nj->ni", quadratic, coef)
    off = np.where(coef != 0, np.abs(slope - thresholds * np.sign(coef)), np.maximum(np.abs(slope) - thresholds, 0))
    assert off.max() < 1e-11


# SSC


def ssc_weight(alpha, z):
    products = np.abs(z @ z.T)
    np.fill_diagonal(products, 0)
    return alpha / products.max(1).min()


@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
def test_ssc_is_a_lasso_of_each_row_on_the_others(rows, to):
    estimator = SSC(2, alpha=30, random_state=0).fit(to(rows))
    coef = estimator.coef_.toarray()
    assert estimator.lambda_ == pytest.approx(ssc_weight(30, rows))
    assert conditions(coef, (rows - coef @ rows) @ rows.T, 1 / estimator.lambda_) < 1e-8
    assert not coef.diagonal().any()


@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
def test_affine_ssc_fulfils_the_conditions_with_a_multiplier(rows, to):
    estimator = SSC(2, alpha=30, affine=True, normalization="none", random_state=0).fit(to(rows))
    coef, l1 = estimator.coef_.toarray(), 1 / estimator.lambda_
    np.testing.assert_allclose(coef.sum(1), 1, atol=1e-5)
    gradient = (rows - coef @ rows) @ rows.T
    for i in range(len(rows)):
        used = coef[i] != 0
        multipliers = l1 * np.sign(coef[i, used]) - gradient[i, used]
        np.testing.assert_allclose(multipliers, multipliers.mean(), atol=1e-5)
        assert np.abs(np.delete(gradient[i] + multipliers.mean(), i)).max() < l1 + 1e-5


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
def test_ssc_with_outlying_entries_fulfils_the_conditions_for_both(rows, to, affine):
    z, struck = rows.copy(), ([0, 10, 20], [1, 4, 6])
    z[struck] += 4
    estimator = SSC(2, alpha=30, outlier_alpha=3, affine=affine, normalization="none", random_state=0).fit(to(z))
    coef, outliers = estimator.coef_.toarray(), estimator.outliers_.toarray()
    weight_z, weight_e = ssc_weight(30, z), 3 / np.sort(np.abs(z).sum(1))[-2]
    left = z - coef @ z - outliers
    if not affine:
        assert conditions(coef, left @ z.T, 1 / weight_z) < 1e-8
    off = np.where(outliers != 0, np.abs(left - weight_e / weight_z * np.sign(outliers)), 0)
    assert off.max() < 1e-8
    assert np.abs(left).max() <= weight_e / weight_z + 1e-8
    assert (outliers[struck] > 2).all()
    assert np.array_equal(estimator.predict(to(z)), estimator.labels_)


# KSSC


@pytest.mark.parametrize(
    ("kernel", "params"),
    [
        ("sigmoid", {"coef0": 0, "gamma": 1.0}),
        ("poly", {"coef0": -0.2}),
        ("additive_chi2", {}),
        (lambda a, b: -1.0, {}),
    ],
)
def test_what_is_no_kernel_is_refused(kernel, params):
    X = np.abs(make_union_of_subspaces(60, 20, random_state=0)[0])
    with pytest.raises(ValueError, match=r"kernel=.* gives these samples no inner products: some sum of them"):
        KSSC(3, kernel=kernel, random_state=0, **params).fit(X)


@pytest.mark.parametrize("kernel", ["chi2", "laplacian", "cosine"])
def test_kernels_of_scikit_learn_need_no_parameters(kernel):
    X = np.abs(make_union_of_subspaces(60, 20, random_state=0)[0])
    assert len(KSSC(3, kernel=kernel, random_state=0).fit(X).labels_) == 60


def test_kssc_is_ssc_on_the_features_of_its_kernel(rows):
    products = np.einsum("ni,nj->nij", rows, rows).reshape(len(rows), -1)
    for params, features in (({"kernel": "linear"}, rows), ({"kernel": "poly", "degree": 2, "coef0": 0}, products)):
        for affine in (False, True):
            kernel = KSSC(2, gamma=1.0, affine=affine, random_state=0, **params).fit(rows)
            plain = SSC(2, normalization="none", affine=affine, random_state=0).fit(features)
            assert kernel.lambda_ == pytest.approx(plain.lambda_)
            np.testing.assert_allclose(kernel.coef_.toarray(), plain.coef_.toarray(), atol=1e-5)
            assert np.array_equal(kernel.predict(rows[:9]), plain.predict(features[:9]))
            np.testing.assert_allclose(kernel._residuals(rows[:9]), plain._residuals(features[:9]), atol=1e-5)


def test_a_kernel_is_computed_once():
    calls, rows = [], make_union_of_subspaces(30, 8, random_state=0)[0]

    def kernel(a, b):
        calls.append(1)
        return np.exp(-np.square(a - b).sum())

    KSSC(3, kernel=kernel, random_state=0).fit(rows)
    assert len(calls) == 30 * 31 / 2  # It is symmetric.


def test_a_gaussian_kernel_does_not_depend_on_where_the_origin_is():
    X, _ = make_union_of_subspaces(30, 12, noise=0.01, random_state=0)
    plain, far = (KSSC(3, normalization="none", affine=True, random_state=0).fit(X + at) for at in (0, 1e8))
    np.testing.assert_allclose(far.coef_.toarray(), plain.coef_.toarray(), atol=1e-5)
    np.testing.assert_array_equal(far.predict(X + 1e8), plain.predict(X))


def test_kssc_fulfils_the_conditions_and_takes_callables(rows):
    estimator = KSSC(2, kernel="rbf", gamma=2.0, alpha=50, random_state=0).fit(rows)
    coef, kernel = estimator.coef_.toarray(), np.exp(-2 * np.square(rows[:, None] - rows).sum(-1))
    assert conditions(coef, kernel - coef @ kernel, 1 / estimator.lambda_) < 1e-8
    own = KSSC(2, kernel=gaussian, kernel_params={"width": 2.0}, alpha=50, random_state=0).fit(rows)
    np.testing.assert_allclose(own.coef_.toarray(), coef, atol=1e-9)


def gaussian(a, b, width):
    return np.exp(-width * np.square(a - b).sum())


# S3C


@pytest.mark.parametrize("soft", [False, True])
def test_s3c_solves_the_lasso_of_its_own_segmentation(rows, soft):
    estimator = S3C(2, gamma_structure=0.7, soft=soft, max_alternations=30, tol=1e-8, random_state=0).fit(rows)
    assert 1 < estimator.n_alternations_ < 30
    structure = estimator._structure(estimator.coef_)
    apart = np.square(structure[:, None] - structure).sum(-1) / 2
    if not soft:
        assert np.array_equal(apart, (estimator.labels_[:, None] != estimator.labels_).astype(float))
    coef = estimator.coef_.toarray()
    weights = (1 + 0.7 * apart) / estimator.lambda_
    gradient = (rows - coef @ rows) @ rows.T
    slack = 0.01 * 0.7 / estimator.lambda_ if soft else 0  # What Q may still have changed by.
    assert conditions(coef / weights, gradient / weights, 1.0) < 1e-7 + slack / weights.min()


def test_s3c_without_structure_is_ssc_and_with_it_more_block_diagonal():
    X, y = make_union_of_subspaces(120, 15, n_subspaces=3, subspace_dim=4, noise=0.3, random_state=1)
    plain = SSC(3, random_state=0).fit(X)
    same = S3C(3, gamma_structure=0.0, random_state=0).fit(X)
    np.testing.assert_allclose(same.coef_.toarray(), plain.coef_.toarray(), atol=1e-12)
    assert same.n_alternations_ == 1
    structured = S3C(3, gamma_structure=1.0, random_state=0).fit(X)
    assert subspace_preserving_error(structured.coef_, y) < 0.8 * subspace_preserving_error(plain.coef_, y)


# LRR


def test_lrr_without_noise_is_the_shape_interaction_matrix():
    X, _ = make_union_of_subspaces(40, 20, n_subspaces=2, subspace_dim=3, random_state=0)
    left = np.linalg.svd(X)[0][:, :6]
    for noise_lambda in (None, 100.0):
        coef = LRR(2, noise_lambda=noise_lambda, tol=1e-10, max_iter=20000, random_state=0).fit(X).coef_
        np.testing.assert_allclose(coef, left @ left.T, atol=1e-6)


@pytest.mark.parametrize("lam", [0.15, 0.4])
def test_lrr_fulfils_the_optimality_conditions(rows, lam):
    """Y of the constraint: lam e / |e| or shorter for the rows of E, and U V^T + W, |W| <= 1, for Y Z^T."""
    estimator = LRR(2, noise_lambda=lam, tol=1e-12, max_iter=20000, random_state=0).fit(rows)
    coef = estimator.coef_
    noise = rows - coef @ rows
    left, values, right = np.linalg.svd(coef)
    rank = int((values > 1e-7).sum())
    assert 0 < rank < 8
    lengths = np.linalg.norm(noise, axis=1, keepdims=True)
    inactive = lengths[:, 0] < 1e-7
    known = np.where(inactive[:, None], 0, lam * noise / np.maximum(lengths, 1e-12))
    # The rows of Y without noise, from the part of the condition that is an equation: U^T Y Z^T = V^T.
    wanted = right[:rank] - left[:, :rank].T @ known @ rows.T
    system = np.kron(rows, left[inactive, :rank].T)
    free = (
        np.linalg.lstsq(system, wanted.T.ravel(), rcond=None)[0].reshape(8, -1).T
        if inactive.any()
        else np.zeros((0, 8))
    )
    dual = known.copy()
    dual[inactive] = free
    gradient = left.T @ dual @ rows.T @ right.T
    np.testing.assert_allclose(gradient[:rank, :rank], np.eye(rank), atol=1e-5)
    np.testing.assert_allclose(gradient[:rank, rank:], 0, atol=1e-5)
    if not inactive.any():
        np.testing.assert_allclose(gradient[rank:, :rank], 0, atol=1e-5)
        assert np.linalg.norm(gradient[rank:, rank:], 2) <= 1 + 1e-5


def test_lrr_has_the_least_cost_and_a_gap_that_says_so(rows):
    def cost(coef):
        return np.linalg.norm(coef, "nuc") + 0.8 * np.linalg.norm(rows - coef @ rows, axis=1).sum()

    estimator = LRR(2, noise_lambda=0.8, tol=1e-9, random_state=0).fit(rows)
    least, generator = cost(estimator.coef_), np.random.RandomState(0)
    for size in (1e-4, 1e-2, 1.0):
        for _ in range(50):
            change = generator.normal(size=estimator.coef_.shape) / 30
            assert cost(estimator.coef_ + size * change) > least
    rough = LRR(2, noise_lambda=0.8, tol=1e-3, random_state=0).fit(rows)
    assert rough.n_iter_ < estimator.n_iter_
    assert cost(rough.coef_) * (1 - rough.dual_gap_) <= least * (1 + 1e-9) <= cost(rough.coef_) * (1 + 1e-9)
    left, values, _ = thin_svd(rows)
    for size in (0.01, 1.0, 100.0):
        dual = size * (left * values + 0.1 * generator.normal(size=(30, 8)))
        gap = relative_gap(cost(rough.coef_), dual, left * values, values, 0.8)
        assert cost(rough.coef_) * (1 - gap) <= least
    with pytest.warns(ConvergenceWarning, match="duality gap"):
        LRR(2, noise_lambda=3.0, max_iter=20, random_state=0).fit(rows)


def test_lrr_expresses_new_rows_with_the_same_cost(rows):
    from scipy.optimize import minimize

    estimator = LRR(2, noise_lambda=0.8, random_state=0).fit(rows[:20])
    z = estimator.embedding_
    for new in rows[20:24]:
        coef = estimator._express(new[None])[0]
        cost = lambda c, new=new: np.linalg.norm(c) + 0.8 * np.linalg.norm(new - c @ z)  # noqa: E731
        slow = minimize(cost, np.full(20, 0.05), options={"gtol": 1e-9, "maxiter": 5000}).x
        np.testing.assert_allclose(coef, slow, atol=1e-4)


# All methods

METHODS = {
    "EDSC": EDSC(3, ridge_lambda=0.05, random_state=0),
    "LRSC": LRSC(3, random_state=0),
    "SSCOMP": SSCOMP(3, n_nonzero_coefs=3, random_state=0),
    "EnSC": EnSC(3, random_state=0),
    "SSC": SSC(3, random_state=0),
    "SSC-affine": SSC(3, affine=True, alpha=5, tol=1e-9, random_state=0),
    "SSC-outliers": SSC(3, outlier_alpha=20, random_state=0),
    "KSSC": KSSC(3, kernel="poly", degree=2, gamma=1.0, random_state=0),
    "LRR": LRR(3, random_state=0),
    "S3C": S3C(3, random_state=0),
}


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


@pytest.fixture(scope="module")
def union():
    X, y = make_union_of_subspaces(160, 20, n_subspaces=3, subspace_dim=3, noise=0.02, random_state=0)
    return X[:120], y[:120], X[120:], y[120:]


def test_subspaces_are_found_and_new_rows_are_put_on_them(method, union):
    X, y, new, y_new = union
    fitted = clone(method).fit(X)
    assert clustering_accuracy_score(y, fitted.labels_) == 1
    names = [np.bincount(y[fitted.labels_ == k]).argmax() for k in range(3)]
    assert np.array_equal(np.take(names, fitted.predict(new)), y_new)
    assert np.array_equal(fitted.predict(X), fitted.labels_)


def test_new_rows_do_not_depend_on_each_other(method, union):
    X, _, new, _ = union
    fitted = clone(method).fit(X)
    together = fitted._express(fitted._normalized(new))
    apart = [fitted._express(fitted._normalized(new[[i]])) for i in range(len(new))]
    np.testing.assert_allclose(dense(together), np.concatenate([dense(part) for part in apart]), atol=1e-7)
    assert np.array_equal(clone(method).set_params(n_jobs=2).fit(X).predict(new), fitted.predict(new))


def test_sparse_rows_frames_images_and_tensors_give_the_same_labels(method, union):
    X, _, new, _ = union
    X, new = np.where(np.abs(X) > 0.1, X, 0), np.where(np.abs(new) > 0.1, new, 0)
    fitted = clone(method).fit(X)
    for to in (sparse.csr_array, sparse.csc_matrix, pd.DataFrame, torch.from_numpy, lambda X: X.reshape(-1, 4, 5)):
        other = clone(method).fit(to(X))
        np.testing.assert_allclose(dense(other.coef_), dense(fitted.coef_), atol=1e-6)
        assert np.array_equal(other.labels_, fitted.labels_)
        assert np.array_equal(other.predict(to(new)), fitted.predict(new))
        for form in (np.asarray, sparse.csr_matrix, sparse.csc_array):  # Whatever the training rows were.
            assert np.array_equal(other.predict(form(new)), fitted.predict(new))


@pytest.mark.parametrize("estimator", [SSC, EnSC, SSCOMP, EDSC])
def test_sparse_rows_are_labelled_around_a_mean(estimator, union):
    X, _, new, _ = union
    fitted = estimator(3, normalization="centered", random_state=0).fit(X)
    assert np.array_equal(fitted.predict(sparse.csr_matrix(new)), fitted.predict(new))


def test_single_precision_gives_single_precision(method, union):
    X, y, new, _ = union
    fitted = clone(method).fit(X.astype(np.float32))
    assert fitted.coef_.dtype == fitted.embedding_.dtype == np.float32
    np.testing.assert_allclose(dense(fitted.coef_), dense(clone(method).fit(X).coef_), atol=2e-3)
    assert clustering_accuracy_score(y, fitted.labels_) == 1
    assert fitted.predict(new).shape == (40,)


def test_a_subsample_is_clustered_and_the_others_follow(method, union):
    X, y, _, _ = union
    fitted = clone(method).set_params(subsample=60).fit(X)
    rows = fitted.sample_indices_
    assert fitted.coef_.shape == fitted.affinity_matrix_.shape == (60, 60)
    assert len(np.unique(rows)) == 60
    assert clustering_accuracy_score(y, fitted.labels_) == 1


def test_coefficients_are_sparse_where_the_method_is(method, union):
    fitted = clone(method).fit(union[0])
    assert sparse.issparse(fitted.coef_) == (type(method) not in (EDSC, LRR, LRSC))
    assert sparse.issparse(fitted.affinity_matrix_) == (sparse.issparse(fitted.coef_) and fitted.affinity != "enhanced")


def test_codes_of_an_autoencoder_are_clustered(method, images):
    pipeline = make_pipeline(AutoEncoder(max_epochs=5, random_state=0), clone(method))
    labels = pipeline.fit_predict(images[0])
    assert clustering_accuracy_score(images[1], labels) > 0.6
    assert np.array_equal(pipeline.predict(images[0][:3]).shape, (3,))


def test_permuted_samples_have_permuted_coefficients(method, union):
    X = union[0]
    order = np.random.RandomState(0).permutation(len(X))
    coef, permuted = (dense(clone(method).fit(rows).coef_) for rows in (X, X[order]))
    np.testing.assert_allclose(coef[np.ix_(order, order)], permuted, atol=1e-6)


def test_centred_samples_are_expressed_around_their_mean(rows):
    fitted = EDSC(2, normalization="centered", random_state=0).fit(rows + 5)
    np.testing.assert_allclose(fitted.coef_, EDSC(2, random_state=0).fit(rows - rows.mean(0)).coef_, atol=1e-10)
    plain = EDSC(2, random_state=0).fit(rows - rows.mean(0))
    assert np.array_equal(fitted.predict(rows[:9] + 5), plain.predict(rows[:9] - rows.mean(0)))
    np.testing.assert_allclose(EDSC(2, random_state=0).fit(3 * rows).embedding_, rows)
    raw = EDSC(2, normalization="none", random_state=0).fit(2 * rows)
    np.testing.assert_array_equal(raw.embedding_, 2 * rows)
    with pytest.raises(ValueError, match='normalization="centered" makes sparse samples dense'):
        EDSC(2, normalization="centered").fit(sparse.csr_array(rows))


def test_importing_the_classics_does_not_import_torch():
    code = (
        "import sys; from skdeepsc import SSC; import skdeepsc.shallow; import numpy as np;"
        "SSC(2).fit(np.random.RandomState(0).normal(size=(20, 4)));"
        "print([name for name in ('torch', 'skorch') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_what_does_not_fit_the_memory_is_refused(monkeypatch, rows):
    monkeypatch.setattr("skdeepsc._memory.available_bytes", lambda device: 1000)
    with pytest.raises(MemoryError, match="subsample="):
        EDSC(2).fit(rows)


def test_of_equal_atoms_the_first_is_taken_whatever_the_rounding():
    """The order of the features decides how sums are rounded."""
    X = (np.random.RandomState(0).uniform(size=(200, 20)) > 0.3).astype(float)
    order = np.random.RandomState(1).permutation(20)
    coefs = [SSCOMP(3, random_state=0).fit(rows).coef_.toarray() for rows in (X, X[:, order])]
    np.testing.assert_array_equal(coefs[0] != 0, coefs[1] != 0)
