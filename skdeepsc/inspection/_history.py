"""Training curves."""

import numpy as np

from ..metrics import fitted_having
from ._axes import all_axes, pyplot

_NO_COSTS = {"phase", "epoch", "seconds", "train_loss", "train_batch_size", "segmentation_seconds", "label_changes"}


class HistoryDisplay:
    """Every cost against the epochs, one panel a phase.

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
    def from_estimator(cls, estimator, *, axes=None, **line_params):
        """Draw the training curves of a fitted deep estimator.

        Parameters
        ----------
        estimator : fitted estimator with `history_`
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
        return cls(estimator.history_).plot(axes=axes, **line_params)

    def plot(self, *, axes=None, **line_params):
        """Draw; see :meth:`from_estimator`. Costs are drawn by magnitude on a logarithmic scale."""
        if not isinstance(self.history, list | tuple) or not all(
            isinstance(row, dict) and {"phase", "epoch"} <= set(row) for row in self.history
        ):
            raise TypeError("history must be a list of dicts with phase and epoch, as history_ of the deep estimators.")
        phases = list(dict.fromkeys(row["phase"] for row in self.history))
        if not phases:
            raise ValueError("The history is empty: no phase ran for any epoch.")
        if axes is None:
            _, axes = pyplot().subplots(
                1, len(phases), figsize=(4.2 * len(phases), 3.4), squeeze=False, layout="constrained"
            )
        self.axes_ = all_axes("axes", axes)
        if len(self.axes_) != len(phases):
            raise ValueError(f"The history has {len(phases)} phases, but {len(self.axes_)} axes were given.")
        self.figure_ = self.axes_[0].figure
        for ax, phase in zip(self.axes_, phases, strict=True):
            rows = [row for row in self.history if row["phase"] == phase]
            names = [name for name, value in rows[-1].items() if name not in _NO_COSTS and np.isscalar(value)]
            for name in names:
                values = np.abs([row.get(name, np.nan) for row in rows])
                marker = "o" if len(rows) == 1 else None
                ax.plot([row["epoch"] for row in rows], values, label=name, **{"marker": marker, **line_params})
            ax.set_yscale("symlog" if any(not row.get(name) for row in rows for name in names) else "log")
            ax.set(title=phase, xlabel="epoch", ylabel="cost (magnitude)")
            ax.legend(fontsize="small")
        return self
