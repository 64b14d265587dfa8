"""A map of the samples as they were represented."""

from typing import Any

import numpy as np

from .._arrays import as_numbers
from .._labels import as_labels
from .._params import CountOrZero, checked
from ..metrics import fitted_having
from ._axes import axes_or_new
from ._map import apart, middles_of, projected, with_room
from ._pictures import Thumbnails, as_pictures
from ._sheet import images_or_none
from ._standing import as_seen, directions_of
from ._style import COLORS, color_of, marker_of

# Inches of a side of a picture, and pixels.
_INCHES, _SIDE = 0.3, 48
# Clusters up to which all are named at their medians, and inches that a number takes up, where there are more.
_NAMED, _ROOM = 20, (0.25, 0.16)
# Inches below a picture for its number.
_BELOW = 0.12


class EmbeddingMapDisplay:
    """A map of the samples: a point for each, with the colour and marker of its cluster, and pictures.

    Pictures are of samples drawn at random, in frames of their clusters' colours, as many as find room beside each
    other. The number of a cluster is written at the median of its points; with more than 7 clusters, whose colours
    repeat, below each picture instead. Without pictures, of more than 20 clusters only those are named that find room,
    the largest first.

    What is drawn are the directions of the samples as the clusterer represents them, since self-expression compares
    angles; two dimensions cannot show what keeps many subspaces apart, so that clusters that lie on each other here may
    be far from each other there.

    Parameters
    ----------
    points : array-like of shape (n_samples, 2)
    labels : array-like of shape (n_samples,), int
        Clusters; -1 is noise.
    images : array-like or sequence, or None, default=None
        What is drawn of each sample; ``None``: points alone.

    Attributes
    ----------
    shown_ : ndarray of shape (n_shown,), int64
        Numbers of the samples whose pictures are drawn.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, points: Any, labels: Any, images: Any = None):
        self.points = points
        self.labels = labels
        self.images = images

    @classmethod
    def from_estimator(cls, estimator, X, *, images=None, projection="pca", n_images=120, ax=None, **scatter_params):
        """Draw a map of samples by a fitted clusterer.

        Parameters
        ----------
        estimator : fitted clusterer, or a Pipeline that ends in one
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            What it was fitted on, or others like them, which it labels.
        images : array-like or sequence of path or ndarray, or None, default=None
            What is drawn of each sample; ``None``: the images of `X` if it holds any, else points alone.
        projection : {"pca", "umap"} or transformer, default="pca"
            How two coordinates are made: the first two principal components, UMAP by cosines if umap-learn is
            installed (of four samples or more), or any transformer, which is cloned and fitted.
        n_images : int, default=120
            The most pictures.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **scatter_params
            Further arguments of ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingMapDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdeepsc import SSC
        >>> from skdeepsc.inspection import EmbeddingMapDisplay
        >>> images = load_digits(n_class=3).images[:60]
        >>> display = EmbeddingMapDisplay.from_estimator(SSC(3, random_state=0).fit(images), images)
        >>> display.points.shape
        (60, 2)
        """
        last = fitted_having("predict", "EmbeddingMapDisplay labels samples", estimator, "give a clusterer.")
        if isinstance(projection, str) and projection not in ("pca", "umap"):
            raise ValueError(f"projection must be 'pca', 'umap' or a transformer; got {projection!r}.")
        images, seen = images_or_none(last, X, images), as_seen(estimator, X)
        points = projected(directions_of(last, seen), projection)
        return cls(points, last.predict(seen), images).plot(n_images=n_images, ax=ax, **scatter_params)

    @checked
    def plot(self, *, n_images: CountOrZero = 120, ax: Any = None, **scatter_params):
        """Draw.

        Parameters
        ----------
        n_images : int, default=120
            The most pictures.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **scatter_params
            Further arguments of ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingMapDisplay
        """
        points = as_numbers("points", self.points, dtype=np.float64)
        if points.shape[1] != 2:
            raise ValueError(f"points must have two columns; got shape {points.shape}.")
        labels = as_labels("labels", self.labels, len(points))
        if labels.dtype.kind not in "iu":
            raise ValueError(f"labels must be numbers of clusters, -1 for noise; got {labels.dtype}.")
        self.ax_ = ax = axes_or_new(ax, figsize=(8, 7))
        self.figure_ = ax.figure
        self._scatter(points, labels, scatter_params)
        ax.set(xticks=[], yticks=[], title="Map of the samples")
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.05 * np.maximum(high - low, 1e-12)
        ax.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
        self.shown_ = np.array([], dtype=np.int64)
        if self.images is not None and n_images:
            self._put_pictures(points, labels, n_images)
        if not len(self.shown_) or _colours_tell(labels):
            self._name_clusters(points, labels)
        return self

    def _scatter(self, points, labels, scatter_params):
        """Points by cluster, smaller and paler the more there are."""
        size = float(np.clip(8000 / len(points), 7, 30))
        how = {"s": size, "alpha": 0.75, "linewidths": 0, "rasterized": len(points) > 2000}
        how |= {"snap": False, **scatter_params}  # Snapped to pixels, the arms of a small cross have no width.
        for cluster in np.unique(labels).tolist():
            of_cluster = points[labels == cluster]
            color, marker = color_of(cluster), marker_of(cluster)
            self.ax_.scatter(*of_cluster.T, **{"color": color, "marker": marker, **how})

    def _put_pictures(self, points, labels, n_images):
        from matplotlib.offsetbox import AnnotationBbox, OffsetImage

        images, are_named = as_pictures(self.images, len(points)), not _colours_tell(labels)
        room = np.array([1.15 * _INCHES, 1.15 * _INCHES + _BELOW * are_named])
        self.shown_ = with_room(points, room / self._inches_per_unit(), n_images)
        thumbnails = Thumbnails(images, _SIDE)
        below = {"xytext": (0, -36 * _INCHES - 2.5), "textcoords": "offset points", "ha": "center", "va": "top"}
        for number in self.shown_.tolist():
            image = np.asarray(thumbnails.of(number))
            zoom = _INCHES * 72 / max(image.shape[:2])
            picture = OffsetImage(image, zoom=zoom, interpolation="nearest" if max(image.shape) < 40 else "antialiased")
            frame = {"edgecolor": color_of(labels[number]), "linewidth": 1.6}
            self.ax_.add_artist(AnnotationBbox(picture, points[number], pad=0.08, bboxprops=frame))
            if are_named:
                name = f"{labels[number]}" if labels[number] >= 0 else "noise"
                _stand_out(self.ax_.annotate(name, points[number], fontsize=7, zorder=6, **below))

    def _name_clusters(self, points, labels):
        middles = middles_of(points, labels)
        numbers, size = np.array(list(middles), dtype=np.int64), 13
        if len(numbers) > _NAMED:
            largest = np.argsort(-np.bincount(labels[labels >= 0])[numbers], kind="stable")
            places = np.array([middles[number] for number in numbers[largest].tolist()])
            numbers, size = numbers[largest][apart(places, np.array(_ROOM) / self._inches_per_unit())], 8
        for number in numbers.tolist():
            text = self.ax_.text(*middles[number], str(number), ha="center", va="center", fontsize=size, zorder=6)
            _stand_out(text)

    def _inches_per_unit(self):
        """Of either axis."""
        lengths = np.array([np.ptp(self.ax_.get_xlim()), np.ptp(self.ax_.get_ylim())])
        return self.ax_.get_window_extent().size / self.figure_.dpi / lengths


def _colours_tell(labels):
    """Whether no two clusters have the same colour."""
    return len(np.unique(labels[labels >= 0])) <= len(COLORS)


def _stand_out(text):
    """Make a text readable on points."""
    from matplotlib.patheffects import withStroke

    text.set(fontweight="bold", path_effects=[withStroke(linewidth=3, foreground="white")])
