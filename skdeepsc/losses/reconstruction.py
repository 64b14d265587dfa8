"""Costs of rebuilding the input. Tensors in, a scalar out; sums over all entries, no hidden 1/2 and no 1/N."""

import torch
from torch.nn import functional as F


def squared_error(target, output):
    r"""Squared Frobenius norm of a difference, :math:`\|T - O\|_F^2`: a sum over all entries.

    Parameters
    ----------
    target, output : tensors of the same shape

    Returns
    -------
    cost : 0-d tensor
    """
    return F.mse_loss(output, target, reduction="sum")


def laplacian_cost(x, x_hat, coef, signed=False):
    r"""Locality term of PSSC, :math:`\mathrm{Tr}(X^T L_n \hat X)`, the second half of Eq. (5) without its factor 2.

    :math:`L_n = I - \tilde S` is the normalised Laplacian of :math:`S = (|C| + |C|^T) / 2`. With
    ``2 * laplacian_cost + squared_error`` and the normalised :math:`\tilde S` this is the weighted reconstruction
    :math:`\sum_{ij} \tilde S_{ij} \|x_i - \hat x_j\|^2` of Eq. (2) for a graph whose degrees are all 1.

    Parameters
    ----------
    x, x_hat : tensors of shape (n_samples, ...)
        Images and their reconstructions.
    coef : tensor of shape (n_samples, n_samples)
        Self-expression coefficients.
    signed : bool, default=False
        Take the positive coefficients alone, as in :func:`~skdeepsc.losses.similarity_graph`.

    Returns
    -------
    cost : 0-d tensor
    """
    x, x_hat = x.flatten(1), x_hat.flatten(1)
    return (x * (x_hat - normalized_graph(coef, signed) @ x_hat)).sum()


def normalized_graph(coef, signed=False):
    r""":math:`\tilde S = D^{-1/2} S D^{-1/2}` of :math:`S = (|C| + |C|^T) / 2`; rows of zeros stay zeros.

    Parameters
    ----------
    coef : tensor of shape (n_samples, n_samples)
    signed : bool, default=False
        Whether negative coefficients count as 0 instead of by their magnitudes.

    Returns
    -------
    graph : tensor of shape (n_samples, n_samples)
    """
    magnitude = coef.clamp_min(0) if signed else coef.abs()
    graph = (magnitude + magnitude.T) / 2
    degrees = graph.sum(1)
    largest = degrees.detach().max()
    scale = torch.maximum(degrees, 1e-12 * torch.where(largest > 0, largest, 1)).rsqrt()
    return scale[:, None] * graph * scale
