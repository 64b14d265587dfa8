"""From the expected dimensions of subspaces to penalties of a ridge, however they are computed."""

import numpy as np
from scipy.optimize import brentq

# Effective degrees of freedom of a ridge, as a share of the number of samples.
MOST_FREEDOM = 0.7
# Share of the largest eigenvalue of a Gram matrix below which the others are rounding errors of float32.
NEGLIGIBLE = 1e-6


def penalty_of_freedom(spectrum, degrees_of_freedom):
    r"""The ridge penalty with a given number of effective degrees of freedom, :math:`\sum_i w_i / (w_i + \lambda)`.

    Parameters
    ----------
    spectrum : ndarray of shape (n_eigenvalues,), float64
        Eigenvalues w of the Gram matrix, >= 0.
    degrees_of_freedom : float
        More than 95 % of the number of eigenvalues that count is brought down to that.

    Returns
    -------
    lam : float, > 0
        At least 1e-6 of the largest eigenvalue; what lies below that, float32 cannot tell from 0.
    """
    largest = float(spectrum.max())
    if largest <= 0:
        return 1.0
    w = spectrum[spectrum > NEGLIGIBLE * largest] / largest
    wanted = min(float(degrees_of_freedom), 0.95 * len(w))
    most = max(40.0, np.log(w.sum() / wanted) + 1)  # Of few degrees of freedom, nearly as many as w over lambda.
    found = brentq(lambda log_lam: (w / (w + np.exp(log_lam))).sum() - wanted, -40, most)
    return largest * max(float(np.exp(found)), NEGLIGIBLE)


def penalties_by_dim(penalty, dims, n_clusters, n_samples):
    """Penalties under which the subspaces have the expected dimensions `dims`.

    Those for which the ridge would need more than 0.7 n_samples degrees of freedom are left out; if that leaves none,
    the smallest is taken with so many. Those that need the penalty of a smaller one, because the features have fewer
    dimensions, are left out, too.

    Parameters
    ----------
    penalty : callable
        From degrees of freedom to the penalty, a float.
    dims : sequence of float
        Ascending.
    n_clusters, n_samples : int

    Returns
    -------
    penalties : dict of float to float
        From the dimension to the penalty.
    """
    dims = [dim for dim in dims if dim * n_clusters <= MOST_FREEDOM * n_samples] or dims[:1]
    by_penalty = {}
    for dim in dims:
        by_penalty.setdefault(penalty(limited_freedom(dim, n_clusters, n_samples)), dim)
    return {dim: lam for lam, dim in by_penalty.items()}


def limited_freedom(dim, n_clusters, n_samples):
    """Degrees of freedom of subspaces of a dimension, as far as there are samples for them."""
    return min(dim * n_clusters, MOST_FREEDOM * n_samples)
