"""Images by cluster."""

import numpy as np

from .._arrays import as_numbers, plain
from .._labels import as_labels
from .._params import Count, RandomState, checked
from .._random import generator_of
from ..metrics import fitted_having
from ._axes import axes_or_new


class ClusterImagesDisplay:
    """Some images of every cluster, one cluster a row.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width) or (n_samples, channels, height, width)
        Grey images, or 3 channels of colour.
    labels : array-like of shape (n_samples,)
        Clusters.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, images, labels):
        self.images = images
        self.labels = labels

    @classmethod
    def from_estimator(cls, estimator, X, *, n_images=12, ax=None, random_state=0, **imshow_params):
        """Draw images of a fitted clusterer's clusters.

        Parameters
        ----------
        estimator : fitted clusterer with `predict` and `image_shape_`
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples to label and draw.
        n_images : int, default=12
            Images of each cluster, drawn at random.
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
        advice = "give a clusterer of images, such as DSCNet."
        estimator = fitted_having("image_shape_", "ClusterImagesDisplay draws images", estimator, advice)
        fitted_having("predict", "ClusterImagesDisplay labels them", estimator, advice)
        shape, X = estimator.image_shape_, plain("X", X)
        if len(shape) != 3:
            raise ValueError(f"The estimator was fitted on rows of shape {shape}, not on images: give it image_shape.")
        labels = estimator.predict(X)
        display = cls(np.asarray(X).reshape(len(labels), *shape), labels)
        return display.plot(n_images=n_images, ax=ax, random_state=random_state, **imshow_params)

    @checked
    def plot(self, *, n_images: Count = 12, ax=None, random_state: RandomState = 0, **imshow_params):
        """Draw; see :meth:`from_estimator`."""
        images = as_numbers("images", self.images, dtype=np.float64, allow_nd=True)
        if images.ndim not in (3, 4):
            raise ValueError(
                f"images must have shape (n, height, width) or (n, channels, height, width); got {images.shape}."
            )
        labels = as_labels("labels", self.labels, len(images))
        images = images[:, None] if images.ndim == 3 else images
        images = np.moveaxis(images[:, :3] if images.shape[1] >= 3 else images[:, :1], 1, -1)
        low, high = images.min(), images.max()
        images = (images - low) / (high - low or 1)
        height, width, n_channels = images.shape[1:]
        clusters = np.unique(labels)
        canvas = np.ones((len(clusters) * (height + 1) - 1, n_images * (width + 1) - 1, n_channels))
        generator = generator_of(random_state)
        for row, cluster in enumerate(clusters):
            members = generator.permutation(np.flatnonzero(labels == cluster))[:n_images]
            for column, member in enumerate(members):
                top, left = row * (height + 1), column * (width + 1)
                canvas[top : top + height, left : left + width] = images[member]

        size = (0.45 * n_images + 0.8, 0.45 * len(clusters) * height / width + 0.6)
        self.ax_ = axes_or_new(ax, figsize=size)
        self.figure_ = self.ax_.figure
        self.ax_.imshow(canvas.squeeze(), **{"cmap": "gray", "vmin": 0, "vmax": 1, **imshow_params})
        self.ax_.set_xticks([])
        self.ax_.set_yticks(np.arange(len(clusters)) * (height + 1) + height / 2, labels=clusters)
        self.ax_.set(ylabel="cluster", title="Images by cluster")
        self.ax_.spines[:].set_visible(False)
        return self
