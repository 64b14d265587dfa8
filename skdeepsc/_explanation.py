"""Why a sample is where it is: which of the clustered samples express it, with what weight, from which cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._labels import as_names

# Samples that a description names.
_NAMED = 5


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Which samples express a sample; made by the method `explain` of clusterers with coefficients.

    Attributes
    ----------
    sample : int or None
        Number of the training sample that is explained; ``None``: a new one.
    label : int
        Its cluster.
    indices : ndarray of shape (n_expressing,), int64
        Numbers of the training samples that express it, the largest magnitude of a weight first.
    weights : ndarray of shape (n_expressing,), float64
        Their coefficients.
    labels : ndarray of shape (n_expressing,), int64
        Their clusters.
    shares : ndarray of shape (n_found,), float64
        Share of each cluster in the magnitudes of all weights, also of those that `top` leaves out. They sum to 1, or
        are 0 where nothing expresses the sample.
    n_left_out : int
        Weights that `top` has left out.
    """

    sample: int | None
    label: int
    indices: np.ndarray
    weights: np.ndarray
    labels: np.ndarray
    shares: np.ndarray
    n_left_out: int = 0

    def describe(self, names: Sequence[str] | None = None) -> str:
        """The explanation in a few lines.

        Parameters
        ----------
        names : sequence of str or None, default=None
            What the training samples are called, such as their files; ``None``: by their numbers.

        Returns
        -------
        text : str
        """
        names = as_names(names)
        if not len(self.indices):
            return f"{named(self.sample, names)}, {_cluster(self.label)}: no sample expresses it"
        called = [named(index, names) for index in self.indices[:_NAMED]]
        lines = [f"{named(self.sample, names)}, {_cluster(self.label)}: {_shared(self.shares)}"]
        for name, weight, label in zip(called, self.weights, self.labels, strict=False):
            lines.append(f"  {weight:+.3f}  {_cluster(label)}  {name}")
        more = len(self.indices) - _NAMED + self.n_left_out if len(self.indices) > _NAMED else self.n_left_out
        return "\n".join(lines + [f"  and {more} more"] * (more > 0))

    def __repr__(self):
        return self.describe()


@dataclass(frozen=True, eq=False, repr=False)
class PairExplanation:
    """Why two training samples are together, or are not; made by `explain` of clusterers with coefficients.

    Attributes
    ----------
    samples : tuple of two int
        Numbers i and j of the samples.
    labels : tuple of two int
        Their clusters.
    weights : tuple of two float
        The coefficient of j in i, and that of i in j; 0: there is none.
    affinity : float
        Entry of the affinity between them.
    common : ndarray of shape (n_common,), int64
        Numbers of the training samples that express both, the largest product of magnitudes first.
    common_weights : ndarray of shape (n_common, 2), float64
        Their coefficients in i and in j.
    shares : tuple of two float
        Share of the cluster of j in what expresses i, and of that of i in what expresses j.
    """

    samples: tuple[int, int]
    labels: tuple[int, int]
    weights: tuple[float, float]
    affinity: float
    common: np.ndarray
    common_weights: np.ndarray
    shares: tuple[float, float]

    @property
    def together(self) -> bool:
        """Whether the two are in the same cluster."""
        return self.labels[0] == self.labels[1] >= 0

    def describe(self, names: Sequence[str] | None = None) -> str:
        """The explanation in a few lines.

        Parameters
        ----------
        names : sequence of str or None, default=None
            What the training samples are called, such as their files; ``None``: by their numbers.

        Returns
        -------
        text : str
        """
        names = as_names(names)
        i, j = (named(sample, names) for sample in self.samples)
        where = " and ".join(_cluster(label) for label in self.labels)
        lines = [
            f"{i} and {j}: " + (f"together in {_cluster(self.labels[0])}" if self.together else f"apart, {where}"),
            f"  {j} in {i}: {self.weights[0]:+.3f}; {i} in {j}: {self.weights[1]:+.3f}; affinity {self.affinity:.3g}",
            f"  share of the other's cluster in what expresses them: {self.shares[0]:.2f}, {self.shares[1]:.2f}",
        ]
        both = ", ".join(named(index, names) for index in self.common[:_NAMED]) or "no sample"
        more = len(self.common) - _NAMED
        return "\n".join([*lines, f"  expressed both: by {both}" + f" and {more} more" * (more > 0)])

    def __repr__(self):
        return self.describe()


def explained(sample, label, coefs, indices, labels, n_found, top=None):
    """The explanation of a sample from one row of coefficients over the clustered samples.

    Parameters
    ----------
    sample : int or None
    label : int
    coefs : csr_array of shape (1, n_rows)
    indices, labels : ndarray of shape (n_rows,), int
        Numbers and clusters of the clustered samples; -1: none.
    n_found : int
        Number of clusters.
    top : int or None, default=None
        The most samples to name.

    Returns
    -------
    explanation : Explanation
    """
    order = np.argsort(-np.abs(coefs.data), kind="stable")
    columns, weights = coefs.indices[order], coefs.data[order].astype(np.float64)
    found = labels[columns]
    shares = np.bincount(found[found >= 0], np.abs(weights[found >= 0]), minlength=n_found)
    shares = shares / (shares.sum() or 1.0)
    kept = slice(top)
    n_left_out = len(columns) - len(columns[kept])
    return Explanation(
        sample, label, indices[columns][kept].astype(np.int64), weights[kept], found[kept], shares, n_left_out
    )


def explained_pair(pair, labels, coefs, affinity, places, indices, shares, top=None):
    """The explanation of two samples from their rows of coefficients over the clustered samples.

    Parameters
    ----------
    pair, labels, places : sequence of two int
        Numbers of the samples, their clusters, and where they are among the clustered samples.
    coefs : csr_array of shape (2, n_rows)
    affinity : float
    indices : ndarray of shape (n_rows,), int
        Numbers of the clustered samples.
    shares : sequence of two float
        Of the cluster of the other one.
    top : int or None, default=None
        The most common samples to name.

    Returns
    -------
    explanation : PairExplanation
    """
    i, j = (coefs[[row]].toarray()[0].astype(np.float64) for row in (0, 1))
    common = np.flatnonzero((i != 0) & (j != 0))
    common = common[np.argsort(-np.abs(i[common] * j[common]), kind="stable")][:top]
    return PairExplanation(
        samples=tuple(map(int, pair)),
        labels=tuple(map(int, labels)),
        weights=(float(i[places[1]]), float(j[places[0]])),
        affinity=float(affinity),
        common=indices[common].astype(np.int64),
        common_weights=np.column_stack([i[common], j[common]]),
        shares=tuple(map(float, shares)),
    )


def named(index, names=None):
    """What a sample is called, by its number; None is a new one."""
    if index is None:
        return "a new sample"
    if names is not None and index >= len(names):
        raise ValueError(f"names must be one for each training sample; got {len(names)}, and sample {index} is named.")
    return f"sample {index}" if names is None else names[index]


def _cluster(label):
    return f"cluster {label}" if label >= 0 else "noise"


def _shared(shares):
    """The largest shares, in words."""
    order = [k for k in np.argsort(-shares, kind="stable")[:3] if shares[k] >= 0.005]
    return "shares " + ", ".join(f"{shares[k]:.2f} of {_cluster(k)}" for k in order) if order else "no share"
