"""One rule without knobs and without labels: candidates of several views and dimensions, and how to choose."""

import warnings
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import check_array, get_tags
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from ._compat import CallbackSupportMixin, HasMethods, Interval, StrOptions, fit_context
from ._device import DeviceMixin, resolve_device, to_device
from ._input import as_samples, n_rows_to_cluster
from ._random import draw_rows, draw_seeds
from .affinity import affinity_from_top
from .deep import AutoEncoder
from .nn import RidgePath, Scattering, ridge_penalty
from .segmentation import find_candidates, score_labels, warn_if_degenerate
from .training.run import Progress

_NAMED_VIEWS = ("autoencoder", "scattering", "pixels")
# Effective degrees of freedom, n_clusters * subspace_dim, are at most this share of the number of rows.
_MOST_FREEDOM = 0.7
# Centred rows that are shorter than this share of the longest row before centring are rounding errors of float32.
_ROUNDING = 1e-6
# Rows outside of the subsample that are labelled at once.
_BLOCK_ROWS = 4096


@dataclass(repr=False, eq=False, kw_only=True)
class SubspaceClustering(
    DeviceMixin, CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
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
    n_clusters : int, default=8
        Number of clusters.
    views : "auto" or list of str and (str, transformer) tuples, default="auto"
        The views. ``"autoencoder"``: codes of a convolutional :class:`~skdeepsc.AutoEncoder`; ``"scattering"``:
        :class:`~skdeepsc.Scattering`, a fixed network; ``"pixels"``: the rows as they are; or a name and any
        transformer, which is cloned and gets flat float32 rows, or float32 images of shape (n, channels, height, width)
        if its tags (those of the first step of a pipeline) say that it takes three-dimensional arrays; a random state
        that it leaves open is set from `random_state`. ``"auto"``: the three for images, ``"pixels"`` for flat rows.
    subspace_dims : sequence of float, default=(1, 2, 4, 8, 16)
        Expected dimensions q of a subspace to try. Those with ``q * n_clusters > 0.7 n_samples`` are left out; if that
        leaves none, the smallest is taken with 0.7 n_samples degrees of freedom. Those that need the same penalty as a
        smaller one, because the features have fewer dimensions, are left out, too.
    n_coefs : int, default=5
        Coefficients kept in each row. Few keep clusters apart; many hold elongated clusters together.
    subsample : int or None, default=5000
        Cluster this many rows, drawn at random without any label, and label the others as `predict` does. ``None``:
        all rows.
    image_shape : tuple of int or None, default=None
        ``(height, width)`` or ``(channels, height, width)``, under which flat rows are viewed as images. ``None``:
        arrays of shape (n, h, w) or (n, c, h, w) are images, flat rows stay flat. Never guessed.
    n_jobs : int or None, default=None
        Dimensions of a view that are tried at once, in threads, as in :class:`joblib.Parallel`. The result does not
        depend on it. Without it, linear algebra and k-means use all cores by themselves.
    callbacks : list of skorch callbacks or None, default=None
        For the training of the view ``"autoencoder"``.
    memory : str, joblib.Memory or None, default=None
        Where to cache the training of the view ``"autoencoder"``.
    device : str, default="auto"
        Where the named views and the coefficients are computed: ``"cpu"``, ``"cuda"``, ...; ``"auto"`` takes CUDA if
        there is any.
    random_state : int, RandomState instance or None, default=None
        An int gives the same result each time. NumPy's and torch's global generators are neither used nor changed.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,), int64
        Cluster of each training sample, consecutive from 0.
    candidates_ : dict of ndarray
        All labellings that were compared, the best first, as columns for a data frame: ``view``, ``subspace_dim`` of
        the graph, ``labelling``, ``labelling_dim`` (the q whose graph it comes from), ``edge_information`` (divided by
        the logarithm of `n_clusters` and times the share of rows with any positive coefficient, so that it lies in
        [0, 1]; it decides), ``normalized_cut`` (divided by `n_clusters`; clusters without samples count as cut).
    view_ : str
        The winning view.
    subspace_dim_ : float
        The winning dimension.
    affinity_matrix_ : csr_array of shape (n_rows, n_rows)
        The winning affinity; n_rows is `subsample`, or n_samples if that is less.
    embedding_ : ndarray of shape (n_rows, n_features_out), float32
        The rows that were clustered, under the winning view.
    sample_indices_ : ndarray of shape (n_rows,)
        Which training samples they are.
    views_ : dict of str to transformer
        The fitted views.
    image_shape_ : tuple of int
        Shape of a sample: ``(channels, height, width)`` or ``(n_features,)``.
    device_ : str
        Device in use.
    n_features_in_ : int
        Number of values of a sample.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if `X` was a data frame with string column names.

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

    n_clusters: int = field(default=8, kw_only=False)
    views: str | list = "auto"
    subspace_dims: tuple = (1, 2, 4, 8, 16)
    n_coefs: int = 5
    subsample: int | None = 5000
    image_shape: tuple | None = None
    n_jobs: int | None = None
    callbacks: list | None = None
    memory: object = None
    device: str = "auto"
    random_state: object = None

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "views": [StrOptions({"auto"}), list, tuple],
        "subspace_dims": ["array-like"],
        "n_coefs": [Interval(Integral, 1, None, closed="left")],
        "subsample": [Interval(Integral, 2, None, closed="left"), None],
        "image_shape": [tuple, list, None],
        "n_jobs": [Integral, None],
        "callbacks": [list, tuple, None],
        "memory": [str, HasMethods("cache"), None],
        "device": [str, torch.device],
        "random_state": ["random_state"],
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Cluster the samples.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples, see `image_shape`.
        y : Ignored

        Returns
        -------
        self : SubspaceClustering
        """
        samples = as_samples(self, X, image_shape=self.image_shape, reset=True)
        self.image_shape_ = samples.shape[1:]
        self.device_ = str(resolve_device(self.device))
        dims = self._dims()
        row_seed, view_seed, label_seed = draw_seeds(self.random_state, 3)
        n_rows = n_rows_to_cluster(len(samples), self.n_clusters, self.subsample)
        self.sample_indices_ = draw_rows(len(samples), n_rows, row_seed)
        rows = samples[self.sample_indices_] if n_rows < len(samples) else samples

        self.views_ = self._transformers(view_seed)
        progress = Progress(self, len(self.views_) + 1, samples)
        candidates, best = [], None
        for view in self.views_:
            task = progress.task(view)
            features, mean, floor, path = self._express(view, rows)
            found = self._search(view, path, dims, label_seed)
            candidates += found
            if best is None or _rank(found[0]) < _rank(best):
                best = found[0]
                self._keep(best, features, mean, floor, path)
            progress.done(task)

        task = progress.task("label")
        self.candidates_ = _table(candidates)
        self.labels_ = self._spread(samples)
        progress.done(task)
        progress.end()
        return self

    def predict(self, X):
        """Clusters of new samples: those with the largest share of the coefficients that express them.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
        """
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X):
        """Shares of the clusters in the coefficients that express new samples by the training rows.

        The `n_coefs` largest positive coefficients of the winning view's ridge are divided by their sum and added up
        cluster by cluster. A sample without positive coefficients gets the sizes of the clusters.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_clusters), float32
            Rows sum to 1.
        """
        check_is_fitted(self)
        return self._shares(as_samples(self, X, reset=False))

    def transform(self, X):
        """Samples under the winning view.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out), float32
        """
        check_is_fitted(self)
        return self._features(self.view_, as_samples(self, X, reset=False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.input_tags.three_d_array = True
        return tags

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]

    # The views

    def _transformers(self, seed):
        """Unfitted views by name."""
        views = self.views
        if views == "auto":
            views = _NAMED_VIEWS if len(self.image_shape_) == 3 else ("pixels",)
        named = [self._named_view(view, seed) if isinstance(view, str) else _cloned(view, seed) for view in views]
        names = [name for name, _ in named]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"views must have names, each once; got {names}.")
        return dict(named)

    def _named_view(self, name, seed):
        if name == "autoencoder":
            return name, AutoEncoder(
                callbacks=self.callbacks, memory=self.memory, device=self.device, random_state=seed
            )
        if name == "scattering":
            return name, Scattering(device=self.device)
        if name == "pixels":
            return name, FunctionTransformer()
        raise ValueError(f"views by name are {', '.join(map(repr, _NAMED_VIEWS))}; got {name!r}.")

    def _express(self, view, rows):
        """Features of the rows that are clustered, what centres them, and their self-expression for all penalties."""
        features = self._features(view, rows, fit=True)
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        floor = _ROUNDING * np.linalg.norm(features, axis=1).max()
        z = torch.from_numpy(_directions(features, mean, floor))
        return features, mean, floor, RidgePath(z.to(self.device_))

    def _features(self, view, samples, fit=False):
        """Checked output of a view; a user's transformer gets a copy."""
        transformer = self.views_[view]
        samples = samples if _takes_images(transformer) else samples.reshape(len(samples), -1)
        if not isinstance(transformer, AutoEncoder | Scattering):
            samples = samples.astype(np.float32)
        features = transformer.fit_transform(samples) if fit else transformer.transform(samples)
        if np.ndim(features) != 2 or len(features) != len(samples):
            raise ValueError(
                f"The view {view!r} must turn {len(samples)} samples into an array of shape ({len(samples)}, "
                f"n_features); got shape {np.shape(features)}."
            )
        return check_array(features, dtype=np.float32, input_name=f"The output of the view {view!r}")

    # The rule

    def _dims(self):
        dims = check_array(
            self.subspace_dims, dtype=float, ensure_2d=False, ensure_min_samples=0, input_name="subspace_dims"
        )
        if dims.ndim != 1 or dims.size == 0 or dims.min() <= 0:
            raise ValueError(f"subspace_dims must hold positive numbers; got {self.subspace_dims!r}.")
        return np.unique(dims).tolist()

    def _search(self, view, path, dims, seed):
        """Candidates of one view, the best first."""
        most = _MOST_FREEDOM * len(path.scores)
        lams = {}
        for dim in [dim for dim in dims if dim * self.n_clusters <= most] or dims[:1]:
            lams.setdefault(float(ridge_penalty(path.spectrum, min(dim * self.n_clusters, most))), dim)
        n_threads = effective_n_jobs(self.n_jobs)
        run = Parallel(n_jobs=n_threads, prefer="threads")
        seeds = draw_seeds(seed, len(lams))
        # Settings of the process that threads must not change: k-means sets the number of BLAS threads, too.
        with warnings.catch_warnings(), threadpool_limits(1 if n_threads > 1 else None, user_api="blas"):
            warnings.simplefilter("ignore", ConvergenceWarning)
            graphs = run(delayed(self._graph)(view, dim, lam, path) for lam, dim in lams.items())
            proposed = run(
                delayed(find_candidates)(graph.affinity, self.n_clusters, seed)
                for graph, seed in zip(graphs, seeds, strict=True)
            )
            pool = [
                (name, graph.dim, labels)
                for graph, labellings in zip(graphs, proposed, strict=True)
                for name, labels in labellings.items()
            ]
            found = run(delayed(_scored)(graph, pool, self.n_clusters) for graph in graphs)
        return sorted((candidate for group in found for candidate in group), key=_rank)

    def _graph(self, view, dim, lam, path):
        top = path.top_coefficients(lam, min(self.n_coefs, len(path.scores) - 1))
        return _Graph(view, dim, lam, affinity_from_top(*top))

    def _keep(self, best, features, mean, floor, path):
        """Set what follows from the best candidate so far."""
        self.view_, self.subspace_dim_ = best.graph.view, best.graph.dim
        self.affinity_matrix_ = best.graph.affinity
        self._row_labels = np.unique(best.labels, return_inverse=True)[1]
        self.embedding_, self._mean, self._floor = features, mean, floor
        self._weights = path.weights(best.graph.lam).cpu().numpy()
        self._vote_params = self.n_clusters, self.n_coefs

    # New rows

    def _spread(self, samples):
        """Labels of all samples from those of the rows that were clustered."""
        warn_if_degenerate(self.affinity_matrix_, self._row_labels, self.n_clusters)
        labels = np.empty(len(samples), dtype=np.int64)
        labels[self.sample_indices_] = self._row_labels
        rest = np.setdiff1d(np.arange(len(samples)), self.sample_indices_, assume_unique=True)
        labels[rest] = self._shares(samples, rest).argmax(axis=1)
        return labels

    def _shares(self, samples, rows=None):
        """Shares of the clusters for the given rows of the samples, block by block."""
        n_rows = len(samples) if rows is None else len(rows)
        n_clusters, n_coefs = self._vote_params
        membership = np.eye(n_clusters, dtype=np.float32)[self._row_labels]
        membership = torch.from_numpy(membership).to(self.device_)
        weights = to_device(self._weights, self.device_)
        shares = np.empty((n_rows, membership.shape[1]), dtype=np.float32)
        for start in range(0, n_rows, _BLOCK_ROWS):
            block = slice(start, min(start + _BLOCK_ROWS, n_rows))
            features = self._features(self.view_, samples[block if rows is None else rows[block]])
            z = torch.from_numpy(_directions(features, self._mean, self._floor)).to(self.device_)
            shares[block] = _votes(z @ weights, membership, n_coefs).cpu().numpy()
        return shares


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
    scores = score_labels(graph.affinity, [labels for _, _, labels in pool])
    expressed = graph.affinity.sum() / graph.affinity.shape[0]  # Rows that have coefficients sum to 1.
    candidates = []
    for (name, dim, labels), (information, cut) in zip(pool, scores, strict=True):
        n_missing = n_clusters - len(np.unique(labels))
        information, cut = expressed * information / np.log(max(n_clusters, 2)), (cut + n_missing) / n_clusters
        candidates.append(_Candidate(graph, name, dim, labels, information, cut))
    return candidates


