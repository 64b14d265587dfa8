"""Samples known again by their values: copies among training samples, and training samples among new ones."""

import numpy as np
from scipy import sparse

from ._input import row_blocks


def row_keys(samples):
    """A number for each sample that equal samples share, whatever container or type of numbers they came in.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...) or CSR array or matrix of shape (n_samples, n_features)
        Read block by block.

    Returns
    -------
    keys : ndarray of shape (n_samples,), uint64
        Two different samples have the same by a chance of about one in 2 ** 64.
    """
    keys = np.empty(samples.shape[0], dtype=np.uint64)
    for block in row_blocks(len(keys), 1024):
        rows = samples[block] if sparse.issparse(samples) else samples[block].reshape(len(keys[block]), -1)
        keys[block] = _row_keys(sparse.csr_array(rows, dtype=np.float64))
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


def first_copies(samples):
    """The number of the first sample that equals each sample, which is its own where none before it does.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...) or CSR matrix
        Read block by block.

    Returns
    -------
    first : ndarray of shape (n_samples,), int64
    """
    n_samples = samples.shape[0]
    keys = np.concatenate([_row_keys(samples[block]) for block in row_blocks(n_samples)])
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    first = first[which]
    alike = np.flatnonzero(first < np.arange(n_samples))  # Different samples may share a key, if hardly ever.
    for block in row_blocks(len(alike)):
        rows = alike[block]
        differ = samples[rows] != samples[first[rows]]
        differ = differ.count_nonzero(axis=1) > 0 if sparse.issparse(differ) else differ.reshape(len(rows), -1).any(1)
        first[rows[differ]] = rows[differ]
    return first


def distinct_rows(first, n_least):
    """Numbers of the rows that no row before them equals, by :func:`first_copies`; of all if those are too few."""
    distinct = np.unique(first)
    return distinct if len(distinct) >= max(2, n_least) else np.arange(len(first))


def _row_keys(rows):
    """A 64-bit number for each row, the same for equal rows."""
    if sparse.issparse(rows):
        rows = sparse.csr_array(rows, copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        words = _words(rows.data[:, None]) ^ _mixed(rows.indices.astype(np.uint64) + np.uint64(1))[:, None]
        sums = np.cumsum(np.append(np.uint64(0), _mixed(words).sum(axis=1, dtype=np.uint64)), dtype=np.uint64)
        return sums[rows.indptr[1:]] - sums[rows.indptr[:-1]]
    words = _words(rows.reshape(len(rows), -1))
    places = np.random.default_rng(0).integers(2**64, size=words.shape[1], dtype=np.uint64)
    return _mixed(words ^ places).sum(axis=1, dtype=np.uint64)


def _words(rows):
    """The bytes of rows, filled up with zeros, as 64-bit numbers."""
    if rows.dtype.kind == "f":
        rows = rows + rows.dtype.type(0)  # -0.0 equals 0.0.
    values = np.ascontiguousarray(rows).view(np.uint8)
    short = -values.shape[1] % 8
    return (np.pad(values, ((0, 0), (0, short))) if short else values).view(np.uint64)


def _mixed(words):
    """Numbers in which every bit depends on every bit of the given ones."""
    words = (words ^ (words >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return words ^ (words >> np.uint64(29))
