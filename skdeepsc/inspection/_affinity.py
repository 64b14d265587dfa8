"""The affinity matrix, ordered by clusters."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from ._axes import axes_or_new


class AffinityDisplay:
    """The affinity matrix as an image, samples ordered by cluster: block-diagonal where the clustering is clear.

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
    def from_estimator(cls, estimator, *, ax=None, max_samples=1000, **imshow_params):
        """Draw the affinity of a fitted clusterer.

        Parameters
        ----------
        estimator : fitted clusterer with `affinity_matrix_` and `labels_`
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        max_samples : int, default=1000
            Above it, evenly spaced samples of the ordered matrix are drawn.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : AffinityDisplay
        """
        check_is_fitted(estimator)
        rows = getattr(estimator, "sample_indices_", slice(None))
        display = cls(estimator.affinity_matrix_, estimator.labels_[rows])
        return display.plot(ax=ax, max_samples=max_samples, **imshow_params)

    def plot(self, *, ax=None, max_samples=1000, **imshow_params):
        """Draw; see :meth:`from_estimator`.

        Affinities span decades, so that by default the colours end at their 99th percentile within clusters.
        """
        labels = np.asarray(self.labels)
        order = np.argsort(labels, kind="stable")
        order = order[np.linspace(0, len(order) - 1, min(len(order), max_samples)).astype(int)]
        block = self.affinity[np.ix_(order, order)]
        block = block.toarray() if sparse.issparse(block) else np.array(block)
        np.fill_diagonal(block, 0)
        labels = labels[order]
        inside = block[labels[:, None] == labels]
        limit = np.percentile(inside[inside > 0], 99) if (inside > 0).any() else 1

        self.ax_ = axes_or_new(ax, figsize=(5, 4.4))
        self.figure_ = self.ax_.figure
        self.image_ = self.ax_.imshow(
            block, **{"cmap": "magma", "vmin": 0, "vmax": limit, "interpolation": "nearest", **imshow_params}
        )
        borders = np.flatnonzero(np.diff(labels)) + 0.5
        middles = (np.concatenate([[-0.5], borders]) + np.concatenate([borders, [len(labels) - 0.5]])) / 2
        few = len(middles) <= 20
        self.ax_.set_xticks(middles if few else [], labels=np.unique(labels) if few else [])
        self.ax_.set_yticks(middles if few else [], labels=np.unique(labels) if few else [])
        self.ax_.set(xlabel="samples by cluster", ylabel="samples by cluster", title="Affinity")
        self.figure_.colorbar(self.image_, ax=self.ax_, label="affinity", extend="max")
        return self
