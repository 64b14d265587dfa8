"""Subspaces of the latent space by bases of their own: how near a code is to each, instead of a C of all pairs."""

import torch
from torch import nn

from .expression import eigenpairs, precise

# Shares of the largest eigenvalue below which a direction is not part of a subspace.
_RANK_TOL = 1e-7


class SubspaceBases(nn.Module):
    """A basis for each cluster, as a classifier: from codes to logits.

    Parameters
    ----------
    bases : tensor of shape (n_clusters, n_latent, dim)
    mean : tensor of shape (n_latent,) or None, default=None
        Subtracted from the codes.
    unit : bool, default=True
        Scale the codes to unit length.
    """

    def __init__(self, bases, mean=None, unit=True):
        super().__init__()
        self.n_clusters, _, self.dim = bases.shape
        self.unit = unit
        self.register_buffer("mean", mean)
        self._hold(bases)

    def _hold(self, bases):
        self.register_buffer("bases", bases)

    def normalize(self, z):
        """Codes as the subspaces see them."""
        z = z if self.mean is None else z - self.mean
        return z / z.norm(dim=1, keepdim=True).clamp_min(torch.finfo(z.dtype).tiny) if self.unit else z

    def projections(self, z):
        r"""Squared lengths :math:`\|z_i^T D_k\|^2` of normalised codes, shape (n_samples, n_clusters)."""
        flat = self.bases.permute(1, 0, 2).flatten(1)
        return (z @ flat).unflatten(1, (self.n_clusters, self.dim)).square().sum(2)


class NearestSubspace(SubspaceBases):
    """Orthonormal bases; the logit is the negative logarithm of the squared distance.

    Its softmax are the inverse squared distances, divided by their sum.
    """

    def forward(self, z):
        """Logits of the clusters, see the class.

        Parameters
        ----------
        z : tensor of shape (n_samples, n_latent)

        Returns
        -------
        logits : tensor of shape (n_samples, n_clusters)
        """
        z = self.normalize(z)
        squares = z.square().sum(1, keepdim=True)
        distances = squares - self.projections(z)
        return -distances.clamp_min(1e-6 * squares.detach().clamp_min(torch.finfo(z.dtype).tiny)).log()


class SubspaceAffinity(SubspaceBases):
    r"""Bases that are learnt; the softmax of the logits is EDESC's soft assignment.

    .. math:: s_{ik} = \frac{\|z_i^T D_k\|^2 + \eta d}{\sum_j (\|z_i^T D_j\|^2 + \eta d)}

    Parameters
    ----------
    bases : tensor of shape (n_clusters, n_latent, dim)
    mean : tensor of shape (n_latent,) or None, default=None
    unit : bool, default=True
    smoothing : float, default=5.0
        :math:`\eta`.
    """

    def __init__(self, bases, mean=None, unit=True, smoothing=5.0):
        super().__init__(bases, mean, unit)
        self.smoothing = smoothing

    def _hold(self, bases):
        self.bases = nn.Parameter(bases)

    def forward(self, z):
        """Logits of the clusters, see the class.

        Parameters
        ----------
        z : tensor of shape (n_samples, n_latent)

        Returns
        -------
        logits : tensor of shape (n_samples, n_clusters)
        """
        shifted = self.projections(self.normalize(z)) + self.smoothing * self.dim
        return shifted.clamp_min(torch.finfo(z.dtype).tiny).log()


def scatter_by_label(blocks, n_clusters):
    """Sums of outer products of the rows of each cluster.

    Parameters
    ----------
    blocks : iterable of (tensor of shape (n_rows, n_latent), tensor of shape (n_rows,))
        Rows and labels; rows of negative ones, noise, are in no cluster.
    n_clusters : int

    Returns
    -------
    scatter : tensor of shape (n_clusters, n_latent, n_latent), float64 where the device has it
    """
    scatter = None
    for rows, labels in blocks:
        rows = precise(rows)
        if scatter is None:
            scatter = rows.new_zeros(n_clusters, rows.shape[1], rows.shape[1])
        for label in labels[labels >= 0].unique():
            own = rows[labels == label]
            scatter[label].addmm_(own.T, own)
    return scatter


def principal_bases(scatter, dim):
    """The best orthonormal basis of each cluster, the leading eigenvectors of its scatter.

    Parameters
    ----------
    scatter : tensor of shape (n_clusters, n_latent, n_latent)
    dim : int
        At most n_latent.

    Returns
    -------
    bases : tensor of shape (n_clusters, n_latent, dim), float32
        Columns beyond the rank of a cluster's rows are 0.
    """
    values, vectors = eigenpairs(scatter)
    values, vectors = values[:, -dim:], vectors[:, :, -dim:]
    is_spanned = values > _RANK_TOL * values[:, -1:].clamp_min(torch.finfo(values.dtype).tiny)
    return (vectors * is_spanned[:, None]).float()
