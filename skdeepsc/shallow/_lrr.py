"""LRR: low-rank self-expression with outlying samples."""

import numpy as np
from scipy.linalg import eigh
from sklearn.exceptions import ConvergenceWarning

from .._params import Count, Positive, estimator
from .._warn import warn_user
from ._base import BaseShallowSubspaceClustering, Iterative
from ._lrsc import thin_svd

# Steps between looks at the duality gap, over-relaxation, and how unequal the residuals of ADMM may become.
_LOOK_EVERY, _RELAXATION, _IMBALANCE = 10, 1.6, 3.0
# Numbers up to this have squares.
_LARGEST = 1e150


@estimator
class LRR(Iterative, BaseShallowSubspaceClustering):
    r"""Low-rank representation.

    .. math:: \min_{C, E} \|C\|_* + \lambda \|E\|_{2,1} \quad\text{s.t. } Z = CZ + E

    with the sum of the lengths of the rows of E, so that outlying samples are left out as a whole. Without noise, the
    solution is :math:`C = UU^T` with the left singular vectors of Z.

    Parameters
    ----------
    noise_lambda : float or None
        :math:`\lambda`; the larger, the less is left to E. ``None``: no E.
    max_iter
        Steps of ADMM.
    tol
        It is a relative duality gap.

    Attributes
    ----------
    n_iter_ : int
        Steps of ADMM, at least 1.
    dual_gap_ : float
        Duality gap, as a share of the cost.

    Notes
    -----
    With :math:`Z = U S V^T`, the rows of C lie in the span of U and the rows of E in that of V, so that the problem
    is solved for :math:`\hat C = CU` and :math:`\hat E = EV`, of r columns each, r the rank of Z. The paper's affinity
    is ``affinity="low_rank"``. New rows are expressed with the same cost, which for a single row makes each of them a
    ridge regression with its own penalty.

    References
    ----------
    G. Liu, Z. Lin, S. Yan, J. Sun, Y. Yu, Y. Ma, "Robust recovery of subspace structures by low-rank representation",
    IEEE TPAMI 35, 2013, doi:10.1109/TPAMI.2012.88.

    Examples
    --------
    >>> from skdeepsc import LRR
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> from skdeepsc.metrics import clustering_accuracy_score
    >>> X, y = make_union_of_subspaces(150, 30, random_state=0)
    >>> clustering = LRR(3, random_state=0).fit(X)
    >>> clustering_accuracy_score(y, clustering.labels_)
    1.0
    >>> bool(clustering.dual_gap_ <= clustering.tol)
    True
    """

    noise_lambda: Positive | None = 1.0
    max_iter: Count = 2000

    def _coefficients(self, z):
        self._left, self._values, self._right = left, values, _ = thin_svd(z)
        if self.noise_lambda is None:
            coef, self.n_iter_, self.dual_gap_ = left, 1, 0.0
        else:
            coef, self.n_iter_, self.dual_gap_ = low_rank_coefficients(
                left * values, values, self.noise_lambda, max_iter=self.max_iter, tol=self.tol
            )
        if self.dual_gap_ > self.tol:
            warn_user(
                f"LRR did not converge: a duality gap of {self.dual_gap_:.1e} is left after max_iter={self.max_iter} "
                f"steps, with tol={self.tol:.1e}. Raise max_iter.",
                ConvergenceWarning,
            )
        return coef @ left.T

    def _express(self, z):
        rows = np.asarray(z @ self._right)
        penalty = 0 if self.noise_lambda is None else _own_penalties(rows, self._values, self.noise_lambda)
        return (rows * self._values / (self._values**2 + penalty)) @ self._left.T


