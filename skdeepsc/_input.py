"""The one door for data: rows, images, tensors and frames become checked arrays of shape (n_samples, ...)."""

import math
import os
from collections.abc import Iterator, Sequence
from numbers import Integral

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils import Bunch

from ._arrays import dtypes_of, naming, numeric
from ._compat import validate_data
from ._mapped import MappedSamples, in_blocks, require_unchanged, require_whole
from ._params import Estimator, estimator
from ._scale import divided, in_float32, scaled_rows, unit_exponent
from ._warn import warn_user

# Pixel values of an 8-bit image are known to end at 255, whatever the brightest pixel of a sample of them.
_UINT8_MAX = 255.0
# The largest power of two whose square, summed over the values of samples, float32 holds with room for its rounding.
_SQUARED = 50


# Rows that are worked on at once, where what is made of them is many times larger than they are.
_BLOCK_ROWS = 4096
# Values of a memory-mapped file that are checked at once.
_CHECKED_VALUES = 2**22


@estimator
class TakesSamples(Estimator):
    """An estimator that reads samples.

    Attributes
    ----------
    n_features_in_ : int
        Number of values of a sample.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if `X` was a data frame with string column names.
    """


@estimator
class TakesImages(TakesSamples):
    """An estimator that reads images, or flat rows.

    Parameters
    ----------
    image_shape : sequence of int or None
        ``(height, width)`` or ``(channels, height, width)``, under which flat rows are viewed as images. ``None``:
        arrays of shape (n, h, w) or (n, c, h, w) are images, flat rows stay flat. Never guessed.

    Attributes
    ----------
    image_shape_ : tuple of int
        Shape of a sample: ``(channels, height, width)`` or ``(n_features,)``.
    """

    image_shape: Sequence[int] | None = None

    # Samples are divided by two to its power; a fit says by which.
    _exponent = 0

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _read(self, X, *, reset=True):
        """Checked samples; in fit, what follows from them alone is set."""
        samples = as_samples(self, X, image_shape=self._given_shape() if reset else None, reset=reset)
        if reset:
            self.image_shape_ = samples.shape[1:]
            self._settle()
        return samples

    def _settle(self):
        """Set what a fit needs to know beside its samples."""

    def _given_shape(self):
        """The shape under which flat rows are to be viewed."""
        return self.image_shape

    def _given_exponent(self):
        """The exponent of the power of two that samples are divided by; None: by their magnitudes."""
        return None


