"""Images by cluster."""

from typing import Any

import numpy as np

from .._labels import as_labels
from .._params import Count, CountOrZero, RandomState, checked
from .._random import generator_of
from ..metrics import fitted_having
from ._pictures import as_pictures
from ._sheet import N_CLUSTERS, draw_clusters, images_or_those_of
from ._standing import as_seen


class ClusterImagesDisplay:
    """Some images of every cluster, drawn at random, one cluster a row with its size.

    :class:`ContactSheetDisplay` shows the typical and the doubtful ones instead.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width) or (n_samples, channels, height, width), or sequence
        Grey images, or 3 channels of colour; or paths, or images of several sizes. Only those that are drawn are read
        and converted.
    labels : array-like of shape (n_samples,)
        Clusters.

    Attributes
    ----------
    n_pages_ : int
        Pages of 20 clusters.
    shown_ : list of ndarray
        Numbers of the samples that are on the page, for each of its clusters.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, images, labels):
        self.images = images
        self.labels = labels

    @classmethod
    def from_estimator(
        cls, estimator, X, *, images=None, n_images=12, page=0, ax=None, random_state=0, **imshow_params
    ):
        """Draw images of a fitted clusterer's clusters.

        Parameters
        ----------
        estimator : fitted clusterer with `predict`, or a Pipeline that ends in one
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples to label and draw.
        images : array-like or sequence of path or ndarray, or None, default=None
            What is drawn of each sample; ``None``: the images of `X`.
        n_images : int, default=12
            Images of each cluster, drawn at random.
        page : int, default=0
            Which 20 clusters.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        random_state : int, default=0
            Which images.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : ClusterImagesDisplay
        """
        last = fitted_having("predict", "ClusterImagesDisplay labels images", estimator, "give a clusterer of images.")
        images = images_or_those_of(last, X, images)
        display = cls(images, last.predict(as_seen(estimator, X)))
        return display.plot(n_images=n_images, page=page, ax=ax, random_state=random_state, **imshow_params)

    @checked
    def plot(
        self,
        *,
        n_images: Count = 12,
        page: CountOrZero = 0,
        ax: Any = None,
        random_state: RandomState = 0,
        **imshow_params,
    ):
        """Draw.

        Parameters
        ----------
        n_images : int, default=12
            Images of each cluster, drawn at random.
        page : int, default=0
            Which 20 clusters.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        random_state : int, default=0
            Which images.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : ClusterImagesDisplay
        """
        images = as_pictures(self.images)
        labels = as_labels("labels", self.labels, len(images))
        clusters, sizes = np.unique(labels, return_counts=True)
        generator = generator_of(random_state)
        self.shown_ = [generator.permutation(np.flatnonzero(labels == each))[:n_images] for each in clusters]
        self.n_pages_ = -(-len(clusters) // N_CLUSTERS)
        drawn = draw_clusters(
            self, images, sizes.tolist(), page, n_images, "Images by cluster", ax, imshow_params, clusters.tolist()
        )
        self.shown_ = [self.shown_[cluster] for cluster in drawn]
        return self
