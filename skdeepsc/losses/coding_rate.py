"""The coding rate of features, all together and cluster by cluster (MCR2)."""

import torch


def coding_rate(h, squared_error=0.5):
    r"""Bits, in nats, that code a row of features up to a squared error.

    .. math:: R(H) = \tfrac12 \log\det\Big(I + \frac{d}{n \epsilon^2} H^T H\Big)

    Parameters
    ----------
    h : tensor of shape (n_samples, n_features)
    squared_error : float, default=0.5
        :math:`\epsilon^2`, for rows of unit length.

    Returns
    -------
    rate : 0-d tensor

    References
    ----------
    Y. Yu, K. H. R. Chan, C. You, C. Song, Y. Ma, "Learning diverse and discriminative representations via the principle
    of maximal coding rate reduction", NeurIPS 2020, arXiv:2006.08558.
    """
    n_samples, n_features = h.shape
    scale = n_features / (n_samples * squared_error)
    small = h.T @ h if n_features < n_samples else h @ h.T
    eye = torch.eye(len(small), dtype=h.dtype, device=h.device)
    return torch.linalg.cholesky(eye + scale * small).diagonal().log().sum()


def rate_within(h, labels, squared_error=0.5):
    r"""Mean coding rate of the clusters, :math:`\sum_k \frac{n_k}{n} R(H_k)`, see :func:`coding_rate`.

    Parameters
    ----------
    h : tensor of shape (n_samples, n_features)
    labels : tensor of shape (n_samples,), int64
    squared_error : float, default=0.5

    Returns
    -------
    rate : 0-d tensor
    """
    members = [h[labels == k] for k in labels.unique()]
    return sum(len(rows) / len(h) * coding_rate(rows, squared_error) for rows in members)
