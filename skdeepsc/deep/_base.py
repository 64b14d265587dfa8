"""What the deep subspace clusterers share: the recipe of `fit`, the two ways to C, neighbours for new rows."""

import math
import warnings
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import ClusterMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.validation import check_is_fitted

from .._compat import Interval, StrOptions, fit_context
from .._device import to_device
from .._input import as_samples, n_rows_to_cluster
from .._memory import check_fits
from .._random import draw_rows, seeded
from ..affinity import compute_affinity
from ..nn import RidgeExpression, TrainedExpression
from ..segmentation import DegenerateAffinityWarning, spectral_labels
from ..training import Phase
from ..training.run import Progress
from ._autoencoder import BaseAutoEncoding

# Where a trained C stops to learn on fixed features: Adam moves each entry by at most its step size an epoch, and the
# entries of a sample that a cluster of n samples expresses are of order 1 / n.
_ENTRIES_GROW_TO = 3.0
# Samples outside of the clustered rows that are labelled at once: their codes are many times larger than they are.
_BLOCK_ROWS = 4096


def weighted(costs, only=None):
    """The costs of an equation that count, as ``{name: weight * cost}``; the others are never computed.

    Parameters
    ----------
    costs : dict of (float, callable)
        Weight and cost of each term; a weight of 0 leaves the term out.
    only : collection of str or None, default=None
        Names of the terms to take; ``None``: all.
    """
    return {
        name: weight * cost() for name, (weight, cost) in costs.items() if weight and (only is None or name in only)
    }


