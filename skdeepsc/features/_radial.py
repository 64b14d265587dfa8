"""Features in which samples that lie near each other point the same way, as a scikit-learn transformer."""

from numbers import Real
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.extmath import svd_flip
from sklearn.utils.validation import check_is_fitted

from .._compat import ClassNamePrefixFeaturesOutMixin
from .._input import row_blocks
from .._params import Count, Interval, answers, estimator, fits
from .._random import Randomized, draw_rows
from ._rows import TransformsRows
from ._squashing import SquashingScaler

# Directions with this share of the largest eigenvalue are rounding errors.
_ROUNDING = 1e-10


@estimator
class RadialFeatures(ClassNamePrefixFeaturesOutMixin, TransformsRows, Randomized):
    r"""Features whose inner products are a radial kernel, such that samples near each other point the same way.

    .. math:: \langle \varphi(x), \varphi(x') \rangle \approx \exp\left(-\frac{\|f(x) - f(x')\|^2}{w(x)\, w(x')}\right)

    with the scale f of :class:`~skdeepsc.SquashingScaler`, and the widths w, quantiles of the distances from a sample
    to others: wide where samples are few. Clusters of few features are places, more often than directions: in two
    features, all samples of a half plane express each other. In these features each place has directions of its own.

    A sample farther than a width from all others, as new ones may be, has the features that it would have if it were
    nearer, by the same squared distance from each: it points to where the nearest ones do.

    Parameters
    ----------
    quantile : float in (0, 1]
        Of the distances from a sample to the landmarks, its width.
    n_landmarks : int
        Samples, drawn at random, by whose kernel the features are made; all, where there are fewer. Where there are
        more, inner products are those of Nystroem's approximation.

    Attributes
    ----------
    scaler_ : SquashingScaler
        f.
    landmarks_ : ndarray of shape (n_landmarks, n_features), float64
        Under f.
    widths_ : ndarray of shape (n_landmarks,), float64
        w of the landmarks.
    weights_ : ndarray of shape (n_landmarks, n_features_out), float64
        Of the kernel between samples and landmarks: the eigenvectors of that between the landmarks, each divided by the
        root of its eigenvalue; those without a positive one are left out.

    References
    ----------
    Zelnik-Manor, Perona, "Self-tuning spectral clustering", NIPS 2004, where the width of a sample is the distance from
    its seventh neighbour. Williams, Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000. Patel,
    Vidal, "Kernel sparse subspace clustering", ICIP 2014, doi:10.1109/ICIP.2014.7025576, expresses samples by each
    other under a kernel.

    See Also
    --------
    skdeepsc.shallow.KSSC : Sparse self-expression under a kernel.

    Examples
    --------
    >>> from skdeepsc import RadialFeatures
    >>> Z = RadialFeatures(quantile=0.5).fit_transform([[0.0], [0.1], [1.0], [1.1]])
    >>> (Z @ Z.T).round(2)
    array([[1.  , 0.97, 0.03, 0.02],
           [0.97, 1.  , 0.04, 0.03],
           [0.03, 0.04, 1.  , 0.97],
           [0.02, 0.03, 0.97, 1.  ]])
    """

    quantile: Annotated[float, Interval(Real, 0, 1, closed="right")] = 0.1
    n_landmarks: Count = 500

    @property
    def _n_features_out(self):
        return self.weights_.shape[1]

    @fits
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the scale, and how far apart samples are.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples; images are flattened.
        y : Ignored

        Returns
        -------
        self : RadialFeatures
        """
        rows = self._read(X)
        self.scaler_ = SquashingScaler().fit(rows)
        (seed,) = self._draw_seeds(1)
        self.landmarks_ = self._scaled(rows[draw_rows(len(rows), min(self.n_landmarks, len(rows)), seed)])
        self.widths_ = self._widths(self._distances(self.landmarks_))
        values, vectors = np.linalg.eigh(self._kernel(self.landmarks_))
        kept = values > _ROUNDING * values[-1]
        self.weights_ = svd_flip(vectors[:, kept], None)[0] / np.sqrt(values[kept])
        return self

    @answers
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Features of samples.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples like those in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out), float32 or float64
            As `X` is, float64 for all other kinds of numbers.
        """
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        Z = np.empty((len(rows), self._n_features_out), dtype=rows.dtype)
        for block in row_blocks(len(rows)):
            Z[block] = self._kernel(self._scaled(rows[block])) @ self.weights_
        return Z

    def _scaled(self, rows):
        return self.scaler_.transform(rows.astype(np.float64))

    def _distances(self, scaled):
        return euclidean_distances(scaled, self.landmarks_)

    def _widths(self, distances):
        """How wide the kernel is around each row; where so many landmarks equal it, as far as to the nearest other."""
        widths = np.quantile(distances, self.quantile, axis=1)
        nearest = np.where(distances > 0, distances, np.inf).min(axis=1)
        widths = np.where(widths > 0, widths, nearest)
        return np.where(np.isfinite(widths), widths, 1.0)

    def _kernel(self, scaled):
        """Kernel between rows and the landmarks; of rows that are far from all, as if they were nearer."""
        distances = self._distances(scaled)
        exponents = distances**2 / (self._widths(distances)[:, None] * self.widths_)
        exponents -= np.maximum(exponents.min(axis=1, keepdims=True) - 1, 0)
        return np.exp(-exponents)
