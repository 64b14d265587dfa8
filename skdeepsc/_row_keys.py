"""Samples known again by their values: whether a row is one of the training rows, or a copy of one."""

from hashlib import blake2b

import numpy as np
from scipy import sparse

from ._input import row_blocks

# Rows whose values are written out at once.
_BLOCK_ROWS = 256


def row_keys(samples):
    """A number for each sample that equal samples share, whatever container or type of numbers they came in.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...) or CSR array or matrix of shape (n_samples, n_features)

    Returns
    -------
    keys : ndarray of shape (n_samples,), int64
        Two different samples have the same by a chance of one in 2 ** 64.
    """
    keys = np.empty(samples.shape[0], dtype=np.int64)
    for block in row_blocks(len(keys), _BLOCK_ROWS):
        rows = samples[block] if sparse.issparse(samples) else samples[block].reshape(len(keys[block]), -1)
        rows = sparse.csr_array(rows, dtype=np.float64, copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        for place, (start, end) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True), block.start):
            content = rows.indices[start:end].astype(np.int64).tobytes() + rows.data[start:end].tobytes()
            keys[place] = int.from_bytes(blake2b(content, digest_size=8).digest(), "little", signed=True)
    return keys


def equal_pairs(keys, known):
    """Pairs of a key and an equal one among known keys.

    Parameters
    ----------
    keys : ndarray of shape (n_samples,), int64
    known : ndarray of shape (n_known,), int64

    Returns
    -------
    rows, places : ndarray of shape (n_pairs,), int64
        Numbers of the keys, ascending, and of the known ones, ascending for each key.
    """
    order = np.argsort(known, kind="stable")
    first, after = (np.searchsorted(known, keys, side, sorter=order) for side in ("left", "right"))
    counts = after - first
    rows = np.repeat(np.arange(len(keys)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, order[first[rows] + within]
