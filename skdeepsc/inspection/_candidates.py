"""What SubspaceClustering chose from."""

import numpy as np

from .._view_search import is_as_clear
from ..metrics import fitted_having
from ._affinity import AffinityDisplay
from ._axes import all_axes, pyplot
from ._style import PLAIN, line_of

# Factor by which the dimensions of one view are drawn beside those of the next.
_BESIDE = 1.06
# The least difference between the ends of an axis of scores.
_LEAST_SPREAD = 0.02


class CandidatesDisplay:
    """What every view and dimension reached, and the affinity of the best.

    Two panels with one line a view, of the best labelling for each dimension: the edge information, which decides, and
    the normalised cut. Views stand a little beside each other, so that none hides another; the ring marks the answer,
    which the title tells, too. The third panel is the affinity that belongs to it, ordered by clusters.

    Parameters
    ----------
    candidates : dict of ndarray
        As `candidates_` of :class:`~skdeepsc.SubspaceClustering`.
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
    labels : array-like of shape (n_samples,)
        Clusters of the rows of the affinity.

    Attributes
    ----------
    axes_ : ndarray of three matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, candidates, affinity, labels):
        self.candidates = candidates
        self.affinity = affinity
        self.labels = labels

    @classmethod
    def from_estimator(cls, estimator, *, axes=None):
        """Draw the candidates of a fitted :class:`~skdeepsc.SubspaceClustering`.

        Parameters
        ----------
        estimator : fitted SubspaceClustering
        axes : sequence of three matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.

        Returns
        -------
        display : CandidatesDisplay
        """
        advice = "give a SubspaceClustering."
        estimator = fitted_having("candidates_", "CandidatesDisplay draws what was tried", estimator, advice)
        labels = estimator.labels_[estimator.sample_indices_]
        return cls(estimator.candidates_, estimator.affinity_matrix_, labels).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw.

        Parameters
        ----------
        axes : sequence of three matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.

        Returns
        -------
        display : CandidatesDisplay
        """
        if not isinstance(self.candidates, dict) or not {"view", "subspace_dim"} <= set(self.candidates):
            raise TypeError("candidates must be a dict of columns, as candidates_ of SubspaceClustering.")
        if axes is None:
            n_lines = len(set(np.asarray(self.candidates["view"]).tolist())) // 2  # Of the legend.
            _, axes = pyplot().subplots(1, 3, figsize=(14, 4.2 + 0.2 * max(0, n_lines - 4)), layout="constrained")
        self.axes_ = all_axes("axes", axes)
        if len(self.axes_) != 3:
            raise ValueError(f"axes must be three; got {len(self.axes_)}.")
        self.figure_ = self.axes_[0].figure
        self._plot_scores(self.axes_[0], "edge_information", "edge information / log(number of clusters)")
        self._plot_scores(self.axes_[1], "normalized_cut", "normalised cut / number of clusters")
        self.axes_[0].set_title(_in_words(self.candidates), fontsize="medium", **PLAIN)
        self.axes_[1].set_title("less is better", fontsize="medium")
        legend = self._legend(self.axes_[0])
        for text in legend.get_texts():
            text.set(**PLAIN)
        AffinityDisplay(self.affinity, self.labels).plot(ax=self.axes_[2])
        return self

    def _legend(self, ax):
        """The legend of both, below the label of the first, however high that is."""
        from matplotlib.transforms import ScaledTranslation

        below = ax.transAxes + ScaledTranslation(0, -0.5, self.figure_.dpi_scale_trans)
        return ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncols=2, fontsize="small")

    def _plot_scores(self, ax, score, label):
        view, dim, value = (np.asarray(self.candidates[name]) for name in ("view", "subspace_dim", score))
        names = list(dict.fromkeys(view.tolist()))
        for number, name in enumerate(names):
            # Candidates are in order: the first of each view and dimension is its best.
            of_view = np.flatnonzero(view == name)
            dims, first = np.unique(dim[of_view], return_index=True)
            beside = dims * _BESIDE ** (number - (len(names) - 1) / 2)
            ax.plot(beside, value[of_view][first], label=name, markersize=6, alpha=0.9, **line_of(number))
        chosen = dim[0] * _BESIDE ** (names.index(view[0]) - (len(names) - 1) / 2)
        ax.plot(chosen, value[0], "o", markersize=15, fillstyle="none", color="black", label="chosen")
        low, high = ax.get_ylim()
        spread = max(_LEAST_SPREAD - (high - low), 0) / 2  # Scores that are alike look alike.
        ax.set_ylim(low - spread, high + spread)
        ax.ticklabel_format(axis="y", useOffset=False)
        ax.set_xscale("log", base=2)
        ax.set_xticks(np.unique(dim), labels=[f"{q:g}" for q in np.unique(dim)])
        ax.minorticks_off()
        ax.set(xlabel="expected dimension of a subspace", ylabel=label)


def _in_words(candidates):
    """The view that won, and the best of the others."""
    view, value = np.asarray(candidates["view"]), np.asarray(candidates["edge_information"])
    of_others = view != view[0]
    said = f"{view[0]}: {value[0]:.2f}, where 1 is all"
    if not of_others.any():
        return said
    best = np.flatnonzero(of_others)[value[of_others].argmax()]
    as_much = "as much has" if np.isclose(value[best], value[0], atol=1e-6) else "next best"
    most = value[view == view[0]].max()
    if value[best] > most + 1e-6:  # Of few features, what their sizes allow is compared.
        as_much = "hardly more has" if is_as_clear(1 - most, 1 - value[best]) else "more, for other sizes, has"
    return f"{said}\n{as_much} {view[best]}: {value[best]:.2f}"