@estimator
class TakesRows(TakesSamples):
    """An estimator that reads flat rows, dense or sparse; images are flattened."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags

    def _read(self, X, *, reset=True):
        """Checked rows."""
        return as_flat_rows(self, X, reset=reset)


def row_blocks(n_rows, size=None):
    """Slices of `size` consecutive rows, the last of fewer, that together are all rows."""
    size = size or _BLOCK_ROWS
    for start in range(0, n_rows, size):
        require_unchanged()
        yield slice(start, min(start + size, n_rows))


def unit_rows(rows, mean=None, floor=0.0):
    """Rows, less the mean if there is one, scaled to unit length; those no longer than `floor` become zeros."""
    return scaled_rows(rows if mean is None else rows - mean, floor=floor)


def as_samples(estimator, X, *, image_shape=None, reset):
    """Check `X` and view its rows as images.

    Parameters
    ----------
    estimator : estimator
        ``n_features_in_`` (and ``feature_names_in_``) are set on it if `reset`, else compared.
    X : array-like, data frame or tensor of shape (n_samples, n_features), (n_samples, height, width) or \
            (n_samples, channels, height, width)
        ``n_features_in_`` of images is the number of all their values.
    image_shape : tuple of int or None, default=None
        ``(height, width)`` or ``(channels, height, width)`` under which flat rows are viewed; ``None`` leaves flat rows
        flat and takes the shape of images from `X`. It is never guessed from the number of features.
    reset : bool
        True in fit, False after it.

    Returns
    -------
    samples : ndarray of shape (n_samples, channels, height, width) or (n_samples, n_features)
        uint8 input stays uint8, everything else becomes float32, divided by ``2 ** estimator._exponent``, which is 1
        but for training data of extreme magnitudes. Never a changed input; a view where possible, and of what is
        memory-mapped otherwise :class:`~skdeepsc._mapped.MappedSamples`.

    Raises
    ------
    ValueError
        scikit-learn's own errors for NaN, infinities, strings, complex numbers, empty data and a wrong number of
        features; shapes that do not fit; channels that come last, unless `image_shape` says that they do not.
    TypeError
        If `X` is sparse; if it is a path, a list of paths or of PIL images, an iterator or a Bunch.
    OSError
        If `X` is memory-mapped, and its file has been cut off.
    """
    X, image_shape = numeric("X", _no_files(X)), _checked_shape(image_shape)
    require_whole(X)
    X = in_blocks(X)
    own_shape = shape_of(X)[1:]
    if len(own_shape) > 1:
        if len(own_shape) > 3:
            raise ValueError(
                f"Images must have shape (n, height, width) or (n, channels, height, width); got {np.shape(X)}."
            )
        if reset and channels_are_last(own_shape) and own_shape != tuple(image_shape or ()):
            raise ValueError(
                f"Images of shape {own_shape} have their channels last, and should have them first: "
                f"X = np.moveaxis(X, -1, 1). If these are {own_shape[0]} channels indeed, say image_shape={own_shape}."
            )
        if reset and image_shape is None:
            _warn_of_a_scene((len(X), *own_shape), f"say image_shape={own_shape}")
        X = _flattened(X, len(X), math.prod(own_shape))
    X = _checked(estimator, X, reset, dtype=_kinds_of(X))
    X = _in_units(estimator, X, reset)
    own_shape = with_channels(own_shape) if len(own_shape) > 1 else X.shape[1:]
    wanted = own_shape if image_shape is None else with_channels(tuple(image_shape))
    if not reset:
        wanted = estimator.image_shape_
    if math.prod(wanted) != X.shape[1]:
        raise ValueError(
            f"image_shape={tuple(image_shape)} has {math.prod(wanted)} values, but X has {X.shape[1]} features."
        )
    if 1 not in (len(wanted), len(own_shape)) and own_shape != wanted:
        cure = ": X = np.moveaxis(X, -1, 1)" if (own_shape[-1], *own_shape[:2]) == wanted else ""
        raise ValueError(
            f"X holds images of shape {own_shape}, but the estimator takes images of shape {wanted}{cure}."
        )
    return X.reshape(len(X), *wanted)


def as_flat_rows(estimator, X, *, reset, accept_sparse="csr"):
    """Check `X` and view its samples as flat rows.

    Parameters
    ----------
    estimator : estimator
        ``n_features_in_`` (and ``feature_names_in_``) are set on it if `reset`, else compared.
    X : array-like, data frame, tensor or sparse matrix of shape (n_samples, n_features), or images of shape \
            (n_samples, ...)
    reset : bool
        True in fit, False after it.
    accept_sparse : str or False, default="csr"
        As scikit-learn's.

    Returns
    -------
    rows : ndarray or csr_array of shape (n_samples, n_features)
        float32 and float64 stay what they are, everything else becomes float64. Never a changed input; a view where
        possible, and of what is memory-mapped otherwise :class:`~skdeepsc._mapped.MappedSamples`.

    Raises
    ------
    ValueError
        scikit-learn's own errors for NaN, infinities, strings, complex numbers, empty data and a wrong number of
        features.
    TypeError
        If `X` is a path, a list of paths or of PIL images, an iterator or a Bunch.
    OSError
        If `X` is memory-mapped, and its file has been cut off.
    """
    X = numeric("X", _no_files(X))
    require_whole(X)
    X = in_blocks(X)
    shape = shape_of(X)
    if len(shape) > 2:
        if reset:
            _warn_of_a_scene(shape, f"give X.reshape({len(X)}, -1)")
        X = _flattened(X, shape[0], math.prod(shape[1:]))
    X = _checked(estimator, X, reset, accept_sparse=accept_sparse, dtype=[np.float64, np.float32])
    if issparse(X):
        X = csr_array(X)  # A matrix of scipy less an array would be a matrix of NumPy.
        if not X.has_canonical_format:  # Entries of the same place are parts of a sum.
            X = X.copy()
            X.sum_duplicates()
    if not isinstance(X, MappedSamples):
        return X
    return X.converted(X.dtype if X.dtype in (np.float64, np.float32) else np.float64)


def _kinds_of(X):
    """Which numbers samples may be, the first of which others become.

    Scikit-learn knows no bytes in columns of Arrow and polars, and no numbers at all in lists: those may be larger than
    float32 holds.
    """
    dtypes = dtypes_of(X)
    if dtypes and all(str(dtype).lower().startswith("uint8") for dtype in dtypes) and not _misses_values(X):
        return np.uint8
    is_told = getattr(getattr(X, "dtype", None), "kind", "O") in "biuf"
    return [np.float32, np.float64, np.uint8] if is_told else [np.float64, np.float32, np.uint8]


def _misses_values(frame):
    """Whether a frame of pandas or polars, or a table of Arrow, has no value somewhere."""
    if hasattr(frame, "isna"):
        return bool(frame.isna().to_numpy().any())
    counts = frame.null_count() if hasattr(frame, "null_count") else [column.null_count for column in frame.columns]
    return bool(np.asarray(counts).any())


def _flattened(X, *shape):
    return (X if isinstance(X, MappedSamples) else np.asarray(X)).reshape(*shape)


def _checked(estimator, X, reset, **how):
    """What scikit-learn's validation makes of `X`; what is memory-mapped is validated block by block, and left."""
    least = 2 if reset else 1
    with naming("X"):
        if not isinstance(X, MappedSamples):
            return validate_data(estimator, X, reset=reset, order="C", ensure_min_samples=least, **how)
        n_rows = max(least, _CHECKED_VALUES // max(1, math.prod(X.shape[1:])))
        for block in list(row_blocks(len(X), n_rows)) or [slice(0)]:
            is_first = block.start == 0 or not len(X)
            validate_data(
                estimator, X[block], reset=reset and is_first, ensure_min_samples=least if is_first else 1, **how
            )
    return X


def _no_files(X):
    """`X`, unless it is what :func:`~skdeepsc.datasets.load_images` is for, or what it gives."""
    load = "X = skdeepsc.datasets.load_images"
    if isinstance(X, Bunch):
        known = [name for name in ("images", "data") if name in X]
        raise TypeError(f"X is a Bunch, not an array: give {f'X.{known[0]}' if known else 'an array of it'}.")
    if isinstance(X, Iterator):  # What it gives is not looked at, as that would be gone.
        kind = type(X).__name__
        raise TypeError(f"X is a {kind}, not an array: of paths, {load}(X).images; of anything else, X = list(X).")
    entries = _entries_of(X)
    first = X if entries is None else next(iter(entries), X)
    is_path = isinstance(first, str | bytes | os.PathLike)
    if is_path or any(cls.__module__ == "PIL.Image" for cls in type(first).__mro__):
        kind = "path" if is_path else "PIL image"
        given = "np.ravel(X)" if entries is not None and len(getattr(X, "shape", ())) > 1 else "X"
        if isinstance(first, bytes):
            given = f"os.fsdecode({given})" if entries is None else f"map(os.fsdecode, {given})"
        if entries is None:
            given = f"[{given}]" if not is_path or os.path.isfile(first) else given
        found = f"a {kind}" if entries is None else f"a list of {kind}s"
        raise TypeError(f"X is {found}, not an array: {load}({given}).images.")
    return X


def _entries_of(X):
    """The first entries, at least one, of a list, a series or a single column; None of what cannot hold paths."""
    if isinstance(X, list | tuple):
        return X
    shape = getattr(X, "shape", None) or ()
    if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        return None
    if isinstance(X, np.ndarray):
        entries = X[:1].ravel() if X.dtype.kind in "OSU" else None
    elif hasattr(X, "head"):  # Of pandas and polars.
        entries = np.ravel(X.head(1))
    else:
        entries = np.ravel(X.slice(0, 1)) if hasattr(X, "schema") else None  # Of Arrow.
    return None if entries is None or (len(shape) > 1 and any(map(_is_number, entries))) else entries


def _is_number(entry):
    """Whether scikit-learn takes an entry, perhaps a text, for a number."""
    try:
        float(entry)
    except (TypeError, ValueError):
        return False
    return True


def channels_are_last(shape):
    """Whether the three sides of images are plainly (height, width, channels): the first two are no few channels."""
    return len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) > max(shape[2], 3)


