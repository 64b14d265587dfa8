r"""Elastic nets of many targets over the same atoms: working sets, checked against all atoms, many at a time.

For each target x,

.. math:: \min_c \tfrac12 \|x - cX\|^2 + \sum_j t_j |c_j| + \tfrac{\mu}{2} \|c\|^2

is solved over a few atoms; the atoms that break the optimality condition :math:`|(x - cX) x_j^T| \le t_j` join them,
those without weight leave, and so on until none does (the oracle active set of You, Li, Robinson, Vidal, CVPR 2016).
"""

import numpy as np
from scipy import sparse

from ._base import dense
from ._quadratic import solve_l1_quadratics

# Atoms of a target that are tried first, and those that join in one round.
_FIRST, _MORE = 40, 20
# Correlations are known up to this many units of the last place of the largest.
_ROUNDING = 16


class RowAtoms:
    """Atoms that are rows of a matrix, dense or CSR; so are the targets."""

    def __init__(self, atoms):
        self.atoms = atoms
        self.shape = (atoms.shape[0], atoms.shape[0])

    def correlations(self, targets, coef=None):
        """Inner products of all atoms with the targets, or with what the coefficients leave of them."""
        rows = targets if coef is None else targets - coef.astype(self.atoms.dtype) @ self.atoms
        return dense(rows @ self.atoms.T)

    def grams(self, working):
        """Inner products of each target's working atoms, shape (n_targets, n_working, n_working)."""
        if sparse.issparse(self.atoms):
            used, places = np.unique(working, return_inverse=True)
            places = places.reshape(working.shape)
            used = self.atoms[used].astype(np.float64, copy=False)
            return dense(used @ used.T)[places[:, :, None], places[:, None, :]]
        chosen = self.atoms[working].astype(np.float64, copy=False)  # Else dependent atoms seem to oppose each other.
        return chosen @ chosen.transpose(0, 2, 1)


class KernelAtoms:
    """Atoms of which only the inner products are known; a target is the row of its inner products with them."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.shape = kernel.shape

    def correlations(self, targets, coef=None):
        """Inner products of all atoms with the targets, or with what the coefficients leave of them."""
        return targets.copy() if coef is None else targets - coef.astype(self.kernel.dtype) @ self.kernel

    def grams(self, working):
        """Inner products of each target's working atoms, shape (n_targets, n_working, n_working)."""
        return self.kernel[working[:, :, None], working[:, None, :]]


