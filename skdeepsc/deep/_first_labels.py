"""Clusters of codes as they are: first labels, for a classifier to start from, and how well codes cluster."""

import warnings
from typing import Annotated, Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.metrics import silhouette_score
from sklearn.utils import get_tags
from torch.nn import functional as F

from .._compat import HasMethods, StrOptions
from .._dimension import N_COEFS, SUBSPACE_DIMS, best_graph
from .._params import Count, Estimator, estimator
from .._random import draw_rows
from .._ridge import penalties_by_dim
from ..affinity import affinity_from_top
from ..nn import RidgeExpression, RidgePath, precise
from ..segmentation import DegenerateAffinityWarning, spectral_labels
from ..training import Phase, epochs_of
from ..training.batches import rows_for

# Steps in which the classifier learns the first labels, the fewest and the most epochs, and samples of a step.
_STEPS, _EPOCHS, _BATCH = 300, (10, 100), 250


@estimator
class StartsFromLabels(Estimator):
    """A clusterer whose classifier first learns labels of some samples.

    Parameters
    ----------
    init : {"auto", "none", "spectral"} or clusterer
        Labels of `init_size` samples that the classifier learns first. ``"spectral"``: spectral clustering of the five
        largest positive coefficients of each row. A clusterer is cloned and its `fit_predict` gets the rows, or the
        images if its tags say that it takes three-dimensional arrays: :class:`~skdeepsc.SubspaceClustering` finds
        better labels.
    init_size : int
        The most samples of which first labels are found, drawn at random. ``"spectral"`` holds no matrix of their
        pairs, so that they may be more than a batch.
    """

    init: Annotated[Any, StrOptions({"auto", "none", "spectral"}), HasMethods("fit_predict")] = "auto"
    init_size: Count = 5000

    def _initialize(self, samples, progress):
        """Let the classifier learn first labels of some samples."""
        init, seed, group = self._resolved("init"), self._seeds["init"], self._group()
        if progress.stopped or (isinstance(init, str) and init == "none"):
            return
        samples = self._first(samples)
        if isinstance(init, str):
            z = torch.from_numpy(self._encode(samples)).to(self.device_)
            labels = labels_by_codes(z, self.n_clusters, self.subspace_dim_, seed)
        else:
            labels = labels_by_clusterer(init, samples, self.n_clusters, seed)
        labels = labels if group is None else group.agree(labels)
        self.network_.segments = torch.from_numpy(labels).to(self.device_)
        self._run(learning_phase(len(samples), self.lr), rows_for(samples, self.device_), progress)
        self.network_.segments = None

    def _dimension(self, samples):
        """The expected dimension of a subspace, by the codes of those that may get the first labels."""
        if self.subspace_dim != "auto":
            return self.subspace_dim
        z = torch.from_numpy(self._encode(self._first(samples))).to(self.device_)
        dim, _ = best_graph(graphs_by_dim(z, self.n_clusters), self.n_clusters, self._seeds["init"])
        return dim if self._group() is None else self._group().agree(dim)

    def _first(self, samples):
        """Those that may get the first labels."""
        return samples[draw_rows(len(samples), min(self.init_size, len(samples)), self._seeds["init"])]


def learning_phase(n_samples, lr):
    """The phase in which the classifier learns the labels of `n_samples` samples."""
    batch_size = min(_BATCH, n_samples)
    epochs = int(np.clip(epochs_of(_STEPS, n_samples, batch_size), *_EPOCHS))
    return Phase("init", label_costs, epochs, lr, parts=("classifier",), batch_size=batch_size)


def label_costs(out):
    """Cross-entropy with the first labels, a sum over the samples."""
    return {"label": F.cross_entropy(out.logits, out.segments, reduction="sum")}


def labels_by_clusterer(clusterer, samples, n_clusters, seed):
    """Labels of a clone of a clusterer; it gets images if its tags say that it takes arrays of three dimensions.

    Parameters
    ----------
    clusterer : estimator with `fit_predict`
        Its random state is set if it is open.
    samples : ndarray of shape (n_samples, ...)
    n_clusters : int
        The most clusters that it may find.
    seed : int

    Returns
    -------
    labels : ndarray of shape (n_samples,), int64
        Consecutive from 0.
    """
    clusterer = clone(clusterer)
    if clusterer.get_params().get("random_state", 0) is None:
        clusterer.set_params(random_state=seed)
    takes_images = get_tags(clusterer).input_tags.three_d_array
    found = clusterer.fit_predict(samples if takes_images else samples.reshape(len(samples), -1))
    labels = np.unique(found, return_inverse=True)[1].astype(np.int64)
    if labels.max() >= n_clusters:
        raise ValueError(f"init found {labels.max() + 1} clusters, more than n_clusters={n_clusters}.")
    return labels


def graphs_by_dim(z, n_clusters, dims=SUBSPACE_DIMS):
    """Graphs of the largest ridge coefficients of each row, on centred features of unit length.

    Parameters
    ----------
    z : tensor of shape (n_samples, n_latent)
    n_clusters : int
    dims : sequence of float
        Expected dimensions of a subspace, ascending.

    Returns
    -------
    graphs : dict of float to csr_array of shape (n_samples, n_samples)
        By dimension; those that the features do not have are left out.
    """
    path = RidgePath(RidgeExpression().normalize(z)[0])
    lams = penalties_by_dim(path.penalty, dims, n_clusters, len(z))
    return {dim: affinity_from_top(*path.top_coefficients(lam, min(N_COEFS, len(z) - 1))) for dim, lam in lams.items()}


def labels_by_codes(z, n_clusters, subspace_dim, seed):
    """Spectral clustering of one of the :func:`graphs_by_dim`.

    Parameters
    ----------
    z : tensor of shape (n_samples, n_latent)
    n_clusters : int
    subspace_dim : float
    seed : int

    Returns
    -------
    labels : ndarray of shape (n_samples,), int64
        Consecutive from 0.
    """
    (affinity,) = graphs_by_dim(z, n_clusters, [subspace_dim]).values()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateAffinityWarning)
        return spectral_labels(affinity, n_clusters, assign_labels="best", random_state=seed)


def silhouette(z, degrees_of_freedom, segment):
    """Mean silhouette coefficient of features in the clusters that their ridge self-expression makes.

    Parameters
    ----------
    z : tensor of shape (n_samples, n_latent)
    degrees_of_freedom : float
        Of the ridge, see :class:`~skdeepsc.nn.RidgeExpression`.
    segment : callable
        Labels from the coefficients, both arrays.

    Returns
    -------
    score : float
        Between -1 and 1; -1 where there are not two clusters or more.
    """
    expression = RidgeExpression(None, degrees_of_freedom)
    with torch.no_grad():
        coef = expression(precise(z)).float().cpu().numpy()
        features = expression.normalize(z)[0].cpu().numpy()
    labels = segment(coef)
    if not 1 < len(np.unique(labels)) < len(labels):
        return -1.0
    return float(silhouette_score(features, labels))
