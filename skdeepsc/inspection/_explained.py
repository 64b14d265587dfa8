"""What a sample is made of."""

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np

from .._arrays import naming
from .._compat import Interval, num_samples
from .._explanation import Explanation, named
from .._labels import as_names
from .._params import Count, checked
from ..metrics import fitted_having
from ._axes import axes_or_new
from ._pictures import Thumbnails, as_pictures, pictures_of, short, without_folders
from ._sheet import images_or_none
from ._standing import as_seen, explanations_of
from ._style import PLAIN, QUIET, called, color_of, marker_of
from ._tiles import LINE, Tiles

_SIDE, _INCHES, _SIGN = 112, 1.05, 0.42


class ExplanationDisplay:
    """What a sample is made of: its picture as a weighted sum of others, in frames of their clusters' colours.

    Where there are no images, a bar for each weight. A strip, or words, tell the shares of the clusters in all weights.

    Parameters
    ----------
    explanation : Explanation
        As the method `explain` of clusterers makes it.
    images : array-like or sequence, or None, default=None
        What is drawn of each training sample; ``None``: bars.
    names : sequence of str or None, default=None
        What training samples are called; ``None``: by their numbers.
    image : ndarray, path or None, default=None
        What is drawn of a new sample, which is none of the training samples.
    name : str, default="a new sample"
        What it is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self,
        explanation: Any,
        images: Any = None,
        *,
        names: Any = None,
        image: Any = None,
        name: str = "a new sample",
    ):
        self.explanation = explanation
        self.images = images
        self.names = names
        self.image = image
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator, X, i, *, X_new=None, images=None, names=None, n_terms=5, ax=None, **imshow_params
    ):
        """Draw what a training sample of a fitted clusterer, or a new one, is made of.

        Parameters
        ----------
        estimator : fitted clusterer with `explain`, or a Pipeline that ends in one
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            What it was fitted on.
        i : int
            Number of the sample, in `X_new` if it is given.
        X_new : array-like of shape (n_new, n_features) or (n_new, ...), or None, default=None
            New samples; ``None``: the sample is one of `X`.
        images : array-like or sequence of path or ndarray, or None, default=None
            What is drawn of each sample; ``None``: the images of `X` if it holds any, else bars.
        names : sequence of str or None, default=None
            What samples are called; ``None``: by their numbers.
        n_terms : int, default=5
            The most samples that are drawn, those of the largest weights.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : ExplanationDisplay

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdeepsc import SSC
        >>> from skdeepsc.inspection import ExplanationDisplay
        >>> images = load_digits(n_class=3).images[:60]
        >>> display = ExplanationDisplay.from_estimator(SSC(3, random_state=0).fit(images), images, 7)
        >>> display.explanation.sample
        7
        """
        advice = "give a clusterer with coefficients, such as SubspaceClustering."
        last = fitted_having("explain", "ExplanationDisplay draws an explanation", estimator, advice)
        images = images_or_none(last, X, images)
        n_fitted = len(last.labels_)
        if num_samples(X) != n_fitted:
            raise ValueError(f"X must be the {n_fitted} samples of fit; got {num_samples(X)}.")
        kind, samples = ("training", X) if X_new is None else ("new", X_new)
        with naming("X_new"):
            n_samples = num_samples(samples)
        if not Interval(Integral, 0, n_samples, closed="left").is_satisfied_by(i):
            raise ValueError(f"i must be the number of a {kind} sample, 0 to {n_samples - 1}; got {i!r}.")
        display = cls(explanations_of(last, as_seen(estimator, samples), [i], None)[int(i)], images, names=names)
        if X_new is not None:
            pictures = pictures_of(last, X_new)
            display.explanation = replace(display.explanation, sample=None)
            display.image = None if pictures is None else pictures[i]
        return display.plot(n_terms=n_terms, ax=ax, **imshow_params)

    @checked
    def plot(self, *, n_terms: Count = 5, ax: Any = None, **imshow_params):
        """Draw.

        Parameters
        ----------
        n_terms : int, default=5
            The most samples that are drawn, those of the largest weights.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : ExplanationDisplay
        """
        if not isinstance(self.explanation, Explanation):
            raise TypeError(f"explanation must be what explain gives for a sample; got {self.explanation!r}.")
        self._names = without_folders(as_names(self.names))
        draw = self._draw_bars if self.images is None else self._draw_images
        self.ax_ = draw(n_terms, ax, **imshow_params)
        self.figure_ = self.ax_.figure
        self._draw_shares()
        return self

    def _name(self, number):
        if number is None:
            return short(self.name)
        return named(number) if self._names is None else short(named(number, self._names))

    def _terms(self, n_terms):
        found = self.explanation
        return list(zip(found.indices.tolist(), found.weights.tolist(), found.labels.tolist(), strict=True))[:n_terms]

    def _n_more(self, terms):
        return len(self.explanation.indices) - len(terms) + self.explanation.n_left_out

    def _draw_images(self, n_terms, ax, **imshow_params):
        terms, found = self._terms(n_terms), self.explanation
        n_more = self._n_more(terms)
        step = 1 + _SIGN
        width, height = 1 + step * max(len(terms), 1) + (0.75 if n_more else 0), 1 + 2 * LINE
        ax = axes_or_new(ax, figsize=(_INCHES * width + 0.4, _INCHES * (height + 0.55)))
        tiles = Tiles(ax, Thumbnails(as_pictures(self.images), _SIDE), width, height)
        if found.sample is not None:
            tiles.put(found.sample, 0, LINE, found.label)
        elif self.image is not None:
            tiles.put_image(Thumbnails(as_pictures([self.image]), _SIDE).of(0), 0, LINE, found.label)
        text = {"fontsize": 8, "color": "black"}
        tiles.say(f"{self._name(found.sample)}\n{called(found.label)}", 0.5, LINE + 1.05, **text)
        if not terms:
            tiles.say("no sample expresses it", 1 + _SIGN + 0.5, LINE + 0.5, va="center", **text)
        for place, (index, weight, cluster) in enumerate(terms):
            left = step * (place + 1)
            sign = "≈" if place == 0 else "+" if weight >= 0 else "\N{MINUS SIGN}"
            tiles.say(sign, left - _SIGN / 2, LINE + 0.5, va="center", **{**text, "fontsize": 15})
            tiles.put(index, left, LINE, cluster)
            shown = weight if place == 0 else abs(weight)
            factor = f"{shown:.2f} \N{MULTIPLICATION SIGN}".replace("-", "\N{MINUS SIGN}")
            tiles.say(factor, left + 0.5, LINE - 0.04, va="bottom", **text)
            tiles.say(f"{self._name(index)}\n{called(cluster)}", left + 0.5, LINE + 1.05, **text)
        if n_more:
            tiles.say(f"+ {n_more:,}\nmore", width - 0.38, LINE + 0.5, va="center", **text)
        tiles.show(**imshow_params)
        return ax

    def _draw_bars(self, n_terms, ax, **_):
        terms = self._terms(n_terms)
        ax = axes_or_new(ax, figsize=(5.6, 0.3 * max(len(terms), 1) + 1.7))
        for place, (_, weight, cluster) in enumerate(terms):
            ax.barh(place, weight, 0.6, color=color_of(cluster))
            ax.plot(weight, place, marker_of(cluster), color=color_of(cluster), markeredgecolor="white", markersize=9)
        labels = [f"{self._name(index)}, {called(cluster)}" for index, _, cluster in terms]
        ax.set_yticks(range(len(terms)), labels=labels, **PLAIN)
        ax.invert_yaxis()
        ax.axvline(0, color="black", linewidth=0.8)
        ax.margins(x=0.08)
        n_more = self._n_more(terms)
        more = f", {n_more:,} more are left out" if n_more else ""
        ax.set_xlabel(f"weight{more}" if terms else "no sample expresses it")
        ax.set_title(
            f"{self._name(self.explanation.sample)}, {called(self.explanation.label)}",
            fontsize="medium",
            pad=18,
            **PLAIN,
        )
        return ax

    def _draw_shares(self):
        """The clusters that have a share, the largest first: a strip below pictures, words above bars."""
        shares = self.explanation.shares
        order = [k for k in np.argsort(-shares, kind="stable").tolist() if shares[k] > 0]
        if self.images is None:
            said = ", ".join(f"{shares[k]:.0%} {called(k)}" for k in order[:3])
            self.ax_.text(0.5, 1.02, said, transform=self.ax_.transAxes, ha="center", va="bottom", **QUIET)
            return
        strip, start = self.ax_.inset_axes([0, -0.16, 1, 0.1]), 0.0
        for k in order:
            strip.barh(0, shares[k], left=start, color=color_of(k), edgecolor="white", height=1)
            if shares[k] >= 0.12:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
                middle = start + shares[k] / 2
                strip.text(middle, 0, f"{shares[k]:.0%} {called(k)}", ha="center", va="center", fontsize=7, bbox=box)
            start += shares[k]
        strip.set(xlim=(0, 1), ylim=(-0.5, 0.5), xticks=[], yticks=[])
        strip.spines[:].set_visible(False)