def _warn_of_a_scene(shape, otherwise):
    """Warn of an array that looks like (height, width, bands), of a square scene; of others there is no telling."""
    if len(shape) == 3 and shape[0] == shape[1] != shape[2] and shape[0] > 4:
        warn_user(
            f"X of shape {shape} is read as {shape[0]} images. If it is one scene of {shape[2]} bands, cluster its "
            f"pixels: rows, to_map = skdeepsc.datasets.pixels_of(X). If not, {otherwise}."
        )


def _in_units(estimator, X, reset):
    """float32 or uint8 samples, in units in which the training data are neither too large nor too small for it."""
    if reset:
        given = estimator._given_exponent()
        estimator._exponent = unit_exponent(X) if given is None else given
    if isinstance(X, MappedSamples):
        stays = X.dtype == np.uint8 and not estimator._exponent
        return X.converted(np.uint8 if stays else np.float32, estimator._exponent)
    scaled = divided(X, estimator._exponent)
    return scaled if scaled.dtype == np.uint8 else in_float32(scaled, "X")


def _checked_shape(image_shape):
    """A shape of positive integers as a tuple, or None."""
    if image_shape is None:
        return None
    shape = tuple(image_shape)
    are_counts = all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in shape)
    if not 1 <= len(shape) <= 3 or not are_counts:
        raise ValueError(
            f"image_shape must be (height, width) or (channels, height, width), positive integers; got {image_shape}."
        )
    return shape


