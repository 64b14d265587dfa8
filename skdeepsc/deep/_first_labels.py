"""Clusters of codes as they are: first labels, for a classifier to start from, and graphs of the codes."""

import math
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from torch.nn import functional as F

from .._arrays import naming
from .._compat import HasMethods, StrOptions
from .._dimension import N_COEFS, SUBSPACE_DIMS
from .._labels import as_labels, numbered
from .._params import Count, estimator
from .._random import draw_rows
from .._ridge import penalties_by_dim
from .._row_keys import distinct_rows, first_copies
from .._scale import restored
from .._warn import muted
from ..affinity import affinity_from_top
from ..features import AutoEncoder
from ..features._base import TakesBatches
from ..nn import ExpressionHead, RidgeExpression, RidgePath
from ..segmentation import DegenerateAffinityWarning, spectral_labels
from ..training import Phase, epochs_of
from ..training.checkpoints import recall
from ..training.construction import Construction

# Steps in which the classifier learns the first labels, the fewest and the most epochs, and samples of a step; of very
# many samples, the most steps.
_STEPS, _EPOCHS, _BATCH, _MOST_STEPS = 300, (10, 100), 250, 3000


@estimator
class StartsFromLabels(TakesBatches):
    """A clusterer of batches that starts from labels of some samples.

    Parameters
    ----------
    init : {"auto", "none", "spectral", "head"} or clusterer
        First labels, of `init_size` samples. ``"spectral"``: spectral clustering of the five
        largest positive coefficients of each row. ``"head"``: the same of what a head makes of the codes, which has
        learnt from its own graph and random views, that of :class:`~skdeepsc.PSSC`. A clusterer is cloned and its
        `fit_predict` gets the rows, or the images if its tags say that it takes three-dimensional arrays:
        :class:`~skdeepsc.SubspaceClustering` finds better labels. A fitted one, frozen by scikit-learn's
        `FrozenEstimator`, is asked to `predict`.
    init_size : int
        The most samples of which first labels are found, drawn at random. ``"spectral"`` holds no matrix of their
        pairs, so that they may be more than a batch.
    """

    init: Annotated[
        Any, StrOptions({"auto", "none", "spectral", "head"}), HasMethods("fit_predict"), FrozenEstimator
    ] = "auto"
    init_size: Count = 5000

    def _check_parts(self):
        super()._check_parts()
        if isinstance(self.init, FrozenEstimator) and not hasattr(self.init, "predict"):
            name = type(self.init.estimator).__name__
            raise ValueError(f"init is a frozen {name}, which has no predict: give it as it is, to be fitted.")

    def _starts_from(self, way):
        """Whether first labels are those of a way that has a name."""
        init = self._resolved("init")
        return isinstance(init, str) and init == way

    def _first_labels(self, samples, dim):
        """Labels of the first samples, by `init`."""
        return self._agreed(partial(self._find_first_labels, samples, dim))

    def _labels_by_head(self, samples, rows, dim):
        """Labels of all samples by a head that learns on the codes of some rows, this head, and its dimension."""
        found = self._agreed(partial(self._find_labels_by_head, samples, rows, dim))
        with Construction():
            return found["labels"], ExpressionHead.of_state(found["head"]), found["dim"]

    def _agreed(self, compute):
        """First labels that are the same for all processes, and after an interruption."""
        found, group = recall("first labels", compute), self._group()
        return found if group is None else group.agree(found)

    def _find_first_labels(self, samples, dim):
        init, seed = self._resolved("init"), self._seeds["init"]
        if self._starts_from("spectral"):
            return labels_by_codes(self._first_codes(samples), self.n_clusters, dim, seed)
        rows = self._first(samples)
        if len(rows) == 1:
            return np.zeros(1, dtype=np.int64)
        if self._starts_from("head"):
            return self._head_on_codes(rows, "auto").labels_
        return labels_by_clusterer(init, restored(rows, self._exponent), self.n_clusters, seed)

    def _find_labels_by_head(self, samples, rows, dim):
        clusterer = self._head_on_codes(rows, dim)
        state = {name: part.cpu() for name, part in clusterer.network_.features.state_dict().items()}
        return {"labels": clusterer._label(samples), "head": state, "dim": clusterer.subspace_dim_}

    def _head_on_codes(self, rows, dim):
        """A clusterer that has learnt a head on the codes of some samples as they are."""
        from ._pssc import PSSC  # Which learns first labels, too.

        scale = self.network_.input_scale.item()
        codes = _Codes(network=self.network_, input_scale=scale, max_epochs=0, image_shape=self.image_shape_)
        clusterer = PSSC(self.n_clusters, autoencoder=codes, subsample=None, subspace_dim=dim, device=self.device_)
        return clusterer.set_params(random_state=self._seeds["init"]).fit(rows)

    def _first_codes(self, samples):
        return torch.from_numpy(self._encode(self._first(samples))).to(self.device_)

    def _first(self, samples):
        """Those that may get the first labels, no two of them equal."""
        rows = samples[draw_rows(len(samples), min(self.init_size, len(samples)), self._seeds["init"])]
        return rows[distinct_rows(first_copies(rows), self.n_clusters)]

    def _batch_rows(self, n_samples):
        """Samples in a batch, such that of a few batches the last one is hardly smaller than the others."""
        return n_samples if self.batch_size == "all" else math.ceil(n_samples / math.ceil(n_samples / self.batch_size))

    def _draw_rows(self, samples):
        n_samples = len(samples)
        sizes = f"n_samples = {n_samples}, batch_size={self.batch_size}, init_size={self.init_size}"
        self._check_n_clusters(min(n_samples, self._batch_rows(n_samples), self.init_size), sizes)


