"""Coefficients that sum to 1: against slow solutions, on subspaces that miss the origin, wherever the origin is."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize

from skdeepsc import EDSC, KSSC, S3C, SSC, EnSC, SubspaceClustering
from skdeepsc.affinity import affinity_from_top
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.metrics import clustering_accuracy_score

PLAIN = {"normalization": "none", "random_state": 0}


def bodies(seed=0, apart=1.0):
    """Three affine planes in space of 12 dimensions."""
    X, y = make_union_of_subspaces(90, 12, subspace_dim=2, noise=0.05, random_state=seed)
    return X + apart * np.random.RandomState(seed).normal(size=(3, 12))[y], y


def ridge_slowly(z, atoms, lam, own=None):
    """The minimiser of |z - c Z|^2 + lam |c|^2 with sum 1 and without its own, from the equations of its optimum."""
    free = np.delete(np.arange(len(atoms)), [] if own is None else [own])
    n = len(free)
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = atoms[free] @ atoms[free].T + lam * np.eye(n)
    system[:n, n] = system[n, :n] = 1
    coef = np.zeros(len(atoms))
    coef[free] = np.linalg.solve(system, np.append(atoms[free] @ z, 1))[:n]
    return coef


@pytest.mark.parametrize("zero_diagonal", [True, False])
@pytest.mark.parametrize("n_rows", [90, 9])
def test_affine_edsc_is_a_ridge_regression_with_sum_one(zero_diagonal, n_rows):
    X = bodies()[0][:: 90 // n_rows] + 5
    fitted = EDSC(2, affine=True, zero_diagonal=zero_diagonal, ridge_lambda=0.3, **PLAIN).fit(X)
    for i in (0, 5):
        expected = ridge_slowly(X[i], X, 0.3, i if zero_diagonal else None)
        np.testing.assert_allclose(fitted.coef_[i], expected, atol=1e-9)
    np.testing.assert_allclose(fitted.coef_.sum(axis=1), 1)
    new = bodies(1)[0][0] + 5
    told = fitted.explain(X=new[None])[0]
    coef = np.zeros(n_rows)
    coef[told.indices] = told.weights
    np.testing.assert_allclose(coef, ridge_slowly(new, X, 0.3), atol=1e-9)


def test_the_graph_of_affine_subspace_clustering_is_that_ridge():
    X, _ = bodies()
    fitted = SubspaceClustering(3, affine=True, subspace_dims=[1], refine=False, random_state=0).fit(X)
    z = X - X.mean(axis=0)
    z /= np.linalg.norm(X, axis=1).max()
    spectrum = np.linalg.eigvalsh(z.T @ z)
    low, high = 1e-9, 1e9
    for _ in range(200):
        lam = np.sqrt(low * high)
        low, high = (lam, high) if (spectrum / (spectrum + lam)).sum() > 3 else (low, lam)
    coef = np.array([ridge_slowly(z[i], z, lam, i) for i in range(90)])
    columns = np.argsort(-coef, axis=1)[:, :5]
    graph = affinity_from_top(columns, np.take_along_axis(coef, columns, axis=1))
    np.testing.assert_allclose(fitted.affinity_matrix_.toarray(), graph.toarray(), atol=1e-3)
    new = bodies(1)[0][:4] - X.mean(axis=0)
    new /= np.linalg.norm(X, axis=1).max()
    for told, row in zip(fitted.explain(X=bodies(1)[0][:4]), new, strict=True):
        slow = ridge_slowly(row, z, lam)
        top = np.argsort(-slow)[:5]
        np.testing.assert_allclose(told.weights, slow[top] / slow[top].sum(), atol=1e-3)


@pytest.mark.parametrize("method", [SSC, EnSC, S3C, KSSC])
@pytest.mark.parametrize("scale", [1e-6, 777.0])
def test_sums_are_one_whatever_the_length_of_samples(method, scale):
    X, _ = bodies()
    kernel = {"kernel": "linear"} if method is KSSC else {}
    plain, scaled = (method(3, affine=True, **kernel, **PLAIN).fit(X * at) for at in (1, scale))
    np.testing.assert_allclose(scaled.coef_.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(scaled.coef_.toarray(), plain.coef_.toarray(), atol=1e-4)
    np.testing.assert_array_equal(scaled.labels_, plain.labels_)


@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array])
def test_affine_ensc_is_an_elastic_net_with_sum_one(to):
    X, _ = bodies()
    X = X[::3]
    fitted = EnSC(3, affine=True, **PLAIN).fit(to(X))
    coef = fitted.coef_.toarray()
    np.testing.assert_allclose(coef.sum(axis=1), 1, atol=1e-5)
    for i in (0, 7, 20):
        others = np.delete(np.arange(30), i)
        l1 = np.abs(X[others] @ X[i]).max() / fitted.alpha
        l2 = (1 - fitted.l1_ratio) / fitted.l1_ratio * l1

        def cost(parts, i=i, others=others, l1=l1, l2=l2):
            c = parts[:29] - parts[29:]
            return ((X[i] - c @ X[others]) ** 2).sum() / 2 + l1 * parts.sum() + l2 / 2 * (c**2).sum()

        start = np.append(np.full(29, 1 / 29), np.zeros(29))
        one = {"type": "eq", "fun": lambda parts: parts[:29].sum() - parts[29:].sum() - 1}
        slow = minimize(
            cost, start, bounds=[(0, None)] * 58, constraints=[one], options={"maxiter": 500, "ftol": 1e-14}
        )
        ours = coef[i, others]
        assert cost(np.append(np.maximum(ours, 0), np.maximum(-ours, 0))) <= slow.fun * (1 + 1e-5)
        np.testing.assert_allclose(ours, slow.x[:29] - slow.x[29:], atol=2e-3)


@pytest.mark.parametrize("method", [SSC, EnSC, EDSC, SubspaceClustering])
def test_affine_subspaces_are_found_and_new_rows_are_put_on_them(method):
    X, y = bodies(apart=0.7)
    params = {"affine": True} | ({"random_state": 0} if method is SubspaceClustering else PLAIN)
    fitted = method(3, **params).fit(X[::2])
    labels = np.empty(90, dtype=int)
    labels[::2], labels[1::2] = fitted.labels_, fitted.predict(X[1::2])
    assert clustering_accuracy_score(y, labels) > 0.95
    np.testing.assert_array_equal(fitted.predict(X[::2]), fitted.labels_)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("method", [EDSC, SubspaceClustering])
def test_the_origin_does_not_matter(method):
    X, _ = bodies(apart=0.3)
    params = {"affine": True} | ({"random_state": 0} if method is SubspaceClustering else PLAIN)
    here, there = (method(3, **params).fit(rows) for rows in (X, X + 100))
    np.testing.assert_array_equal(here.labels_, there.labels_)
    np.testing.assert_array_equal(here.predict(X[:20] * 0.99), there.predict(X[:20] * 0.99 + 100))


def tracks(sizes, seed):
    """Points of bodies that turn and drift over 20 frames, one row a point: flats of three dimensions or less."""
    generator, frames = np.random.RandomState(seed), np.arange(20)[:, None, None]
    bodies = []
    for size in sizes:
        x, y, z = unit(generator.normal(size=3))
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        turns = np.eye(3) + np.sin(0.04 * frames) * cross + (1 - np.cos(0.04 * frames)) * cross @ cross
        points = np.einsum("fij,nj->nfi", turns, generator.uniform(-0.5, 0.5, size=(size, 3)))
        points += generator.uniform(-0.3, 0.3, size=3) + frames[:, 0] * generator.uniform(-0.02, 0.02, size=3)
        bodies.append(points[..., :2].reshape(size, -1))
    X = np.vstack(bodies)
    return X + 0.002 * generator.normal(size=X.shape), np.repeat(np.arange(len(sizes)), sizes)


def unit(vector):
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("seed", [1, 3, 6])
def test_bodies_of_uneven_sizes_are_told_apart_by_their_motions(seed):
    X, y = tracks([20, 60, 200], seed)
    fitted = SubspaceClustering(3, affine=True, random_state=0).fit(X)
    assert set(fitted.candidates_["labelling"]) == {"flats"}
    assert clustering_accuracy_score(y, fitted.labels_) > 0.97


def test_new_points_go_with_their_bodies():
    X, y = tracks([20, 60, 200], 6)
    half = SubspaceClustering(3, affine=True, random_state=0).fit(X[::2])
    assert clustering_accuracy_score(y[1::2], half.predict(X[1::2])) > 0.95


def test_samples_that_lie_on_no_flats_are_searched_as_all_others():
    X = np.random.RandomState(0).normal(size=(120, 20))
    fitted = SubspaceClustering(3, affine=True, random_state=0).fit(X)
    assert "flats" not in fitted.candidates_["labelling"]


def test_affine_ridge_does_not_make_sparse_rows_dense():
    with pytest.raises(ValueError, match=r"affine=True makes sparse samples dense: .* take EnSC or SSC"):
        EDSC(3, affine=True, **PLAIN).fit(sparse.csr_array(bodies()[0]))
