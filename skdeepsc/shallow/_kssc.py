"""KSSC: sparse self-expression in the feature space of a kernel."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from sklearn.metrics.pairwise import KERNEL_PARAMS, pairwise_kernels

from .._compat import Interval, StrOptions
from .._docs import shared_parameters
from ._elastic_net import KernelAtoms
from ._ssc import _AFFINE_WEIGHT, BaseSSC


@shared_parameters
@dataclass(repr=False, eq=False, kw_only=True)
class KSSC(BaseSSC):
    r"""Kernel sparse subspace clustering.

    .. math::
        \min_C \|C\|_1 + \frac{\lambda}{2} \|\Phi(Z) - C \Phi(Z)\|^2 \quad\text{s.t. } \mathrm{diag}(C) = 0,\ (C 1 = 1)

    for the feature map :math:`\Phi` of a kernel; only the kernel matrix :math:`K = \Phi(Z) \Phi(Z)^T` is needed.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    kernel : str or callable, default="{kernel}"
        A name of :func:`sklearn.metrics.pairwise.pairwise_kernels`, such as "rbf", "poly" or "cosine"; or a callable
        that takes two samples.
    gamma : float or None, default={gamma}
        Parameter of the kernels that have it; ``None``: 1 / n_features.
    degree : float, default={degree}
        Degree of the polynomial kernel.
    coef0 : float, default={coef0}
        Constant of the polynomial and sigmoid kernels.
    kernel_params : dict or None, default=None
        Further arguments of a callable.
    alpha : float, default={alpha}
        Weight of the residual: :math:`\lambda` is `alpha` times the least with which no row of C is 0,
        :math:`1 / \min_i \max_{j \ne i} |k_{ij}|`.
    affine : bool, default={affine}
        Whether the coefficients of a sample must sum to 1.
    {sparse_parameters}
    {shallow_parameters}

    Attributes
    ----------
    lambda_ : float
        :math:`\lambda`.
    {solver_attributes}
    {sparse_attributes}

    References
    ----------
    V. M. Patel, R. Vidal, "Kernel sparse subspace clustering", ICIP 2014, doi:10.1109/ICIP.2014.7025576.

    Examples
    --------
    >>> from skdeepsc import KSSC
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> from skdeepsc.metrics import clustering_accuracy_score
    >>> X, y = make_union_of_subspaces(150, 30, random_state=0)
    >>> clustering = KSSC(3, kernel="poly", degree=2, gamma=1.0, random_state=0).fit(X)
    >>> clustering_accuracy_score(y, clustering.labels_)
    1.0
    """

    kernel: object = "rbf"
    gamma: float | None = None
    degree: float = 3
    coef0: float = 1
    kernel_params: dict | None = None

    _parameter_constraints = {
        **BaseSSC._parameter_constraints,
        "kernel": [StrOptions(set(KERNEL_PARAMS)), callable],
        "gamma": [Interval(Real, 0, None, closed="left"), None],
        "degree": [Interval(Real, 0, None, closed="left")],
        "coef0": [Interval(Real, None, None, closed="neither")],
        "kernel_params": [dict, None],
    }

    def _atoms_of(self, z):
        self._kernel = self._kernels(z, z)
        return KernelAtoms(self._kernel + _AFFINE_WEIGHT if self.affine else self._kernel)

    def _targets_of(self, z):
        return self._kernels(z, self.embedding_)

    def _aimed(self, targets, aims):
        return targets + _AFFINE_WEIGHT * aims[:, None].astype(targets.dtype)

    def _products(self, z, block):
        return self._kernel[block]

    def _residuals(self, z):
        """Squared distances in feature space."""
        coef, products = self._express(z), self._targets_of(z)
        own = self._kernels(z, z).diagonal()
        residuals = np.empty((len(own), self._row_labels.max() + 1))
        for k in range(residuals.shape[1]):
            members = np.flatnonzero(self._row_labels == k)
            part = coef[:, members].toarray()
            left = part @ self._kernel[np.ix_(members, members)] - 2 * products[:, members]
            residuals[:, k] = own + (part * left).sum(axis=1)
        return residuals

    def _kernels(self, a, b):
        if callable(self.kernel):
            kernel = pairwise_kernels(a, b, metric=self.kernel, **self.kernel_params or {})
        else:
            params = {"gamma": self.gamma, "degree": self.degree, "coef0": self.coef0}
            kernel = pairwise_kernels(a, b, metric=self.kernel, filter_params=True, **params)
        return np.ascontiguousarray(kernel, dtype=self.embedding_.dtype)

    def _bytes_per_pair(self):
        return 24
