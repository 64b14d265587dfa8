"""Costs that compare samples with their augmented views: structural contrastive learning (DSCSC)."""

import torch
from torch.nn import functional as F


def structural_contrastive_loss(h, h_view, neighbors=None, temperature=0.1):
    r"""Structural contrastive loss of DSCSC, Eq. (8), as a sum over the samples.

    .. math:: -\sum_i \Big[\log P(i | \hat x_i) + \sum_{j \ne i,\, j \notin N(i, k)} \log(1 - P(i | x_j))\Big]

    with the probabilities that a view or a sample is taken for sample i, Eqs (4) and (5),

    .. math:: P(i | \hat x_i) = \frac{\exp(s(h_i, \hat h_i) / \rho)}{\sum_k \exp(s(h_k, \hat h_i) / \rho)}, \qquad
              P(i | x_j) = \frac{\exp(s(h_i, h_j) / \rho)}{\sum_k \exp(s(h_k, h_j) / \rho)}

    and the cosine s. The sum over k includes j itself, whose cosine is the largest there is, so that
    :math:`P(i | x_j) \le 1/2` and no logarithm can overflow. Without `neighbors` this is the instance-wise Eq. (7).

    Parameters
    ----------
    h, h_view : tensors of shape (n_samples, n_projected)
        Projected samples and their projected views.
    neighbors : tensor of shape (n_samples, k), int64, or None, default=None
        N(i, k): samples that are no negatives of sample i, see :func:`nearest_samples`.
    temperature : float, default=0.1
        :math:`\rho`.

    Returns
    -------
    cost : 0-d tensor
    """
    h, h_view = F.normalize(h), F.normalize(h_view)
    own = torch.arange(len(h), device=h.device)
    attraction = F.cross_entropy(h_view @ h.T / temperature, own, reduction="sum")
    taken_for = (h @ h.T / temperature).softmax(1)  # Row j: P(i | x_j) for all i.
    no_negative = torch.eye(len(h), dtype=torch.bool, device=h.device)
    if neighbors is not None:
        no_negative[neighbors, own[:, None]] = True
    return attraction - torch.log1p(-taken_for.masked_fill(no_negative, 0)).sum()


def nearest_samples(z, n_neighbors):
    """The nearest other samples of each sample, by Euclidean distance; not differentiated.

    Parameters
    ----------
    z : tensor of shape (n_samples, n_latent)
    n_neighbors : int
        How many; all others if there are fewer.

    Returns
    -------
    neighbors : tensor of shape (n_samples, n_neighbors), int64
    """
    z = z.detach()
    z = z - z.mean(0)  # Far from the origin, products of samples hide what is between them.
    distance = torch.cdist(z, z).fill_diagonal_(torch.inf)
    return distance.topk(min(n_neighbors, len(z) - 1), largest=False).indices


def edge_contrastive_loss(h, h_neighbor, linked, temperature=0.2):
    r"""Contrast along the edges of a graph (InfoNCE), a mean over the edges.

    .. math:: -\frac{1}{2n} \sum_i \log \frac{\exp(h_i^T g_i / \rho)}{\sum_{j \in N_i} \exp(h_i^T g_j / \rho)}
              + \log \frac{\exp(h_i^T g_i / \rho)}{\sum_{j \in M_i} \exp(h_j^T g_i / \rho)}

    where an edge leads from sample i to the sample whose features are :math:`g_i`. :math:`N_i` holds i and all j to
    whose :math:`g_j` sample i is not linked, :math:`M_i` holds i and all j that are not linked to :math:`g_i`.

    Parameters
    ----------
    h, h_neighbor : tensors of shape (n_edges, n_features)
        Unit rows: samples, and what they are linked to.
    linked : tensor of shape (n_edges, n_edges), bool
        Whether sample i is linked to, or is, the sample behind the row j of `h_neighbor`: no negatives. The diagonal
        does not count.
    temperature : float, default=0.2
        :math:`\rho`.

    Returns
    -------
    cost : 0-d tensor

    References
    ----------
    A. van den Oord, Y. Li, O. Vinyals, "Representation learning with contrastive predictive coding", 2018,
    arXiv:1807.03748.
    """
    own = torch.arange(len(h), device=h.device)
    linked = linked & (own[:, None] != own)
    cosine = (h @ h_neighbor.T / temperature).masked_fill(linked, -torch.inf)
    return (F.cross_entropy(cosine, own) + F.cross_entropy(cosine.T, own)) / 2
