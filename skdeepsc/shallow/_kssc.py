"""KSSC: sparse self-expression in the feature space of a kernel."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import KERNEL_PARAMS, pairwise_kernels

from .._arrays import naming
from .._base import others_of
from .._compat import VALIDATION, StrOptions
from .._noise import residual_shares
from .._params import AnyReal, NonNegative, estimator, require_call
from .._scale import exponent_of, squares_fit
from ._elastic_net import KernelAtoms
from ._quadratic import NotConvexError
from ._ssc import BaseSSC

# By what factor rounding may lift the square of an inner product above the product of both squares.
_ROUNDING = 1.001


@estimator
class KSSC(BaseSSC):
    r"""Kernel sparse subspace clustering.

    .. math::
        \min_C \|C\|_1 + \frac{\lambda}{2} \|\Phi(Z) - C \Phi(Z)\|^2 \quad\text{s.t. } \mathrm{diag}(C) = 0,\ (C 1 = 1)

    for the feature map :math:`\Phi` of a kernel; only the kernel matrix :math:`K = \Phi(Z) \Phi(Z)^T` is needed.

    Parameters
    ----------
    kernel : str or callable
        A name of :func:`sklearn.metrics.pairwise.pairwise_kernels`, such as "rbf", "poly" or "cosine"; or a callable
        that takes two samples. What gives no inner products, as "sigmoid" and "poly" do with some parameters and
        "additive_chi2" with all, is refused.
    gamma : float or None
        Parameter of the kernels that have it; ``None``: 1 / n_features.
    degree : float
        Degree of the polynomial kernel.
    coef0 : float
        Constant of the polynomial and sigmoid kernels.
    kernel_params : dict or None
        Further arguments of a callable.
    alpha
        Of :math:`\lambda`, with the inner products :math:`k_{ij}` in the feature space.

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

    kernel: Annotated[str | Callable, StrOptions(set(KERNEL_PARAMS)), callable] = "rbf"
    gamma: NonNegative | None = None
    degree: NonNegative = 3
    coef0: AnyReal = 1
    kernel_params: dict | None = None

    def _coefficients(self, z):
        self._kernel = self._kernels(z, z)
        return super()._coefficients(z)

    def _solve(self, z, *, own=None, **settings):
        targets = self._targets_of(z) if own is None else self._kernel[own]
        return self._solve_targets(targets, own=own, **settings)

    def _solve_targets(self, targets, **settings):
        try:
            return super()._solve_targets(targets, **settings)
        except NotConvexError as error:
            raise ValueError(self._no_kernel()) from error

    def _mean_square(self, z):
        return float(self._kernel.diagonal().mean())

    def _atoms_of(self, z):
        return KernelAtoms(self._kernel + self._sum_weight if self.affine else self._kernel)

    def _targets_of(self, z):
        return self._kernels(z, self.embedding_)

    def _with_sums(self, targets, aims):
        return targets + self._sum_weight * aims[:, None].astype(targets.dtype)

    def _products(self, z, block):
        return self._kernel[block]

    def _residuals(self, z):
        """Squared distances in feature space."""
        return self._distances_by_kernel(self._express(z), self._targets_of(z), self._kernels(z, z).diagonal())

    def _own_residuals(self, places):
        coef = others_of(self.coef_[places], places)
        return self._distances_by_kernel(coef, self._kernel[places], self._kernel.diagonal()[places])

    def _unexplained_rows(self):
        row_labels, squares = self._row_labels, self._kernel.diagonal().astype(np.float64)

        def unexplained(block):
            places = np.arange(len(row_labels))[block]
            residuals = self._own_residuals(places)[np.arange(len(places)), row_labels[places]]
            return residual_shares(residuals, squares[places])

        return unexplained

    def _squares(self, z):
        return self._kernels(z, z).diagonal().astype(np.float64)

    def _distances_by_kernel(self, coef, products, own):
        members = self._members()
        residuals = np.empty((len(own), len(members)))
        for k, rows in enumerate(members):
            part = coef[:, rows].toarray()
            left = part @ self._kernel[np.ix_(rows, rows)] - 2 * products[:, rows]
            residuals[:, k] = own + (part * left).sum(axis=1)
        return residuals

    def _kernel_of_two(self, a, b, **params):
        return self.kernel(a.copy(), b.copy(), **params)  # It may change what it gets.

    def _kernels(self, a, b):
        given = self.kernel_params or {}
        if not all(isinstance(name, str) for name in given):
            raise TypeError(f"kernel_params={given} must have names of arguments for keys.")
        if callable(self.kernel):
            takes = f"two samples and what is in kernel_params, {given}"
            require_call("kernel", self.kernel, takes, a[0], b[0], **given)
            with VALIDATION, naming("kernel"):
                kernel = pairwise_kernels(a, b, metric=self._kernel_of_two, **given)
        elif given:
            raise ValueError(
                f"kernel_params={given} are arguments of a callable; kernel={self.kernel!r} has gamma, degree, coef0."
            )
        else:
            gamma = 1 / a.shape[1] if self.gamma is None else self.gamma
            params = {"gamma": gamma, "degree": self.degree, "coef0": self.coef0}
            if self.kernel == "rbf" and not sparse.issparse(a):  # Squared distances are made of squared lengths.
                middle, is_same = self.embedding_.mean(axis=0), a is b
                a = a - middle
                b = a if is_same else b - middle
            with VALIDATION, naming(f"kernel={self.kernel!r}"):
                kernel = pairwise_kernels(a, b, metric=self.kernel, filter_params=True, **params)
        kernel = np.ascontiguousarray(kernel, dtype=self.embedding_.dtype)
        if not np.isfinite(kernel).all():
            raise ValueError(f"kernel={self.kernel!r} gives NaN or infinite values for these samples.")
        if not squares_fit(exponent_of(kernel)):
            raise ValueError(
                f"kernel={self.kernel!r} gives magnitudes of 2 ** {exponent_of(kernel)} for these samples, whose "
                "squares are no numbers: divide it."
            )
        if a is b:
            squares = kernel.diagonal()
            largest = np.maximum(kernel.max(axis=1), -kernel.min(axis=1))
            # An inner product is at most what the squares of both allow.
            if squares.min() < 0 or (np.square(largest) > _ROUNDING * squares * squares.max()).any():
                raise ValueError(self._no_kernel())
        return kernel

    def _no_kernel(self):
        return (
            f"kernel={self.kernel!r} gives these samples no inner products: some sum of them would have a negative "
            'square. Take other parameters, or another kernel: "rbf", "laplacian" and "cosine" are always of such.'
        )

    def _bytes_per_pair(self):
        return 24
