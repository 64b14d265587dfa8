"""Clusters against given labels."""

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

# Rows or columns up to which cells have numbers, and up to which they have names.
_NUMBERED, _NAMED = 20, 40


class ContingencyDisplay:
    """How many samples of each given label are in each cluster; columns are ordered so that matches are the diagonal.

    Clusters are matched to labels as the clustering accuracy matches them, one to one; those without a partner follow,
    the largest first, and noise is last. Colours are shares of the samples of a label.

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
        side = 0.42 if max(shares.shape) <= _NUMBERED else 7 / max(shares.shape)
        names = {"y": list(map(str, self.labels_)), "x": ["noise" if k == -1 else str(k) for k in self.clusters_]}
        longest = {axis: max(map(len, each)) for axis, each in names.items()}
        is_upright = longest["x"] > 3 or n_columns > _NUMBERED
        right = clustering_accuracy_score(true, pred)
        title = f"Clustering accuracy {right:.1%}\n{len(true):,} samples"
        width = side * n_columns + inches_of("m" * longest["y"]) + 1.9
        height = side * n_rows + (inches_of("m" * longest["x"]) if is_upright else 0.2) + 1.2
        self.ax_ = ax = axes_or_new(ax, figsize=(max(width, 3.4), height))
        self.figure_ = ax.figure
        image = ax.imshow(
            shares, **{"cmap": "Blues", "vmin": 0, "vmax": 1, "interpolation": "nearest", **imshow_params}
        )
        if max(shares.shape) <= _NUMBERED:
            for (row, column), count in np.ndenumerate(self.table_):
                color = "white" if shares[row, column] > 0.5 else "black" if count else "#bbbbbb"
                ax.text(column, row, f"{count}", ha="center", va="center", fontsize=7.5, color=color)
        for axis, set_ticks in (("y", ax.set_yticks), ("x", ax.set_xticks)):
            step = 1 if len(names[axis]) <= _NAMED else -(-len(names[axis]) // 20)
            set_ticks(range(0, len(names[axis]), step), labels=names[axis][::step], **PLAIN)
        ax.tick_params(axis="x", labelrotation=90 if is_upright else 0)
        ax.set(xlabel="cluster", ylabel="given label")
        ax.set_title(title, fontsize="medium")
        beside = ax.inset_axes([1 + 0.12 / (side * n_columns), 0, 0.14 / (side * n_columns), 1])
        self.figure_.colorbar(image, cax=beside, label="share of the label")
        return self


def _matched(table, columns):
    """The order of the columns."""
    matched = linear_sum_assignment(table, maximize=True)[1].tolist()
    rest = [column for column in np.argsort(-table.sum(axis=0), kind="stable").tolist() if column not in matched]
    order = [*matched, *rest]
    return sorted(order, key=lambda column: columns.dtype.kind in "iu" and columns[column] == -1)