def elastic_net(atoms, targets, penalties, *, weights=None, own=None, start=None, max_iter=100, tol=1e-6):
    """Coefficients of all targets.

    Parameters
    ----------
    atoms : RowAtoms or KernelAtoms
    targets : ndarray or CSR matrix of shape (n_targets, n_features)
    penalties : callable
        Gets the largest magnitude of a correlation of each target with the atoms, shape (n_targets,), and returns
        the penalties `l1` and `l2` of each: :math:`t_j` is `l1` times the weight of the atom, :math:`\\mu` is `l2`.
    weights : ndarray of shape (n_targets, n_atoms) or None, default=None
        Positive weights of the atoms in the l1 penalty; ``None``: 1.
    own : ndarray of shape (n_targets,) or None, default=None
        The atom that each target must not use.
    start : csr_array of shape (n_targets, n_atoms) or None, default=None
        Coefficients to begin with.
    max_iter : int
        Most rounds.
    tol : float
        Largest violation of the optimality condition, as a share of `l1`; or what rounding leaves, if that is more.

    Returns
    -------
    coef : csr_array of shape (n_targets, n_atoms)
    violation : float
        The largest of the optimality conditions of all targets, as a share of `tol`: at most 1 after convergence.
    n_iter : int
        Rounds.
    """
    n_targets, n_atoms = targets.shape[0], atoms.shape[0]
    products = atoms.correlations(targets)
    largest = largest_magnitude(products, own)
    # Targets that are 0 divide nothing by 0.
    l1, l2 = (np.maximum(penalty, np.finfo(products.dtype).tiny) for penalty in penalties(largest))
    goal = np.maximum(tol, _ROUNDING * np.finfo(products.dtype).eps * largest / l1)
    excess = _excess(products.copy(), l1, weights, own)
    sets = _Sets(n_targets, start).joined(excess, min(_FIRST, n_atoms), least=-np.inf)
    active, violations, finished = np.arange(n_targets), np.zeros(n_targets), []
    for n_iter in range(1, max_iter + 1):
        heavy, banned = (None if part is None else part[active] for part in (weights, own))
        sets.solve(atoms, products, l1[active], l2[active], heavy, goal[active])
        left = atoms.correlations(targets[active] if len(active) < n_targets else targets, sets.csr(n_atoms))
        excess = _excess(sets.without_ridge(left, l2[active]), l1[active], heavy, banned)
        violations[active] = excess.max(axis=1)
        goes_on = (violations > goal)[active] & (n_iter < max_iter)
        finished.append((active[~goes_on], sets.rows(~goes_on)))
        if not goes_on.any():
            break
        active, products = active[goes_on], products[goes_on]
        n_more = min(max(_MORE, sets.size() // 3), n_atoms)
        sets = sets.rows(goes_on).without_zeros().joined(excess[goes_on], n_more, least=tol)
    order = np.argsort(np.concatenate([rows for rows, _ in finished]))
    coef = sparse.vstack([part.csr(n_atoms) for _, part in finished], format="csr")[order]
    return coef, float(np.max(violations / goal, initial=0)), n_iter


class _Sets:
    """Working atoms of each target and their coefficients, padded to the same number; `valid` tells which are."""

    def __init__(self, n_targets, start=None):
        sizes = np.zeros(n_targets, dtype=int) if start is None else np.diff(start.indptr)
        width = sizes.max(initial=0)
        self.valid = np.arange(width) < sizes[:, None]
        self.atoms, self.coef = np.zeros((n_targets, width), dtype=np.int64), np.zeros((n_targets, width))
        if start is not None:
            self.atoms[self.valid], self.coef[self.valid] = start.indices, start.data

    def rows(self, which):
        part = _Sets(0)
        part.valid, part.atoms, part.coef = self.valid[which], self.atoms[which], self.coef[which]
        return part

    def without_zeros(self):
        self.valid &= self.coef != 0
        return self

    def joined(self, excess, n_more, least):
        """The sets with up to `n_more` atoms of the largest excess, above `least`."""
        rows, places = np.nonzero(self.valid)
        excess[rows, self.atoms[rows, places]] = -np.inf
        more = np.argpartition(-excess, n_more - 1, axis=1)[:, :n_more]
        wanted = np.take_along_axis(excess, more, axis=1) > least
        self.atoms = np.concatenate([self.atoms, more], axis=1)
        self.valid = np.concatenate([self.valid, wanted], axis=1)
        self.coef = np.concatenate([self.coef, np.zeros(more.shape)], axis=1)
        order = np.argsort(~self.valid, axis=1, kind="stable")[:, : max(1, self.valid.sum(axis=1).max(initial=0))]
        self.atoms, self.valid, self.coef = (_take(part, order) for part in (self.atoms, self.valid, self.coef))
        return self

    def size(self):
        """The most coefficients of a target."""
        return int(np.count_nonzero(self.coef, axis=1).max(initial=0))

    def solve(self, atoms, products, l1, l2, weights, tol):
        """Set the coefficients to the optimum over the working atoms."""
        quadratic = atoms.grams(self.atoms).astype(np.float64, copy=False)
        quadratic *= self.valid[:, :, None] & self.valid[:, None, :]
        diagonal = np.arange(quadratic.shape[1])
        quadratic[:, diagonal, diagonal] += np.where(self.valid, l2[:, None], 0)
        linear = np.where(self.valid, _take(products, self.atoms), 0).astype(np.float64)
        thresholds = l1[:, None] * (1 if weights is None else _take(weights, self.atoms)) * np.ones_like(linear)
        self.coef = solve_l1_quadratics(quadratic, linear, thresholds, np.where(self.valid, self.coef, 0), tol)

    def without_ridge(self, correlations, l2):
        """Correlations less the slope of the squared penalty, in place."""
        rows, places = np.nonzero(self.coef)
        correlations[rows, self.atoms[rows, places]] -= l2[rows] * self.coef[rows, places]
        return correlations

    def csr(self, n_atoms):
        rows, places = np.nonzero(self.coef)
        return sparse.csr_array(
            (self.coef[rows, places], (rows, self.atoms[rows, places])), shape=(len(self.coef), n_atoms)
        )


def largest_magnitude(correlations, own):
    """Largest magnitude of a correlation of each target."""
    magnitude = np.abs(correlations)
    if own is not None:
        np.put_along_axis(magnitude, own[:, None], 0, axis=1)
    return magnitude.max(axis=1).astype(float)


def _excess(correlations, l1, weights, own):
    """How far each atom breaks the condition, as a share of `l1`; overwrites the correlations."""
    excess = np.abs(correlations, out=correlations)
    excess /= l1[:, None].astype(excess.dtype)
    excess -= 1 if weights is None else weights
    if own is not None:
        np.put_along_axis(excess, own[:, None], -np.inf, axis=1)
    return excess


def _take(matrix, columns):
    return np.take_along_axis(matrix, columns, axis=1)
