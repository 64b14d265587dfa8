"""EDSC, or least squares regression: ridge self-expression in closed form."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from .._params import Positive, estimator
from ._base import BaseShallowSubspaceClustering, dense


@estimator
class EDSC(BaseShallowSubspaceClustering):
    r"""Efficient dense subspace clustering: every sample as a ridge regression on the others.

    .. math:: \min_C \|Z - CZ\|_F^2 + \lambda \|C\|_F^2 \quad (\text{s.t. } \mathrm{diag}(C) = 0)

    has the solution :math:`C = H = G (G + \lambda I)^{-1}` with the Gram matrix :math:`G = ZZ^T`; under the constraint,
    :math:`c_{ij} = h_{ij} / (1 - h_{ii})` off the diagonal.

    Parameters
    ----------
    ridge_lambda : float
        :math:`\lambda`, for samples of unit length.
    zero_diagonal : bool
        Whether samples must not express themselves.

    Notes
    -----
    The paper's own affinity is ``affinity="enhanced"`` with the dimension of its subspaces in `affinity_params`. The
    solution under the constraint is Lu et al.'s LSR1, that without it LSR2.

    References
    ----------
    P. Ji, M. Salzmann, H. Li, "Efficient dense subspace clustering", WACV 2014, doi:10.1109/WACV.2014.6836065.
    C.-Y. Lu, H. Min, Z.-Q. Zhao, L. Zhu, D.-S. Huang, S. Yan, "Robust and efficient subspace segmentation via least
    squares regression", ECCV 2012, doi:10.1007/978-3-642-33786-4_26.

    Examples
    --------
    >>> from skdeepsc import EDSC
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> from skdeepsc.metrics import clustering_accuracy_score
    >>> X, y = make_union_of_subspaces(150, 30, random_state=0)
    >>> clustering = EDSC(3, ridge_lambda=0.01, random_state=0).fit(X)
    >>> clustering_accuracy_score(y, clustering.labels_)
    1.0
    >>> clustering.predict(X[:5]).shape
    (5,)
    """

    ridge_lambda: Positive = 1.0
    zero_diagonal: bool = True

    def _coefficients(self, z):
        self._weights = ridge_weights(z, self.ridge_lambda)
        coef = np.asarray(z @ self._weights)
        if self.zero_diagonal:
            residual = 1 - coef.diagonal()
            coef /= np.maximum(residual, np.finfo(coef.dtype).eps)[:, None]
            np.fill_diagonal(coef, 0)
        return coef

    def _express(self, z):
        return np.asarray(z @ self._weights)


def ridge_weights(z, lam):
    r"""The matrix W, shape (n_features, n_samples), with which new rows are expressed over `z` by ridge: ``rows @ W``.

    :math:`W = Z^T (ZZ^T + \lambda I)^{-1} = (Z^TZ + \lambda I)^{-1} Z^T`, from the smaller of the two Gram matrices, in
    double precision.
    """
    z = z.astype(np.float64, copy=False)
    n_samples, n_features = z.shape
    if n_features < n_samples:
        return cho_solve(_penalized(z.T @ z, lam), dense(z.T))
    return cho_solve(_penalized(z @ z.T, lam), dense(z)).T


def _penalized(gram, lam):
    gram = dense(gram)
    gram[np.diag_indices_from(gram)] += lam
    return cho_factor(gram, overwrite_a=True, check_finite=False)
