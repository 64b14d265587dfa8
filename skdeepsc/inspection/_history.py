"""Training curves."""

from typing import Any, Literal

import numpy as np

from .._params import checked
from ..metrics import fitted_having
from ._axes import all_axes, pyplot
from ._style import line_of

_NO_COSTS = {"phase", "epoch", "seconds", "train_loss", "train_batch_size", "segmentation_seconds", "label_changes"}

# Share of the largest value below which nothing is drawn.
_LOWEST = 1e-4


class HistoryDisplay:
    """Every cost against the epochs or the time, one panel a phase: how it changes in it.

    Costs differ by decades, so that beside the largest the others look flat; by default each is divided by its own
    largest value in the phase, which the legend tells, and values below a ten-thousandth of it are off the axes.

    Parameters
    ----------
    history : list of dict
        As `history_` of the deep estimators.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One for each phase.
    figure_ : matplotlib Figure
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, relative=True, against="epoch", axes=None, **line_params):
        """Draw the training curves of a fitted deep estimator.

        Parameters
        ----------
        estimator : fitted estimator with `history_`
        relative : bool, default=True
            Whether magnitudes of costs are divided by the largest of the phase.
        against : {"epoch", "seconds"}, default="epoch"
            What is on the horizontal axis; seconds are counted from the beginning of the phase.
        axes : sequence of matplotlib Axes or None, default=None
            One for each phase; ``None`` makes a figure.
        **line_params
            Further arguments of ``Axes.plot``.

        Returns
        -------
        display : HistoryDisplay
        """
        advice = "give an estimator that trains a network, such as DSCNet."
        estimator = fitted_having("history_", "HistoryDisplay draws a history of training", estimator, advice)
        return cls(estimator.history_).plot(relative=relative, against=against, axes=axes, **line_params)

    @checked
    def plot(
        self,
        *,
        relative: bool = True,
        against: Literal["epoch", "seconds"] = "epoch",
        axes: Any = None,
        **line_params,
    ):
        """Draw. The scale is logarithmic.

        Parameters
        ----------
        relative : bool, default=True
            Whether magnitudes of costs are divided by the largest of the phase.
        against : {"epoch", "seconds"}, default="epoch"
            What is on the horizontal axis; seconds are counted from the beginning of the phase.
        axes : sequence of matplotlib Axes or None, default=None
            One for each phase; ``None`` makes a figure.
        **line_params
            Further arguments of ``Axes.plot``.

        Returns
        -------
        display : HistoryDisplay
        """
        if not isinstance(self.history, list | tuple) or not all(
            isinstance(row, dict) and {"phase", "epoch"} <= set(row) for row in self.history
        ):
            raise TypeError("history must be a list of dicts with phase and epoch, as history_ of the deep estimators.")
        phases = list(dict.fromkeys(row["phase"] for row in self.history))
        if not phases:
            raise ValueError("The history is empty: no phase ran for any epoch.")
        if axes is None:
            _, axes = pyplot().subplots(
                1, len(phases), figsize=(4.2 * len(phases), 4.2), squeeze=False, layout="constrained"
            )
        self.axes_ = all_axes("axes", axes)
        if len(self.axes_) != len(phases):
            raise ValueError(f"The history has {len(phases)} phases, but {len(self.axes_)} axes were given.")
        self.figure_ = self.axes_[0].figure
        for ax, phase in zip(self.axes_, phases, strict=True):
            rows = [row for row in self.history if row["phase"] == phase]
            _draw_phase(ax, rows, relative, against, line_params)
            ax.set_title(phase)
        self.axes_[0].set_ylabel("cost, share of its largest" if relative else "cost (magnitude)")
        return self


def _draw_phase(ax, rows, relative, against, line_params):
    """The costs of one phase."""
    names = [name for name, value in rows[-1].items() if name not in _NO_COSTS and np.isscalar(value)]
    places = [row["epoch"] for row in rows]
    if against == "seconds":
        places = np.cumsum([row.get("seconds", np.nan) for row in rows])
    has_zeros, low = False, 1.0
    for number, name in enumerate(names):
        values = np.abs([row.get(name, np.nan) for row in rows])
        largest = np.nanmax(values, initial=0.0)
        is_scaled = relative and 0 < largest < np.inf
        values, label = (values / largest, f"{name}, {largest:.2g}") if is_scaled else (values, name)
        low = min(low, np.nanmin(values[values > 0], initial=1.0))
        has_zeros |= bool((values == 0).any())
        every = max(1, len(rows) // 8)
        how = {**line_of(number), "markersize": 5, "markevery": (number * every // len(names), every), **line_params}
        ax.plot(places, values, label=label, **how)
    ax.set_yscale("symlog" if has_zeros and not relative else "log")
    if relative:
        ax.set_ylim(max(low, _LOWEST) / 1.3, 1.3)
    ax.set_xlabel(against if against == "epoch" else "seconds of the phase")
    of_legend = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2, "fontsize": "small"}
    ax.legend(title="cost, its largest" if relative else None, title_fontsize="small", **of_legend)
