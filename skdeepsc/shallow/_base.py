"""What the classic methods share: new rows go where they are expressed best."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from .._base import BaseSelfExpressive, Threaded, others_of
from .._input import TakesRows
from .._noise import residual_shares
from .._params import Count, Estimator, Positive, answers, estimator
from .._scale import divided, exponent_of, scaled_rows, squared_norms, squares_fit, unit_exponent

# Values of a block of rows by samples: large enough for BLAS, small enough for any memory; the most rows.
_BLOCK_VALUES, _MOST_ROWS = 2**23, 256
# Bits of the values of unit rows by which samples are known to be multiples of each other.
_COMPARED_BITS = 30
# Lengths of centred rows up to so many units of the last place are rounding errors.
_ROUNDING = 10


@estimator
class BaseShallowSubspaceClustering(TakesRows, Threaded, BaseSelfExpressive):
    """A method says what its paper says: `_coefficients` of the training rows, and `_express`, those of new rows.

    Parameters
    ----------
    normalization : {"unit", "centered", "none"}
        What is done to the samples before they express each other: scaled to unit length, so that a multiple of a
        sample is a copy of it; the mean subtracted and then scaled (not for sparse input); or nothing.

    Attributes
    ----------
    embedding_
        Flat, under `normalization`.
    """

    normalization: Literal["unit", "centered", "none"] = "unit"

    # What a method supplies

    def _coefficients(self, z):
        """Coefficients of the rows of `z` over the others, shape (n_rows, n_rows)."""
        raise NotImplementedError

    def _express(self, z):
        """Coefficients of new rows over the training rows, shape (n_new, n_rows)."""
        raise NotImplementedError

    def _express_and_aim(self, z):
        """Coefficients of new rows, and the part of these rows that the training rows are to explain."""
        return self._express(z), z

    def _bytes_per_pair(self):
        return 24

    # The steps

    def _represent(self, samples, progress):
        rows = self._rows(samples)
        self._scaling = Scaling.of(rows, self.normalization)
        self.embedding_ = self._normalized(rows)
        self.coef_ = self._coefficients(self.embedding_).astype(samples.dtype, copy=False)

    def _normalized(self, rows):
        return self._scaling(rows)

    def _compared(self, rows):
        """Multiples of a sample are copies of it where all have unit length, of which the rounded digits are left."""
        if self.normalization != "unit":
            return rows
        compared = scaled_rows(rows.astype(np.float64))
        values = compared.data if sparse.issparse(compared) else compared
        np.rint(np.ldexp(values, _COMPARED_BITS, out=values), out=values)
        return compared

    # New rows

    @answers
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Shares of the clusters in new samples: inverse squared residuals, divided by their sum.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Dense; scikit-learn knows probabilities of sparse rows from classifiers only.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_found), float64
            A column for each cluster in `labels_`; rows sum to 1.
        """
        if sparse.issparse(X):
            raise ValueError("predict_proba takes dense rows, and X is sparse: give X.toarray(), block by block.")
        return super().predict_proba(X)

    def _shares(self, *, of_others=False):
        """Inverse residuals, as shares."""

        def shares(block):
            residuals = self._residuals_of_others(block) if of_others else self._residuals(self._normalized(block))
            scale = np.maximum(residuals.min(axis=1, keepdims=True), np.finfo(np.float64).tiny)
            inverse = scale / np.maximum(residuals, scale)
            return inverse / inverse.sum(axis=1, keepdims=True)

        return shares

    def _residuals_of_others(self, block):
        """The same where training rows are expressed by the others."""
        rows, places = self._twins(block)
        rows, first = np.unique(rows, return_index=True)
        rest = np.setdiff1d(np.arange(block.shape[0]), rows, assume_unique=True)
        residuals = np.empty((block.shape[0], self._n_found()))
        if len(rest):
            residuals[rest] = self._residuals(self._normalized(block[rest]))
        if len(rows):
            residuals[rows] = self._own_residuals(places[first])
        return residuals

    def _residuals(self, z):
        """Squared distances from new rows to what the rows of each cluster contribute to them."""
        return self._distances(*self._express_and_aim(z))

    def _own_residuals(self, places):
        """The same of training rows, whose own coefficients are left out."""
        return self._distances(others_of(self.coef_[places], places), self._aims(places))

    def _expressed_rows(self):
        return self.embedding_

    def _judge(self):
        def judge(block):
            z = self._normalized(block)
            residuals = self._residuals(z)
            return residuals.argmin(axis=1), residual_shares(residuals.min(axis=1), self._squares(z))

        return judge

    def _squares(self, z):
        """Squared lengths of new rows."""
        return squared_norms(z)

    def _distances(self, coef, z):
        distances = [squared_norms(z - coef[:, rows] @ self.embedding_[rows]) for rows in self._members()]
        return np.column_stack(distances)

    def _new_coefficients(self, samples):
        return self._taken(sparse.csr_array(self._express(self._normalized(samples)), dtype=np.float64, copy=True))

    def _members(self):
        """Which clustered rows are in each cluster."""
        row_labels = self._row_labels
        return [np.flatnonzero(row_labels == k) for k in range(row_labels.max() + 1)]

    def _block_rows(self):
        return max(1, min(_MOST_ROWS, _BLOCK_VALUES // self.embedding_.shape[0]))


@dataclass(frozen=True)
class Scaling:
    """A normalisation of samples as training rows of any magnitudes have settled it.

    Parameters
    ----------
    normalization : {"unit", "centered", "none"}
    dtype : dtype
        Of what it makes.
    exponent : int, default=0
        For "centered", rows are divided by two to its power before anything else.
    mean : ndarray of shape (n_features,) or None, default=None
        What they are centred by after that.
    """

    normalization: str
    dtype: np.dtype
    exponent: int = 0
    mean: np.ndarray | None = None

    @classmethod
    def of(cls, rows, normalization):
        """The normalisation that training rows settle."""
        if normalization == "none":
            exponent = unit_exponent(rows)
            if not squares_fit(exponent):
                raise ValueError(
                    f'X has magnitudes of 2 ** {exponent}, whose squares are no numbers; with normalization="none" '
                    "samples are taken as they are: divide X, or choose another normalization."
                )
            return cls(normalization, np.dtype(np.float64) if exponent else rows.dtype)
        if normalization == "unit":
            return cls(normalization, rows.dtype)
        if sparse.issparse(rows):
            raise ValueError('normalization="centered" makes sparse samples dense; take "unit" or "none".')
        exponent = exponent_of(rows)
        mean = divided(rows, exponent).mean(axis=0)
        return cls(normalization, rows.dtype, exponent, mean)

    def __call__(self, rows):
        """Rows under the normalisation, a copy."""
        if self.normalization == "none":
            return rows.astype(self.dtype)
        if self.normalization == "unit":
            return scaled_rows(rows)
        centered = divided(rows, self.exponent) - self.mean
        # Rows that equal the mean are zeros, not what rounding leaves of them.
        floor = _ROUNDING * np.finfo(rows.dtype).eps
        return scaled_rows(centered, floor=floor).astype(rows.dtype, copy=False)


@estimator
class AroundMean(Estimator):
    """A method whose affine form does not depend on where the origin is, and takes the mean of the rows for it.

    Attributes
    ----------
    embedding_
        With ``affine=True``, dense rows are then taken around their mean, which changes no coefficient.
    """

    _origin = None

    def _around_mean(self, z):
        """Training rows around their mean, which becomes the origin of others, too."""
        if sparse.issparse(z):
            return z
        self._origin = z.mean(axis=0)
        self.embedding_ = z - self._origin
        return self.embedding_

    def _normalized(self, rows):
        z = super()._normalized(rows)
        return z if self._origin is None else z - self._origin


@estimator
class Iterative(Estimator):
    """A method with a solver that works in rounds.

    Parameters
    ----------
    max_iter : int
        The most rounds of the solver.
    tol : float
        Tolerance at which it ends.
    """

    max_iter: Count = 100
    tol: Positive = 1e-6


def dense(matrix):
    """An array of what may be sparse."""
    return matrix.toarray() if sparse.issparse(matrix) else matrix
