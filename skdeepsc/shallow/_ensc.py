"""EnSC: self-expression by elastic nets over an active set."""

from dataclasses import dataclass
from numbers import Real

from .._compat import Interval
from .._docs import shared_parameters
from ._elastic_net import RowAtoms
from ._sparse import BaseSparseSubspaceClustering


@shared_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class EnSC(BaseSparseSubspaceClustering):
    r"""Elastic net subspace clustering.

    .. math::
        \min_{c_i} \lambda \|c_i\|_1 + \frac{1 - \lambda}{2} \|c_i\|^2 + \frac{\gamma_i}{2} \|z_i - c_i Z\|^2
        \quad\text{s.t. } c_{ii} = 0

    The l1 norm keeps to the sample's own subspace, the squared norm brings in more of it. The problem is solved over an
    active set, which all samples outside of it confirm. No N x N matrix is ever held.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    gamma : float, default={gamma}
        Weight of the residual: :math:`\gamma_i` is `gamma` times the least with which :math:`c_i` is not 0,
        :math:`\lambda / \max_j |z_i z_j^T|`, so that values above 1 matter.
    l1_ratio : float in (0, 1], default={l1_ratio}
        :math:`\lambda`; 1 is SSC.
    {sparse_parameters}
    {shallow_parameters}

    Attributes
    ----------
    {solver_attributes}
    {sparse_attributes}

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

    gamma: float = 50.0
    l1_ratio: float = 0.9

    _parameter_constraints = {
        **BaseSparseSubspaceClustering._parameter_constraints,
        "gamma": [Interval(Real, 1, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="right")],
    }

    def _atoms_of(self, z):
        return RowAtoms(z)

    def _penalties(self, largest):
        l1 = largest / self.gamma  # lambda / gamma_i
        return l1, (1 - self.l1_ratio) / self.l1_ratio * l1
