"""k-means from many starts at once: the products of all starts are one, where scikit-learn makes start after start."""

import numpy as np
from scipy import sparse

# Distances that are held at once, between rows and centres of all starts.
_HELD = 2**22
# Values of the rows whose groups are split at once, of all starts.
_HELD_OF_HALVES = 2**18
_MAX_ITER = 300
# Largest squared move of the centres, relative to the variance of a feature, at which a start has converged.
_TOL = 1e-4


def k_means_starts(X, n_clusters, n_starts, generator):
    """k-means from several greedy k-means++ starts (Arthur, Vassilvitskii, SODA 2007).

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    n_clusters, n_starts : int
    generator : RandomState

    Returns
    -------
    labels : ndarray of shape (n_starts, n_samples), int
    inertia : ndarray of shape (n_starts,)
        Sums of squared distances to the nearest centres.
    """
    squares = np.einsum("ij,ij->i", X, X)
    return lloyd(X, _plus_plus(X, squares, n_clusters, n_starts, generator))


def two_means(X, groups, n_starts, generator):
    """2-means within each of several groups of rows, all at once, from several greedy k-means++ starts.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    groups : list of ndarray of int
        Rows of each group, one or more.
    n_starts : int
    generator : RandomState

    Returns
    -------
    halves : list of ndarray of shape (n_starts, n_rows), bool
        For each group, which of its rows are not with its first one.
    """
    sizes = n_starts * X.shape[1] * np.array([len(group) for group in groups])
    block, tol = np.cumsum(sizes) // _HELD_OF_HALVES, _TOL * X.var(axis=0).mean()
    return [
        halves
        for number in np.unique(block)
        for halves in _two_means(X, [groups[i] for i in np.flatnonzero(block == number)], n_starts, tol, generator)
    ]


def _two_means(X, groups, n_starts, tol, generator):
    """Those of some groups."""
    sizes = np.tile([len(group) for group in groups], n_starts)
    starts, rows = np.cumsum(sizes) - sizes, X[np.tile(np.concatenate(groups), n_starts)]
    squares, part = np.einsum("ij,ij->i", rows, rows), np.repeat(np.arange(len(sizes)), sizes)

    def distances(centers):
        products = np.einsum("ij,ij->i", rows, centers[part])
        return np.maximum(squares - 2 * products + np.einsum("ij,ij->i", centers, centers)[part], 0)

    first = rows[starts + (generator.uniform(size=len(sizes)) * sizes).astype(int)]
    nearest = distances(first)
    sums, totals = np.cumsum(nearest, dtype=np.float64), np.add.reduceat(nearest, starts, dtype=np.float64)
    draws = generator.uniform(size=(2, len(sizes))) * totals + sums[starts] - nearest[starts]
    drawn = rows[np.clip(np.searchsorted(sums, draws), starts, starts + sizes - 1)]
    potentials = [np.add.reduceat(np.minimum(nearest, distances(centers)), starts) for centers in drawn]
    second = drawn[np.argmin(potentials, axis=0), np.arange(len(sizes))]
    found = _lloyd_of_two(rows, starts, sizes, first, second, tol)
    found = np.split(found ^ found[starts][part], starts[1:])
    return [np.array(found[number :: len(groups)]) for number in range(len(groups))]


def _lloyd_of_two(rows, starts, sizes, first, second, tol):
    """Lloyd's algorithm from two centres of each part of the rows; whether each row is with the second one."""
    found, left = np.zeros(len(rows), bool), np.arange(len(sizes))
    for _ in range(_MAX_ITER):
        part = np.repeat(np.arange(len(left)), sizes[left])
        begins = np.cumsum(sizes[left]) - sizes[left]
        places = np.arange(len(part)) + (starts[left] - begins)[part]
        own, apart = rows[places], second - first
        border = np.einsum("ij,ij->i", apart, first + second) / 2
        is_second = np.einsum("ij,ij->i", own, apart[part]) > border[part]
        changed = np.logical_or.reduceat(is_second != found[places], begins)
        found[places] = is_second
        counts = np.add.reduceat(is_second, begins, dtype=np.int64)[:, None]
        total, share = np.add.reduceat(own, begins), np.add.reduceat(own * is_second[:, None], begins)
        means = (total - share) / np.maximum(sizes[left, None] - counts, 1), share / np.maximum(counts, 1)
        shifts = ((means[0] - first) ** 2 + (means[1] - second) ** 2).sum(1)
        goes_on = changed & (shifts > tol)
        left, first, second = left[goes_on], means[0][goes_on], means[1][goes_on]
        if not len(left):
            break
    return found


