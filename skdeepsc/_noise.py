"""Which samples are noise: those that their own cluster leaves unexplained, by a rule that needs no labels."""

import numpy as np
from scipy import sparse

from ._scale import squared_norms

# What a cluster explains up to this share, it explains; spreads beyond the centre that are no accident any more.
_EXPLAINED, _SPREADS = 0.05, 4.0
# The shortest half of a normal distribution is so many standard deviations wide, on either side.
_HALF_OF_NORMAL = 0.6745


def unexplained_shares(z, coef, own, rows):
    """Share of the squared length of each sample that the rows of its own cluster leave, with their coefficients.

    Parameters
    ----------
    z : ndarray or CSR matrix of shape (n_samples, n_features)
    coef : ndarray or CSR array of shape (n_samples, n_rows)
        Without coefficients of samples in themselves.
    own : ndarray of shape (n_samples, n_rows), bool
        Which rows are in the cluster of each sample.
    rows : ndarray or CSR matrix of shape (n_rows, n_features)

    Returns
    -------
    shares : ndarray of shape (n_samples,), float64
        2 for samples that are 0, which nothing expresses.
    """
    coef = coef.multiply(own).tocsr() if sparse.issparse(coef) else np.where(own, coef, 0)
    return residual_shares(squared_norms(z - coef @ rows), squared_norms(z))


def residual_shares(residuals, squares):
    """Squared residuals as shares of squared lengths; 2 for samples that are 0."""
    return np.divide(residuals, squares, out=np.full(len(squares), 2.0), where=squares > 0)


def noise_bound(shares, noise):
    """The share beyond which samples are noise.

    Parameters
    ----------
    shares : ndarray of shape (n_samples,), float64
    noise : "auto" or float in [0, 1)
        ``"auto"``: four spreads above the centre of the shortest half of all shares, which are those of samples that
        are none, while most are (P. J. Rousseeuw, "Least median of squares regression", JASA 79, 1984,
        doi:10.1080/01621459.1984.10477105); but at least .05, and at most 1, or the smallest share if that is more: not
        all are noise. A number: the share of samples that are noise.

    Returns
    -------
    bound : float
    """
    ordered = np.sort(shares)
    if noise != "auto":
        n_noise = int(noise * len(ordered) + 1e-9)  # A share such as .29 is a little less than it says.
        return float(ordered[len(ordered) - 1 - n_noise])
    half = len(ordered) // 2 + 1
    widths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
    first = widths.argmin()
    centre, spread = ordered[first] + widths[first] / 2, widths[first] / 2 / _HALF_OF_NORMAL
    return float(np.clip(centre + _SPREADS * spread, _EXPLAINED, max(1.0, ordered[0])))
