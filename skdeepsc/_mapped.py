"""Samples in a memory-mapped file, which others may cut off or change while a fit reads it.

A page that is no longer in the file ends the process (SIGBUS), so that blocks are asked about before they are read.
"""

import os
from contextlib import contextmanager
from contextvars import ContextVar
from mmap import mmap

import numpy as np

# What looks after the samples of the fit that this thread is in.
_WATCH: ContextVar = ContextVar("skdeepsc_mapped", default=None)


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
    found = None
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
