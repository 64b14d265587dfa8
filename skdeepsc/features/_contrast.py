"""Images without their light, as a scikit-learn transformer."""

from numbers import Real
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from sklearn.utils.validation import check_is_fitted

from .._compat import Interval
from .._input import input_divisor, row_blocks
from .._params import Positive, answers, estimator, fits
from ._base import TransformsImages

# Share of the mean local contrast that is added to the contrast a pixel is divided by, so that noise stays small.
_FLOOR = 0.1
# Images of one block are filtered at once.
_BLOCK_ROWS = 256


@estimator
class LocalContrast(TransformsImages):
    r"""Images from which the light is taken away: each pixel against its neighbourhood, in units of what varies there.

    With G a Gaussian average over the neighbours of a pixel and x in [0, 1],

    .. math:: v = \log(x + \epsilon), \quad u = v - G v, \quad s = \sqrt{G u^2}, \quad z = \frac{u}{s + 0.1 \bar s}.

    The logarithm makes light a summand, the difference removes it where it changes slowly, and the division gives parts
    in the shade the contrast of those in the light. :math:`\bar s` is the mean over the training images.

    Parameters
    ----------
    sigma : float
        Width of G, in pixels, no larger than the images.
    offset : float
        :math:`\epsilon`, at most 1000.
    image_shape
        Flat rows without it are read as one-dimensional signals.

    Attributes
    ----------
    divisor_ : float
        What pixels are divided by.
    darkest_ : float
        What is subtracted before: 0, or the smallest pixel of the training images if that is negative. Darker pixels of
        new images count as this one.
    mean_contrast_ : float
        :math:`\bar s`.

    Notes
    -----
    A relative of Weber faces, self-quotient images and local contrast normalisation, in this form ours: on faces under
    changing light the division is what matters. (Jarrett, Kavukcuoglu, Ranzato, LeCun, "What is the best multi-stage
    architecture for object recognition?", ICCV 2009, doi:10.1109/ICCV.2009.5459469.)

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import LocalContrast
    >>> images = load_digits().images[:100]
    >>> LocalContrast().fit_transform(images).shape
    (100, 64)
    """

    sigma: Positive = 1.0
    offset: Annotated[float, Interval(Real, 0, 1e3, closed="right")] = 0.02

    @fits
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the range of the pixels and the mean contrast.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, height, width), (n_samples, channels, height, width) or \
                (n_samples, n_features)
            Images, see `image_shape`.
        y : Ignored

        Returns
        -------
        self : LocalContrast
        """
        samples = self._read(X)
        size = samples.shape[-2:] if samples.ndim == 4 else samples.shape[1:]
        if self.sigma > max(size):
            shape = " x ".join(map(str, size))
            raise ValueError(f"sigma={self.sigma} must not be larger than the images, which are {shape}.")
        self.darkest_ = min(float(samples.min()), 0.0)
        self.divisor_ = input_divisor(samples) - self.darkest_
        contrasts = (self._parts(samples[rows])[1] for rows in row_blocks(len(samples), _BLOCK_ROWS))
        self.mean_contrast_ = float(sum(contrast.sum(dtype=np.float64) for contrast in contrasts) / samples.size)
        return self

    @answers
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Images without their light.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, ...)
            Images of the shape of those in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features), float32
            ``Z.reshape(n_samples, *image_shape_)`` are images.
        """
        check_is_fitted(self)
        samples = self._read(X, reset=False)
        Z, floor = np.empty((len(samples), self._n_features_out), dtype=np.float32), _FLOOR * self.mean_contrast_
        for rows in row_blocks(len(samples), _BLOCK_ROWS):
            detail, contrast = self._parts(samples[rows])
            Z[rows] = (detail / (contrast + (floor or 1.0))).reshape(len(detail), -1)
        return Z

    @property
    def _n_features_out(self):
        return self.n_features_in_

    def _parts(self, images):
        """u and s of a block of images."""
        light = np.maximum(images.astype(np.float32) - self.darkest_, 0) / self.divisor_
        light = np.log(light + np.float32(self.offset))
        detail = light - self._averaged(light)
        detail[np.abs(detail) < 1e-5] = 0  # Rounding errors of images, or parts of them, without any detail.
        return detail, np.sqrt(self._averaged(detail * detail))

    def _averaged(self, images):
        """Gaussian averages over neighbouring pixels."""
        n_places = min(images.ndim - 1, 2)
        return gaussian_filter(images, (0,) * (images.ndim - n_places) + (self.sigma,) * n_places, mode="nearest")
