"""Scenes of many bands: their pixels become rows, and labels of the rows a map again."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import naming, numeric, plain


def pixels_of(cube: ArrayLike, mask: ArrayLike | None = None) -> tuple[np.ndarray, "PixelMap"]:
    """Pixels of a scene as rows, and what puts labels back into a map.

    An array of shape (height, width, bands) cannot be told from images of shape (n, height, width), so estimators never
    take a scene as it is.

    Parameters
    ----------
    cube : array-like of shape (height, width, bands)
        A scene, such as a hyperspectral one.
    mask : array-like of shape (height, width), bool, or None, default=None
        Pixels that are taken; ``None``: all.

    Returns
    -------
    rows : ndarray of shape (n_pixels, bands)
        Row by row of the scene; a view of `cube` where there is no mask.
    to_map : PixelMap
        ``to_map(labels)`` is the map of labels, of shape (height, width).

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepsc.datasets import pixels_of
    >>> cube = np.arange(24.0).reshape(2, 3, 4)
    >>> rows, to_map = pixels_of(cube, mask=[[True, True, False], [True, False, False]])
    >>> rows.shape
    (3, 4)
    >>> to_map([7, 8, 9])
    array([[ 7,  8, -1],
           [ 9, -1, -1]])
    """
    with naming("cube"):
        cube = np.asarray(numeric("cube", cube))
    if cube.ndim != 3:
        raise ValueError(f"cube must have shape (height, width, bands); got {cube.shape}.")
    if mask is None:
        return cube.reshape(-1, cube.shape[2]), PixelMap(np.ones(cube.shape[:2], dtype=bool))
    mask = np.asarray(plain("mask", mask))
    if mask.shape != cube.shape[:2] or mask.dtype != bool:
        raise ValueError(
            f"mask must be boolean and of shape {cube.shape[:2]}, as the pixels of cube; got {mask.dtype} of shape "
            f"{mask.shape}."
        )
    return cube[mask], PixelMap(mask.copy())


class PixelMap:
    """Puts what was found for the pixels of a scene back where they are.

    Parameters
    ----------
    mask : ndarray of shape (height, width), bool
        Pixels that there are values for.
    """

    def __init__(self, mask):
        self.mask = np.asarray(mask, dtype=bool)

    def __call__(self, values: ArrayLike, fill: Any = -1) -> np.ndarray:
        """The map of some values.

        Parameters
        ----------
        values : array-like of shape (n_pixels,) or (n_pixels, ...)
            Labels, or several numbers for each pixel, such as probabilities.
        fill : default=-1
            What stands where there is no pixel; of values that are true or false, True or False.

        Returns
        -------
        map : ndarray of shape (height, width) or (height, width, ...)
        """
        with naming("values"):
            values = np.asarray(plain("values", values))
        n_pixels = np.count_nonzero(self.mask)
        if values.shape[:1] != (n_pixels,):
            raise ValueError(f"There are {n_pixels} pixels in the map, but values have shape {values.shape}.")
        kind = values.dtype
        if kind.kind == "b" and not isinstance(fill, bool | np.bool_):
            raise TypeError(f"fill={fill!r} is neither True nor False, as values are: give fill=False.")
        if kind.kind in "US":
            kind = np.promote_types(kind, np.asarray(fill).dtype)
        if kind.kind in "iu" and not _is_integer_of(kind, fill):
            raise ValueError(f"fill={fill!r} is no number of the type of values, {kind}: give another.")
        with naming("fill"):
            filled = np.full((*self.mask.shape, *values.shape[1:]), fill, dtype=kind)
        filled[self.mask] = values
        return filled


def _is_integer_of(dtype, value):
    """Whether a type of integers holds a value."""
    try:
        return bool(np.iinfo(dtype).min <= value <= np.iinfo(dtype).max) and value == int(value)
    except (TypeError, ValueError):
        return False
