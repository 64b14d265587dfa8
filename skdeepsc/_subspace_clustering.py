"""One rule without knobs and without labels: candidates of several views and dimensions, and how to choose."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import torch
from joblib import delayed
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ._arrays import as_numbers
from ._base import BaseGraphClustering, Threaded
from ._input import unit_rows
from ._labels import numbered
from ._memory import require_bytes
from ._params import Count, answers, estimator
from ._random import draw_seeds
from ._ridge import MOST_FREEDOM, penalties_by_dim
from ._scale import divided, in_float32, unit_exponent
from ._warn import advising, warn_user
from .affinity import affinity_from_top
from .features import AutoEncoder, Scattering
from .features._base import OnDevice, TakesCallbacks, TransformsImages
from .nn import RidgePath
from .segmentation import (
    DegenerateAffinityWarning,
    choose_n_clusters,
    find_candidates,
    match_labels,
    relative_scores,
    warn_if_degenerate,
)
from .training.batches import to_device

_NAMED_VIEWS = ("autoencoder", "scattering", "pixels")
# Degrees of freedom of the graphs by which a number of clusters is chosen.
_FREEDOMS = (10, 30, 90)
# Centred rows that are shorter than this share of the longest row before centring are rounding errors of float32.
_ROUNDING = 1e-6
# Bytes for each value of the features, of their scores, and of the smaller Gram matrix, at the peak.
_FEATURE_BYTES, _GRAM_BYTES = 12, 40


@estimator
class SubspaceClustering(OnDevice, TransformsImages, TakesCallbacks, Threaded, BaseGraphClustering):
    r"""Clustering of images, or of any rows, that needs no tuning and no labels.

    Samples are seen under several views, feature maps such as scattering coefficients or an auto-encoder's codes. For
    each view and each expected dimension q of a subspace,

    1. features are centred and scaled to unit length, and express each other by zero-diagonal ridge regression,
       :math:`C = \arg\min \|Z - CZ\|^2 + \lambda \|C\|^2`, with the :math:`\lambda` that gives
       ``q * n_clusters`` effective degrees of freedom;
    2. each row keeps its few largest positive coefficients, divided by their sum: the affinity is
       :math:`(T + T^T) / 2`;
    3. its leading eigenvectors give several labellings (k-means, also after random walks; QR; discretisation);
    4. each labelling is scored in the graphs of all q of its view by the mutual information between the clusters at
       the two ends of an edge (:func:`~skdeepsc.segmentation.edge_information`).

    The labelling with the most information of all views and dimensions is the answer. Scores can be compared because
    all graphs have the same number of coefficients a row, which sum to 1. One view is selected; views are not mixed.

    Parameters
    ----------
    n_clusters : int or "auto"
        ``"auto"``: the number that shortens the description of a graph most
        (:func:`~skdeepsc.segmentation.choose_n_clusters`), of graphs with 10, 30 and 90 degrees of freedom of all
        views. A hint, not a proof: it was right within a tenth on eight of twelve sets, and sees no clusters at all
        where they hang together closely; `n_clusters_scores_` names others that are nearly as good.
    views : "auto" or list of str and (str, transformer) tuples
        The views. ``"autoencoder"``: codes of a convolutional :class:`~skdeepsc.AutoEncoder`; ``"scattering"``:
        :class:`~skdeepsc.Scattering`, a fixed network; ``"pixels"``: the rows as they are; or a name and any
        transformer, which is cloned and gets flat float32 rows, or float32 images of shape (n, channels, height, width)
        if its tags (those of the first step of a pipeline) say that it takes three-dimensional arrays; a random state
        that it leaves open is set from `random_state`. ``"auto"``: the three for images, ``"pixels"`` for flat rows.
    subspace_dims : sequence of float
        Expected dimensions q of a subspace to try. Those with ``q * n_clusters > 0.7 n_samples`` are left out; if that
        leaves none, the smallest is taken with 0.7 n_samples degrees of freedom. Those that need the same penalty as a
        smaller one, because the features have fewer dimensions, are left out, too.
    n_coefs : int
        Coefficients kept in each row. Few keep clusters apart; many hold elongated clusters together.
    n_jobs
        Dimensions of a view are tried at once.
    callbacks
        For the view ``"autoencoder"``, as `memory`.

    Attributes
    ----------
    candidates_ : dict of ndarray
        All labellings that were compared, the best first, as columns for a data frame: ``view``, ``subspace_dim`` of
        the graph, ``labelling``, ``labelling_dim`` (the q whose graph it comes from), ``edge_information`` (divided by
        the logarithm of `n_clusters` and times the share of rows with any positive coefficient, so that it lies in
        [0, 1]; it decides), ``normalized_cut`` (divided by `n_clusters`; clusters without samples count as cut).
    confidence_ : ndarray of shape (n_samples,), float64
        How sure the label of each sample is, in [0, 1]: the share of all labellings of the winning view that give it
        the same, under the names that agree best. Labellings differ where clusters are not clear. A sample beyond
        `subsample` has the mean of those that vote for its label, with their votes, and 0 for the other votes.
    n_clusters_ : int
        Number of clusters in use.
    n_clusters_scores_ : dict of int to float or None
        Of each number that was tried, what it saves, in nats a sample; ``None`` where the number was given.
    view_ : str
        The winning view.
    subspace_dim_ : float
        The winning dimension.
    views_ : dict of str to transformer
        The fitted views.

    Notes
    -----
    The rule is this package's own. Zero-diagonal ridge self-expression: Ji, Salzmann, Li, "Efficient dense subspace
    clustering", WACV 2014, doi:10.1109/WACV.2014.6836065. New rows are expressed by the training rows with the same
    ridge, and their largest coefficients vote.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import SubspaceClustering
    >>> images = load_digits(n_class=3).images
    >>> clustering = SubspaceClustering(3, views=["scattering", "pixels"], random_state=0).fit(images)
    >>> clustering.view_
    'scattering'
    >>> clustering.predict(images[:3]).shape
    (3,)
    """

    n_clusters: Count | Literal["auto"] = field(default=8, kw_only=False)  # type: ignore[assignment]
    views: Literal["auto"] | Sequence[Any] = "auto"
    subspace_dims: Annotated[Sequence[float], "array-like"] = (1, 2, 4, 8, 16)
    n_coefs: Count = 5
    subsample: Count | None = 5000

    _drawing = ("rows", "views", "labels")

    # What is represented: the view and the dimension with the most information

    def _n_tasks(self):
        return len(self._views()) + 1 + (self.n_clusters == "auto")

    def _represent(self, samples, progress):
        dims, rows, candidates, best = self._dims(), self._rows(samples), [], None
        self.views_, self._exponents = self._transformers(self._seeds["views"]), {}
        self.n_clusters_, self.n_clusters_scores_, known = self.n_clusters, None, {}
        if self.n_clusters == "auto":
            with progress.task("n_clusters"):
                known = {view: self._ridge_path(view, rows) for view in self.views_}
                self._choose_n_clusters([path for *_, path in known.values()])
        for view in self.views_:
            with progress.task(view):
                features, mean, floor, path = known.pop(view, None) or self._ridge_path(view, rows)
                found = self._search(view, path, dims, self._seeds["labels"])
                candidates += found
                if best is None or _rank(found[0]) < _rank(best):
                    best = found[0]
                    self._row_confidence = _agreement(found, best.labels)
                    self._select(best, features, mean, floor, path)
        self.candidates_ = _columns(candidates)

    def _segment(self, samples):
        with advising(f"Try a larger n_coefs, other subspace_dims or other views.{self._about_zeros()}"):
            warn_if_degenerate(self.affinity_matrix_, self._best_labels, self.n_clusters_)
        return self._best_labels

    def _label_all(self, row_labels, samples):
        self.confidence_ = np.empty(samples.shape[0])
        self.confidence_[self.sample_indices_] = self._row_confidence
        super()._label_all(row_labels, samples)

    def _label_copies(self):
        super()._label_copies()
        self.confidence_ = self.confidence_[self._copied]

    def _label_rest(self, samples, rest):
        """Set labels and confidence from the same votes: a view of many samples is what takes the time."""
        membership = self._membership()
        n_found = membership.shape[1]
        voting = self._voting(np.hstack([membership, self._row_confidence[:, None] * membership]))

        def answer(block):
            votes = voting(block)
            labels = votes[:, :n_found].argmax(axis=1)
            return np.column_stack([labels, votes[np.arange(len(labels)), n_found + labels]])

        found = self._fill(answer, samples, np.empty((len(rest), 2)), rest)
        self.labels_[rest], self.confidence_[rest] = found.T

    # Public answers

    @answers
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Samples under the winning view.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out), float32
        """
        check_is_fitted(self)
        return self._features(self.view_, self._read(X, reset=False))

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]

    # The number of clusters

    def _choose_n_clusters(self, paths):
        """Set the number that saves most in any graph."""
        graphs = [self._graph("", 0, path.penalty(q), path) for path in paths for q in self._freedoms(path)]
        with self._threads() as run:
            seed = self._seeds["labels"]
            found = run(delayed(choose_n_clusters)(graph.affinity, random_state=seed) for graph in graphs)
        scores = [savings for _, savings in found]
        self.n_clusters_scores_ = {n: max(savings[n] for savings in scores) for n in scores[0]}
        best = max(self.n_clusters_scores_, key=self.n_clusters_scores_.get, default=1)
        self.n_clusters_ = best if self.n_clusters_scores_.get(best, 0) > 0 else 1
        if self.n_clusters_ == 1:
            warn_user(
                "n_clusters='auto' finds no clusters: the graphs of no view are described any shorter by them. The "
                "samples may be noise, or their clusters hang together closely; give a number to look for.",
                DegenerateAffinityWarning,
            )

    def _freedoms(self, path):
        most = MOST_FREEDOM * len(path.scores)
        return sorted({min(freedom, most) for freedom in _FREEDOMS})

    def _least_clusters(self):
        return 1 if self.n_clusters == "auto" else self.n_clusters

    # The views

    def _settle(self):
        super()._settle()
        self._check_callbacks()

    def _views(self):
        if isinstance(self.views, str):
            return _NAMED_VIEWS if len(self.image_shape_) == 3 else ("pixels",)
        return self.views

    def _transformers(self, seed):
        """Unfitted views by name."""
        views = self._views()
        named = [self._named_view(view, seed) if isinstance(view, str) else _cloned(view, seed) for view in views]
        names = [name for name, _ in named]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"views must have names, each once; got {names}.")
        return dict(named)

    def _named_view(self, name, seed):
        shared = {"image_shape": self.image_shape_ if len(self.image_shape_) == 3 else None, "device": self.device}
        if name == "autoencoder":
            return name, AutoEncoder(callbacks=self.callbacks, memory=self.memory, random_state=seed, **shared)
        if name == "scattering":
            return name, Scattering(**shared)
        if name == "pixels":
            return name, FunctionTransformer()
        raise ValueError(f"views by name are {', '.join(map(repr, _NAMED_VIEWS))}; got {name!r}.")

    def _ridge_path(self, view, rows):
        """Features of the rows that are clustered, what centres them, and their self-expression for all penalties."""
        features = self._features(view, rows, fit=True)
        self._require_room(view, *features.shape)
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        floor = _ROUNDING * np.linalg.norm(features, axis=1).max()
        z = torch.from_numpy(unit_rows(features, mean, floor))
        return features, mean, floor, RidgePath(z.to(self.device_))

    def _require_room(self, view, n_rows, n_features):
        """Compare what the self-expression of features needs with the memory there is."""
        n_values, n_least = n_rows * n_features, min(n_rows, n_features)
        needed = _FEATURE_BYTES * (n_values + n_rows * n_least) + _GRAM_BYTES * n_least**2
        what = f"Self-expression of {n_rows} samples of {n_features} features, the view {view!r},"
        require_bytes(needed, what, self._way_out(n_rows), self.device_)

    def _features(self, view, samples, fit=False):
        """Checked output of a view; a user's transformer gets a copy."""
        transformer = self.views_[view]
        samples = samples if _takes_images(transformer) else samples.reshape(len(samples), -1)
        if not isinstance(transformer, AutoEncoder | Scattering):
            samples = samples.astype(np.float32)
        features = transformer.fit_transform(samples) if fit else transformer.transform(samples)
        shape = np.shape(features)
        if sparse.issparse(features) or len(shape) != 2 or shape[0] != len(samples) or not shape[1]:
            raise ValueError(
                f"The view {view!r} must turn {len(samples)} samples into a dense array of shape ({len(samples)}, "
                f"n_features); got {type(features).__name__} of shape {shape}."
            )
        try:
            features = as_numbers(f"The output of the view {view!r}", features, dtype=[np.float64, np.float32])
        except (TypeError, ValueError) as error:
            raise ValueError(f"The view {view!r} must give finite numbers: {error}") from error
        if fit:
            self._exponents[view] = unit_exponent(features)
        return in_float32(divided(features, self._exponents[view]), f"The output of the view {view!r}")

    # The rule

    def _dims(self):
        try:
            dims = np.asarray(self.subspace_dims, dtype=float)
        except (TypeError, ValueError):
            dims = np.empty(0)
        if dims.ndim != 1 or dims.size == 0 or not (np.isfinite(dims) & (dims > 0)).all():
            raise ValueError(f"subspace_dims must hold positive numbers; got {self.subspace_dims!r}.")
        return np.unique(dims).tolist()

    def _search(self, view, path, dims, seed):
        """Candidates of one view, the best first."""
        lams = penalties_by_dim(path.penalty, dims, self.n_clusters_, len(path.scores))
        seeds = draw_seeds(seed, len(lams))
        with self._threads() as run:
            graphs = run(delayed(self._graph)(view, dim, lam, path) for dim, lam in lams.items())
            proposed = run(
                delayed(find_candidates)(graph.affinity, self.n_clusters_, seed)
                for graph, seed in zip(graphs, seeds, strict=True)
            )
            pool = [
                (name, graph.dim, labels)
                for graph, labellings in zip(graphs, proposed, strict=True)
                for name, labels in labellings.items()
            ]
            found = run(delayed(_scored)(graph, pool, self.n_clusters_) for graph in graphs)
        return sorted((candidate for group in found for candidate in group), key=_rank)

    def _graph(self, view, dim, lam, path):
        top = path.top_coefficients(lam, min(self.n_coefs, len(path.scores) - 1))
        return _Graph(view, dim, lam, affinity_from_top(*top))

    def _select(self, best, features, mean, floor, path):
        """Set what follows from the best candidate so far."""
        self.view_, self.subspace_dim_ = best.graph.view, best.graph.dim
        self.affinity_matrix_ = best.graph.affinity
        self._best_labels = numbered(best.labels)
        self.embedding_, self._mean, self._floor = features, mean, floor
        self._vote_weights = path.weights(best.graph.lam).cpu().numpy()
        self._n_votes = self.n_coefs

    # New rows

    def _shares(self):
        """Shares of the clusters in the largest positive coefficients of a sample, their sizes if it has none."""
        return self._voting(self._membership())

    def _membership(self):
        """1 where a row that was clustered is in a cluster, else 0."""
        return np.eye(self._n_found(), dtype=np.float32)[self._row_labels]

    def _voting(self, membership):
        """A function that gives the mean of some columns over the rows that vote for each sample of a block."""
        n_coefs, membership = self._n_votes, membership.astype(np.float32)
        membership, weights = torch.from_numpy(membership).to(self.device_), to_device(self._vote_weights, self.device_)

        def vote(block):
            features = unit_rows(self._features(self.view_, block), self._mean, self._floor)
            return _votes(torch.from_numpy(features).to(self.device_) @ weights, membership, n_coefs).cpu().numpy()

        return vote

    def _by_blocks(self, function, n_rows):
        """One after the other: a view need not be safe for threads."""
        return BaseGraphClustering._by_blocks(self, function, n_rows)


