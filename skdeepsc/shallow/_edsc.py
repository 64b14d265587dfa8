"""EDSC, or least squares regression: ridge self-expression in closed form."""

from functools import partial
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigvalsh

from .._dimension import N_COEFS, SUBSPACE_DIMS, best_graph
from .._params import Positive, estimator
from .._ridge import penalties_by_dim, penalty_of_freedom
from ..affinity import top_affinity
from ._base import AroundMean, BaseShallowSubspaceClustering, dense


@estimator
class EDSC(AroundMean, BaseShallowSubspaceClustering):
    r"""Efficient dense subspace clustering: every sample as a ridge regression on the others.

    .. math:: \min_C \|Z - CZ\|_F^2 + \lambda \|C\|_F^2
        \quad (\text{s.t. } \mathrm{diag}(C) = 0,\ C 1 = 1)

    has the solution :math:`C = H = G (G + \lambda I)^{-1}` with the Gram matrix :math:`G = ZZ^T`; under the constraint,
    :math:`c_{ij} = h_{ij} / (1 - h_{ii})` off the diagonal. Where the coefficients of a sample must sum to 1, the same
    holds of :math:`H = G (G + \lambda I)^{-1} + 11^T / n` with the Gram matrix of the samples around their mean.

    Parameters
    ----------
    subspace_dim : float or "auto"
        Expected dimension q of a subspace: :math:`\lambda` gives the ridge ``n_clusters * subspace_dim`` effective
        degrees of freedom, :math:`\mathrm{Tr}(H)`, at most 0.7 n_samples. ``"auto"``: of 1/4, 1/2, 1, 2, 4, 8 and 16
        the one in whose graph of the five largest coefficients of each row clusters have the most edge information
        (:func:`~skdeepsc.segmentation.edge_information`), which needs no labels.
    ridge_lambda : float or None
        :math:`\lambda` itself, in place of `subspace_dim`.
    zero_diagonal : bool
        Whether samples must not express themselves.
    affine : bool
        Whether the coefficients of a sample must sum to 1, for subspaces that miss the origin; then
        ``normalization="none"`` is what they call for. Not for sparse input, which it would make dense.

    Attributes
    ----------
    ridge_lambda_ : float
        The penalty in use.
    subspace_dim_ : float or None
        The dimension in use; ``None`` with a given penalty.

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
    >>> clustering = EDSC(3, random_state=0).fit(X)
    >>> clustering_accuracy_score(y, clustering.labels_)
    1.0
    >>> clustering.predict(X[:5]).shape
    (5,)
    """

    subspace_dim: Positive | Literal["auto"] = "auto"
    ridge_lambda: Positive | None = None
    zero_diagonal: bool = True
    affine: bool = False

    def _coefficients(self, z):
        if self.affine and sparse.issparse(z):
            raise ValueError("affine=True makes sparse samples dense: give X.toarray(), or take EnSC or SSC.")
        z = self._around_mean(z) if self.affine else z
        self._choose_penalty(z)
        coef, self._weights = self._ridge(z, self.ridge_lambda_)
        return coef

    def _choose_penalty(self, z):
        """Set dimension and penalty."""
        self.subspace_dim_, self.ridge_lambda_ = None, self.ridge_lambda
        if self.ridge_lambda is not None:
            return
        penalty = partial(penalty_of_freedom, gram_spectrum(z))
        dims = SUBSPACE_DIMS if self.subspace_dim == "auto" else [self.subspace_dim]
        lams = penalties_by_dim(penalty, dims, self.n_clusters, z.shape[0])
        if len(lams) == 1:
            self.subspace_dim_ = next(iter(lams))
        else:
            graphs = {dim: top_affinity(self._ridge(z, lam)[0], n_coefs=N_COEFS) for dim, lam in lams.items()}
            self.subspace_dim_ = best_graph(graphs, self.n_clusters, self._seeds["labels"])[0]
        self.ridge_lambda_ = lams[self.subspace_dim_]

    def _ridge(self, z, lam):
        """Coefficients of the rows, and the matrix that gives those of new ones."""
        weights = ridge_weights(z, lam)
        coef = self._express_by(weights, z)
        if self.zero_diagonal:
            residual = 1 - coef.diagonal()
            coef /= np.maximum(residual, np.finfo(coef.dtype).eps)[:, None]
            np.fill_diagonal(coef, 0)
        return coef, weights

    def _express(self, z):
        return self._express_by(self._weights, z)

    def _express_by(self, weights, z):
        coef = np.asarray(z @ weights)
        return coef + 1 / coef.shape[1] if self.affine else coef


def gram_spectrum(z):
    """Eigenvalues of the smaller Gram matrix of rows."""
    return np.maximum(eigvalsh(_gram(z), check_finite=False), 0)


def ridge_weights(z, lam):
    r"""The matrix W, shape (n_features, n_samples), with which new rows are expressed over `z` by ridge: ``rows @ W``.

    :math:`W = Z^T (ZZ^T + \lambda I)^{-1} = (Z^TZ + \lambda I)^{-1} Z^T`, from the smaller of the two Gram matrices, in
    double precision.
    """
    z = z.astype(np.float64, copy=False)
    factor = _penalized(_gram(z), lam)
    return cho_solve(factor, dense(z.T)) if _is_flat(z) else cho_solve(factor, dense(z)).T


def _is_flat(z):
    return z.shape[1] < z.shape[0]


def _gram(z):
    """The smaller of the two Gram matrices, in double precision."""
    z = z.astype(np.float64, copy=False)
    return dense(z.T @ z if _is_flat(z) else z @ z.T)


def _penalized(gram, lam):
    trace = gram.trace()
    gram[np.diag_indices_from(gram)] += lam
    try:
        return cho_factor(gram, overwrite_a=True, check_finite=False)
    except LinAlgError as error:
        raise ValueError(
            f"A ridge penalty of {lam:g} is too small for samples whose Gram matrix has the trace {trace:g}: give a "
            "larger ridge_lambda, or a smaller subspace_dim."
        ) from error