@dataclass(repr=False, eq=False, kw_only=True)
class BaseDeepSubspaceClustering(ClusterMixin, BaseAutoEncoding):
    """Pre-train, learn C and the network together, turn C into an affinity, segment it.

    A method says what its paper says: `_heads` (the figure), `_costs` (the equation), `_phases` (the algorithm).
    """

    n_clusters: int = field(default=8, kw_only=False)
    solver: str = "ridge"
    subspace_dim: float = 1
    ridge_lambda: float | None = None
    latent_normalization: str = "auto"
    coef_init: float | str = 1e-8
    zero_diagonal: bool | str = "auto"
    expression_epochs: int | str = "auto"
    expression_lr: float = 1e-3
    max_epochs: int = 20
    lr: float = 1e-4
    affinity: object = "top"
    affinity_params: dict | None = None
    assign_labels: str = "auto"
    n_neighbors: int = 1
    subsample: int | None = None

    _parameter_constraints = {
        **BaseAutoEncoding._parameter_constraints,
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions({"ridge", "trained"})],
        "subspace_dim": [Interval(Real, 0, None, closed="neither")],
        "ridge_lambda": [Interval(Real, 0, None, closed="neither"), None],
        "latent_normalization": [StrOptions({"auto", "none", "unit", "centered"})],
        "coef_init": [Interval(Real, None, None, closed="neither"), StrOptions({"ridge"})],
        "zero_diagonal": ["boolean", StrOptions({"auto"})],
        "expression_epochs": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "expression_lr": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "affinity": [StrOptions({"enhanced", "symmetric", "thresholded", "row_normalized", "top"}), callable],
        "affinity_params": [dict, None],
        "assign_labels": [StrOptions({"auto", "discretize", "kmeans", "cluster_qr", "diffusion", "best"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "subsample": [Interval(Integral, 2, None, closed="left"), None],
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Cluster the samples.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples, see `image_shape` and `input_scale`.
        y : Ignored

        Returns
        -------
        self : estimator

        Raises
        ------
        MemoryError
            If C and its companions, n_samples x n_samples, cannot fit the device; the message says what can.
        FloatingPointError
            If a cost becomes infinite or NaN.
        """
        samples = self._read(X)
        pretrain_seed, train_seed, row_seed, label_seed = self._seeds(4)
        rows = draw_rows(len(samples), self._n_rows(len(samples)), row_seed)
        self.sample_indices_, self._label_seed = rows, label_seed
        self._affinity, self._affinity_spec = None, (self.affinity, self.affinity_params or {}, self.n_clusters)
        phases = [phase for phase in self._phases(len(rows)) if phase.epochs]
        progress = Progress(self, len(phases) + self._n_pretrainings() + 1, samples)
        self.network_, self.history_ = self._pretrain(samples, pretrain_seed, progress)

        tensor = to_device(samples[rows] if len(rows) < len(samples) else samples, self.device_)
        with seeded(train_seed, self.device_):
            self._build(tensor)
            self.n_iter_ = 0
            for phase in phases:
                self._run(phase, tensor, progress)
        task = progress.task("segment")
        self._express(tensor)
        self.labels_ = self._spread(self._row_labels(), samples)
        progress.done(task)
        progress.end()
        return self

    def predict(self, X):
        """Clusters of new samples, by their nearest clustered samples in the latent space.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
        """
        check_is_fitted(self)
        return self._assign(as_samples(self, X, reset=False), self.labels_[self.sample_indices_])

    def recluster(self, X, *, affinity=None, affinity_params=None, assign_labels=None):
        """Labels of the training samples under another affinity of the same coefficients, without training again.

        Nothing of the estimator changes.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            The samples that were fitted; with `subsample`, those outside of it are labelled by their neighbours.
        affinity : str, callable or None, default=None
            As the parameter of the class. ``None``: the estimator's own affinity.
        affinity_params : dict or None, default=None
            Further arguments of the affinity.
        assign_labels : str or None, default=None
            As the parameter of the class; ``None``: the estimator's own.

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
        """
        check_is_fitted(self)
        samples = as_samples(self, X, reset=False)
        if len(samples) != len(self.labels_):
            raise ValueError(f"X must be the {len(self.labels_)} samples that were fitted; got {len(samples)}.")
        own, _, n_clusters = self._affinity_spec
        if affinity is None and affinity_params is None:
            matrix = self.affinity_matrix_
        else:
            matrix = compute_affinity(self.coef_, affinity or own, n_clusters=n_clusters, **(affinity_params or {}))
        row_labels = self._segment(matrix, affinity or own, assign_labels or self.assign_labels)
        return self._spread(row_labels, samples)

    @property
    def affinity_matrix_(self):
        """The affinity that was clustered."""
        check_is_fitted(self)
        if self._affinity is None:
            self._affinity = self._affinity_of(self.coef_)
        return self._affinity

    def _affinity_of(self, coef):
        name, params, n_clusters = self._affinity_spec
        return compute_affinity(coef, name, n_clusters=n_clusters, **params)

    def __getstate__(self):
        return {**super().__getstate__(), "_affinity": None} if hasattr(self, "coef_") else super().__getstate__()

    # The figure

    def _heads(self, n_latent):
        """Further parts of the network beside encoder, decoder and expression."""
        return {}

    def _bytes_per_pair(self):
        """Bytes for each pair of samples at the peak of training: C, its optimiser, and what the costs remember."""
        return {"trained": 24, "ridge": 40}

    def _needs_zero_diagonal(self):
        """Whether C = I would be an optimum of the equation if the diagonal were free."""
        return False

    # The equation

    def _costs(self, out):
        """Weight and cost of each term, ``{name: (weight, callable)}``, for the outputs of all samples."""
        raise NotImplementedError

    # The algorithm

    def _n_pretrainings(self):
        return 1

    def _phases(self, n_rows):
        expression = ("coef", "expression")
        learns = any(weight for name, (weight, _) in self._costs(None).items() if name in expression)
        return [
            Phase(
                "express",
                lambda out: weighted(self._costs(out), only=expression),
                self._expression_epochs(n_rows) if learns else 0,
                self.expression_lr,
                parts=("expression",),
            ),
            Phase("finetune", lambda out: weighted(self._costs(out)), self.max_epochs, self.lr),
        ]

    def _expression_epochs(self, n_rows):
        if self.solver == "ridge":
            return 0
        if self.expression_epochs != "auto":
            return self.expression_epochs
        cluster_size = n_rows / self.n_clusters
        return 0 if self.coef_init == "ridge" else math.ceil(_ENTRIES_GROW_TO / cluster_size / self.expression_lr)

    # The recipe's steps

    def _n_rows(self, n_samples):
        """How many rows are clustered, if there are enough and the memory is."""
        n_rows = n_rows_to_cluster(n_samples, self.n_clusters, self.subsample)
        check_fits(n_rows, self._bytes_per_pair()[self.solver], self.device_)
        return n_rows

    def _build(self, tensor):
        """Add self-expression and heads to the pre-trained network."""
        z = self._codes(self.network_, tensor)
        self._n_latent = z.shape[1]
        self.network_.expression = self._expression(z)
        for name, head in self._heads(self._n_latent).items():
            setattr(self.network_, name, head)
        self.network_.to(self.device_)

    def _expression(self, z):
        normalization = self.latent_normalization
        if normalization == "auto":
            normalization = "centered" if self.solver == "ridge" and self.affinity == "top" else "unit"
        scaling = {"center": normalization == "centered", "unit": normalization in ("unit", "centered")}
        if self.solver == "ridge":
            return self._ridge(**scaling)
        init = self.coef_init
        if init == "ridge":
            init = self._ridge(**scaling).to(z.device)(precise(z)).float()
        zero_diagonal = self._needs_zero_diagonal() if self.zero_diagonal == "auto" else self.zero_diagonal
        return TrainedExpression(len(z), init, zero_diagonal=zero_diagonal, **scaling)

    def _ridge(self, **scaling):
        return RidgeExpression(self.ridge_lambda, self.subspace_dim * self.n_clusters, **scaling)

    def _express(self, tensor):
        """Set codes and coefficients; take the N x N layer out of the network."""
        z = self._codes(self.network_, tensor)
        expression, self.network_.expression = self.network_.expression, None
        with torch.inference_mode():
            self.coef_ = expression(precise(z)).float().cpu().numpy()
            _, mean, norms = expression.normalize(z)
        self.embedding_ = z.cpu().numpy()
        self._latent_mean = None if mean is None else mean.cpu().numpy()
        self._unit_latent = norms is not None

    def _row_labels(self):
        """Final labels of the clustered rows."""
        return self._segment(self.affinity_matrix_, self._affinity_spec[0], self.assign_labels)

    def _passing_labels(self, coef):
        """Labels of the clustered rows under coefficients that are not the final ones, and need no warning."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateAffinityWarning)
            return self._segment(self._affinity_of(coef), self._affinity_spec[0], self.assign_labels)

    def _segment(self, matrix, affinity, assign_labels):
        """Labels of the clustered rows under an affinity matrix, which is of the kind `affinity`."""
        if assign_labels == "auto":
            assign_labels = "best" if affinity == "top" else "kmeans"
        n_clusters = self._affinity_spec[-1]
        return spectral_labels(matrix, n_clusters, assign_labels=assign_labels, random_state=self._label_seed)

    def _codes(self, network, tensor):
        """Features that express samples on the device, as a tensor without a graph."""
        with torch.inference_mode():
            blocks = [network.eval()(block).features for block in tensor.split(4096)]
        return torch.cat(blocks).clone()

    def _spread(self, row_labels, samples):
        """Labels of all samples from those of the clustered rows."""
        rows = self.sample_indices_
        if len(rows) == len(samples):
            return row_labels
        labels = np.empty(len(samples), dtype=np.int64)
        labels[rows] = row_labels
        rest = np.setdiff1d(np.arange(len(samples)), rows, assume_unique=True)
        labels[rest] = self._assign(samples, row_labels, rest)
        return labels

    def _assign(self, samples, row_labels, rows=None):
        """Labels of all samples, or of some rows of them, from those of the rows that were clustered; in blocks."""
        rows = np.arange(len(samples)) if rows is None else rows
        label = self._labeller(row_labels)
        starts = range(0, len(rows), _BLOCK_ROWS)
        return np.concatenate([label(samples[rows[start : start + _BLOCK_ROWS]]) for start in starts])

    def _labeller(self, row_labels):
        """A function that labels a block of samples by the labels of the rows that were clustered."""
        neighbors = self._neighbors(row_labels)
        return lambda block: neighbors.predict(self._expressed_features(self._encode(block)))

    def _neighbors(self, row_labels):
        """Classifier by the clustered rows next to a sample in the latent space."""
        neighbors = KNeighborsClassifier(min(self.n_neighbors, len(row_labels)), algorithm="brute")
        return neighbors.fit(self._expressed_features(self.embedding_), row_labels)

    def _expressed_features(self, z):
        """Codes under the normalisation in which the training samples express each other."""
        z = z if self._latent_mean is None else z - self._latent_mean
        if self._unit_latent:
            z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), np.finfo(z.dtype).tiny)
        return z


def checked_sizes(name, sizes, n_layers=None):
    """The widths of layers as a tuple of positive integers, of `n_layers` if that is given."""
    sizes = tuple(sizes)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes) or n_layers not in (None, len(sizes)):
        number = "positive integers" if n_layers is None else f"{n_layers} positive integers"
        raise ValueError(f"{name} must hold {number}, the widths of layers; got {sizes}.")
    return sizes


def precise(z):
    """`z` in float64, where the device has it."""
    return z if z.device.type == "mps" else z.double()