@dataclass
class _Graph:
    """The affinity of one view under one expected dimension."""

    view: str
    dim: float
    lam: float
    affinity: object


@dataclass
class _Candidate:
    """A labelling in a graph, which need not be the one that it was found in."""

    graph: _Graph
    labelling: str
    labelling_dim: float
    labels: np.ndarray
    information: float
    cut: float


def _scored(graph, pool, n_clusters):
    """All labellings of a view in one of its graphs."""
    scores = relative_scores(graph.affinity, [labels for _, _, labels in pool], n_clusters)
    return [_Candidate(graph, *candidate, *score) for candidate, score in zip(pool, scores, strict=True)]


def _agreement(candidates, labels):
    """Share of the labellings that give each row its label, each counted once, and renamed to agree with it."""
    labellings = {(each.labelling, each.labelling_dim): each.labels for each in candidates}
    return np.mean([match_labels(each, labels) == labels for each in labellings.values()], axis=0)


def _rank(candidate):
    return -candidate.information, candidate.cut


def _columns(candidates):
    """Candidates as columns."""
    ordered = sorted(candidates, key=_rank)
    columns = {
        "view": [candidate.graph.view for candidate in ordered],
        "subspace_dim": [candidate.graph.dim for candidate in ordered],
        "labelling": [candidate.labelling for candidate in ordered],
        "labelling_dim": [candidate.labelling_dim for candidate in ordered],
        "edge_information": [candidate.information for candidate in ordered],
        "normalized_cut": [candidate.cut for candidate in ordered],
    }
    return {name: np.array(values) for name, values in columns.items()}