def with_channels(shape):
    """``(channels, height, width)`` of an image shape that may lack the channels."""
    return (1, *shape) if len(shape) == 2 else tuple(shape)


def shape_of(X):
    """Shape of an array, or of nested lists; scikit-learn's validation says what is wrong with anything else."""
    try:
        return tuple(getattr(X, "shape", None) or (np.shape(X) if isinstance(X, list | tuple) else ()))
    except ValueError:
        return ()


def input_divisor(samples, input_scale="auto", exponent=0):
    """The number by which samples are divided before any cost sees them.

    Parameters
    ----------
    samples : ndarray
    input_scale : float or "auto", default="auto"
        "auto": 255 for uint8 images, else the largest magnitude in `samples`, so that values lie in [-1, 1].
    exponent : int, default=0
        The samples have been divided by ``2 ** exponent`` already.

    Returns
    -------
    divisor : float

    Raises
    ------
    ValueError
        If float32 cannot hold the squares of the divided samples.
    """
    largest = _UINT8_MAX if samples.dtype == np.uint8 else float(max(samples.max(), -samples.min())) or 1.0
    if input_scale == "auto":
        return largest
    apart = math.frexp(largest)[1] + exponent - math.frexp(input_scale)[1]
    if abs(apart) > _SQUARED:
        raise ValueError(
            f"input_scale={input_scale} is 2 ** {-apart} times the largest magnitude in X, and float32 cannot hold the "
            "squares of what is left: choose one near the largest magnitude, or 'auto'."
        )
    return math.ldexp(float(input_scale), -exponent)
