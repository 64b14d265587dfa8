"""The affinity matrix, ordered by clusters."""

import numpy as np
from scipy import sparse

from .._arrays import as_numbers
from .._labels import as_labels
from .._params import Count, checked
from ..metrics import fitted_having
from ._axes import axes_or_new
from ._style import PLAIN

# Clusters up to which each is named; of more, some are.
_NAMED = 20


class AffinityDisplay:
    """The affinity matrix as an image, samples ordered by cluster: block-diagonal where the clustering is clear.

    Within a cluster, samples come by their mean affinity to it, the largest first; at the side are its number and its
    size. The diagonal is left out.

    Parameters
    ----------
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
    labels : array-like of shape (n_samples,)
        Clusters, by which rows and columns are ordered.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    image_ : matplotlib AxesImage
    """

    def __init__(self, affinity, labels):
        self.affinity = affinity
        self.labels = labels

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, max_size=300, **imshow_params):
        """Draw the affinity of a fitted clusterer.

        Parameters
        ----------
        estimator : fitted clusterer with `affinity_matrix_` and `labels_`
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        max_size : int, default=300
            Rows and columns of the image; of more samples, neighbours in the order are drawn as their mean.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : AffinityDisplay
        """
        advice = "give a clusterer of a graph, such as DSCNet."
        estimator = fitted_having("affinity_matrix_", "AffinityDisplay draws an affinity", estimator, advice)
        rows = getattr(estimator, "sample_indices_", slice(None))
        display = cls(estimator.affinity_matrix_, estimator.labels_[rows])
        return display.plot(ax=ax, max_size=max_size, **imshow_params)

    @checked
    def plot(self, *, ax=None, max_size: Count = 300, **imshow_params):
        """Draw.

        Affinities span decades, so that by default the colours end at the 95th percentile of those above 0.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        max_size : int, default=300
            Rows and columns of the image; of more samples, neighbours in the order are drawn as their mean.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : AffinityDisplay
        """
        affinity = as_numbers("affinity", self.affinity, accept_sparse="csr", dtype=np.float64)
        if affinity.shape[0] != affinity.shape[1]:
            raise ValueError(f"affinity must be a square matrix; got shape {affinity.shape}.")
        labels = as_labels("labels", self.labels, affinity.shape[0])
        order = np.lexsort((-_to_own(affinity, labels), labels))
        labels = labels[order]
        block = _pooled(affinity, order, min(max_size, len(order)))
        shown = block[block > 0]

        self.ax_ = axes_or_new(ax, figsize=(5, 4.4))
        self.figure_ = self.ax_.figure
        self.image_ = self.ax_.imshow(
            block,
            extent=(-0.5, len(order) - 0.5, len(order) - 0.5, -0.5),
            **{
                "cmap": "magma",
                "vmin": 0,
                "vmax": np.percentile(shown, 95) if len(shown) else 1,
                "interpolation": "nearest",
                **imshow_params,
            },
        )
        borders = np.flatnonzero(labels[1:] != labels[:-1]) + 0.5
        middles = (np.concatenate([[-0.5], borders]) + np.concatenate([borders, [len(labels) - 0.5]])) / 2
        names, sizes = np.unique(labels, return_counts=True)
        shown = _apart(middles, 0.99 * len(labels) / _NAMED)
        said = ["noise" if names.dtype.kind in "iu" and name == -1 else str(name) for name in names]
        with_sizes = [f"{name}  ({size:,})" for name, size in zip(said, sizes, strict=True)]
        is_upright = len(shown) > _NAMED // 2 or max(map(len, said)) > 3
        self.ax_.set_yticks(middles[shown], labels=[with_sizes[k] for k in shown], **PLAIN)
        self.ax_.set_xticks(middles[shown], labels=[said[k] for k in shown], rotation=90 if is_upright else 0, **PLAIN)
        if len(names) > 10:
            self.ax_.tick_params(labelsize="x-small")
        self.ax_.set(xlabel="samples by cluster", ylabel="cluster (samples)", title="Affinity")
        self.figure_.colorbar(self.image_, ax=self.ax_, label="affinity", extend="max")
        return self


def _apart(places, least):
    """Numbers of places, in order, that are no nearer to the one before than they may be."""
    shown = []
    for number, place in enumerate(places.tolist()):
        if not shown or place - places[shown[-1]] >= least:
            shown.append(number)
    return shown


def _to_own(affinity, labels):
    """The sum of the affinities of each sample to the others of its cluster."""
    names, which = np.unique(labels, return_inverse=True)
    members = sparse.csr_array((np.ones(len(which)), (np.arange(len(which)), which)), shape=(len(which), len(names)))
    sums = affinity @ members
    sums = sums.toarray() if sparse.issparse(sums) else sums
    return sums[np.arange(len(which)), which] - affinity.diagonal()


def _pooled(affinity, order, size):
    """The ordered affinity without its diagonal as a `size` x `size` matrix of means."""
    n_samples = len(order)
    bins = np.arange(n_samples) * size // n_samples
    pooling = sparse.csr_array((np.ones(n_samples), (bins, order)), shape=(size, n_samples))
    diagonal = affinity.diagonal()[order]
    total = pooling @ affinity @ pooling.T
    total = total.toarray() if sparse.issparse(total) else total
    counts = np.bincount(bins)
    pairs = np.outer(counts, counts) - np.diag(counts)
    return (total - np.diag(np.bincount(bins, weights=diagonal))) / np.maximum(pairs, 1)
