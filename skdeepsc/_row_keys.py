"""Samples known again by their values: copies among training samples, and training samples among new ones."""

import math

import numpy as np
from scipy import sparse

from ._input import row_blocks

# Values that are written out as float64 at once: few, for what is made of them stays in the caches.
_BLOCK_VALUES = 2**14


def _as_they_are(rows):
    return rows


def row_keys(samples, compared=_as_they_are):
    """A number for each sample that equal samples share, whatever container or type of numbers they came in.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...) or CSR array or matrix of shape (n_samples, n_features)
        Read block by block.
    compared : callable, optional
        What is compared, from a block of samples.

    Returns
    -------
    keys : ndarray of shape (n_samples,), uint64
        Two different samples have the same by a chance of about one in 2 ** 64.
    """
    n_samples, n_values = samples.shape[0], samples.nnz if sparse.issparse(samples) else math.prod(samples.shape)
    blocks = row_blocks(n_samples, max(1, _BLOCK_VALUES * n_samples // max(n_values, 1)))
    return np.concatenate([_row_keys(compared(samples[block])) for block in blocks])


def equal_pairs(keys, known):
    """Pairs of a key and an equal one among known keys.

    Parameters
    ----------
    keys : ndarray of shape (n_samples,), uint64
    known : ndarray of shape (n_known,), uint64

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


def first_copies(samples, keys=None, compared=_as_they_are):
    """The number of the first sample that equals each sample, which is its own where none before it does.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...) or CSR matrix
        Read block by block.
    keys : ndarray of shape (n_samples,), uint64, or None, default=None
        Those of :func:`row_keys`, where they are known.
    compared : callable, optional
        As in :func:`row_keys`.

    Returns
    -------
    first : ndarray of shape (n_samples,), int64
    """
    keys = row_keys(samples, compared) if keys is None else keys
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    first = first[which]
    alike = np.flatnonzero(first < np.arange(len(first)))  # Different samples may share a key, if hardly ever.
    for block in row_blocks(len(alike)):
        rows = alike[block]
        differ = compared(samples[rows]) != compared(samples[first[rows]])
        differ = differ.count_nonzero(axis=1) > 0 if sparse.issparse(differ) else differ.reshape(len(rows), -1).any(1)
        first[rows[differ]] = rows[differ]
    return first


def distinct_rows(first, n_least):
    """Numbers of the rows that no row before them equals, by :func:`first_copies`; of all if those are too few."""
    distinct = np.unique(first)
    return distinct if len(distinct) >= max(2, n_least) else np.arange(len(first))


def _row_keys(rows):
    """A 64-bit number for each row: a sum over its values, each mixed with its place, to which zeros add nothing."""
    if not sparse.issparse(rows):
        values = rows.reshape(len(rows), -1).astype(np.float64) + 0.0  # -0.0 equals 0.0.
        return _terms(values, np.arange(values.shape[1])).sum(axis=1, dtype=np.uint64)
    rows = sparse.csr_array(rows, dtype=np.float64, copy=True)
    rows.sum_duplicates()
    sums = np.cumsum(np.append(np.uint64(0), _terms(rows.data + 0.0, rows.indices)), dtype=np.uint64)
    return sums[rows.indptr[1:]] - sums[rows.indptr[:-1]]


def _terms(values, places):
    """What float64 values at some places add to the key of their row."""
    places = _mixed(places.astype(np.uint64) + np.uint64(1))
    return _mixed(values.view(np.uint64) ^ places) - _mixed(places)


def _mixed(words):
    """Numbers in which every bit depends on every bit of the given ones."""
    words = (words ^ (words >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return words ^ (words >> np.uint64(29))
