"""Costs that supervise the network by what it has found itself: pseudo-graphs and pseudo-labels (PSSC, S2ConvSCN)."""

import torch
from torch.nn import functional as F


def similarity_graph(coef, signed=False):
    r"""Self-expression coefficients as pairwise similarities in [0, 1].

    :math:`S = (|C| + |C|^T) / 2`, each row divided by its largest entry, then made symmetric by the larger of
    :math:`S_{ij}` and :math:`S_{ji}`. Entries of C are of order 1/N, so that without this scaling every pair of samples
    would count as dissimilar. A sample is similar to itself: the diagonal is 1. The scale is not differentiated.

    Parameters
    ----------
    coef : tensor of shape (n_samples, n_samples)
    signed : bool, default=False
        Take the positive coefficients alone: between samples on opposite sides of the mean, coefficients of centred
        features are large and negative.

    Returns
    -------
    similarity : tensor of shape (n_samples, n_samples)
        Symmetric, in [0, 1].
    """
    magnitude = coef.clamp_min(0) if signed else coef.abs()
    graph = (magnitude + magnitude.T) / 2
    graph = graph / graph.detach().amax(1, keepdim=True).clamp_min(torch.finfo(graph.dtype).tiny)
    graph = torch.maximum(graph, graph.T)
    return graph.masked_fill(torch.eye(len(graph), dtype=torch.bool, device=graph.device), 1.0)


def contrastive_graph_loss(logits, similarity, margin=1.0):
    r"""Pseudo-graph supervision, Eq. (7) of PSSC with the contrastive Siamese loss.

    .. math:: \frac{1}{2 N^2} \sum_{ij} S_{ij} d_{ij}^2 + (1 - S_{ij}) \max(0, m - d_{ij})^2,
              \qquad d_{ij} = \|f(z_i) - f(z_j)\|_2

    with the softmax outputs f. A mean over pairs, so that its weight does not depend on N.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_clusters)
    similarity : tensor of shape (n_samples, n_samples)
        In [0, 1], see :func:`similarity_graph`.
    margin : float, default=1.0

    Returns
    -------
    cost : 0-d tensor
    """
    f = logits.softmax(1)
    # Not by way of inner products, whose rounding errors are all that is left of predictions that are alike.
    distance = torch.cdist(f, f, compute_mode="donot_use_mm_for_euclid_dist")
    pull = similarity * distance.square()
    push = (1 - similarity) * (margin - distance).clamp_min(0).square()
    return (pull + push).mean() / 2


def pseudo_graph_loss(logits, coef, margin=1.0, signed=False):
    """:func:`contrastive_graph_loss` under the :func:`similarity_graph` of the coefficients, :math:`L_{graph}`.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_clusters)
    coef : tensor of shape (n_samples, n_samples)
    margin : float, default=1.0
        As in :func:`contrastive_graph_loss`.
    signed : bool, default=False
        As in :func:`similarity_graph`.

    Returns
    -------
    cost : 0-d tensor
    """
    return contrastive_graph_loss(logits, similarity_graph(coef, signed), margin)


def confident_cross_entropy(logits, threshold=0.8):
    r"""Pseudo-label supervision, Eqs (8) to (10) of PSSC: cross-entropy with the classifier's own confident labels.

    .. math:: \frac{1}{\sum_i V_i} \sum_i V_i \, \ell(f(z_i), \arg\max_k f_k(z_i)),
              \qquad V_i = [\max_k f_k(z_i) \ge t]

    A mean over the confident samples; 0 where there is none.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_clusters)
    threshold : float, default=0.8
        Least probability t of a label that supervises.

    Returns
    -------
    cost : 0-d tensor
    """
    probability, label = logits.detach().softmax(1).max(1)
    confident = (probability >= threshold).to(logits.dtype)
    cost = F.cross_entropy(logits, label, reduction="none")
    return (confident * cost).sum() / confident.sum().clamp_min(1)


def bounded_logistic_loss(logits, labels):
    r"""First term of Eq. (6) of S2ConvSCN as printed, as a sum over the samples.

    .. math:: \sum_j \ln(1 + e^{-\tilde y_j^T q_j}), \qquad \tilde y = \mathrm{softmax}(y)

    The paper calls it "effectively a cross-entropy". It falls with the probability of the label, but lies between
    ln(1 + 1/e) and ln 2 for each sample, and its gradient vanishes for samples that are wrong with confidence.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_clusters)
        y.
    labels : tensor of shape (n_samples,), int64
        The clusters, of which q are the one-hot rows.

    Returns
    -------
    cost : 0-d tensor
    """
    return F.softplus(-logits.softmax(1).gather(1, labels[:, None])).sum()


def classification_cost(logits, labels, loss="cross_entropy", gamma_center=0.0):
    r"""Cost of a classifier that a clustering supervises, :math:`L_4`, Eq. (6) of S2ConvSCN.

    .. math:: \frac{1}{N} \sum_j \ell(y_j, q_j) + \tau \|y_j - \mu_{\pi(y_j)}\|_2^2

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_clusters)
        y.
    labels : tensor of shape (n_samples,), int64
    loss : {"cross_entropy", "bounded_logistic"}, default="cross_entropy"
        :math:`\ell`.
    gamma_center : float, default=0.0
        :math:`\tau`; 0 leaves the centre loss out.

    Returns
    -------
    cost : 0-d tensor
        A mean over the samples.
    """
    if loss not in ("cross_entropy", "bounded_logistic"):
        raise ValueError(f"loss must be 'cross_entropy' or 'bounded_logistic'; got {loss!r}.")
    labelled = (
        bounded_logistic_loss(logits, labels)
        if loss == "bounded_logistic"
        else F.cross_entropy(logits, labels, reduction="sum")
    )
    centered = gamma_center * center_loss(logits, labels) if gamma_center else 0
    return (labelled + centered) / len(logits)


def center_loss(logits, labels):
    r"""Second term of Eq. (6) of S2ConvSCN, :math:`\sum_j \|y_j - \mu_{\pi(y_j)}\|_2^2`, a sum over the samples.

    The centres :math:`\mu` are the means of the clusters. That they move with y changes no gradient, since the
    differences in a cluster sum to 0.

    Parameters
    ----------
    logits : tensor of shape (n_samples, n_clusters)
        y.
    labels : tensor of shape (n_samples,), int64

    Returns
    -------
    cost : 0-d tensor
    """
    members = F.one_hot(labels, int(logits.shape[1])).to(logits.dtype)
    centers = (members.T @ logits) / members.sum(0).clamp_min(1)[:, None]
    return (logits - centers.detach()[labels]).square().sum()