def _votes(coef, membership, n_coefs):
    """Mean of columns over the rows of the largest positive coefficients of each sample, over all if it has none."""
    top = coef.topk(min(n_coefs, coef.shape[1]), dim=1)
    weights = top.values.clamp_min(0)
    total = weights.sum(1, keepdim=True)
    return torch.where(total > 0, (weights[..., None] * membership[top.indices]).sum(1) / total, membership.mean(0))


def _takes_images(transformer):
    """Whether a transformer, or the first step of a pipeline, says that it takes three-dimensional arrays."""
    while isinstance(transformer, Pipeline):
        transformer = transformer.steps[0][1]
    return hasattr(transformer, "__sklearn_tags__") and get_tags(transformer).input_tags.three_d_array


def _cloned(view, seed):
    """A name and an unfitted copy of a user's transformer, in which every open random state is set."""
    try:
        name, transformer = view
    except (TypeError, ValueError) as error:
        raise ValueError(f"views must be names or (name, transformer) pairs; got {view!r}.") from error
    has_methods = all(hasattr(transformer, method) for method in ("get_params", "fit_transform", "transform"))
    if not isinstance(name, str) or isinstance(transformer, type) or not has_methods:
        raise ValueError(
            "views must be names or (name, transformer) pairs, an instance with get_params, fit_transform and "
            f"transform; got {view!r}."
        )
    transformer = clone(transformer)
    params = transformer.get_params() if hasattr(transformer, "get_params") else {}
    open_states = [key for key, value in params.items() if key.endswith("random_state") and value is None]
    if open_states:
        transformer.set_params(**dict(zip(open_states, draw_seeds(seed, len(open_states)), strict=True)))
    return name, transformer
