"""Penalties on the self-expression coefficients; sums over all entries."""


def coefficient_norm(coef, norm="l2"):
    r""":math:`\|C\|_F^2` (``"l2"``) or :math:`\|C\|_1` (``"l1"``), a sum over all entries.

    Parameters
    ----------
    coef : tensor of shape (n_samples, n_samples)
    norm : {"l2", "l1"}, default="l2"

    Returns
    -------
    cost : 0-d tensor
    """
    return coef.square().sum() if norm == "l2" else coef.abs().sum()