class _Codes(AutoEncoder):
    """The network of a fit as it is; if it is a user's, that fit has torch's generators already."""

    def _runs_foreign_code(self):
        return False


def learning_phase(n_samples, lr):
    """The phase in which the classifier learns the labels of `n_samples` samples."""
    batch_size = min(_BATCH, n_samples)
    epochs = int(np.clip(epochs_of(_STEPS, n_samples, batch_size), *_EPOCHS))
    epochs = min(epochs, epochs_of(_MOST_STEPS, n_samples, batch_size))
    return Phase("init", label_costs, epochs, lr, parts=("classifier",), batch_size=batch_size)


def label_costs(out):
    """Cross-entropy with the first labels, a sum over the samples."""
    return {"label": F.cross_entropy(out.logits, out.segments, reduction="sum")}


def labels_by_clusterer(clusterer, samples, n_clusters, seed):
    """Labels of a clone of a clusterer; it gets images if its tags say that it takes arrays of three dimensions.

    Parameters
    ----------
    clusterer : estimator with `fit_predict`, or a frozen one with `predict`
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
    with naming("init"):
        clusterer = clone(clusterer)
    if clusterer.get_params().get("random_state", 0) is None:
        clusterer.set_params(random_state=seed)
    takes_images = get_tags(clusterer).input_tags.three_d_array
    samples = samples if takes_images else samples.reshape(len(samples), -1)
    found = clusterer.fit_predict(samples) if hasattr(clusterer, "fit_predict") else _predicted(clusterer, samples)
    labels = numbered(as_labels("labels of init", found, len(samples)))
    if labels.max() >= n_clusters:
        raise ValueError(f"init found {labels.max() + 1} clusters, more than n_clusters={n_clusters}.")
    return labels


def _predicted(frozen, samples):
    """Labels by a frozen clusterer; some of scikit-learn's take the precision alone that they were fitted on."""
    try:
        return frozen.predict(samples)
    except ValueError as error:
        if "dtype" not in str(error):
            raise
        return frozen.predict(samples.astype(np.float32 if samples.dtype == np.float64 else np.float64))


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
    with torch.no_grad(), muted(DegenerateAffinityWarning):
        return spectral_labels(affinity, n_clusters, assign_labels="best", random_state=seed)
