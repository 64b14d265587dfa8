"""The samples that could most easily belong elsewhere, beside what speaks for either cluster."""

from typing import Any

import numpy as np

from .._labels import as_names
from .._params import Count, checked
from ..metrics import fitted_having
from ._axes import axes_or_new
from ._pictures import Thumbnails, as_pictures, short, without_folders
from ._sheet import images_or_none
from ._standing import Standing, as_seen, explanations_of, standing_of
from ._style import PLAIN, QUIET, called, color_of
from ._tiles import GAP, LINE, Tiles

_SIDE, _INCHES = 72, 0.66
# Typical samples of either cluster, samples that express the doubtful one, and the space between such groups.
_TYPICAL, _EXPRESSING, _SPACE = 3, 5, 0.45


class DoubtfulDisplay:
    """The most doubtful samples: each beside its cluster and the next best, and the samples that express it.

    Where there are no images, a pair of bars for each sample: the support of its cluster, and of the next best.

    Parameters
    ----------
    standing : Standing
        As the fitted display holds it: of each sample its cluster, the next best, and the support of both.
    images : array-like or sequence, or None, default=None
        What is drawn of each sample; ``None``: bars.
    names : sequence of str or None, default=None
        What samples are called; ``None``: by their numbers.
    explanations : dict of int to Explanation, default=None
        What expresses the samples, by their numbers.

    Attributes
    ----------
    shown_ : ndarray of shape (n_shown,), int64
        Numbers of the samples, the most doubtful first.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, standing: Standing, images: Any = None, *, names: Any = None, explanations: Any = None):
        self.standing = standing
        self.images = images
        self.names = names
        self.explanations = explanations

    @classmethod
    @checked
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        images=None,
        names=None,
        n_samples: Count = 10,
        is_fitted: bool = True,
        ax=None,
        **imshow_params,
    ):
        """Draw the most doubtful samples of a fitted clusterer.

        Parameters
        ----------
        estimator : fitted clusterer with `predict_proba`, or a Pipeline that ends in one
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            What it was fitted on, or others like them.
        images : array-like or sequence of path or ndarray, or None, default=None
            What is drawn of each sample; ``None``: the images of `X` if it holds any, else bars.
        names : sequence of str or None, default=None
            What samples are called; ``None``: by their numbers.
        n_samples : int, default=10
            The most samples; there are fewer where for others nothing speaks for a second cluster.
        is_fitted : bool, default=True
            Whether `X` is what the estimator was fitted on, so that ``labels_`` are its labels; else it predicts them.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : DoubtfulDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdeepsc import SSC
        >>> from skdeepsc.inspection import DoubtfulDisplay
        >>> images = load_digits(n_class=5).images[:90]
        >>> display = DoubtfulDisplay.from_estimator(SSC(5, random_state=0).fit(images), images, n_samples=4)
        >>> display.shown_.shape
        (4,)
        """
        last = fitted_having("predict_proba", "DoubtfulDisplay tells how surely", estimator, "give a clusterer.")
        seen = as_seen(estimator, X)
        standing = standing_of(last, seen, is_fitted=is_fitted)
        images = images_or_none(last, X, images)
        drawn = standing.doubtful(n_samples) if is_fitted and images is not None else ()
        explanations = explanations_of(last, seen, drawn, _EXPRESSING)
        display = cls(standing, images, names=names, explanations=explanations)
        return display.plot(n_samples=n_samples, ax=ax, **imshow_params)

    @checked
    def plot(self, *, n_samples: Count = 10, ax: Any = None, **imshow_params):
        """Draw.

        Parameters
        ----------
        n_samples : int, default=10
            The most samples; there are fewer where for others nothing speaks for a second cluster.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : DoubtfulDisplay
        """
        if not isinstance(self.standing, Standing):
            raise TypeError(f"standing must be that of a fitted display; got {self.standing!r}.")
        self._names = without_folders(as_names(self.names, len(self.standing.cluster)))
        self.shown_ = self.standing.doubtful(n_samples)
        draw = self._draw_bars if self.images is None else self._draw_images
        self.ax_ = draw(ax, **imshow_params)
        self.figure_ = self.ax_.figure
        self.ax_.set_title("Most doubtful first", loc="left", fontsize="medium", pad=20)
        if not len(self.shown_):
            self.ax_.set_axis_off()
            none = "For no sample does anything speak for another cluster."
            self.ax_.text(0.5, 0.4, none, transform=self.ax_.transAxes, ha="center", va="center", **QUIET)
        return self

    def _name(self, number):
        return f"sample {number}" if self._names is None else short(self._names[number])

    def _both(self, number):
        """Its clusters, with their support."""
        standing = self.standing
        yield int(standing.cluster[number]), standing.support[number]
        yield int(standing.second[number]), standing.second_support[number]

    def _draw_images(self, ax, **imshow_params):
        explained = self.explanations or {}
        n_columns = 1 + 2 * _TYPICAL + (_EXPRESSING if explained else 0)
        row = 1 + GAP + LINE
        width = n_columns * (1 + GAP) + (3 if explained else 2) * _SPACE
        height = max(len(self.shown_), 1) * row
        ax = axes_or_new(ax, figsize=(_INCHES * width + 0.4, _INCHES * height + 0.7))
        tiles = Tiles(ax, Thumbnails(as_pictures(self.images), _SIDE), width, height)
        starts = [1 + GAP + _SPACE + group * (_TYPICAL * (1 + GAP) + _SPACE) for group in range(3)]
        heads = ["its cluster", "the next best", "expressed by"]
        for left, head, n_wide in zip(starts, heads, (_TYPICAL, _TYPICAL, _EXPRESSING), strict=True):
            if head != heads[2] or explained:
                tiles.say(head, left + n_wide * (1 + GAP) / 2, -0.06, va="bottom")
        for place, number in enumerate(self.shown_.tolist()):
            top = place * row
            tiles.put(number, 0, top)
            tiles.say(self._name(number), 0.5, top + 1.05, fontsize=6.5, color="black")
            for left, (cluster, support) in zip(starts, self._both(number), strict=False):
                members = self.standing.members[cluster] if cluster >= 0 else np.array([], dtype=int)
                for column, member in enumerate(members[members != number][:_TYPICAL].tolist()):
                    tiles.put(member, left + column * (1 + GAP), top, cluster)
                tiles.say(f"{called(cluster)}: {support:.2f}", left + 1.6, top + 1.05, fontsize=6.5, color="black")
            if number in explained:
                draw_terms(tiles, explained[number], starts[2], top, _EXPRESSING, 1 + GAP)
        tiles.show(**imshow_params)
        return ax

    def _draw_bars(self, ax, **_):
        ax = axes_or_new(ax, figsize=(6.4, 0.34 * max(len(self.shown_), 1) + 1.2))
        for place, number in enumerate(self.shown_.tolist()):
            for offset, hatch, (cluster, support) in zip((-0.2, 0.2), ("", "///"), self._both(number), strict=True):
                ax.barh(place + offset, support, 0.36, color=color_of(cluster), hatch=hatch, edgecolor="white")
                ax.text(support, place + offset, f" {called(cluster)}", va="center", fontsize="x-small")
        ax.set_yticks(range(len(self.shown_)), labels=[self._name(number) for number in self.shown_.tolist()], **PLAIN)
        ax.invert_yaxis()
        ax.set(xlim=(0, 1), xlabel="support of its cluster, and of the next best (hatched)")
        return ax


def draw_terms(tiles, explanation, left, top, n_terms, step):
    """Put the samples that express one beside each other, with their weights and in frames of their clusters."""
    terms = zip(explanation.indices, explanation.weights, explanation.labels, strict=True)
    for column, (index, weight, cluster) in enumerate(list(terms)[:n_terms]):
        tiles.put(index, left + column * step, top, cluster)
        of = f"in {cluster}" if cluster >= 0 else "noise"
        tiles.say(f"{weight:+.2f}, {of}", left + column * step + 0.5, top + 1.05, fontsize=6.5, color="black")
