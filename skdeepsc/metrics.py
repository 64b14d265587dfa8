"""Scores of clusterings and of self-expression, and scorers that work where scikit-learn's quietly return nan.

NMI and ARI are scikit-learn's: :func:`sklearn.metrics.normalized_mutual_info_score` (arithmetic averaging, its default)
and :func:`sklearn.metrics.adjusted_rand_score`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._arrays import as_numbers, plain
from ._base import BaseSubspaceClustering
from ._compat import num_samples
from ._labels import as_labels, as_pair
from ._scale import divided, exponent_of, squared_norms, unit_exponent
from .affinity import as_coefficients
from .segmentation import edge_information, normalized_cut

__all__ = [
    "accuracy_scorer",
    "ari_scorer",
    "clustering_accuracy_score",
    "edge_information_scorer",
    "expression_residual",
    "expression_scorer",
    "make_labels_scorer",
    "nmi_scorer",
    "normalized_cut_scorer",
    "purity_score",
    "silhouette_scorer",
    "subspace_preserving_error",
]


def clustering_accuracy_score(labels_true: ArrayLike, labels_pred: ArrayLike) -> float:
    """Share of samples that are right when every cluster is given the class that fits best, one to one (ACC).

    Clusters are matched to classes by the Hungarian method. Their numbers may differ: those without a partner count as
    wrong.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)
        Classes and clusters, any names.

    Returns
    -------
    accuracy : float
        In (0, 1]; 1 is best.

    Examples
    --------
    >>> from skdeepsc.metrics import clustering_accuracy_score
    >>> clustering_accuracy_score([0, 0, 1, 1], [1, 1, 0, 2])
    0.75
    """
    table = _table(labels_true, labels_pred)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / table.sum())


def purity_score(labels_true: ArrayLike, labels_pred: ArrayLike) -> float:
    """Share of samples that belong to the largest class of their cluster.

    Several clusters may have the same class, so that purity grows with the number of clusters.

    Parameters
    ----------
    labels_true, labels_pred : array-like of shape (n_samples,)

    Returns
    -------
    purity : float
        In (0, 1]; 1 is best.

    Examples
    --------
    >>> from skdeepsc.metrics import purity_score
    >>> purity_score([0, 0, 1, 1], [1, 1, 0, 2])
    1.0
    """
    table = _table(labels_true, labels_pred)
    return float(table.max(axis=0).sum() / table.sum())


def subspace_preserving_error(coef: Any, labels_true: ArrayLike) -> float:
    r"""Mean share of each row's l1 norm that lies on samples of other classes.

    .. math:: \frac{1}{N} \sum_i \Big(1 - \frac{\sum_{j: y_j = y_i} |c_{ij}|}{\sum_j |c_{ij}|}\Big)

    Parameters
    ----------
    coef : ndarray or sparse array of shape (n_samples, n_samples)
        Self-expression coefficients; row i rebuilds sample i. The diagonal is ignored.
    labels_true : array-like of shape (n_samples,)
        Classes.

    Returns
    -------
    error : float
        In [0, 1]; 0 means that every sample is expressed by its own class. Rows of zeros count as 1.

    References
    ----------
    C. You, D. Robinson, R. Vidal, "Scalable sparse subspace clustering by orthogonal matching pursuit", CVPR 2016,
    doi:10.1109/CVPR.2016.425.
    """
    magnitude = abs(as_coefficients(coef))
    if sparse.issparse(magnitude):
        magnitude = magnitude - sparse.diags_array(magnitude.diagonal())
    else:
        np.fill_diagonal(magnitude, 0)
    magnitude = divided(magnitude, unit_exponent(magnitude.data if sparse.issparse(magnitude) else magnitude))
    labels = np.unique(as_labels("labels_true", labels_true, magnitude.shape[0]), return_inverse=True)[1]
    membership = sparse.csr_array((np.ones(len(labels)), (np.arange(len(labels)), labels)))
    per_class = magnitude @ membership
    per_class = per_class.toarray() if sparse.issparse(per_class) else per_class
    own, total = per_class[np.arange(len(labels)), labels], per_class.sum(axis=1)
    return float(1 - np.divide(own, total, out=np.zeros_like(total), where=total > 0).mean())


def expression_residual(coef: Any, features: Any) -> float:
    r"""Share of the features that self-expression leaves unexplained, :math:`\|Z - CZ\|_F^2 / \|Z\|_F^2`.

    Parameters
    ----------
    coef : ndarray of shape (n_samples, n_samples)
    features : ndarray or sparse matrix of shape (n_samples, n_latent)
        Z, under the normalisation with which C was found.

    Returns
    -------
    residual : float
        At least 0.
    """
    coef = as_coefficients(coef)
    features = as_numbers("features", features, accept_sparse="csr", dtype=[np.float64, np.float32])
    if features.shape[0] != coef.shape[0]:
        raise ValueError(f"coef and features must be of the same samples; got {coef.shape[0]} and {features.shape[0]}.")
    features = divided(features, exponent_of(features))  # A share does not change with it, and squares are numbers.
    residual, total = squared_norms(features - coef @ features).sum(), squared_norms(features).sum()
    return _finite("expression_residual", float(residual / total)) if total > 0 else 0.0


class _LabelsScorer:
    """Scores a fitted clusterer by its labels; the pickle-friendly result of :func:`make_labels_scorer`."""

    def __init__(self, score_func, *, needs_y, kwargs):
        self.score_func = score_func
        self.needs_y = needs_y
        self.kwargs = kwargs
        self.__name__ = self._name()  # By which scikit-learn's displays call it.

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        return _finite(self._name(), self._score(estimator, X, y))

    def _name(self):
        function = self.score_func
        while isinstance(function, partial):
            function = function.func
        return getattr(function, "__name__", repr(function))

    def _score(self, estimator, X, y):
        name = self._name()
        if self.needs_y and y is None:
            raise ValueError(
                f"{name} compares with true labels, but y is None: pass y to fit of the search, or score without "
                "labels, e.g. by silhouette_scorer."
            )
        labels = _labels(estimator, X)
        if self.needs_y:
            return self.score_func(as_labels("y", y, len(labels)), labels, **self.kwargs)
        features = _features(estimator, X)
        features = divided(features, unit_exponent(features))  # Whose squares are numbers.
        n_found = len(np.unique(labels))
        if not 2 <= n_found < len(labels):
            raise ValueError(f"{name} needs 2 to n_samples - 1 clusters; {n_found} found among {len(labels)} samples.")
        return self.score_func(features, labels, **self.kwargs)

    def __repr__(self):
        return f"make_labels_scorer({self._name()})"


def make_labels_scorer(
    score_func: Callable[..., float], *, needs_y: bool = True, **kwargs: Any
) -> Callable[..., float]:
    """A scorer for clusterers in GridSearchCV and its relatives, loud where the usual ones return nan.

    The labels are ``estimator.predict(X)``, or ``estimator.labels_`` of a clusterer that cannot predict, if `X` is as
    long as its training set (see :class:`~skdeepsc.model_selection.TransductiveSplit`). Features are those of
    ``transform``, of a clusterer of this package that has it, else the samples as the clusterer gets them: in a
    Pipeline, from the steps before it.

    Parameters
    ----------
    score_func : callable
        ``score_func(y_true, labels)``, or ``score_func(features, labels)`` if not `needs_y`; greater is better.
    needs_y : bool, default=True
        Whether true labels are compared. Tuning by them needs them: it is not clustering without labels any more.
    **kwargs
        Further arguments of `score_func`.

    Returns
    -------
    scorer : callable ``scorer(estimator, X, y=None)``
        Raises ValueError where a score cannot be had; set ``error_score="raise"`` in the search to see it.

    Examples
    --------
    >>> from sklearn.metrics import calinski_harabasz_score
    >>> from skdeepsc.metrics import make_labels_scorer
    >>> make_labels_scorer(calinski_harabasz_score, needs_y=False)
    make_labels_scorer(calinski_harabasz_score)
    """
    if not callable(score_func):
        raise TypeError(f"score_func must be callable; got {score_func!r}.")
    return _LabelsScorer(score_func, needs_y=needs_y, kwargs=kwargs)


accuracy_scorer = make_labels_scorer(clustering_accuracy_score)
nmi_scorer = make_labels_scorer(normalized_mutual_info_score)
ari_scorer = make_labels_scorer(adjusted_rand_score)
silhouette_scorer = make_labels_scorer(silhouette_score, needs_y=False)


def expression_scorer(estimator: Any, X: Any = None, y: Any = None) -> float:
    """Minus :func:`expression_residual` of the fitted estimator's own training rows, as they were expressed.

    Needs no labels and ignores `X`. Compares weights of one way to C; other normalisations have other residuals.

    Parameters
    ----------
    estimator : clusterer or Pipeline
        Fitted; of a Pipeline or a search, what is last in it.
    X, y : Ignored

    Returns
    -------
    score : float
        At most 0; the larger, the better.
    """
    estimator = fitted_having("coef_", "expression_scorer compares the coefficients of self-expression", estimator)
    features = getattr(estimator, "_expressed_features", lambda z: z)(estimator.embedding_)
    return -expression_residual(estimator.coef_, features)


def edge_information_scorer(estimator: Any, X: Any = None, y: Any = None) -> float:
    """:func:`~skdeepsc.segmentation.edge_information` of the fitted estimator's own affinity and labels, in nats.

    Needs no labels and ignores `X`. It is what :class:`~skdeepsc.SubspaceClustering` chooses its views by, and serves
    to choose among fits of other seeds, or of other draws of a `subsample`. Compares graphs of equal density, as
    ``affinity="top"`` gives, and fits of as many clusters.

    Parameters
    ----------
    estimator : clusterer or Pipeline
        Fitted; of a Pipeline or a search, what is last in it.
    X, y : Ignored

    Returns
    -------
    score : float
        Between 0 and the logarithm of the number of clusters; the larger, the better.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdeepsc import EnSC
    >>> from skdeepsc.metrics import edge_information_scorer
    >>> from skdeepsc.model_selection import TransductiveSplit
    >>> search = GridSearchCV(
    ...     EnSC(3, subsample=100), {"random_state": [0, 1, 2]}, cv=TransductiveSplit(), scoring=edge_information_scorer
    ... )
    >>> search.fit(load_digits(n_class=3).data).best_estimator_.labels_.shape
    (537,)
    """
    return edge_information(*_graph_and_labels(estimator, "edge_information_scorer"))


def normalized_cut_scorer(estimator: Any, X: Any = None, y: Any = None) -> float:
    """Minus :func:`~skdeepsc.segmentation.normalized_cut` of the fitted estimator's own affinity and labels.

    Needs no labels and ignores `X`. Cuts compare only between graphs of equal density, as ``affinity="top"`` gives.

    Parameters
    ----------
    estimator : clusterer or Pipeline
        Fitted; of a Pipeline or a search, what is last in it.
    X, y : Ignored

    Returns
    -------
    score : float
        At most 0; the larger, the better.
    """
    return -normalized_cut(*_graph_and_labels(estimator, "normalized_cut_scorer"))


def _graph_and_labels(estimator, scorer):
    estimator = fitted_having("affinity_matrix_", f"{scorer} compares graphs of samples", estimator)
    rows = getattr(estimator, "sample_indices_", slice(None))
    return estimator.affinity_matrix_, estimator.labels_[rows]


_ADVICE = (
    "take silhouette_scorer, which needs features and labels alone, or, for a clusterer of a graph, "
    "edge_information_scorer or normalized_cut_scorer."
)


def fitted_having(attribute, need, estimator, advice=_ADVICE):
    """The fitted estimator, the last of a pipeline, if it has what a score or a picture needs."""
    estimator, _ = innermost(estimator)
    if estimator is None or not hasattr(estimator, "fit"):
        raise TypeError(f"estimator must be a fitted estimator; got {estimator!r}.")
    check_is_fitted(estimator)
    if not hasattr(estimator, attribute):
        raise ValueError(f"{need}, and {type(estimator).__name__} has no {attribute}: {advice}")
    return estimator


def _finite(name, score):
    if not np.isfinite(score):
        raise ValueError(f"{name} is {score}: the features, or the coefficients, are too large, or hold NaN.")
    return score


def _labels(estimator, X):
    if hasattr(estimator, "predict"):
        return estimator.predict(X)
    last, _ = innermost(estimator)
    labels, n_samples = getattr(last, "labels_", ()), num_samples(X)
    if len(labels) != n_samples:
        raise ValueError(
            f"{type(last).__name__} has no predict and holds labels of {len(labels)} training samples, but "
            f"{n_samples} samples are to be scored: search with cv=TransductiveSplit()."
        )
    return labels


def _features(estimator, X):
    """Latent features of a clusterer of this package that has them, else flat samples as the last step gets them."""
    last, X = innermost(estimator, X)
    if isinstance(last, BaseSubspaceClustering) and hasattr(last, "transform"):
        return last.transform(X)
    X = plain("X", X)
    return X if sparse.issparse(X) else np.asarray(X).reshape(num_samples(X), -1)


def innermost(estimator, X=None):
    """What is last in pipelines, searches and frozen estimators, however nested, and `X` as it gets it."""
    while True:
        if isinstance(estimator, Pipeline) and len(estimator):
            X = estimator[:-1].transform(X) if X is not None and len(estimator) > 1 else X
            estimator = estimator[-1]
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator, X


def _table(labels_true, labels_pred):
    labels_true, labels_pred = as_pair("labels_true", labels_true, "labels_pred", labels_pred)
    return contingency_matrix(labels_true, labels_pred)
