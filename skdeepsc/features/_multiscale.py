"""Scattering features at several scales as one scikit-learn transformer."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .._input import unit_rows
from .._params import Count, answers, estimator, fits
from ._base import OnDevice, TransformsImages
from ._scattering import ImageSize, Scattering, SharedWavelets, transformed


@estimator
class MultiscaleScattering(OnDevice, TransformsImages):
    r"""Scattering features at several scales side by side, each of unit length, of images and their mirror images.

    Few scales keep where things are, many forgive that they move. With the features of the mirror image added, faces
    and objects that turn to the other side stay what they are.

    Parameters
    ----------
    n_scales : sequence of int
        J of each :class:`~skdeepsc.Scattering`.
    n_angles : int
        L of each.
    order : {1, 2}
        Of each.
    image_size : int or None
        Of each.
    symmetric : bool
        Whether to add the features of the mirror image.
    opponent : bool
        Of each.
    block_size : int
        Images transformed at once.

    Attributes
    ----------
    scatterings_ : list of Scattering
        The fitted transformers, whose normalised features are scaled to unit length and joined in this order.

    Notes
    -----
    The joint features are this package's own; see :class:`~skdeepsc.Scattering` for their source.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import MultiscaleScattering
    >>> images = load_digits().images[:100]
    >>> scattering = MultiscaleScattering().fit(images)
    >>> scattering.transform(images).shape
    (100, 5088)
    >>> [each.n_scales for each in scattering.scatterings_]
    [3, 2]
    """

    n_scales: Sequence[Any] = (3, 2)
    n_angles: Count = 6
    order: Literal[1, 2] = 2
    image_size: ImageSize | None = 32
    symmetric: bool = True
    opponent: bool = False
    block_size: Count = 16

    @fits
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the normalisations.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, height, width), (n_samples, channels, height, width) or \
                (n_samples, n_features)
            Images, see `image_shape`.
        y : Ignored

        Returns
        -------
        self : MultiscaleScattering
        """
        samples = self._prepare(X)
        for scattering in self.scatterings_:
            scattering._learn_from(samples)
        return self

    @fits
    def fit_transform(self, X: ArrayLike, y: Any = None) -> np.ndarray:
        """The same as ``fit(X).transform(X)`` in half the time.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, ...)
            Images, see `image_shape`.
        y : Ignored

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out), float32
        """
        return SharedWavelets({"own": self}, X).fit_transform()["own"]

    @answers
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Features at all scales.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, ...)
            Images of the shape of those in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out), float32
        """
        check_is_fitted(self)
        return self._joined(transformed(self.scatterings_, self._read(X, reset=False)))

    @property
    def _n_features_out(self):
        return sum(scattering._n_features_out for scattering in self.scatterings_)

    def _prepare(self, X):
        """Checked samples, for which there are unfitted transformers."""
        samples = self._read(X)
        if isinstance(self.n_scales, str) or not len(self.n_scales):
            raise ValueError(f"n_scales must hold a number of scales for each part; got {self.n_scales!r}.")
        own = ("n_angles", "order", "image_size", "symmetric", "opponent", "block_size", "device")
        shared = {name: getattr(self, name) for name in own}
        shared["image_shape"] = self.image_shape_ if len(self.image_shape_) == 3 else None
        self.scatterings_ = [Scattering(n_scales=n_scales, **shared) for n_scales in self.n_scales]
        for scattering in self.scatterings_:
            scattering._validate_params()
            scattering._prepare(samples)
        return samples

    def _parts(self):
        return self.scatterings_

    def _joined(self, features):
        """Features of unit length side by side."""
        return np.hstack([unit_rows(part) for part in features])
