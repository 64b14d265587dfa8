"""EnSC: self-expression by elastic nets over an active set."""

from numbers import Real
from typing import Annotated

import numpy as np

from .._compat import Interval
from .._params import estimator
from ._elastic_net import RowAtoms, largest_magnitude
from ._sparse import AffineSparse


@estimator
class EnSC(AffineSparse):
    r"""Elastic net subspace clustering.

    .. math::
        \min_{c_i} \lambda \|c_i\|_1 + \frac{1 - \lambda}{2} \|c_i\|^2 + \frac{\gamma_i}{2} \|z_i - c_i Z\|^2
        \quad\text{s.t. } c_{ii} = 0,\ (c_i 1 = 1)

    The l1 norm keeps to the sample's own subspace, the squared norm brings in more of it. The problem is solved over an
    active set, which all samples outside of it confirm. No N x N matrix is ever held.

    Parameters
    ----------
    alpha
        Here it is :math:`\gamma_i`, `alpha` times the least with which :math:`c_i` is not 0,
        :math:`\lambda / \max_j |z_i z_j^T|`, so that values above 1 matter; the same with ``affine=True``.
    l1_ratio : float in (0, 1]
        :math:`\lambda`; 1 is SSC.

    References
    ----------
    C. You, C.-G. Li, D. Robinson, R. Vidal, "Oracle based active set algorithm for scalable elastic net subspace
    clustering", CVPR 2016, doi:10.1109/CVPR.2016.426.

    Examples
    --------
    >>> from skdeepsc import EnSC
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> from skdeepsc.metrics import clustering_accuracy_score
    >>> X, y = make_union_of_subspaces(150, 30, random_state=0)
    >>> clustering = EnSC(3, random_state=0).fit(X)
    >>> clustering_accuracy_score(y, clustering.labels_)
    1.0
    >>> bool(clustering.kkt_violation_ <= clustering.tol)
    True
    """

    alpha: Annotated[float, Interval(Real, 1, None, closed="left")] = 50.0
    l1_ratio: Annotated[float, Interval(Real, 0, 1, closed="right")] = 0.9

    def _atoms_of(self, z):
        return RowAtoms(self._with_sums(z, np.ones(z.shape[0])) if self.affine else z)

    def _solve_targets(self, targets, *, own=None, **settings):
        if self.affine:  # The column of the constraint says nothing about the samples.
            largest = largest_magnitude(RowAtoms(self.embedding_).correlations(targets), own)
            settings["penalties"] = lambda _: self._penalties(largest)
        return super()._solve_targets(targets, own=own, **settings)

    def _penalties(self, largest):
        l1 = largest / self.alpha  # lambda / gamma_i
        l2 = (1 - self.l1_ratio) / self.l1_ratio * l1
        if not np.isfinite(l2).all():
            raise ValueError(f"l1_ratio={self.l1_ratio!r} leaves no number for the squared norm: give a larger one.")
        return l1, l2
