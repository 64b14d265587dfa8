"""SSC: sparse self-expression, noisy, affine, and with outlying entries."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from .._params import Positive, estimator
from ..affinity import Affinity
from ._base import dense
from ._elastic_net import RowAtoms
from ._sparse import AffineSparse, with_column


@estimator
class BaseSSC(AffineSparse):
    r"""A lasso for each sample.

    Attributes
    ----------
    lambda_ : float
        The weight of the residual itself.
    """

    affinity: Affinity | Callable = "scaled"

    def _coefficients(self, z):
        nearest = np.concatenate(self._by_blocks(lambda block: self._largest_products(z, block), z.shape[0]))
        self.lambda_ = self.alpha / (float(nearest[nearest > 0].min()) if nearest.any() else 1.0)
        return super()._coefficients(z)

    def _largest_products(self, z, block):
        """Largest magnitude of an inner product of each row with another."""
        products = np.abs(self._products(z, block))
        products[np.arange(len(products)), np.arange(z.shape[0])[block]] = 0
        return products.max(axis=1)

    def _products(self, z, block):
        return dense(z[block] @ z.T)

    def _penalties(self, largest):
        return np.full_like(largest, 1 / self.lambda_), np.zeros_like(largest)


@estimator
class SSC(BaseSSC):
    r"""Sparse subspace clustering.

    .. math::
        \min_{C, E} \|C\|_1 + \lambda_e \|E\|_1 + \frac{\lambda_z}{2} \|Z - CZ - E\|_F^2
        \quad\text{s.t. } \mathrm{diag}(C) = 0,\ (C 1 = 1)

    Every row is a lasso over the other samples and, with outlying entries E, the unit vectors; it is solved over an
    active set to full precision instead of by the paper's ADMM.

    Parameters
    ----------
    alpha
        Of :math:`\lambda_z`; the paper takes 800 for trajectories, 20 for faces.
    outlier_alpha : float or None
        Weight of outlying entries, :math:`\lambda_e = \alpha_e / \min_i \max_{j \ne i} \|z_j\|_1`; the paper takes
        20 for faces. ``None``: no E.

    Attributes
    ----------
    outliers_ : csr_array of shape (n_rows, n_features)
        E; only with `outlier_alpha`.

    References
    ----------
    E. Elhamifar, R. Vidal, "Sparse subspace clustering: algorithm, theory, and applications", IEEE TPAMI 35, 2013,
    doi:10.1109/TPAMI.2013.57.

    Examples
    --------
    >>> from skdeepsc import SSC
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> from skdeepsc.metrics import clustering_accuracy_score, subspace_preserving_error
    >>> X, y = make_union_of_subspaces(150, 30, random_state=0)
    >>> clustering = SSC(3, random_state=0).fit(X)
    >>> clustering_accuracy_score(y, clustering.labels_)
    1.0
    >>> subspace_preserving_error(clustering.coef_, y) < 0.01
    True
    """

    outlier_alpha: Positive | None = None

    def _atoms_of(self, z):
        atoms = z
        if self.outlier_alpha is not None:
            lengths = np.sort(np.asarray(abs(z).sum(axis=1)).ravel())
            self._outlier_weight = self.outlier_alpha / lengths[-2]  # The largest of the others, for the longest row.
            identity = sparse.eye_array(z.shape[1], dtype=z.dtype, format="csr")
            atoms = _stacked(z, identity)
        if self.affine:
            ones = np.zeros(atoms.shape[0])
            ones[: z.shape[0]] = np.sqrt(self._sum_weight)
            atoms = with_column(atoms, ones)
        return RowAtoms(atoms)

    def _solve_targets(self, targets, **settings):
        if self.outlier_alpha is not None:
            weights = np.ones(self._atoms.shape[0])
            weights[self.embedding_.shape[0] :] = self._outlier_weight
            settings["weights"] = np.broadcast_to(weights, (targets.shape[0], len(weights)))
        return super()._solve_targets(targets, **settings)

    def _coefficients(self, z):
        coef = super()._coefficients(z)
        if self.outlier_alpha is not None:
            self.outliers_ = coef[:, z.shape[0] :].astype(z.dtype)
        return coef[:, : z.shape[0]]

    def _express(self, z):
        return self._express_and_aim(z)[0]

    def _express_and_aim(self, z):
        coef = super()._express(z)
        n_rows = self.embedding_.shape[0]
        return coef[:, :n_rows], z if self.outlier_alpha is None else z - coef[:, n_rows:]

    def _aims(self, places):
        aims = super()._aims(places)
        return aims if self.outlier_alpha is None else aims - self.outliers_[places]


def _stacked(rows, more):
    return sparse.vstack([rows, more], format="csr") if sparse.issparse(rows) else np.vstack([rows, more.toarray()])
