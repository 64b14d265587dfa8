"""Costs by which a classifier and self-expression supervise each other through their affinities (NCSC)."""

import math

import torch
from torch.nn import functional as F

# Affinities are kept this far from 0 and 1 under a logarithm: the largest of each row is exactly 1.
_MARGIN = 1e-3


def classifier_affinity(logits):
    r"""Affinity of the classifier, Eq. (1) of NCSC: the cosine of the predictions of two samples.

    .. math:: A_c(i, j) = \nu_i \nu_j^T, \qquad \nu = \mathrm{softmax}(y) / \|\mathrm{softmax}(y)\|_2

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_clusters)
        y.

    Returns
    -------
    affinity : tensor of shape (n_samples, n_samples)
        Symmetric, in [0, 1] up to rounding.
    """
    nu = F.normalize(logits.softmax(1))
    return nu @ nu.T


def subspace_affinity(coef, *, signed=False):
    r"""Affinity of self-expression, Eq. (4) of NCSC with the normalisation of its section 4.

    .. math:: S = \tfrac{1}{2} (|C| + |C|^T), \qquad A_s(i, j) = S_{ij} / \max_{k \ne i} S_{ik}, \qquad A_s(i, i) = 1

    Eq. (4) divides by the largest :math:`|c_{ik}|` of the row, which can be less than an entry of S. The divisor is not
    differentiated; the result is not symmetric.

    Parameters
    ----------
    coef : tensor of shape (n_samples, n_samples)
    signed : bool, default=False
        Take the positive part of C for its magnitude: around the mean of the samples a negative coefficient links
        opposite sides.

    Returns
    -------
    affinity : tensor of shape (n_samples, n_samples)
        In [0, 1]; a row without coefficients is 0 but for its diagonal.
    """
    links = coef.clamp_min(0) if signed else coef.abs()
    links = (links + links.T).fill_diagonal_(0)  # 2 S
    largest = links.detach().amax(1, keepdim=True).clamp_min(torch.finfo(links.dtype).tiny)
    return (links / largest).fill_diagonal_(1)


def positive_pairs(a_s, threshold, n_positives=None):
    r"""Pairs that self-expression holds for one cluster, :math:`M_s = 1(A_s > u)` of Eq. (6) of NCSC.

    Parameters
    ----------
    a_s : tensor of shape (n_samples, n_samples)
        :math:`A_s`, see :func:`subspace_affinity`.
    threshold : float
        u.
    n_positives : int or None, default=None
        Only this many of each row, those with the largest affinity; ``None``: all.

    Returns
    -------
    pairs : tensor of shape (n_samples, n_samples), bool
        Without the diagonal, whose cost is 0.
    """
    pairs = (a_s > threshold).fill_diagonal_(False)
    if n_positives is None or n_positives >= len(a_s) - 1:
        return pairs
    others = a_s.detach().clone().fill_diagonal_(-1)
    return torch.zeros_like(pairs).scatter_(1, others.topk(n_positives, dim=1).indices, True) & pairs


def negative_pairs(a_c, threshold):
    r"""Pairs that the classifier holds for two clusters, :math:`M_c = 1(A_c < l)` of Eq. (7) of NCSC, bool.

    Parameters
    ----------
    a_c : tensor of shape (n_samples, n_samples)
        :math:`A_c`, see :func:`classifier_affinity`.
    threshold : float
        l.

    Returns
    -------
    pairs : tensor of shape (n_samples, n_samples), bool
    """
    return (a_c < threshold).fill_diagonal_(False)


def positive_cross_entropy(teacher, student, pairs):
    r"""Cross-entropy of positive pairs, Eq. (6) of NCSC with the sign that the paper's H lacks.

    .. math:: -\frac{1}{\sum_{ij} M_{ij}} \sum_{ij} M_{ij} T_{ij} \log S_{ij}

    A mean over the pairs. With the sums of the paper and its collaboration rate :math:`\alpha`, "the ratio of the
    number of positive confident pairs and the negative confident pairs", both cross-entropies count as their means do.
    :math:`S_{ij}` is cut at 0.001: a pair below it costs what it costs there, and has no gradient.

    Parameters
    ----------
    teacher, student : tensors of shape (n_samples, n_samples)
        T and S, in [0, 1]; :math:`A_s` and :math:`A_c` in Eq. (6).
    pairs : tensor of shape (n_samples, n_samples), bool
        M. Without any pair the cost is 0.

    Returns
    -------
    cost : 0-d tensor
    """
    costs = teacher[pairs] * student[pairs].clamp(_MARGIN, 1).log()
    return -costs.sum() / max(1, costs.numel())


def negative_cross_entropy(teacher, student, pairs):
    r"""Cross-entropy of negative pairs, Eq. (7) of NCSC with the sign that the paper's H lacks.

    .. math:: -\frac{1}{\sum_{ij} M_{ij}} \sum_{ij} M_{ij} (1 - T_{ij}) \log(1 - S_{ij})

    A mean over the pairs; :math:`S_{ij}` is cut at 0.999, beyond which a pair has no gradient.

    Parameters
    ----------
    teacher, student : tensors of shape (n_samples, n_samples)
        T and S, in [0, 1]; :math:`A_c` and :math:`A_s` in Eq. (7).
    pairs : tensor of shape (n_samples, n_samples), bool
        M. Without any pair the cost is 0.

    Returns
    -------
    cost : 0-d tensor
    """
    weights = (1 - teacher) * pairs
    return -(weights * torch.log1p(-student.clamp_max(1 - _MARGIN))).sum() / pairs.sum().clamp_min(1)


def balance_cost(logits):
    r"""What the mean prediction lacks to the entropy of clusters of equal size; this package's addition to NCSC.

    .. math:: \log K + \sum_k \bar p_k \log \bar p_k, \qquad \bar p = \frac{1}{N} \sum_i \mathrm{softmax}(y_i)

    It is 0 where all clusters get the same share, and :math:`\log K` if one gets all.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_clusters)
        y.

    Returns
    -------
    cost : 0-d tensor
    """
    mean = logits.softmax(1).mean(0)
    return math.log(logits.shape[1]) + torch.special.xlogy(mean, mean).sum()
