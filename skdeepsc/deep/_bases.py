"""Clusters as subspaces with a basis each: what k-SCN and EDESC share. Nothing grows with pairs of samples."""

from functools import partial
from typing import Annotated, Any, Literal

import torch
from sklearn.frozen import FrozenEstimator

from .._compat import HasMethods, StrOptions
from .._dimension import best_graph, best_labelling
from .._params import Count, NonNegative, estimator
from .._random import seeded
from ..features import AutoEncoder
from ..losses import squared_error
from ..nn import NearestSubspace, principal_bases, scatter_by_label
from ..training import Phase
from ..training.batches import rows_for
from ..training.callbacks import CountClusters
from ._base import HasAutoEncoder
from ._classifier import LabelsByClassifier
from ._first_labels import StartsFromLabels, graphs_by_dim

# The dimensions that are tried, and the most passes of k-subspaces.
_DIMS, _PASSES = (2, 4, 8, 16), 50
_ADVICE = "Choose a smaller max_epochs or gamma_subspace; 'clusters' in history_ tells when it happened."


@estimator
class HasBases(LabelsByClassifier, StartsFromLabels, HasAutoEncoder):
    r"""A clusterer whose clusters are subspaces of the latent space, each with a basis.

    Parameters
    ----------
    gamma_subspace : float
        Weight of the term that draws codes to the subspaces. 0 leaves them to the reconstruction.
    subspace_dim : int or "auto"
        Vectors d of each basis, at most as many as a code has values. ``"auto"``: of 2, 4, 8 and 16 the one whose
        clusters, on the pre-trained codes of the first samples, have the most edge information
        (:func:`~skdeepsc.segmentation.edge_information`), which needs no labels.
    latent_normalization : {"none", "unit", "centered"}
        What is done to the codes before they are compared with the bases: nothing, as in the paper, where the network
        can shrink them to lower the cost; scaling to unit length; that, after the mean of the first codes has been
        subtracted.
    init : {"auto", "spectral", "head"} or clusterer
        First labels, of the samples of `init_size`, as :class:`~skdeepsc.NCSC` finds them; ``"auto"`` is
        ``"spectral"``.
    batch_size
        Batches of a fit are of equal size, but for the last one, which may be smaller.

    Attributes
    ----------
    subspace_dim_ : int
        The dimension in use.
    bases_ : ndarray of shape (n_clusters, n_latent, dimension), float32
        Bases D or U, in the order of the network's clusters.
    """

    gamma_subspace: NonNegative = 1.0
    subspace_dim: Count | Literal["auto"] = "auto"
    latent_normalization: Literal["none", "unit", "centered"] = "unit"
    batch_size: Count | Literal["all"] = 250
    init: Annotated[Any, StrOptions({"auto", "spectral", "head"}), HasMethods("fit_predict"), FrozenEstimator] = "auto"

    _drawing = ("pretrain", "train", "init")

    def _default_autoencoder(self):
        return AutoEncoder(channels=(10, 20, 30))

    def _resolved(self, name):
        value = getattr(self, name)
        return "spectral" if isinstance(value, str) and value == "auto" else value

    # First bases

    def _build(self, samples):
        """Give the pre-trained network the subspaces of the first labels."""
        z, group = self._first_codes(samples), self._group()
        self._n_latent = z.shape[1]
        graphs = graphs_by_dim(z, self.n_clusters)
        dim, *_ = best_graph(graphs, self.n_clusters, self._seeds["init"])
        first = torch.from_numpy(self._first_labels(samples, dim)).to(self.device_)
        self.subspace_dim_ = self._dimension(z, first, graphs)
        self.subspace_dim_ = self.subspace_dim_ if group is None else group.agree(self.subspace_dim_)
        self.network_.classifier = self._subspaces(self._fitted(z, first, self.subspace_dim_)).to(self.device_)

    def _dimension(self, z, first, graphs):
        """The dimension whose clusters have the most edge information."""
        if self.subspace_dim != "auto":
            if self.subspace_dim > self._n_latent:
                raise ValueError(
                    f"subspace_dim={self.subspace_dim} is more than the {self._n_latent} values of a code: choose "
                    "fewer, or an auto-encoder with longer codes."
                )
            return self.subspace_dim
        dims = [dim for dim in _DIMS if dim < self._n_latent] or [self._n_latent]
        ways = {dim: partial(self._labels_in, z, first, dim) for dim in dims}
        return best_labelling(graphs, ways, self.n_clusters)

    def _labels_in(self, z, first, dim):
        return self._fitted(z, first, dim)(z).argmax(1).cpu().numpy()

    @torch.no_grad()
    def _fitted(self, z, labels, dim):
        """Subspaces of codes with first labels, after passes of k-subspaces."""
        subspaces = self._nearest(z, labels, dim)
        for _ in range(_PASSES):
            former, labels = labels, subspaces(z).argmax(1)
            if torch.equal(former, labels):
                break
            refit(subspaces, [z])
        return subspaces

    def _nearest(self, z, labels, dim):
        mean = z.mean(0) if self.latent_normalization == "centered" else None
        subspaces = NearestSubspace(z.new_zeros(self.n_clusters, z.shape[1], dim), mean, self._is_unit())
        scatter = scatter_by_label([(subspaces.normalize(z), labels)], self.n_clusters)
        subspaces.bases = principal_bases(scatter, dim).to(z)
        return subspaces.to(z.device)

    def _is_unit(self):
        return self.latent_normalization != "none"

    def _subspaces(self, nearest):
        """The network's part, of the first subspaces."""
        return nearest

    # The objective

    def _costs(self, out):
        costs = {"reconstruction": squared_error(out.x, out.x_auto)}
        if self.gamma_subspace:
            costs["subspace"] = self._subspace_cost(out)
        return costs

    def _subspace_cost(self, out):
        """What draws codes to subspaces, a sum over the samples."""
        raise NotImplementedError

    # The algorithm

    def _phase(self, rows):
        watched = (CountClusters(self.n_clusters, _ADVICE, partial(self._end_epoch, rows)),)
        batch_size = self._batch_rows(len(rows))
        epochs = self._n_epochs(len(rows), batch_size)
        return Phase("joint", self._costs, epochs, self.lr, batch_size=batch_size, callbacks=watched)

    def _n_epochs(self, n_samples, batch_size):
        return self.max_epochs

    def _end_epoch(self, rows):
        """What follows an epoch."""

    def _n_tasks(self):
        return 3

    def _represent(self, samples, progress):
        self.network_, self.history_ = self._pretrain(samples, progress)
        self.n_iter_ = 0
        rows = rows_for(samples, self.device_)
        with seeded(self._seeds["train"], self.device_, shared=self._runs_foreign_code()):
            self._build(samples)
            self._end_epoch(rows)
            self._run(self._phase(rows), rows, progress)
        self.bases_ = self.network_.classifier.bases.detach().cpu().numpy()


@torch.no_grad()
def refit(subspaces, blocks):
    """Make each basis the best of the codes that are nearest to it; one that no code is near to stays as it is.

    Parameters
    ----------
    subspaces : NearestSubspace
        Changed in place.
    blocks : iterable of tensor of shape (n_rows, n_latent)
        Codes.
    """
    labelled = ((subspaces.normalize(z), subspaces(z).argmax(1)) for z in blocks)
    scatter = scatter_by_label(labelled, subspaces.n_clusters)
    bases = principal_bases(scatter, subspaces.dim).to(subspaces.bases)
    is_empty = scatter.diagonal(dim1=1, dim2=2).sum(1) == 0
    subspaces.bases.copy_(torch.where(is_empty[:, None, None], subspaces.bases, bases))