def lloyd(X, centers):
    """Lloyd's algorithm from given centres, shape (n_starts, n_clusters, n_features); labels and inertia of each."""
    n_starts, n_clusters = centers.shape[:2]
    centers, tol = centers.copy(), _TOL * X.var(axis=0).mean()
    labels = np.full((n_starts, len(X)), -1)
    squares = np.einsum("ij,ij->i", X, X)
    left = np.arange(n_starts)
    for _ in range(_MAX_ITER):
        found, distances = _nearest(X, squares, centers[left])
        moved = _means(X, found, distances, n_clusters)
        shifts = ((moved - centers[left]) ** 2).sum((1, 2))
        unchanged = (found == labels[left]).all(1)
        centers[left], labels[left] = moved, found
        left = left[~unchanged & (shifts > tol)]
        if not len(left):
            break
    labels, distances = _nearest(X, squares, centers)
    return labels, distances.sum(1)


def _plus_plus(X, squares, n_clusters, n_starts, generator):
    """Starts: each centre a row, drawn by its distance from those before it, the best of a few drawn."""
    n_trials = 2 + int(np.log(n_clusters))
    chosen = generator.randint(len(X), size=(n_starts, 1))
    centers = np.empty((n_starts, n_clusters, X.shape[1]), X.dtype)
    nearest = np.full((n_starts, 1, len(X)), np.inf)
    for k in range(n_clusters):
        if k:
            sums = np.cumsum(nearest[:, 0], axis=1)
            drawn = generator.uniform(size=(n_starts, n_trials)) * sums[:, -1:]
            chosen = [np.searchsorted(total, draw) for total, draw in zip(sums, drawn, strict=True)]
            chosen = np.minimum(chosen, len(X) - 1)
        rows = X[chosen]
        products = (rows.reshape(-1, X.shape[1]) @ X.T).reshape(*chosen.shape, -1)
        distances = np.maximum(squares - 2 * products + squares[chosen][..., None], 0)
        distances = np.minimum(distances, nearest)
        best = (np.arange(n_starts), distances.sum(2).argmin(1))
        centers[:, k], nearest = rows[best], distances[best][:, None]
    return centers


def _nearest(X, squares, centers):
    """Nearest centre of each row, and the squared distance from it, for each start."""
    n_starts, n_clusters, n_features = centers.shape
    labels = np.empty((n_starts, len(X)), dtype=np.int64)
    distances = np.empty((n_starts, len(X)))
    lengths = np.einsum("skd,skd->sk", centers, centers)
    flat = centers.reshape(-1, n_features).T
    n_rows = max(1, _HELD // flat.shape[1])
    for start in range(0, len(X), n_rows):
        block = slice(start, start + n_rows)
        apart = lengths - 2 * (X[block] @ flat).reshape(-1, n_starts, n_clusters)
        labels[:, block] = apart.argmin(2).T
        distances[:, block] = np.maximum(apart.min(2).T + squares[block], 0)
    return labels, distances


def _means(X, labels, distances, n_clusters):
    """Centres of clusters, for each start; that of an empty one is a row that lies farthest from its own."""
    n_starts, n_samples = labels.shape
    cluster = (labels + n_clusters * np.arange(n_starts)[:, None]).ravel()
    sizes = np.bincount(cluster, minlength=n_starts * n_clusters)
    members, ends = np.argsort(cluster, kind="stable") % n_samples, np.concatenate([[0], np.cumsum(sizes)])
    is_member = sparse.csr_array((np.ones(len(members), X.dtype), members, ends), shape=(len(sizes), n_samples))
    means = is_member @ X
    means /= np.maximum(sizes, 1)[:, None]
    for start in np.unique(np.flatnonzero(sizes == 0) // n_clusters):
        empty = np.flatnonzero(sizes[start * n_clusters : (start + 1) * n_clusters] == 0)
        means[start * n_clusters + empty] = X[np.argsort(-distances[start], kind="stable")[: len(empty)]]
    return means.reshape(n_starts, n_clusters, -1)
