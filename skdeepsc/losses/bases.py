"""EDESC: soft assignments to subspaces that sharpen themselves, and what keeps the bases bases."""

import torch


def sharpened_assignments(assignments):
    r"""EDESC's refined assignments, :math:`\tilde s_{ik} \propto s_{ik}^2 / \sum_i s_{ik}`, rows summing to 1.

    Parameters
    ----------
    assignments : tensor of shape (n_samples, n_clusters)
        Rows that sum to 1.

    Returns
    -------
    target : tensor of shape (n_samples, n_clusters)
        Without a gradient.
    """
    shares = assignments.detach()
    weights = shares.square() / shares.sum(0).clamp_min(torch.finfo(shares.dtype).tiny)  # A cluster may have nothing.
    return weights / weights.sum(1, keepdim=True)


def sharpening_cost(logits):
    r"""Kullback-Leibler divergence :math:`\mathrm{KL}(\tilde S \| S)` of soft assignments, a sum over the samples.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_clusters)
        Their softmax are the assignments S; see :func:`sharpened_assignments` for :math:`\tilde S`.

    Returns
    -------
    cost : 0-d tensor
    """
    log_s = logits.log_softmax(1)
    target = sharpened_assignments(log_s.exp())
    return (target * (target.clamp_min(torch.finfo(target.dtype).tiny).log() - log_s)).sum()


def basis_cost(bases):
    r"""What bases lack to columns of unit length, and to subspaces that are orthogonal to each other.

    .. math:: \tfrac12 \|D^T D \odot I - I\|_F^2 + \tfrac12 \|D^T D \odot O\|_F^2

    where :math:`O` is 0 in the diagonal blocks, those of pairs of columns of one basis, and 1 elsewhere.

    Parameters
    ----------
    bases : tensor of shape (n_clusters, n_latent, dim)

    Returns
    -------
    cost : 0-d tensor
    """
    n_clusters, _, dim = bases.shape
    flat = bases.permute(1, 0, 2).flatten(1)
    gram = (flat.T @ flat).unflatten(0, (n_clusters, dim)).unflatten(2, (n_clusters, dim))
    within = gram.diagonal(dim1=0, dim2=2)  # (dim, dim, n_clusters)
    lengths = within.diagonal(dim1=0, dim2=1)
    return ((lengths - 1).square().sum() + gram.square().sum() - within.square().sum()) / 2
