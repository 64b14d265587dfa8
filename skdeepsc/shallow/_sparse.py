"""What the methods with an l1 norm share: blocks of samples through one solver, convergence told."""

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from .._params import Positive, estimator
from .._scale import squared_norms
from .._warn import warn_user
from ._base import BaseShallowSubspaceClustering, Iterative
from ._elastic_net import elastic_net

# Weight of the affine constraint in its augmented Lagrangian, for samples of unit length; most updates of the aims.
_AFFINE_WEIGHT, _MOST_UPDATES = 10.0, 300
# Sums of coefficients are known up to this many units of the last place.
_ROUNDING = 64


@estimator
class BaseSparseSubspaceClustering(Iterative, BaseShallowSubspaceClustering):
    r"""A method says its atoms (`_atoms_of`), its targets (`_targets_of`) and its penalties (`_penalties`).

    Parameters
    ----------
    alpha : float
        Weight of the residual, as a multiple of the least that matters: with which no row of C is 0,
        :math:`1 / \min_i \max_{j \ne i} |z_i z_j^T|`.
    max_iter
        Each solves the problem over the active set, and looks for samples that should join it.
    tol
        It is the share of the weight of the l1 norm by which conditions of optimality may be broken.

    Attributes
    ----------
    n_iter_ : int
        Rounds of the solver, of the block of samples that needed the most.
    kkt_violation_ : float
        Largest violation of a condition of optimality of all samples, as a share of the weight of the l1 norm. In
        single precision, what rounding leaves counts as `tol`.
    coef_ : csr_array of shape (n_rows, n_rows)
        Self-expression coefficients; row i rebuilds sample i. With `subsample`, n_rows is that, else n_samples.
    """

    alpha: Positive = 20.0

    def _atoms_of(self, z):
        """The atoms of the solver, from the training rows."""
        raise NotImplementedError

    def _targets_of(self, z):
        """The targets of the solver, from training or new rows."""
        return z

    def _penalties(self, largest):
        """Penalties `l1` and `l2` of targets from their largest correlations with the atoms."""
        raise NotImplementedError

    def _coefficients(self, z):
        self._atoms = self._atoms_of(z)
        return self._solve_all(z)

    def _solve_all(self, z, start=None, weights=None):
        """Coefficients of all training rows; `weights` gives those of a block of them."""
        own = np.arange(z.shape[0])
        solved = self._by_blocks(
            lambda block: self._solve(
                z[block],
                own=own[block],
                start=None if start is None else start[block],
                weights=None if weights is None else weights(block),
            ),
            z.shape[0],
        )
        coefs, violations, rounds = zip(*solved, strict=True)
        self.n_iter_, self.kkt_violation_ = max(rounds), max(violations) * self.tol
        if self.kkt_violation_ > self.tol:
            warn_user(
                f"Coefficients did not converge: a condition of optimality is broken by {self.kkt_violation_:.1e}, "
                f"tol={self.tol:.1e}, after max_iter={self.max_iter} rounds. Raise max_iter, or the penalty.",
                ConvergenceWarning,
            )
        return sparse.vstack(coefs, format="csr")

    def _solve(self, z, **settings):
        """Coefficients, largest violation as a share of `tol`, and rounds, of one block of rows."""
        return self._solve_targets(self._targets_of(z), **settings)

    def _solve_targets(self, targets, *, penalties=None, **settings):
        penalties = penalties or self._penalties
        return elastic_net(self._atoms, targets, penalties, max_iter=self.max_iter, tol=self.tol, **settings)

    def _express(self, z):
        return self._solve(z)[0]

    def _denser(self):
        return ["a larger alpha"]

    def _bytes_per_pair(self):
        return 0


@estimator
class AffineSparse(BaseSparseSubspaceClustering):
    """The affine constraint as a sequence of problems without it.

    Parameters
    ----------
    affine : bool
        Whether the coefficients of a sample must sum to 1, for subspaces that miss the origin; then
        ``normalization="none"`` is what they call for.
    """

    affine: bool = False

    def _coefficients(self, z):
        # In the units of the residuals, so that the constraint is met as well whatever the lengths of samples are.
        self._sum_weight = _AFFINE_WEIGHT * (self._mean_square(z) or 1.0)
        return super()._coefficients(z)

    def _mean_square(self, z):
        return float(squared_norms(z).mean())

    def _solve_targets(self, targets, *, start=None, **settings):
        if not self.affine:
            return super()._solve_targets(targets, start=start, **settings)
        # Method of multipliers: where a sum of coefficients misses 1, the next problem aims at as much more.
        aims, n_iter = np.ones(targets.shape[0]), 0
        goal = max(self.tol, _ROUNDING * np.finfo(targets.dtype).eps)
        for _ in range(_MOST_UPDATES):
            start, violation, rounds = super()._solve_targets(self._with_sums(targets, aims), start=start, **settings)
            missed = 1 - np.asarray(start[:, : self.embedding_.shape[0]].sum(axis=1)).ravel()
            n_iter += rounds
            if np.abs(missed).max() <= goal or violation > 1:  # What has no solution has none for other aims.
                break
            aims += missed
        return start, max(violation, np.abs(missed).max() / goal), n_iter

    def _with_sums(self, targets, aims):
        """Targets whose coefficients are to have the given sums."""
        return with_column(targets, np.sqrt(self._sum_weight) * aims)


def with_column(rows, column):
    """Rows, dense or CSR, with one more column."""
    column = column.astype(rows.dtype)[:, None]
    if sparse.issparse(rows):
        return sparse.hstack([rows, sparse.csr_array(column)], format="csr")
    return np.hstack([rows, column])
