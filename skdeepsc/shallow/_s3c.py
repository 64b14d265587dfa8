"""S3C: sparse self-expression and spectral clustering that inform each other."""

import numpy as np

from .._input import row_blocks, unit_rows
from .._params import Count, NonNegative, estimator
from ..segmentation import NO_LENGTH, spectral_embedding
from ._elastic_net import RowAtoms
from ._ssc import BaseSSC


@estimator
class S3C(BaseSSC):
    r"""Structured sparse subspace clustering.

    .. math::
        \min_{C, Q} \sum_{ij} \Big(1 + \frac{\gamma}{2} \|q_i - q_j\|^2\Big) |c_{ij}|
        + \frac{\lambda_z}{2} \|Z - CZ\|_F^2 \quad\text{s.t. } \mathrm{diag}(C) = 0

    by turns: C is a weighted lasso, in which samples of other clusters cost more; Q is the segmentation of its
    affinity, the indicators of the clusters (hard), or the unit rows of the spectral embedding (soft).

    Parameters
    ----------
    gamma_structure : float
        :math:`\gamma`, how much more a sample of another cluster costs; 0 is SSC.
    soft : bool
        Whether Q is the spectral embedding instead of the clusters.
    max_alternations : int
        Most solutions for C.

    Attributes
    ----------
    n_alternations_ : int
        Solutions for C. Fewer than `max_alternations` if Q stayed what it was.

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

    gamma_structure: NonNegative = 1.0
    soft: bool = False
    max_alternations: Count = 10

    def _atoms_of(self, z):
        return RowAtoms(self._with_sums(z, np.ones(z.shape[0])) if self.affine else z)

    def _coefficients(self, z):
        coef, former = super()._coefficients(z), None
        for turn in range(1, self.max_alternations + 1):
            structure, self.n_alternations_ = self._structure(coef), turn
            if turn == self.max_alternations or self._is_settled(structure, former):
                break
            coef = self._solve_all(z, start=coef, weights=lambda block, q=structure: self._atom_weights(q, block))
            former = structure
        return coef

    def _structure(self, coef):
        """Q, shape (n_rows, n_clusters): indicators of the clusters, or unit rows of the spectral embedding."""
        if not self.soft:
            return np.eye(self.n_clusters)[self._passing_labels(coef)]
        affinity, seed = self._affinity_of(coef), self._seeds["labels"]
        return unit_rows(spectral_embedding(affinity, self.n_clusters, random_state=seed)[1], floor=NO_LENGTH)

    def _atom_weights(self, structure, block):
        """Weights of the atoms for a block of samples, from half the squared distances between the rows of Q."""
        return 1 + self.gamma_structure * _half_distances(structure[block], structure)

    def _is_settled(self, structure, former):
        if former is None:
            return self.gamma_structure == 0
        return all(
            np.abs(_half_distances(structure[b], structure) - _half_distances(former[b], former)).max() <= 0.01
            for b in row_blocks(len(structure), 256)
        )


def _half_distances(some, all_):
    products = some @ all_.T
    squares = np.square(all_).sum(axis=1)
    return np.maximum(np.square(some).sum(axis=1)[:, None] / 2 + squares / 2 - products, 0)
