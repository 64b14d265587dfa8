"""Contact sheets: the pictures of every cluster, the typical ones first and the doubtful ones last."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arrays import naming
from .._labels import as_names
from .._params import Count, CountOrZero, checked
from ..metrics import fitted_having
from ._axes import axes_or_new, inches_of
from ._pictures import Thumbnails, as_pictures, first_and_last, pictures_of, short, without_folders
from ._standing import as_seen, standing_of
from ._style import PLAIN
from ._tiles import GAP, LINE, Tiles

# Pixels of a side of a picture, inches of it, and clusters of a page.
_SIDE, _INCHES, N_CLUSTERS = 56, 0.52, 20


class ContactSheetDisplay:
    """Pictures of every cluster, one cluster a row with its size: the typical ones first, the doubtful ones last.

    Doubtful is a sample whose next best cluster has nearly as much support as its own: the mean of the predicted
    probability and of the share in the affinities of the sample. A gap in a row stands for the samples between the
    first and the last, which are left out. Only what is drawn is read and converted.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width) or (n_samples, channels, height, width), or sequence
        Grey images, or 3 channels of colour; or paths, or images of several sizes.
    members : sequence of array-like of int
        Numbers of the samples of each cluster in the order in which they are shown.
    names : sequence of str or None, default=None
        What samples are called, such as their files; ``None``: nothing is written below them.
    labels : sequence of int or None, default=None
        Numbers of the clusters, -1 for noise; ``None``: 0, 1, and so on.

    Attributes
    ----------
    n_pages_ : int
        Pages of 20 clusters.
    shown_ : list of ndarray
        Numbers of the samples that are on the page, for each of its clusters.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, images: Any, members: Sequence, *, names: Any = None, labels: Sequence | None = None):
        self.images = images
        self.members = members
        self.names = names
        self.labels = labels

    @classmethod
    @checked
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        images=None,
        names=None,
        n_images: Count = 12,
        page: CountOrZero = 0,
        is_fitted: bool = True,
        ax=None,
        **imshow_params,
    ):
        """Draw the clusters of a fitted clusterer.

        Parameters
        ----------
        estimator : fitted clusterer with `predict_proba`, or a Pipeline that ends in one
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            What it was fitted on, or others like them.
        images : array-like or sequence of path or ndarray, or None, default=None
            What is drawn of each sample; ``None``: the images of `X`.
        names : sequence of str or None, default=None
            What samples are called; ``None``: nothing is written below them.
        n_images : int, default=12
            Images of each cluster: three fifths of them the most typical ones, the others the most doubtful ones.
        page : int, default=0
            Which 20 clusters; `n_pages_` tells how many pages there are.
        is_fitted : bool, default=True
            Whether `X` is what the estimator was fitted on, so that ``labels_`` are its labels; else it predicts them.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : ContactSheetDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdeepsc import SSC
        >>> from skdeepsc.inspection import ContactSheetDisplay
        >>> images = load_digits(n_class=3).images[:60]
        >>> display = ContactSheetDisplay.from_estimator(SSC(3, random_state=0).fit(images), images)
        >>> [len(shown) for shown in display.shown_]
        [12, 12, 12]
        """
        last = fitted_having("predict_proba", "ContactSheetDisplay tells how surely", estimator, "give a clusterer.")
        images = images_or_those_of(last, X, images)
        labels, members = zip(*standing_of(last, as_seen(estimator, X), is_fitted=is_fitted).groups, strict=True)
        return cls(images, members, names=names, labels=labels).plot(
            n_images=n_images, page=page, ax=ax, **imshow_params
        )

    @checked
    def plot(self, *, n_images: Count = 12, page: CountOrZero = 0, ax: Any = None, **imshow_params):
        """Draw.

        Parameters
        ----------
        n_images : int, default=12
            Images of each cluster: three fifths of them the most typical ones, the others the most doubtful ones.
        page : int, default=0
            Which 20 clusters; `n_pages_` tells how many pages there are.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : ContactSheetDisplay
        """
        images = as_pictures(self.images)
        members = _as_members(self.members, len(images))
        names = without_folders(as_names(self.names, len(images)))
        if self.labels is not None and len(self.labels) != len(members):
            raise ValueError(f"labels must be one for each of {len(members)} clusters; got {len(self.labels)}.")
        self.shown_ = [first_and_last(each, n_images) for each in members]
        self.n_pages_ = -(-len(members) // N_CLUSTERS)
        title, sizes = "Clusters, typical first, doubtful last", [len(each) for each in members]
        drawn = draw_clusters(
            self, images, sizes, page, n_images, title, ax, imshow_params, self.labels, names, is_split=True
        )
        self.shown_ = [self.shown_[cluster] for cluster in drawn]
        return self


def _as_members(members, n_samples):
    """Numbers of the samples of each cluster."""
    if isinstance(members, str) or not np.iterable(members):
        raise TypeError(f"members must hold the numbers of the samples of each cluster; got {members!r}.")
    with naming("members"):
        members = [np.asarray(each, dtype=np.int64) for each in members]
    if any(each.ndim != 1 or each.min(initial=0) < 0 or each.max(initial=0) >= n_samples for each in members):
        raise ValueError(f"members must hold numbers of samples, 0 to {n_samples - 1}, for each cluster.")
    return members


def draw_clusters(
    display, images, sizes, page, n_images, title, ax, imshow_params, labels=None, names=None, *, is_split=False
):
    """Draw a page of clusters into a display that knows which samples are shown; gives the clusters on the page.

    With `is_split`, there is a gap between the first and the last of clusters that have more samples than are shown.
    """
    if not page < max(display.n_pages_, 1):
        raise ValueError(f"page={page} must be less than n_pages_, {display.n_pages_}.")
    clusters = range(len(sizes))[page * N_CLUSTERS : (page + 1) * N_CLUSTERS]
    n_images = min(n_images, max(sizes, default=1))
    row = 1 + GAP + (LINE if names is not None else 0)
    n_first = n_images - 2 * n_images // 5
    split = 0.35 if is_split and any(sizes[cluster] > n_images for cluster in clusters) else 0.0
    width, height = n_images * (1 + GAP) + split, max(len(clusters), 1) * row
    of_pages = f" (page {page + 1} of {display.n_pages_})" if display.n_pages_ > 1 else ""
    ax = axes_or_new(
        ax, figsize=(max(_INCHES * width + 1.4, inches_of(title + of_pages) + 1.4), _INCHES * height + 0.7)
    )
    tiles = Tiles(ax, Thumbnails(images, _SIDE), width, height)
    for place, cluster in enumerate(clusters):
        for column, number in enumerate(display.shown_[cluster].tolist()):
            is_late = column >= n_first and sizes[cluster] > n_images
            left = column * (1 + GAP) + (split if is_late else 0.0)
            tiles.put(number, left, place * row)
            if names is not None:
                tiles.say(short(names[number], 11), left + 0.5, place * row + 1.04, fontsize=5.5)
        if split and sizes[cluster] > n_images:
            tiles.say("…", n_first * (1 + GAP) + split / 2 - GAP / 2, place * row + 0.5, va="center")
    tiles.show(**imshow_params)
    numbers = range(len(sizes)) if labels is None else labels
    said = ["noise" if numbers[cluster] == -1 else numbers[cluster] for cluster in clusters]
    ticks = [f"{name}  ({sizes[cluster]:,})" for name, cluster in zip(said, clusters, strict=True)]
    ax.set_yticks([place * row + 0.5 for place in range(len(clusters))], labels=ticks, **PLAIN)
    ax.tick_params(length=0)
    ax.set(ylabel="cluster (samples)")
    ax.set_anchor("W")  # Where the title begins.
    ax.set_title(title + of_pages, loc="left", fontsize="medium")
    display.ax_, display.figure_ = ax, ax.figure
    return clusters


def images_or_none(clusterer, X, images):
    """The pictures that were handed in, or those of the samples, if they are images."""
    if images is None:
        return pictures_of(clusterer, X)
    return as_pictures(images, X.shape[0] if hasattr(X, "shape") else len(X))


def images_or_those_of(clusterer, X, images):
    """The pictures that were handed in, or those of the samples; or an error that says what to give."""
    pictures = images_or_none(clusterer, X, images)
    if pictures is None:
        raise ValueError(
            f"There are no images: rows of X, of shape {np.shape(X)[1:]}, are none to {type(clusterer).__name__}. "
            "Fit it on images, give it image_shape, or hand in images=."
        )
    return pictures