def low_rank_coefficients(rows, values, lam, *, max_iter, tol):
    r"""Minimise :math:`\|C\|_* + \lambda \|A - CS\|_{2,1}` by the alternating direction method of multipliers.

    With the copy J of C that has the nuclear norm: J and E = A - CS are found from C, C from both, and the multipliers
    Y of the two constraints follow.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, r)
        A.
    values : ndarray of shape (r,)
        The diagonal of S.
    lam : float
    max_iter : int
    tol : float
        Relative duality gap.

    Returns
    -------
    coef : ndarray of shape (n_samples, r)
    n_iter : int
    gap : float
        Relative duality gap.
    """
    coef, weight = np.zeros_like(rows), 1.0
    noise_dual, copy_dual = np.zeros_like(rows), np.zeros_like(rows)  # Y / weight
    for n_iter in range(1, max_iter + 1):
        copy, nuclear = shrink_values(coef + copy_dual, 1 / weight)
        noise = shrink_rows(rows - coef * values + noise_dual, lam / weight)
        if n_iter % _LOOK_EVERY == 0 or n_iter == max_iter:
            cost = nuclear + lam * np.linalg.norm(rows - copy * values, axis=1).sum()
            gap = relative_gap(cost, weight * (rows - coef * values - noise + noise_dual), rows, values, lam)
            if gap <= tol:
                break
        copy_ahead = _RELAXATION * copy + (1 - _RELAXATION) * coef
        noise_ahead = _RELAXATION * noise + (1 - _RELAXATION) * (rows - coef * values)
        former = coef
        coef = ((rows - noise_ahead + noise_dual) * values + copy_ahead - copy_dual) / (values**2 + 1)
        noise_dual += rows - coef * values - noise_ahead
        copy_dual += coef - copy_ahead
        primal = np.hypot(np.linalg.norm(rows - coef * values - noise), np.linalg.norm(coef - copy))
        dual = weight * np.hypot(np.linalg.norm((coef - former) * values), np.linalg.norm(coef - former))
        change = _balance(primal, dual) if n_iter % _LOOK_EVERY == 0 else 1.0
        weight, noise_dual, copy_dual = weight * change, noise_dual / change, copy_dual / change
    return copy, n_iter, gap


def relative_gap(cost, dual, rows, values, lam):
    r"""Gap between a cost and the dual cost of the multipliers Y, scaled to be feasible, as a share of the cost.

    The dual problem is :math:`\max_Y \langle A, Y \rangle` with :math:`\|YS\|_2 \le 1` and no row of Y longer than
    :math:`\lambda`.
    """
    product = dual * values
    longest = np.sqrt(eigh(product.T @ product, eigvals_only=True, check_finite=False).max(initial=0))
    too_long = max(longest, np.linalg.norm(dual, axis=1).max() / lam, np.finfo(float).tiny)
    # The best multiple, as the origin is feasible and the dual cost linear.
    return float(1 - max((rows * dual).sum() / too_long, 0) / cost) if cost > 0 else 0.0


def shrink_values(matrix, threshold):
    """Proximal map of the nuclear norm: singular values are lowered, down to 0; and the nuclear norm that is left."""
    squares, vectors = eigh(matrix.T @ matrix, check_finite=False)
    kept = squares > threshold**2
    lengths, vectors = np.sqrt(squares[kept]), vectors[:, kept]
    return (matrix @ vectors) * (1 - threshold / lengths) @ vectors.T, (lengths - threshold).sum()


def shrink_rows(matrix, threshold):
    """Proximal map of the sum of lengths: rows are shortened by the threshold, down to 0."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix * np.maximum(1 - threshold / np.maximum(lengths, np.finfo(float).tiny), 0)


def _balance(primal, dual):
    """By how much the weight of the constraints changes, so that none of the residuals stays behind."""
    if primal > _IMBALANCE * dual:
        return 2.0
    return 0.5 if dual > _IMBALANCE * primal else 1.0


def _own_penalties(rows, values, lam):
    r"""The ridge penalty t of each new row a: the root of :math:`\sum_k a_k^2 (\lambda^2 s_k^2 - 1) / (s_k^2 + t)^2`.

    By bisection; at most the largest squared singular value, as coefficients of 0 would put the row nowhere.
    """
    low, high = np.zeros((len(rows), 1)), np.full((len(rows), 1), values[-1] ** 2 if len(values) else 1.0)
    signs = values**2 - min(1 / lam, _LARGEST) ** 2  # Those of the terms, whatever lambda is.
    for _ in range(60):
        middle = (low + high) / 2
        rises = (np.square(rows / (values**2 + middle)) * signs).sum(axis=1, keepdims=True) < 0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return (low + high) / 2
