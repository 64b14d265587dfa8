"""Who belongs where, how surely, and what was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from reprlib import repr as brief
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._explanation import Explanation
from .._labels import as_names
from .._params import checked
from .._view_search import is_as_clear
from ..inspection._map import projected
from ..inspection._pictures import as_pictures, pictures_of, without_folders
from ..inspection._standing import Standing, as_seen, directions_of, explanations_of, standing_of
from ..metrics import fitted_having

# Parameters that say where and how watched it is computed.
_WITHOUT_EFFECT = ("device", "n_jobs", "memory", "checkpoint", "callbacks")
# Samples of a cluster, the typical ones, and doubtful ones that are explained; samples that express one.
_EXPLAINED, N_DOUBTFUL, _EXPRESSING = 1, 24, 5


@dataclass(kw_only=True)
class Findings(Standing):
    """A clustering as one tells it; made by :func:`find`.

    Attributes
    ----------
    names : list of str
        What the samples are called, such as their files.
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
    pictures : sequence or None
        A path or an image's array for each sample, from which it is drawn.
    is_fitted : bool
        Whether these are the samples of the fit, and not new ones.
    choice : str
        How many samples are in how many clusters, and what was chosen and why, in two or three sentences.
    confidence : ndarray of shape (n_samples,), float64, or None
        How far all labellings agree, where the clusterer compares several and has seen the samples in fit.
    points : ndarray of shape (n_samples, 2) or None
        A map of the samples as they were represented, their two principal components.
    explanations : dict of int to Explanation
        Which samples express the most typical one of each cluster and the most doubtful ones, by their numbers.
    n_clusters_scores : dict of int to float or None
        Of each number of clusters that was tried, what it saves; ``None`` where the number was given.
    code : str
        How to do the same in Python.
    notes : list of str
        Warnings.
    columns : dict of list
        Further columns of the table, by their titles.
    """

    names: list[str]
    pictures: Sequence[Any] | None
    choice: str
    is_fitted: bool = True
    confidence: np.ndarray | None = None
    points: np.ndarray | None = None
    explanations: dict[int, Explanation] = field(default_factory=dict)
    n_clusters_scores: dict[int, float] | None = None
    code: str = ""
    notes: list[str] = field(default_factory=list)
    columns: dict[str, list] = field(default_factory=dict)

    @cached_property
    def captions(self):
        """Names, without the folders that all of them are in."""
        return without_folders(self.names)


@checked
def find(
    clusterer: Any,
    X: ArrayLike,
    names: Any = None,
    pictures: Any = None,
    *,
    is_fitted: bool = True,
    code: str = "",
    notes: Sequence = (),
) -> Findings:
    """What a fitted clusterer has found in its training data, or says of other samples.

    Parameters
    ----------
    clusterer : fitted clusterer of this package, or a Pipeline that ends in one
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
    seen = as_seen(clusterer, X)
    last = fitted_having("predict_proba", "A report tells how surely", clusterer, "give another clusterer.")
    directions = directions_of(last, seen)
    standing = standing_of(last, seen, directions, is_fitted=is_fitted)
    typical = [members[:_EXPLAINED] for members in standing.members]
    to_explain = np.unique(np.concatenate([*typical, standing.doubtful(N_DOUBTFUL)])) if is_fitted else ()
    return Findings(
        **vars(standing),
        names=as_names(range(len(directions)) if names is None else names, len(directions)),
        pictures=pictures_of(last, X) if pictures is None else as_pictures(pictures, len(directions), "pictures"),
        choice=choice_of(last) if is_fitted else _choice_before(standing.cluster, last),
        is_fitted=is_fitted,
        confidence=getattr(last, "confidence_", None) if is_fitted else None,
        points=projected(directions),
        explanations=explanations_of(last, seen, to_explain, _EXPRESSING),
        n_clusters_scores=getattr(last, "n_clusters_scores_", None) or None,
        code=code,
        notes=list(notes),
    )


def choice_of(clusterer):
    """Into how many clusters how many samples went, what a fitted clusterer has chosen for that, and why."""
    name = type(clusterer).__name__
    return f"{_numbers(clusterer)} {_ways(clusterer, name)} No labels were used."


def _choice_before(labels, clusterer):
    """How many new samples have labels of a clusterer, and what that had chosen."""
    return f"{_in_clusters(labels)}, as a fitted model labels them. The model: {choice_of(clusterer)}"


def _in_clusters(labels):
    """How many samples are in how many clusters, and how many in none."""
    n_noise = int(np.count_nonzero(labels < 0))
    n_samples, n_clusters = len(labels) - n_noise, len(np.unique(labels[labels >= 0]))
    said = f"{n_samples:,} sample{'s' * (n_samples != 1)} in {n_clusters:,} cluster{'s' * (n_clusters != 1)}"
    return f"{said} and {n_noise:,} apart from them, as noise" if n_noise else said


def _numbers(clusterer):
    n_clusters = len(np.unique(clusterer.labels_[clusterer.labels_ >= 0]))
    if getattr(clusterer, "n_clusters", None) == "auto":
        how = f"; {n_clusters:,} is a number that was chosen"
    else:
        how = "" if n_clusters == clusterer.n_clusters else f"; {clusterer.n_clusters} were asked for"
    return f"{_in_clusters(clusterer.labels_)}{how}."


def _ways(clusterer, name):
    """What was chosen and why, or with which settings it was done, a sentence."""
    if hasattr(clusterer, "candidates_"):
        found = clusterer.candidates_
        n_views, n_dims = len(clusterer.views_), len(set(found["subspace_dim"].tolist()))
        if not found["edge_information"].max() > 0:
            return (
                f"{name} took the view “{clusterer.view_}” with subspaces of expected dimension "
                f"{clusterer.subspace_dim_:g}; nothing told the views apart, since in none do the clusters say "
                "anything about which samples express each other (edge information 0)."
            )
        of_view = found["edge_information"][found["view"] == found["view"][0]]
        left_open, least = 1 - of_view.max(), 1 - found["edge_information"].max()
        much = "most"
        if left_open > least:
            nearly, of_sizes = "as much as in any other, nearly,", "most, for clusters of their sizes,"
            much = nearly if is_as_clear(left_open, least) else of_sizes
        return (
            f"Of {n_views} view{'s' * (n_views > 1)} and {n_dims} dimension{'s' * (n_dims > 1)}, {name} chose the view "
            f"“{clusterer.view_}” with subspaces of expected dimension {clusterer.subspace_dim_:g}, because "
            f"there the clusters say {much} about which samples express each other (edge information "
            f"{found['edge_information'][0]:.2f}, where 1 is all)."
        )
    dim, own = getattr(clusterer, "subspace_dim_", None), _settings(clusterer)
    settings = f"with {own}, all else as it comes" if own else "with its default settings"
    if getattr(clusterer, "subspace_dim", None) == "auto" and isinstance(dim, int | float):
        return f"{name}, {settings}, chose subspaces of expected dimension {dim:g} by edge information."
    return f"{name} {settings}."


def _settings(clusterer):
    """Parameters that are not the default, but for what changes no clustering or is said elsewhere."""
    default, said = type(clusterer)().get_params(deep=False), {"n_clusters", "random_state", *_WITHOUT_EFFECT}
    own = {name: value for name, value in clusterer.get_params(deep=False).items() if name not in said}
    return ", ".join(f"{name}={brief(value)}" for name, value in own.items() if repr(value) != repr(default[name]))
