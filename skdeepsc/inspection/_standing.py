"""Who belongs where, and how surely: the order in which samples are shown, and which of them are doubtful."""

from dataclasses import dataclass, replace

import numpy as np

from .._arrays import as_numbers, plain
from .._input import unit_rows
from .._scale import divided, unit_exponent
from ..metrics import fitted_having, innermost

# Share of the support of its cluster that another one must have for a sample to be doubtful.
_LEAST = 0.01


@dataclass(kw_only=True)
class Standing:
    """How samples stand to the clusters; made by :func:`standing_of`.

    Attributes
    ----------
    cluster, second : ndarray of shape (n_samples,), int64
        Cluster of each sample, -1 for noise, and the next best; -1 where there is but one cluster.
    probability, second_probability : ndarray of shape (n_samples,), float64
        Of these two, by ``predict_proba``, in which a sample that was clustered has no say in its own, unless a
        classifier tells.
    support, second_support : ndarray of shape (n_samples,), float64
        The mean of the probability and of the share that the cluster has in the affinities of the sample, to others,
        where it is in the graph that was clustered; else the probability.
    members : list of ndarray
        Samples of each cluster, the typical ones first, the doubtful ones last.
    """

    cluster: np.ndarray
    probability: np.ndarray
    second: np.ndarray
    second_probability: np.ndarray
    support: np.ndarray
    second_support: np.ndarray
    members: list[np.ndarray]

    @property
    def margin(self):
        """By how much the cluster has more support than the next best."""
        return self.support - self.second_support

    def doubtful(self, n_samples):
        """The samples of clusters that could most easily belong elsewhere.

        Parameters
        ----------
        n_samples : int
            The most of them; there are fewer where for others no second cluster has a hundredth of the support.

        Returns
        -------
        samples : ndarray of int
            Their numbers, the most doubtful first.
        """
        order = np.argsort(self.margin, kind="stable")
        could_be_elsewhere = (self.second_support > _LEAST * self.support) & (self.cluster >= 0)
        return order[could_be_elsewhere[order]][:n_samples]

    @property
    def noise(self):
        """The samples that are in no cluster, those first that come nearest to one."""
        order = np.argsort(self.margin, kind="stable")
        return order[self.cluster[order] < 0]

    @property
    def groups(self):
        """Clusters by their numbers with their samples, and noise as -1; what has no sample is left out."""
        return [(cluster, group) for cluster, group in (*enumerate(self.members), (-1, self.noise)) if len(group)]


def as_seen(estimator, X):
    """Samples as the last of fitted pipelines and searches gets them; sparse ones as CSR."""
    seen = innermost(estimator, X)[1]
    return seen.tocsr() if hasattr(seen, "tocsr") else seen


def directions_of(clusterer, X):
    """Samples as the clusterer represents them, less their mean and of unit length: what it compares are angles."""
    samples = clusterer.transform(X) if hasattr(clusterer, "transform") else X
    samples = as_numbers("X", samples, accept_sparse="csr", allow_nd=True)
    samples = divided(samples, unit_exponent(samples))  # float32 need not hold them as they are.
    samples = samples.toarray() if hasattr(samples, "toarray") else samples
    rows = samples.reshape(len(samples), -1).astype(np.float32, copy=False)
    return unit_rows(rows, rows.mean(axis=0))


def standing_of(clusterer, X, directions=None, *, is_fitted=True):
    """How samples stand to the clusters of a fitted clusterer.

    Parameters
    ----------
    clusterer : fitted clusterer of this package
    X : array-like
        What it was fitted on, or others like them.
    directions : ndarray of shape (n_samples, n_features_out) or None, default=None
        Those of :func:`directions_of`, if they are at hand.
    is_fitted : bool, default=True
        Whether `X` is what it was fitted on, so that ``labels_`` are its labels; else they are those of `predict`.

    Returns
    -------
    standing : Standing
    """
    clusterer = fitted_having("predict_proba", "This tells how surely", clusterer, "give another clusterer.")
    proba = clusterer.predict_proba(X)
    if is_fitted and len(proba) != len(clusterer.labels_):
        n_fitted = len(clusterer.labels_)
        raise ValueError(f"X must be the {n_fitted} samples of fit, or is_fitted must be False; got {len(proba)}.")
    labels = clusterer.labels_ if is_fitted else clusterer.predict(X)
    support, rows = (proba + _links(clusterer, proba)) / 2 if is_fitted else proba, np.arange(len(labels))
    is_known = labels >= 0  # The others are noise, in no cluster.
    others = support.copy()
    others[rows[is_known], labels[is_known]] = -1.0
    second = others.argmax(axis=1)
    is_alone = proba.shape[1] == 1
    of_second = [np.zeros(len(rows)) if is_alone else shares[rows, second] for shares in (proba, support)]
    of_first = [np.where(is_known, shares[rows, labels], 0.0) for shares in (proba, support)]
    margin = of_first[1] - of_second[1]
    directions = directions_of(clusterer, X) if directions is None else directions
    order = np.lexsort((-_typicality(directions, labels), -margin.round(6)))
    return Standing(
        cluster=labels,
        probability=of_first[0],
        second=np.full(len(rows), -1) if is_alone else second,
        second_probability=of_second[0],
        support=of_first[1],
        second_support=of_second[1],
        members=[order[labels[order] == cluster] for cluster in range(proba.shape[1])],
    )


def explanations_of(clusterer, X, numbers, top):
    """What expresses some of the training samples, by their numbers; none where a clusterer explains nothing."""
    if not hasattr(clusterer, "explain") or not len(numbers):
        return {}
    rows = X.iloc[numbers] if hasattr(X, "iloc") else plain("X", X)
    rows = rows if hasattr(X, "iloc") else (rows if hasattr(rows, "shape") else np.asarray(rows))[numbers]
    found = zip(map(int, numbers), clusterer.explain(X=rows, top=top), strict=True)
    return {number: replace(explanation, sample=number) for number, explanation in found}


def _links(clusterer, proba):
    """Shares of the clusters in the affinities of the samples, or probabilities of those without any."""
    shares = proba.copy()
    if hasattr(clusterer, "affinity_matrix_"):
        rows = clusterer.sample_indices_
        affinity, of_cluster = clusterer.affinity_matrix_, clusterer.labels_[rows, None] == np.arange(proba.shape[1])
        sums = affinity @ of_cluster - affinity.diagonal()[:, None] * of_cluster
        total = sums.sum(axis=1, keepdims=True)
        shares[rows] = np.divide(sums, total, out=proba[rows], where=total > 0)
    return shares


def _typicality(directions, labels):
    """How much each sample is like the mean of its cluster, where probabilities are the same."""
    present, which = np.unique(labels, return_inverse=True)
    means = np.array([directions[labels == cluster].mean(axis=0) for cluster in present])
    return np.einsum("ij,ij->i", directions, means[which])
