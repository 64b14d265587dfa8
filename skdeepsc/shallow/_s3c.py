"""S3C: sparse self-expression and spectral clustering that inform each other."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from .._compat import Interval
from .._docs import shared_parameters
from ..segmentation import DegenerateAffinityWarning, spectral_embedding
from ._elastic_net import RowAtoms
from ._ssc import BaseSSC


@shared_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class S3C(BaseSSC):
    r"""Structured sparse subspace clustering.

    .. math::
        \min_{C, Q} \sum_{ij} \Big(1 + \frac{\gamma}{2} \|q_i - q_j\|^2\Big) |c_{ij}|
        + \frac{\lambda_z}{2} \|Z - CZ\|_F^2 \quad\text{s.t. } \mathrm{diag}(C) = 0

    by turns: C is a weighted lasso, in which samples of other clusters cost more; Q is the segmentation of its
    affinity, the indicators of the clusters (hard), or the unit rows of the spectral embedding (soft).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    gamma : float, default={gamma}
        :math:`\gamma`, how much more a sample of another cluster costs; 0 is SSC.
    soft : bool, default={soft}
        Whether Q is the spectral embedding instead of the clusters.
    max_alternations : int, default={max_alternations}
        Most solutions for C.
    alpha : float, default={alpha}
        Weight of the residual, as in :class:`~skdeepsc.SSC`.
    affine : bool, default={affine}
        Whether the coefficients of a sample must sum to 1.
    {sparse_parameters}
    {shallow_parameters}

    Attributes
    ----------
    n_alternations_ : int
        Solutions for C. Fewer than `max_alternations` if Q stayed what it was.
    lambda_ : float
        :math:`\lambda_z`.
    {solver_attributes}
    {sparse_attributes}

    Notes
    -----
    The hard form ends when the clusters are those of the last turn; the soft one when no :math:`\|q_i - q_j\|^2 / 2`
    changes by more than .01. Every lasso is solved to full precision from the last one's active sets. New rows, which
    are in no cluster yet, are expressed without the weights.

    References
    ----------
    C.-G. Li, R. Vidal, "Structured sparse subspace clustering: a unified optimization framework", CVPR 2015,
    doi:10.1109/CVPR.2015.7298624.
    C.-G. Li, C. You, R. Vidal, "Structured sparse subspace clustering: a joint affinity learning and subspace
    clustering framework", IEEE TIP 26, 2017, doi:10.1109/TIP.2017.2691557.

    Examples
    --------
    >>> from skdeepsc import S3C
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> from skdeepsc.metrics import clustering_accuracy_score
    >>> X, y = make_union_of_subspaces(150, 30, noise=0.1, random_state=0)
    >>> clustering = S3C(3, random_state=0).fit(X)
    >>> clustering_accuracy_score(y, clustering.labels_)
    1.0
    """

    gamma: float = 1.0
    soft: bool = False
    max_alternations: int = 10

    _parameter_constraints = {
        **BaseSSC._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="left")],
        "soft": ["boolean"],
        "max_alternations": [Interval(Integral, 1, None, closed="left")],
    }

    def _atoms_of(self, z):
        return RowAtoms(self._aimed(z, np.ones(z.shape[0])) if self.affine else z)

    def _represent(self, z):
        coef, former = super()._represent(z), None
        for turn in range(1, self.max_alternations + 1):
            structure, self.n_alternations_ = self._structure(coef), turn
            if turn == self.max_alternations or self._is_settled(structure, former):
                break
            coef = self._solve_all(z, start=coef, weights=lambda block, q=structure: self._weights(q, block))
            former = structure
        return coef

    def _structure(self, coef):
        """Q, shape (n_rows, n_clusters): indicators of the clusters, or unit rows of the spectral embedding."""
        affinity = self._affinity_of(coef)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateAffinityWarning)
            if not self.soft:
                return np.eye(self.n_clusters)[self._segment(affinity)]
            vectors = spectral_embedding(affinity, self.n_clusters, random_state=self._seed)[1]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-12)

    def _weights(self, structure, block):
        """Weights of the atoms for a block of samples, from half the squared distances between the rows of Q."""
        return 1 + self.gamma * _half_distances(structure[block], structure)

    def _is_settled(self, structure, former):
        if former is None:
            return self.gamma == 0
        blocks = (slice(start, start + 256) for start in range(0, len(structure), 256))
        return all(
            np.abs(_half_distances(structure[b], structure) - _half_distances(former[b], former)).max() <= 0.01
            for b in blocks
        )


def _half_distances(some, all_):
    products = some @ all_.T
    squares = np.square(all_).sum(axis=1)
    return np.maximum(np.square(some).sum(axis=1)[:, None] / 2 + squares / 2 - products, 0)
