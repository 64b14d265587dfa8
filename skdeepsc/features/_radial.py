"""Features in which samples that lie near each other point the same way, as a scikit-learn transformer."""

from numbers import Real
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.utils.extmath import svd_flip
from sklearn.utils.validation import check_is_fitted

from .._compat import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from .._input import TakesSamples, as_flat_rows, row_blocks
from .._params import Count, Interval, answers, estimator, fits
from .._random import Randomized, draw_rows
from ._squashing import SquashingScaler

# Rows whose distances say how wide the kernel is.
_MEASURED_ROWS = 1000
# Directions with this share of the largest eigenvalue are rounding errors.
_ROUNDING = 1e-10


@estimator
class RadialFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TakesSamples, Randomized):
    r"""Features whose inner products are a radial kernel, such that samples near each other point the same way.

    .. math:: \langle \varphi(x), \varphi(x') \rangle \approx \exp\left(-\|f(x) - f(x')\|^2 / s\right)

    with the scale f of :class:`~skdeepsc.SquashingScaler`, and s a quantile of the squared distances between different
    samples. Clusters of few features are places, more often than directions: in two features, all samples of a half
    plane express each other. In these features each place has directions of its own.

    Parameters
    ----------
    quantile : float in (0, 1]
        Of the squared distances, s.
    n_landmarks : int
        Samples, drawn at random, by whose kernel the features are made; all, where there are fewer. Where there are
        more, inner products are those of Nystroem's approximation.

    Attributes
    ----------
    scaler_ : SquashingScaler
        f.
    width_ : float
        s.
    landmarks_ : ndarray of shape (n_landmarks, n_features), float64
        Under f.
    weights_ : ndarray of shape (n_landmarks, n_features_out), float64
        Of the kernel between samples and landmarks: the eigenvectors of that between the landmarks, each divided by the
        root of its eigenvalue; those without any are left out.

    References
    ----------
    Williams, Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000. Patel, Vidal, "Kernel sparse
    subspace clustering", ICIP 2014, doi:10.1109/ICIP.2014.7025576, expresses samples by each other under such a kernel.

    See Also
    --------
    skdeepsc.shallow.KSSC : Sparse self-expression under a kernel.

    Examples
    --------
    >>> from skdeepsc import RadialFeatures
    >>> Z = RadialFeatures(quantile=0.5).fit_transform([[0.0], [0.1], [1.0], [1.1]])
    >>> (Z @ Z.T).round(2)
    array([[1.  , 0.99, 0.33, 0.27],
           [0.99, 1.  , 0.41, 0.33],
           [0.33, 0.41, 1.  , 0.99],
           [0.27, 0.33, 0.99, 1.  ]])
    """

    quantile: Annotated[float, Interval(Real, 0, 1, closed="right")] = 0.1
    n_landmarks: Count = 500

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _read(self, X, *, reset=True):
        """Checked rows."""
        return as_flat_rows(self, X, reset=reset, accept_sparse=False)[:]

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
        measured, landmarks = self._draw_seeds(2)
        few = self._scaled(rows[draw_rows(len(rows), min(_MEASURED_ROWS, len(rows)), measured)])
        distances = euclidean_distances(few, squared=True)
        apart = distances[distances > _ROUNDING * distances.max()]
        self.width_ = float(np.quantile(apart, self.quantile)) if apart.size else 1.0
        self.landmarks_ = self._scaled(rows[draw_rows(len(rows), min(self.n_landmarks, len(rows)), landmarks)])
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

    def _kernel(self, scaled):
        return rbf_kernel(scaled, self.landmarks_, gamma=1 / self.width_)