def _rank(candidate):
    return -candidate.information, candidate.cut


def _table(candidates):
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
    """Shares of the clusters in the largest positive coefficients of each row."""
    top = coef.topk(min(n_coefs, coef.shape[1]), dim=1)
    votes = (top.values.clamp_min(0)[..., None] * membership[top.indices]).sum(1)
    total = votes.sum(1, keepdim=True)
    return torch.where(total > 0, votes / total, membership.mean(0))


def _directions(features, mean, floor):
    """Centred rows scaled to unit length, float32; rows no longer than `floor` are rounding errors and become zeros."""
    centred = features - mean
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, norms, out=np.zeros_like(centred), where=norms > floor)


def _takes_images(transformer):
    """Whether a transformer, or the first step of a pipeline, says that it takes three-dimensional arrays."""
    while isinstance(transformer, Pipeline):
        transformer = transformer.steps[0][1]
    return hasattr(transformer, "fit") and get_tags(transformer).input_tags.three_d_array


def _cloned(view, seed):
    """A name and an unfitted copy of a user's transformer, in which every open random state is set."""
    try:
        name, transformer = view
    except (TypeError, ValueError) as error:
        raise ValueError(f"views must be names or (name, transformer) pairs; got {view!r}.") from error
    if not isinstance(name, str) or not all(hasattr(transformer, method) for method in ("fit_transform", "transform")):
        raise ValueError(
            f"views must be names or (name, transformer) pairs, with fit_transform and transform; got {view!r}."
        )
    transformer = clone(transformer)
    params = transformer.get_params() if hasattr(transformer, "get_params") else {}
    open_states = [key for key, value in params.items() if key.endswith("random_state") and value is None]
    if open_states:
        transformer.set_params(**dict(zip(open_states, draw_seeds(seed, len(open_states)), strict=True)))
    return name, transformer
