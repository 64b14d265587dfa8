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
    if norm not in ("l2", "l1"):
        raise ValueError(f"norm must be 'l2' or 'l1'; got {norm!r}.")
    return coef.square().sum() if norm == "l2" else coef.abs().sum()


def segmentation_norm(coef, segments):
    r"""Self-expression across clusters, :math:`\|C\|_Q` of S2ConvSCN, Eq. (5): a sum over all entries.

    .. math:: \|C\|_Q = \sum_{ij} |c_{ij}| \frac{\|q_i - q_j\|_2^2}{2}
              = \sum_{ij} |c_{ij}| \, [q_i \ne q_j]

    with the one-hot rows q of the segmentation. It is half the cost :math:`\sum_{ij} a_{ij} \|q_i - q_j\|_2^2` of
    spectral clustering, Eq. (4), for :math:`A = (|C| + |C|^T) / 2`.

    Parameters
    ----------
    coef : tensor of shape (n_samples, n_samples)
    segments : tensor of shape (n_samples,), int64
        Cluster of each sample.

    Returns
    -------
    cost : 0-d tensor
    """
    return coef.abs().masked_fill(segments[:, None] == segments, 0).sum()
