"""Features of unlike units and with far values, brought to one scale, as a scikit-learn transformer."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._compat import OneToOneFeatureMixin
from .._params import Positive, answers, estimator, fits
from ._rows import TransformsRows

# Values so many times c away from the median are as far as any: they become c.
_FAR = 1e100


@estimator
class SquashingScaler(OneToOneFeatureMixin, TransformsRows):
    r"""Features of unlike units on one scale, with far values drawn near.

    With the median m of a feature and the distance r of its quartiles,

    .. math:: z = (x - m) / r, \qquad f(z) = \frac{z}{\sqrt{1 + (z / c)^2}}.

    Lengths, prices and ages count alike, and no sample points where its one far value points: within half of c little
    changes, and nothing is farther from 0 than c. Where the quartiles are the same, the median distance of the other
    values from m takes the place of r; a feature that never changes becomes 0, for new samples, too.

    Parameters
    ----------
    max_absolute_value : float
        c.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,), float64
        m.
    scale_ : ndarray of shape (n_features,), float64
        r; 0 for a feature that never changes.

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024, doi:10.48550/arXiv.2407.04491, where it is the scaling of the numerical features, but that half of the
    range, which one far value decides, is r where the quartiles are the same.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skdeepsc import SquashingScaler
    >>> wines = load_wine().data
    >>> (wines.std(axis=0).max() / wines.std(axis=0).min()).round()
    np.float64(2530.0)
    >>> scaled = SquashingScaler().fit_transform(wines)
    >>> (scaled.std(axis=0).max() / scaled.std(axis=0).min()).round(1)
    np.float64(1.3)
    """

    max_absolute_value: Positive = 3.0

    @fits
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn where each feature lies, and how wide it is.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples; images are flattened.
        y : Ignored

        Returns
        -------
        self : SquashingScaler
        """
        rows = self._read(X).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            first, self.center_, third = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
            self.scale_, same = third - first, third == first
            self.scale_[same] = _median_apart(np.abs(rows[:, same] - self.center_[same]))
        if not np.isfinite(self.scale_).all():
            raise ValueError("X has values whose differences are no numbers, as those of 1e308 and -1e308: divide X.")
        return self

    @answers
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Samples whose features are on one scale.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, n_features) or (n_samples, ...)
            Samples like those in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features), float32 or float64
            As `X` is, float64 for all other kinds of numbers.
        """
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        with np.errstate(over="ignore"):
            apart = rows - self.center_
            units = np.divide(apart, self.scale_, out=np.zeros_like(apart), where=self.scale_ > 0)
            share = np.clip(units / self.max_absolute_value, -_FAR, _FAR)
        return (self.max_absolute_value * share / np.hypot(1, share)).astype(rows.dtype)


def _median_apart(distances):
    """Of each column, the median of what is not 0, and 0 if all is."""
    n_rows, n_apart = len(distances), np.count_nonzero(distances, axis=0)
    middle = np.stack([n_rows - n_apart + (n_apart - 1) // 2, n_rows - n_apart + n_apart // 2])
    return np.take_along_axis(np.sort(distances, axis=0), np.minimum(middle, n_rows - 1), axis=0).mean(axis=0)
