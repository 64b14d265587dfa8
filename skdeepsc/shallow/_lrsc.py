"""LRSC: low-rank self-expression in closed form."""

import numpy as np
from scipy.linalg import eigh

from .._params import Positive, estimator
from ._base import BaseShallowSubspaceClustering, dense


@estimator
class LRSC(BaseShallowSubspaceClustering):
    r"""Low-rank subspace clustering: a clean dictionary A and low-rank coefficients in closed form.

    .. math:: \min_{C, A} \|C\|_* + \frac{\tau}{2} \|A - CA\|_F^2 + \frac{\alpha}{2} \|Z - A\|_F^2

    With the singular value decomposition :math:`Z = U \Sigma V^T`, each singular value is shrunk to one of A,
    :math:`\sigma \to \lambda`, and :math:`C = U P U^T` with :math:`P = 1 - 1 / (\tau \lambda^2)` where
    :math:`\lambda > 1 / \sqrt{\tau}`, else 0. An infinite weight (``None``) is a constraint: without `noise_alpha`,
    :math:`A = Z`; without `tau`, :math:`A = CA`; without both, :math:`C = UU^T` over the numerical rank of Z, the
    noise-free method.

    Parameters
    ----------
    tau : float or None
        :math:`\tau`, weight of what self-expression leaves unexplained.
    noise_alpha : float or None
        :math:`\alpha`, weight of the noise that is taken out of the samples.

    Attributes
    ----------
    rank_ : int
        Number of singular values that are kept.

    Notes
    -----
    The paper's :math:`P_1` is ``noise_alpha=None``, its :math:`P_3` has both weights, and ``tau=None`` keeps the
    singular values above :math:`\sqrt{2 / \alpha}` as they are. New rows are expressed over A, as its own rows are.

    References
    ----------
    R. Vidal, P. Favaro, "Low rank subspace clustering (LRSC)", Pattern Recognition Letters 43, 2014,
    doi:10.1016/j.patrec.2013.08.006.

    Examples
    --------
    >>> from skdeepsc import LRSC
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> from skdeepsc.metrics import clustering_accuracy_score
    >>> X, y = make_union_of_subspaces(150, 30, random_state=0)
    >>> clustering = LRSC(3, random_state=0).fit(X)
    >>> clustering_accuracy_score(y, clustering.labels_), clustering.rank_
    (1.0, 12)
    """

    tau: Positive | None = 100.0
    noise_alpha: Positive | None = None

    def _coefficients(self, z):
        left, values, right = thin_svd(z)
        clean = shrunk_values(values, self.tau, self.noise_alpha)
        kept = clean > (0 if self.tau is None else self.tau**-0.5)
        self.rank_ = int(kept.sum())
        left, clean, right = left[:, kept], clean[kept], right[:, kept]
        power = np.ones_like(clean) if self.tau is None else 1 - 1 / (self.tau * clean**2)
        self._weights = right * (power / clean) @ left.T
        return left * power @ left.T

    def _express(self, z):
        return np.asarray(z @ self._weights)


def thin_svd(z):
    """Left vectors, singular values and right vectors (as columns) of `z`, without those that are numerically 0.

    From the smaller Gram matrix, so that sparse rows stay sparse, in double precision.
    """
    z = z.astype(np.float64, copy=False)
    flat = z.shape[1] < z.shape[0]
    gram = z.T @ z if flat else z @ z.T
    squares, vectors = eigh(dense(gram), check_finite=False)
    counts = squares > len(squares) * np.finfo(squares.dtype).eps * max(squares[-1], np.finfo(squares.dtype).tiny)
    values, vectors = np.sqrt(squares[counts]), vectors[:, counts]
    other = np.asarray((z if flat else z.T) @ vectors) / values
    return (other, values, vectors) if flat else (vectors, values, other)


def shrunk_values(values, tau, alpha):
    r"""Singular values of the clean dictionary A, from those of the samples.

    Each minimises :math:`\phi(\lambda) + \frac{\alpha}{2} (\sigma - \lambda)^2` with the least cost of its part of C,
    :math:`\phi(\lambda) = 1 - \frac{1}{2 \tau \lambda^2}` for :math:`\lambda > 1 / \sqrt{\tau}`, else
    :math:`\frac{\tau}{2} \lambda^2` (Theorem 3 of the paper; 1 for :math:`\lambda > 0` without `tau`). The branches
    are compared, as the cost can have a minimum in each.
    """
    if alpha is None:
        return values
    if tau is None:
        return np.where(values > np.sqrt(2 / alpha), values, 0)
    low = np.minimum(values * alpha / (alpha + tau), tau**-0.5)
    high = _largest_root(values, 1 / (alpha * tau), tau**-0.5)
    costs = [
        np.where(x > tau**-0.5, 1 - 0.5 / (tau * x**2), tau / 2 * x**2) + alpha / 2 * (values - x) ** 2
        for x in (low, high)
    ]
    return np.where(costs[1] < costs[0], high, low)


def _largest_root(values, constant, least):
    r"""Largest root of :math:`\lambda^4 - \sigma \lambda^3 + c` for each :math:`\sigma`, by Newton's method from above.

    At most :math:`\sigma`; below `least`, where there may be none, the search ends.
    """
    x = np.maximum(values, least)
    for _ in range(60):
        slope = 4 * x**3 - 3 * values * x**2
        step = (x**4 - values * x**3 + constant) / np.where(slope > 0, slope, np.inf)
        x = np.maximum(x - step, least)
    return x
