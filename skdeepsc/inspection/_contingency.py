"""Clusters against given labels."""

import math
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics.cluster import contingency_matrix

from .._labels import as_pair
from .._params import checked
from ..metrics import clustering_accuracy_score, fitted_having
from ._axes import axes_or_new, inches_of
from ._standing import as_seen
from ._style import PLAIN

# Rows or columns up to which cells have numbers; inches of a side of a cell, and of all of them, at most.
_NUMBERED, _CELL, _SIDE = 20, 0.42, 7
# Inches that a line of text takes up.
_LINE = 0.17


class ContingencyDisplay:
    """How many samples of each given label are in each cluster; columns are ordered so that matches are the diagonal.

    Clusters are matched to labels as the clustering accuracy matches them, one to one; those without a partner follow,
    the largest first, and noise is last. Colours are shares of the samples of a label, up to the largest share. Of many
    names, as many are written as find room.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Given labels, any names, and clusters.

    Attributes
    ----------
    table_ : ndarray of shape (n_labels, n_clusters), int64
        As it is drawn.
    labels_ : list of length n_labels
        Names of its rows.
    clusters_ : list of length n_clusters
        Names of its columns.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, labels_true, labels_pred):
        self.labels_true = labels_true
        self.labels_pred = labels_pred

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **imshow_params):
        """Draw the clusters of a fitted clusterer against labels that are given.

        Parameters
        ----------
        estimator : fitted clusterer with `predict`, or a Pipeline that ends in one
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples to label.
        y : array-like of shape (n_samples,)
            Their given labels.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : ContingencyDisplay
        """
        last = fitted_having("predict", "ContingencyDisplay labels samples", estimator, "give a clusterer.")
        return cls.from_predictions(y, last.predict(as_seen(estimator, X)), ax=ax, **imshow_params)

    @classmethod
    def from_predictions(cls, labels_true, labels_pred, *, ax=None, **imshow_params):
        """Draw clusters against given labels.

        Parameters
        ----------
        labels_true, labels_pred : array-like of shape (n_samples,)
            Given labels, any names, and clusters.
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : ContingencyDisplay

        Examples
        --------
        >>> from skdeepsc.inspection import ContingencyDisplay
        >>> display = ContingencyDisplay.from_predictions(["a", "a", "b", "b"], [1, 1, 0, 2])
        >>> display.clusters_
        [1, 0, 2]
        >>> display.table_
        array([[2, 0, 0],
               [0, 1, 1]])
        """
        return cls(labels_true, labels_pred).plot(ax=ax, **imshow_params)

    @checked
    def plot(self, *, ax: Any = None, **imshow_params):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.
        **imshow_params
            Further arguments of ``Axes.imshow``.

        Returns
        -------
        display : ContingencyDisplay
        """
        true, pred = as_pair("labels_true", self.labels_true, "labels_pred", self.labels_pred)
        rows, columns, table = np.unique(true), np.unique(pred), contingency_matrix(true, pred)
        order = _matched(table, columns)
        self.table_, self.labels_, self.clusters_ = table[:, order], rows.tolist(), columns[order].tolist()
        shares = self.table_ / self.table_.sum(axis=1, keepdims=True)

        n_rows, n_columns = shares.shape
        are_numbered = max(shares.shape) <= _NUMBERED
        cell = {axis: _CELL if are_numbered else min(_CELL, _SIDE / n) for axis, n in (("y", n_rows), ("x", n_columns))}
        names = {"y": list(map(str, self.labels_)), "x": ["noise" if k == -1 else str(k) for k in self.clusters_]}
        longest = {axis: max(map(len, each)) for axis, each in names.items()}
        is_upright = longest["x"] > 3 or n_columns > _NUMBERED
        right = clustering_accuracy_score(true, pred)
        title = f"Clustering accuracy {right:.1%}\n{len(true):,} samples"
        width = cell["x"] * n_columns + inches_of("m" * longest["y"]) + 1.9
        height = cell["y"] * n_rows + (inches_of("m" * longest["x"]) if is_upright else 0.2) + 1.2
        is_given = ax is not None
        self.ax_ = ax = axes_or_new(ax, figsize=(max(width, 3.4), height))
        self.figure_ = ax.figure
        how = {"cmap": "Blues", "vmin": 0, "vmax": shares.max(), "interpolation": "nearest"}
        how["aspect"] = "equal" if cell["x"] == cell["y"] else "auto"
        image = ax.imshow(shares, **{**how, **imshow_params})
        if is_given:
            ax.apply_aspect()
            cell = dict(zip("xy", ax.get_window_extent().size / self.figure_.dpi / (n_columns, n_rows), strict=True))
        if are_numbered:
            is_dark = image.norm(shares) > 0.5
            for (row, column), count in np.ndenumerate(self.table_):
                color = "white" if is_dark[row, column] else "black" if count else "#bbbbbb"
                ax.text(column, row, f"{count}", ha="center", va="center", fontsize=7.5, color=color)
        room = {"y": _LINE, "x": _LINE if is_upright else inches_of("m" * (longest["x"] + 1))}
        for axis, set_ticks in (("y", ax.set_yticks), ("x", ax.set_xticks)):
            step = math.ceil(room[axis] / cell[axis])
            set_ticks(range(0, len(names[axis]), step), labels=names[axis][::step], **PLAIN)
        ax.tick_params(axis="x", labelrotation=90 if is_upright else 0)
        ax.set(xlabel="cluster", ylabel="given label")
        ax.set_title(title, fontsize="medium")
        beside = ax.inset_axes([0.12, 0, 0.14, 1], transform=_beside(ax))
        self.figure_.colorbar(image, cax=beside, label="share of the label")
        return self


def _beside(ax):
    """Coordinates right of axes: inches from there, and shares of their height."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    inches = ax.figure.dpi_scale_trans + ScaledTranslation(1, 0, ax.transAxes)
    return blended_transform_factory(inches, ax.transAxes)


def _matched(table, columns):
    """The order of the columns."""
    matched = linear_sum_assignment(table, maximize=True)[1].tolist()
    rest = [column for column in np.argsort(-table.sum(axis=0), kind="stable").tolist() if column not in matched]
    order = [*matched, *rest]
    return sorted(order, key=lambda column: columns.dtype.kind in "iu" and columns[column] == -1)
