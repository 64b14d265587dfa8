"""How many clusters."""

from typing import Any

import numpy as np

from .._arrays import naming
from .._params import Probability, checked
from ..metrics import fitted_having
from ._axes import axes_or_new
from ._style import COLORS


class NumberOfClustersDisplay:
    """What each number of clusters saves, the chosen one, and those that are nearly as good.

    Parameters
    ----------
    scores : dict of int to float
        As `n_clusters_scores_` of :class:`~skdeepsc.SubspaceClustering`, or the second answer of
        :func:`~skdeepsc.segmentation.choose_n_clusters`.
    n_clusters : int or None, default=None
        The chosen number; ``None``: that of the highest score.

    Attributes
    ----------
    nearly_ : list of int
        Numbers other than the chosen one that are nearly as good.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, scores: Any, n_clusters: Any = None):
        self.scores = scores
        self.n_clusters = n_clusters

    @classmethod
    def from_estimator(cls, estimator, *, tolerance=0.05, ax=None, **line_params):
        """Draw why a fitted clusterer has chosen its number of clusters.

        Parameters
        ----------
        estimator : SubspaceClustering fitted with ``n_clusters="auto"``, or a Pipeline that ends in one
        tolerance : float, default=0.05
            Nearly as good is what saves at least 1 - `tolerance` of the most.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **line_params
            Further arguments of ``Axes.plot``.

        Returns
        -------
        display : NumberOfClustersDisplay
        """
        advice = "give a SubspaceClustering('auto')."
        need = "NumberOfClustersDisplay draws what numbers save"
        estimator = fitted_having("n_clusters_scores_", need, estimator, advice)
        if not estimator.n_clusters_scores_:
            raise ValueError(f"{need}, but n_clusters={estimator.n_clusters!r} was given, and no other tried: {advice}")
        display = cls(estimator.n_clusters_scores_, estimator.n_clusters_)
        return display.plot(tolerance=tolerance, ax=ax, **line_params)

    @checked
    def plot(self, *, tolerance: Probability = 0.05, ax: Any = None, **line_params):
        """Draw.

        Parameters
        ----------
        tolerance : float, default=0.05
            Nearly as good is what saves at least 1 - `tolerance` of the most.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **line_params
            Further arguments of ``Axes.plot``.

        Returns
        -------
        display : NumberOfClustersDisplay
        """
        if not isinstance(self.scores, dict) or not self.scores:
            raise TypeError(f"scores must be a dict with a score for each number of clusters; got {self.scores!r}.")
        with naming("scores"):
            numbers = np.array(sorted(self.scores))
            values = np.array([self.scores[number] for number in numbers.tolist()], dtype=float)
        if numbers.dtype.kind not in "iu" or not np.isfinite(values).all():
            raise ValueError(f"scores must be finite, and those of whole numbers of clusters; got {self.scores!r}.")
        chosen = int(numbers[values.argmax()]) if self.n_clusters is None else self.n_clusters
        self.nearly_ = nearly_as_good(self.scores, chosen, tolerance)

        self.ax_ = ax = axes_or_new(ax, figsize=(6.4, 3.8))
        self.figure_ = ax.figure
        ax.plot(numbers, values, **{"marker": ".", "color": "#666666", "linewidth": 1.2, **line_params})
        if self.nearly_:
            label = f"within {tolerance:.0%} of the best"
            ax.plot(
                self.nearly_, [self.scores[n] for n in self.nearly_], "s", color=COLORS[1], markersize=8, label=label
            )
        if chosen in self.scores:
            ax.plot(chosen, self.scores[chosen], "o", color=COLORS[0], markersize=11, label=f"chosen: {chosen}")
            ax.axvline(chosen, color=COLORS[0], linewidth=0.8, linestyle=":")
        ax.axhline(0, color="black", linewidth=0.8)
        for turn, number in enumerate(self.nearly_ if len(self.nearly_) <= 6 else ()):
            place, beside = (number, self.scores[number]), (0, 9) if turn % 2 else (0, -17)  # By turns below and above.
            ax.annotate(f"{number}", place, beside, textcoords="offset points", ha="center", fontsize="small")
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.margins(y=0.15)
        ax.set(xlabel="number of clusters", ylabel="saving (nats a sample)", title="Number of clusters")
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="best", fontsize="small")
        return self


def nearly_as_good(scores, chosen, tolerance):
    """Numbers other than the chosen one that save nearly as much as the best, if any saves anything."""
    best = max(scores.values())
    bound = (1 - tolerance) * best
    return [number for number in sorted(scores) if best > 0 and number != chosen and scores[number] >= bound]
