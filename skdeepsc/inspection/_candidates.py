"""What SubspaceClustering chose from."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._affinity import AffinityDisplay
from ._axes import pyplot


class CandidatesDisplay:
    """The candidates' normalised cuts, and the affinity of the best.

    On the left one line a view: the lowest cut that was reached for each dimension; dots are single labellings, before
    the search from them. The ring marks the answer. On the right the affinity that belongs to it, ordered by clusters.

    Parameters
    ----------
    candidates : dict of ndarray
        As `candidates_` of :class:`~skdeepsc.SubspaceClustering`.
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
    labels : array-like of shape (n_samples,)
        Clusters of the rows of the affinity.

    Attributes
    ----------
    axes_ : ndarray of two matplotlib Axes
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
        axes : sequence of two matplotlib Axes or None, default=None
            Where to draw; ``None`` makes a figure.

        Returns
        -------
        display : CandidatesDisplay
        """
        check_is_fitted(estimator)
        labels = estimator.labels_[estimator.sample_indices_]
        return cls(estimator.candidates_, estimator.affinity_matrix_, labels).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw; see :meth:`from_estimator`."""
        if axes is None:
            _, axes = pyplot().subplots(1, 2, figsize=(10, 4.4), layout="constrained")
        self.axes_ = np.asarray(axes)
        self.figure_ = self.axes_[0].figure
        self._plot_cuts(self.axes_[0])
        AffinityDisplay(self.affinity, self.labels).plot(ax=self.axes_[1])
        return self

    def _plot_cuts(self, ax):
        view, dim, cut, refined = (
            self.candidates[name] for name in ("view", "subspace_dim", "normalized_cut", "refined_cut")
        )
        for name in dict.fromkeys(view):
            dims = np.unique(dim[view == name])
            lowest = [refined[(view == name) & (dim == q)].min() for q in dims]
            (line,) = ax.plot(dims, lowest, marker="o", label=name)
            tried = (view == name) & np.isfinite(refined)
            ax.plot(dim[tried], cut[tried], ".", color=line.get_color(), alpha=0.4)
        ax.plot(dim[0], refined[0], "o", markersize=14, fillstyle="none", color="black", label="chosen")
        ax.set_xscale("log", base=2)
        ax.set_xticks(np.unique(dim), labels=[f"{q:g}" for q in np.unique(dim)])
        ax.minorticks_off()
        if (refined[np.isfinite(refined)] > 0).all() and (cut > 0).all():
            ax.set_yscale("log")
        ax.set(xlabel="expected dimension of a subspace", ylabel="normalised cut / number of clusters")
        ax.set_title("Candidates")
        ax.legend()
