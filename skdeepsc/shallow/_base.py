"""What the classic methods share: represent, affinity, segment; new rows go where they are expressed best."""

from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy import sparse
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from .._compat import Interval, StrOptions, fit_context
from .._input import as_rows, n_rows_to_cluster
from .._memory import check_fits
from .._random import draw_rows, draw_seeds
from ..affinity import compute_affinity
from ..segmentation import spectral_labels

# Values of a block of rows by samples: large enough for BLAS, small enough for any memory.
_BLOCK_VALUES = 2**23
_DENSE_AFFINITIES = ("enhanced", "low_rank")
_AFFINITIES = {"symmetric", "scaled", "thresholded", "enhanced", "low_rank", "row_normalized", "top"}


@dataclass(repr=False, eq=False, kw_only=True)
class BaseShallowSubspaceClustering(ClusterMixin, BaseEstimator):
    """Represent -> affinity -> segment.

    A method says what its paper says: `_represent` (coefficients of the training rows) and `_express` (coefficients of
    new rows over them).
    """

    n_clusters: int = field(default=8, kw_only=False)
    normalization: str = "unit"
    affinity: object = "symmetric"
    affinity_params: dict | None = None
    assign_labels: str = "auto"
    subsample: int | None = None
    n_jobs: int | None = None
    random_state: object = None

    _parameter_constraints = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "normalization": [StrOptions({"unit", "centered", "none"})],
        "affinity": [StrOptions(_AFFINITIES), callable],
        "affinity_params": [dict, None],
        "assign_labels": [StrOptions({"auto", "discretize", "kmeans", "cluster_qr", "diffusion", "best"})],
        "subsample": [Interval(Integral, 2, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Cluster the samples.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples; images of shape (n_samples, ...) are flattened.
        y : Ignored

        Returns
        -------
        self : estimator
        """
        samples = as_rows(self, X, reset=True)
        n_samples = samples.shape[0]
        row_seed, self._seed = draw_seeds(self.random_state, 2)
        n_rows = n_rows_to_cluster(n_samples, self.n_clusters, self.subsample)
        if self._bytes_per_pair() or self.affinity in _DENSE_AFFINITIES:
            check_fits(n_rows, self._bytes_per_pair(), "cpu")
        self.sample_indices_ = draw_rows(n_samples, n_rows, row_seed)

        rows = samples if n_rows == n_samples else samples[self.sample_indices_]
        self._mean = rows.mean(axis=0) if self.normalization == "centered" and not sparse.issparse(rows) else None
        self.embedding_ = self._normalized(rows)
        self.coef_ = self._represent(self.embedding_).astype(samples.dtype, copy=False)
        self.affinity_matrix_ = self._affinity_of(self.coef_)
        self._row_labels = self._segment(self.affinity_matrix_)
        self.labels_ = self._spread(samples)
        return self

    def predict(self, X):
        """Clusters of new samples: those whose training rows express them with the least residual.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,), int64
        """
        check_is_fitted(self)
        return self._assign(as_rows(self, X, reset=False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags

    # What a method supplies

    def _represent(self, z):
        """Coefficients of the rows of `z` over the others, shape (n_rows, n_rows)."""
        raise NotImplementedError

    def _express(self, z):
        """Coefficients of new rows over the training rows, shape (n_new, n_rows)."""
        raise NotImplementedError

    def _explain(self, z):
        """Coefficients of new rows, and the part of these rows that the training rows are to explain."""
        return self._express(z), z

    def _bytes_per_pair(self):
        """Bytes for each pair of samples at the peak of `_represent`; 0 if there is no N x N matrix."""
        return 24

    # The steps

    def _normalized(self, rows):
        if self.normalization == "none":
            return rows.copy()
        if self.normalization == "centered":
            if sparse.issparse(rows):
                raise ValueError('normalization="centered" makes sparse samples dense; take "unit" or "none".')
            rows = rows - self._mean
        return normalize(rows)

    def _affinity_of(self, coef):
        return compute_affinity(coef, self.affinity, n_clusters=self.n_clusters, **self.affinity_params or {})

    def _segment(self, affinity):
        assign_labels = self.assign_labels
        if assign_labels == "auto":
            assign_labels = "best" if self.affinity == "top" else "kmeans"
        return spectral_labels(affinity, self.n_clusters, assign_labels=assign_labels, random_state=self._seed)

    def _spread(self, samples):
        """Labels of all samples from those of the rows that were clustered."""
        if len(self.sample_indices_) == samples.shape[0]:
            return self._row_labels
        labels = np.empty(samples.shape[0], dtype=np.int64)
        labels[self.sample_indices_] = self._row_labels
        rest = np.setdiff1d(np.arange(len(labels)), self.sample_indices_, assume_unique=True)
        labels[rest] = self._assign(samples[rest])
        return labels

    def _assign(self, samples):
        """Labels of new samples, block by block."""
        labels = self._by_blocks(
            lambda block: self._residuals(self._normalized(samples[block])).argmin(axis=1), samples.shape[0]
        )
        return np.concatenate(labels)

    def _residuals(self, z):
        """Squared distances from new rows to what the rows of each cluster contribute to them."""
        coef, z = self._explain(z)
        residuals = np.empty((z.shape[0], self._row_labels.max() + 1))
        for k in range(residuals.shape[1]):
            members = np.flatnonzero(self._row_labels == k)
            difference = z - coef[:, members] @ self.embedding_[members]
            residuals[:, k] = squared_norms(difference)
        return residuals

    def _by_blocks(self, function, n_rows, most=256):
        """What `function` returns for each block of rows, a slice; in threads with `n_jobs`."""
        size = max(1, min(most, _BLOCK_VALUES // self.embedding_.shape[0]))
        n_threads = effective_n_jobs(self.n_jobs)
        blocks = (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))
        with threadpool_limits(1 if n_threads > 1 else None, user_api="blas"):
            return Parallel(n_jobs=n_threads, prefer="threads")(delayed(function)(block) for block in blocks)


def dense(matrix):
    """An array of what may be sparse."""
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def squared_norms(rows):
    """Squared length of each row."""
    if sparse.issparse(rows):
        return np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", rows, rows)
