"""Scattering features of images as a scikit-learn transformer."""

from numbers import Integral
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted
from torch.nn.functional import interpolate

from .._compat import Interval
from .._input import row_blocks, unit_rows
from .._params import Count, answers, estimator, fits
from .._scale import restored
from .._threads import threads
from .._warn import warn_user
from ..nn import ScatteringNetwork, scattered
from ..training.batches import to_device
from ._base import OnDevice, TransformsImages

# Share of an order's mean norm that is added to the norm a position is divided by, so that empty ones stay small.
_FLOOR = 0.1
# Magnitudes of images, as powers of two, whose coefficients float32 holds.
_LARGEST_EXPONENT = 110
# Luminance, red against green, and both against blue, as orthogonal combinations of red, green and blue, which are
# brought to unit length afterwards: whole numbers leave nothing of images without colour, not even rounding errors.
_OPPONENT = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]], dtype=np.float32)
_OPPONENT_NORMS = np.linalg.norm(_OPPONENT, axis=1, keepdims=True)[:, :, None]
# Norms below this share of the largest pixel, and deviations below this, are rounding errors of constant images.
_ROUNDING = 1e-3
# Pixels of the longer side.
ImageSize = Annotated[int, Interval(Integral, 2, None, closed="left")]


@estimator
class Scattering(OnDevice, TransformsImages):
    r"""Features of images from a convolutional network of fixed wavelets; nothing is trained.

    Moduli of one and of two wavelet convolutions, averaged by a low pass and sampled at a coarse grid of positions.
    They hardly change under small shifts and deformations, and keep what plain blurring would lose.

    Parameters
    ----------
    n_scales : int
        J: wavelets of the scales :math:`2^0 \ldots 2^{J-1}` pixels; one position for each block of :math:`2^J` pixels.
    n_angles : int
        L: directions of the wavelets in [0, pi).
    order : {1, 2}
        Largest number of wavelets in a path. The low-pass image itself, order 0, is left out.
    image_size : int or None
        Images are scaled, bilinearly and with their shape kept, so that the longer side has this many pixels;
        ``None`` leaves them as they are.
    normalize : bool
        Order by order and position by position, the vector over the paths (and channels) is divided by its norm plus a
        tenth of the mean norm of the training data, which removes contrast and illumination; then the training mean
        of each feature is subtracted; then each path is divided by its training standard deviation (the mean over
        positions). False gives the coefficients, in the units of the images.
    symmetric : bool
        Whether to add the features of the mirror image, left for right, to those of each image, so that both have the
        same, as faces and objects have that turn to the other side. The features of the mirror image are taken to be
        those of the image with its positions reversed and its angles negated, which costs nothing; what is sampled at
        other pixels leaves a part of the difference between the two, a sixth for the digits.
    opponent : bool
        Whether images of three channels are red, green and blue, to be taken as luminance, (r + g + b) / sqrt(3), and
        two opponent colours, (r - g) / sqrt(2) and (r + g - 2 b) / sqrt(6). `normalize` then does what it does for each
        of the three alone, and scales the features of each to unit length, so that colour counts as much as light,
        which varies more. If no image of the training data has colour, all have the features of their luminance, and
        zeros.
    image_shape
        Flat rows without it are read as one-dimensional signals, with a warning.
    block_size : int
        Images transformed at once; bounds the memory (about 1.5 MB an image of 32 x 32) and changes nothing else.

    Attributes
    ----------
    paths_ : list of tuple
        Meaning of each channel of the output: ``((j1, l1),)`` or ``((j1, l1), (j2, l2))``, scales and angles of the
        wavelets on the path.
    output_shape_ : tuple of int
        ``(channels * n_paths, rows, columns)``: the shape of a row of the output as images. The paths of the first
        channel of the images come first.
    network_ : ScatteringNetwork
        The filters.
    norms_ : ndarray of shape (order,), or with `opponent` (order, 3), float32
        Mean norm over the paths of each order in the training data, for `normalize`.
    mean_ : ndarray of shape (n_features_out,), float32
        Mean that is subtracted, for `normalize`.
    scale_ : ndarray of shape (n_features_out,), float32
        Standard deviations that are divided by, for `normalize`.

    References
    ----------
    Bruna, Mallat, "Invariant scattering convolution networks", IEEE TPAMI 35, 2013, doi:10.1109/TPAMI.2012.230. The
    normalisation is ours.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepsc import Scattering
    >>> images = load_digits().images[:100]
    >>> scattering = Scattering().fit(images)
    >>> scattering.output_shape_
    (126, 4, 4)
    >>> scattering.transform(images).shape
    (100, 2016)
    """

    n_scales: Annotated[int, Interval(Integral, 1, 6, closed="both")] = 3
    n_angles: Count = 6
    order: Literal[1, 2] = 2
    image_size: ImageSize | None = 32
    normalize: bool = True
    symmetric: bool = False
    opponent: bool = False
    block_size: Count = 16

    @fits
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Build the filters and learn the normalisation.

        The images are transformed twice, block by block, so that no more than a block is in memory at a time.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, height, width), (n_samples, channels, height, width) or \
                (n_samples, n_features)
            Images, see `image_shape`.
        y : Ignored

        Returns
        -------
        self : Scattering
        """
        self._learn_from(self._prepare(X))
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
        """Scattering features.

        Parameters
        ----------
        X : array-like or tensor of shape (n_samples, ...)
            Images of the shape of those in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features_out), float32
            ``Z.reshape(n_samples, *output_shape_)`` are images, one for each path.
        """
        check_is_fitted(self)
        samples = self._read(X, reset=False)
        return transformed(self._parts(), samples)[0]

    @property
    def _n_features_out(self):
        return int(np.prod(self.output_shape_))

    def _prepare(self, X):
        """Checked samples, for whose shape the filters are built."""
        samples = self._read(X)
        if not self.normalize and abs(self._exponent) > _LARGEST_EXPONENT:
            raise ValueError(
                f"normalize=False gives coefficients in the units of X, whose magnitudes of 2 ** {self._exponent} "
                "float32 cannot hold: divide X, or take normalize=True."
            )
        if len(self.image_shape_) == 1:
            warn_user(
                f"Scattering reads flat rows of {self.image_shape_[0]} features as one-dimensional signals; if they "
                "are images, give image_shape=(height, width).",
            )
        n_channels, *size = self._as_images(samples[:0]).shape[1:]
        if self.opponent and n_channels != 3:
            raise ValueError(
                f"opponent=True takes images of three channels; these have shape {tuple(self.image_shape_)}."
            )
        self._size = tuple(size)
        if self.image_size is not None:
            self._size = tuple(max(1, round(side * self.image_size / max(size))) for side in size)
        self.network_ = ScatteringNetwork(self._size, self.n_scales, self.n_angles, self.order).to(self.device_)
        self.paths_ = self.network_.paths
        self.output_shape_ = (n_channels * len(self.paths_), *self.network_.grid_shape)
        return samples

    def _parts(self):
        """The transformers, each of one number of scales, whose features it joins."""
        return [self]

    def _joined(self, features):
        """What it makes of the features of its parts."""
        return features[0]

    def _as_images(self, samples):
        return samples if samples.ndim == 4 else samples[:, None, None]

    def _seen(self, samples):
        """Samples as the network sees them, a tensor of shape (n_rows, channels, height, width)."""
        block = to_device(self._as_images(samples), self.device_).float()
        if self.opponent:
            block = torch.einsum("oc,nchw->nohw", to_device(_OPPONENT, self.device_), block)
            block /= to_device(_OPPONENT_NORMS, self.device_)
        if block.shape[2:] != self._size:
            block = interpolate(block, self._size, mode="bilinear", antialias=True)
        return block

    def _learn_from(self, samples):
        """Learn the normalisation from checked samples."""
        if self.normalize:
            self._learn(lambda: self._coefficients(samples), samples)

    def _coefficients(self, samples):
        """Coefficients of blocks of samples, tensors of shape (n_rows, n_features_out)."""
        return (coefficients for (coefficients,) in coefficients_of([self], samples))

    def _finished(self, Z):
        """Features of normalised coefficients, in place."""
        return self._in_units(self._of_unit_colors(self._with_mirrored(Z)))

    def _with_mirrored(self, Z):
        """The sum of the features of images and of their mirror images, in place, where it is wanted."""
        if self.symmetric:
            places = np.arange(self._n_features_out).reshape(-1, len(self.paths_), *self.output_shape_[1:])
            mirrored = places[:, self._mirrored_paths(), :, ::-1].ravel()
            for rows in row_blocks(len(Z), 256):
                Z[rows] += Z[rows][:, mirrored]
        return Z

    def _mirrored_paths(self):
        """For each path, the number of the one that its mirror image takes."""
        number = {path: i for i, path in enumerate(self.paths_)}
        return [number[tuple((j, -angle % self.n_angles) for j, angle in path)] for path in self.paths_]

    def _of_unit_colors(self, Z):
        """Normalised features, those of each opponent colour scaled to unit length, in place."""
        if self.opponent and self.normalize:
            for rows in row_blocks(len(Z), 256):
                Z[rows] = unit_rows(Z[rows].reshape(-1, len(Z[0]) // 3)).reshape(-1, len(Z[0]))
        return Z

    def _in_units(self, Z):
        """Coefficients in the units of the images, where they are not normalised."""
        return Z if self.normalize else restored(Z, self._exponent).astype(np.float32, copy=False)

    # The normalisation

    def _learn(self, blocks, samples):
        """Set what `normalize` needs, by two passes over the training data."""
        largest = max(abs(float(samples.max())), abs(float(samples.min())))
        norms = sum(
            torch.stack([norm.mean(2).sum(0) for norm in self._norms(block)]).cpu().double() for block in blocks()
        )
        norms = np.maximum(norms.numpy() / len(samples), _ROUNDING * largest or 1).astype(np.float32)
        self.norms_ = norms if self.opponent else norms[:, 0]
        total, squares = 0.0, 0.0
        for block in blocks():
            block = self._without_contrast(block).cpu().double()
            total, squares = total + block.sum(0), squares + block.square().sum(0)
        mean = total / len(samples)
        deviation = (squares / len(samples) - mean.square()).clamp_min(0).sqrt()
        path_deviation = deviation.view(self.output_shape_[0], -1).mean(1, keepdim=True)
        scale = path_deviation.where(path_deviation > _ROUNDING, 1).expand(-1, np.prod(self.output_shape_[1:]))
        self.mean_, self.scale_ = (stat.flatten().float().cpu().numpy() for stat in (mean, scale))

    def _normalized(self, block):
        mean, scale = (to_device(stat, block.device) for stat in (self.mean_, self.scale_))
        return (self._without_contrast(block) - mean) / scale

    def _without_contrast(self, block):
        """Each order and position divided by its norm over the paths."""
        parts = self._by_order(block)
        mean_norms = to_device(self.norms_.reshape(len(parts), -1), block.device)
        return torch.cat(
            [
                part / (norm + _FLOOR * mean_norm[:, None])[:, :, None]
                for part, norm, mean_norm in zip(parts, self._norms(block), mean_norms, strict=True)
            ],
            dim=2,
        ).flatten(1)

    def _norms(self, block):
        """Norms over paths and channels, or of each colour, a tensor (n_rows, 1 or 3, n_positions) for each order."""
        squares = [part.square().sum(2) for part in self._by_order(block)]
        return [(each if self.opponent else each.sum(1, keepdim=True)).sqrt() for each in squares]

    def _by_order(self, block):
        """Views of shape (n_rows, channels, paths of the order, positions)."""
        lengths = [len(path) for path in self.paths_]
        images = block.view(len(block), -1, len(self.paths_), self.output_shape_[1] * self.output_shape_[2])
        return images.split([lengths.count(order) for order in sorted(set(lengths))], dim=2)


# Several at once: wavelets of the same scale are applied once for all


class SharedWavelets:
    """Transformers that are fitted to some samples first, and one of them to all then; no sample is scattered twice.

    Their features are those that each has alone.

    Parameters
    ----------
    transformers : dict of name to Scattering or MultiscaleScattering
        Which differ in `n_scales`, `symmetric` and `normalize` alone; they are fitted in place. There may be none.
    X : array-like or tensor of shape (n_samples, ...)
    """

    def __init__(self, transformers, X):
        self._transformers, self._places, self._seen = transformers, np.arange(0), {}
        for transformer in transformers.values():
            self._samples = transformer._prepare(X)

    def fit_transform(self, places=None):
        """Features by transformer, each of which is fitted to the samples at some places; ``None``: to all."""
        if not self._transformers:
            return {}
        samples = self._samples if places is None else self._samples[places]
        found = iter(_coefficients([part for each in self._transformers.values() for part in each._parts()], samples))
        found = {name: [next(found) for _ in each._parts()] for name, each in self._transformers.items()}
        if places is not None and len(places) < len(self._samples):  # Features take the place of coefficients.
            self._places, self._seen = places, {name: [Z.copy() for Z in each] for name, each in found.items()}
        return {name: _learnt(each, found[name], samples) for name, each in self._transformers.items()}

    def fit_transform_all(self, name):
        """Features of all samples by one of the transformers, which is fitted to them; None, if it is none of them."""
        if name not in self._transformers:
            return None
        transformer, seen, n_samples = self._transformers[name], self._seen.get(name), len(self._samples)
        self._seen = {}
        if seen is None:
            return _learnt(transformer, _coefficients(transformer._parts(), self._samples), self._samples)
        rest, found = np.setdiff1d(np.arange(n_samples), self._places), []
        for some, others in zip(seen, _coefficients(transformer._parts(), self._samples[rest]), strict=True):
            found.append(np.empty((n_samples, some.shape[1]), np.float32))
            found[-1][self._places], found[-1][rest] = some, others
        return _learnt(transformer, found, self._samples)


def _coefficients(scatterings, samples):
    """Coefficients of checked samples by each of some transformers of one number of scales."""
    return collected(coefficients_of(scatterings, samples), scatterings, len(samples))


def _learnt(transformer, coefficients, samples):
    """Features of the coefficients of all parts, in place, from which the normalisation is learnt."""
    return transformer._joined(
        [_part_learnt(part, Z, samples) for part, Z in zip(transformer._parts(), coefficients, strict=True)]
    )


def _part_learnt(scattering, Z, samples):
    if scattering.normalize:
        blocks = torch.from_numpy(Z).split(1024)
        scattering._learn(lambda: blocks, samples)
        for block in blocks:
            block.copy_(scattering._normalized(block))
    return scattering._finished(Z)


def transformed(scatterings, samples):
    """Features of checked samples by each of some fitted transformers; wavelets of the same scale are applied once."""
    blocks = (
        [part._normalized(block) if part.normalize else block for part, block in zip(scatterings, each, strict=True)]
        for each in coefficients_of(scatterings, samples)
    )
    found = collected(blocks, scatterings, len(samples))
    return [part._finished(Z) for part, Z in zip(scatterings, found, strict=True)]


def coefficients_of(scatterings, samples):
    """Coefficients of blocks of samples by each of some transformers, lists of tensors (n_rows, n_features_out)."""
    first, networks = scatterings[0], {part.n_scales: part.network_ for part in scatterings}

    @torch.inference_mode()
    def made(rows):
        images = first._seen(samples[rows])
        found = dict(zip(networks, scattered(list(networks.values()), images.flatten(0, 1)), strict=True))
        return [found[part.n_scales].reshape(len(images), -1) for part in scatterings]

    with threads(None if torch.device(first.device_).type == "cpu" else 1) as run:
        yield from run(made, row_blocks(len(samples), first.block_size))


def collected(blocks, scatterings, n_samples):
    """Blocks of the features of each of some transformers as arrays."""
    found = [np.empty((n_samples, part._n_features_out), dtype=np.float32) for part in scatterings]
    start = 0
    for each in blocks:
        for Z, block in zip(found, each, strict=True):
            Z[start : start + len(block)] = block.cpu()
        start += len(each[0])
    return found
