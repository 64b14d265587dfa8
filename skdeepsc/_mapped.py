"""Samples in a memory-mapped file, which others may cut off or change while a fit reads it.

A page that is no longer in the file ends the process (SIGBUS), so that blocks are asked about before they are read.
What is not there as the package needs it is converted block by block.
"""

import math
import os
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from mmap import mmap

import numpy as np

from ._scale import divided, in_float32

# What looks after the samples of the fit that this thread is in.
_WATCH: ContextVar = ContextVar("skdeepsc_mapped", default=None)


class MappedSamples:
    """Samples of a memory-mapped file of any numbers, which are converted as they are read, and never as a whole.

    An array in what the package asks of one: its shape and type, rows by slices or indices, the extremes.

    Parameters
    ----------
    values : ndarray of shape (n_samples, ...)
        Memory-mapped.
    """

    def __init__(self, values):
        self._values = values
        self._exponent = 0
        self.shape, self.dtype = values.shape, values.dtype

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))
    nbytes = property(lambda self: self.size * self.dtype.itemsize)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Rows by a slice or by indices, an array."""
        values = np.asarray(self._values[rows])
        return self._converted(values.reshape(values.shape[: values.ndim - self._values.ndim + 1] + self.shape[1:]))

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype=dtype)

    def max(self):
        """The largest value."""
        return self._converted(self._values.max())

    def min(self):
        """The smallest value."""
        return self._converted(self._values.min())

    def reshape(self, *shape):
        """The same samples under another shape."""
        other = copy(self)
        other.shape = shape
        return other

    def converted(self, dtype, exponent=0):
        """The same samples as numbers of a type, divided by 2 ** `exponent`; an array if that is what there is."""
        other = copy(self)
        other.dtype, other._exponent = np.dtype(dtype), self._exponent + exponent
        is_there = self._values.dtype == other.dtype and not other._exponent and self._values.flags.c_contiguous
        return self._values.reshape(self.shape) if is_there else other

    def _converted(self, values):
        values = divided(values, self._exponent)
        return in_float32(values, "X") if self.dtype == np.float32 else values.astype(self.dtype, copy=False)


def in_blocks(X):
    """A memory-mapped array as :class:`MappedSamples`, anything else as it is."""
    return X if _mapped(X) is None or isinstance(X, MappedSamples) else MappedSamples(X)


def require_whole(X):
    """Refuse an array whose memory-mapped file is shorter than the array."""
    mapped = _mapped(X)
    if mapped is not None:
        _require_bytes(mapped)


@contextmanager
def unchanged(X):
    """A context in which the memory-mapped file of an array, if it has one, must stay as it is."""
    mapped = _mapped(X)
    if mapped is None:
        yield
        return
    if mapped.mode in ("r+", "w+"):
        mapped.flush()
    token = _WATCH.set((mapped, _stamp(mapped)))
    try:
        yield
        require_unchanged()
    finally:
        _WATCH.reset(token)


def require_unchanged():
    """Raise OSError if the file of the present fit has been cut off or changed."""
    watched = _WATCH.get()
    if watched is None:
        return
    mapped, stamp = watched
    _require_bytes(mapped)
    now = _stamp(mapped)
    if None not in (now, stamp) and now[:2] == stamp[:2] and now != stamp:
        raise OSError(f"X is memory-mapped, and its file {mapped.filename} has been changed while it was read.")


def _mapped(X):
    """The memmap whose file holds the values of an array, or None."""
    found, X = None, X._values if isinstance(X, MappedSamples) else X
    while isinstance(X, np.ndarray):
        found = X if isinstance(X, np.memmap) else found
        X = X.base
    is_known = found is not None and isinstance(X, mmap) and found.offset is not None
    return found if is_known else None


def _require_bytes(mapped):
    there, needed = mapped._mmap.size(), mapped.offset + mapped.nbytes
    if there < needed:
        raise OSError(
            f"X is memory-mapped, and its file {mapped.filename} has been cut off: it has {there} of {needed} bytes."
        )


def _stamp(mapped):
    """Which file it is, and when it was changed; None where it is no longer there, and its content still mapped."""
    try:
        status = os.stat(mapped.filename)
    except (OSError, TypeError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
