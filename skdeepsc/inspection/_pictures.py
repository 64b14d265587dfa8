"""Small pictures of the samples, each made when it is asked for."""

from collections.abc import Mapping
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

import numpy as np

from .._arrays import naming, numeric, plain
from ..datasets._images import require_pillow, thumbnail

SIDE = 112


class ImagesOfRows:
    """Images of samples, one of them as bytes at a time, so that none of those that are not drawn is converted.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width) or (n_samples, channels, height, width)
    """

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        image = np.asarray(self.images[number])
        if image.dtype == np.uint8:
            return image
        # By its own darkest and brightest value: one bright image does not darken the others.
        image = np.nan_to_num(image.astype(np.float64))
        low, high = image.min(), image.max()
        return np.rint((image - low) * (255 / ((high - low) or 1))).astype(np.uint8)


class Thumbnails:
    """Small pictures by the numbers of the samples.

    Parameters
    ----------
    pictures : sequence of path or ndarray
    side : int, default=112
        The most pixels of a side.
    """

    def __init__(self, pictures, side=SIDE):
        require_pillow("Drawing pictures")
        self.pictures, self.side = pictures, side
        self.of = lru_cache(maxsize=4000)(self._made)

    def _made(self, number):
        from PIL import Image

        try:
            return thumbnail(self.pictures[number], self.side)
        except Exception:  # It could be read before, and may have gone since.
            return Image.new("RGB", (self.side, self.side), "lightgrey")

    def is_drawn(self, number):
        """Whether a picture is made of an array's pixels."""
        return isinstance(self.pictures[number], np.ndarray)


def pictures_of(clusterer, X):
    """Images of the samples if they are images, as the clusterer knows; else None."""
    X = plain("X", X)
    with naming("X"):
        own_shape = np.shape(X)
    shape = tuple(getattr(clusterer, "image_shape_", own_shape[1:]))
    if len(shape) < 2 or not own_shape or hasattr(X, "tocsr"):
        return None
    images = np.asarray(X)
    # A step of a pipeline before it may have made other rows than these.
    is_of_images = len(images) and images[0].size == np.prod(shape)
    return ImagesOfRows(images.reshape(len(images), *shape)) if is_of_images else None


def as_pictures(images, n_samples=None, name="images"):
    """Pictures that a user hands in: an array of images, or a sequence of paths or of arrays.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width) or (n_samples, channels, height, width), or sequence
    n_samples : int or None, default=None
        How many there must be.
    name : str, default="images"
        What they are called in messages.

    Returns
    -------
    pictures : sequence of path or ndarray
    """
    if isinstance(images, ImagesOfRows):
        return images
    images = numeric(name, images)
    is_array = isinstance(images, np.ndarray) and images.ndim > 1
    if not is_array:
        is_sequence = hasattr(images, "__len__") and hasattr(images, "__getitem__")
        if not is_sequence or isinstance(images, str | bytes | Mapping):
            raise TypeError(f"{name} must be an array of images, or a sequence of paths or arrays; got {images!r}.")
        images = list(images) if hasattr(images, "iloc") else images  # By their order, whatever the index says.
    if n_samples is not None and len(images) != n_samples:
        raise ValueError(f"{name} must be one for each of {n_samples} samples; got {len(images)}.")
    if is_array and images.ndim not in (3, 4):
        raise ValueError(
            f"{name} must have shape (n, height, width) or (n, channels, height, width); got {images.shape}."
        )
    first = images[0] if len(images) else ""  # No other is read until it is drawn.
    if isinstance(first, str | Path):
        return images
    with naming(name):
        first = np.asarray(first)
    if first.dtype.kind not in "biuf" or first.ndim < 2 or not first.size:
        raise ValueError(f"{name} must hold pixels, numbers; got {first.dtype} of shape {first.shape}.")
    return ImagesOfRows(images)


def without_folders(names):
    """Names without the folders that all of them are in."""
    if names is None:
        return None
    parts = [Path(name).parts for name in names]
    folders = [each[:-1] for each in parts]
    pairs = zip(min(folders, default=()), max(folders, default=()), strict=False)
    n_common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return [str(Path(*each[n_common:])) for each in parts] if n_common else names


def short(name, length=18):
    """The end of a name, which differs most; what is no letter is a blank."""
    name = "".join(letter if letter.isprintable() else " " for letter in name)
    return name if len(name) <= length else ".." + name[2 - length :]


def first_and_last(members, n_shown):
    """Of the samples of a cluster those to be shown: three fifths typical ones, and the most doubtful."""
    n_first = n_shown - 2 * n_shown // 5
    return members if len(members) <= n_shown else np.concatenate([members[:n_first], members[n_first - n_shown :]])
