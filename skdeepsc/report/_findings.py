"""Who belongs where, how surely, and what was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._input import unit_rows
from .._params import checked
from ..metrics import fitted_having


@dataclass
class Findings:
    """A clustering as one tells it; made by :func:`find`.

    Attributes
    ----------
    names : list of str
        What the samples are called, such as their files.
    cluster, second : ndarray of shape (n_samples,), int64
        Cluster of each sample, -1 for noise, and the next best; -1 where there is but one cluster.
    probability, second_probability : ndarray of shape (n_samples,), float64
        Of these two, by ``predict_proba``, in which a sample that was clustered has no say in its own.
    support, second_support : ndarray of shape (n_samples,), float64
        The mean of the probability and of the share that the cluster has in the affinities of the sample, to others,
        where it is in the graph that was clustered; else the probability.
    members : list of ndarray
        Samples of each cluster, the typical ones first, the doubtful ones last.
    pictures : sequence or None
        A path or an image's array for each sample, from which it is drawn.
    choice : str
        What was chosen and why, a sentence.
    code : str
        How to do the same in Python.
    notes : list of str
        Warnings.
    """

    names: list[str]
    cluster: np.ndarray
    probability: np.ndarray
    second: np.ndarray
    second_probability: np.ndarray
    support: np.ndarray
    second_support: np.ndarray
    members: list[np.ndarray]
    pictures: Sequence[Any] | None
    choice: str
    code: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def margin(self):
        """By how much the cluster has more support than the next best."""
        return self.support - self.second_support

    def doubtful(self, n_samples):
        """The samples that could most easily belong elsewhere, the most doubtful first; fewer if fewer could."""
        order = np.argsort(self.margin, kind="stable")
        return order[self.second_support[order] > 0][:n_samples]


@checked
def find(
    clusterer: Any,
    X: ArrayLike,
    names: Sequence | np.ndarray | None = None,
    pictures: Any = None,
    *,
    is_fitted: bool = True,
    code: str = "",
    notes: Sequence = (),
) -> Findings:
    """What a fitted clusterer has found in its training data, or says of other samples.

    Parameters
    ----------
    clusterer : fitted clusterer of this package
    X : array-like
        What it was fitted on, or others like them.
    names : sequence of str or None, default=None
        What samples are called; ``None``: by their numbers.
    pictures : sequence of path or ndarray, or None, default=None
        Of which sheets are made; ``None``: images of `X` if it holds any.
    is_fitted : bool, default=True
        Whether `X` is what it was fitted on, so that ``labels_`` are its labels; else they are those of `predict`.
    code : str, default=""
        How to do the same in Python, for the page.
    notes : sequence of str, default=()
        For the page.

    Returns
    -------
    findings : Findings

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import SubspaceClustering
    >>> from skdeepsc.report import find
    >>> images = load_digits(n_class=3).images
    >>> found = find(SubspaceClustering(3, views=["pixels"], random_state=0).fit(images), images)
    >>> [len(members) for members in found.members] == [sum(found.cluster == k) for k in range(3)]
    True
    """
    clusterer = fitted_having("predict_proba", "A report tells how surely", clusterer, "give another clusterer.")
    proba = clusterer.predict_proba(X)
    if is_fitted and len(proba) != len(clusterer.labels_):
        n_fitted = len(clusterer.labels_)
        raise ValueError(f"X must be the {n_fitted} samples of fit, or is_fitted must be False; got {len(proba)}.")
    for name, given in (("names", names), ("pictures", pictures)):
        if given is not None and len(given) != len(proba):
            raise ValueError(f"{name} must be one for each of {len(proba)} samples; got {len(given)}.")
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
    order = np.lexsort((-_typicality(clusterer, X, labels), -margin.round(6)))
    return Findings(
        names=[str(name) for name in (rows if names is None else names)],
        cluster=labels,
        probability=of_first[0],
        second=np.full(len(rows), -1) if is_alone else second,
        second_probability=of_second[0],
        support=of_first[1],
        second_support=of_second[1],
        members=[order[labels[order] == cluster] for cluster in range(proba.shape[1])],
        pictures=_pictures(clusterer, X) if pictures is None else pictures,
        choice=choice_of(clusterer),
        code=code,
        notes=list(notes),
    )


def choice_of(clusterer):
    """What a fitted clusterer has chosen and why, a sentence."""
    name = type(clusterer).__name__
    if hasattr(clusterer, "candidates_"):
        found = clusterer.candidates_
        n_views, n_dims = len(clusterer.views_), len(set(found["subspace_dim"].tolist()))
        return (
            f"Of {n_views} view{'s' * (n_views > 1)} and {n_dims} dimension{'s' * (n_dims > 1)}, {name} chose the view "
            f"“{clusterer.view_}” with subspaces of expected dimension {clusterer.subspace_dim_:g}, because "
            f"there the clusters say most about which samples express each other (edge information "
            f"{found['edge_information'][0]:.2f}, where 1 is all); no labels were used."
        )
    dim = getattr(clusterer, "subspace_dim_", None)
    if getattr(clusterer, "subspace_dim", None) == "auto" and isinstance(dim, int | float):
        return f"{name} chose subspaces of expected dimension {dim:g} by edge information; no labels were used."
    return f"{name} with its default settings; nothing was to be chosen, and no labels were used."


def _links(clusterer, proba):
    """Shares of the clusters in the affinities of the samples, or probabilities of those without any."""
    shares = proba.copy()
    if hasattr(clusterer, "affinity_matrix_"):
        rows = clusterer.sample_indices_
        sums = clusterer.affinity_matrix_ @ (clusterer.labels_[rows, None] == np.arange(proba.shape[1]))
        total = sums.sum(axis=1, keepdims=True)
        shares[rows] = np.divide(sums, total, out=proba[rows], where=total > 0)
    return shares


def _typicality(clusterer, X, labels):
    """How much each sample is like the mean of its cluster, where probabilities are the same."""
    samples = clusterer.transform(X) if hasattr(clusterer, "transform") else np.asarray(X)
    rows = np.asarray(samples, dtype=np.float32).reshape(len(labels), -1)
    rows = unit_rows(rows, rows.mean(axis=0))
    present, which = np.unique(labels, return_inverse=True)
    means = np.array([rows[labels == cluster].mean(axis=0) for cluster in present])
    return np.einsum("ij,ij->i", rows, means[which])


def _pictures(clusterer, X):
    """Images of the samples as bytes, if they are images."""
    shape = getattr(clusterer, "image_shape_", np.shape(X)[1:])
    if len(shape) < 2:
        return None
    images = np.asarray(X).reshape(len(X), *shape)
    if images.dtype == np.uint8:
        return images
    low, high = images.min(), images.max()
    return ((images - low) * (255 / ((high - low) or 1))).astype(np.uint8)
