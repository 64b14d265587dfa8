"""Scales of numbers, as powers of two: dividing by one is exact, and nothing is squared or cast before it."""

import numpy as np
from scipy import sparse

# Magnitudes between 2 ** -40 and 2 ** 40 can be squared and summed in float32 as they are.
_MODEST = 40
# Largest exponents whose squares, summed, float64 holds.
_LARGEST = 480
_LARGEST_NUMBER = np.finfo(np.float64).max


def exponent_of(values):
    """The e with the largest magnitude of an array, dense or sparse, in [2 ** (e - 1), 2 ** e); 0 without any."""
    values = values.data if sparse.issparse(values) else values
    if not values.size:
        return 0
    return int(np.frexp(max(float(values.max()), -float(values.min())))[1])


def unit_exponent(values):
    """The exponent of the power of two that samples are divided by: 0 where their magnitudes are modest."""
    exponent = 0 if values.dtype == np.uint8 else exponent_of(values)
    return exponent if abs(exponent) > _MODEST else 0


def squares_fit(exponent):
    """Whether the squares of numbers up to 2 ** `exponent` are float64 numbers."""
    return abs(exponent) <= _LARGEST


def divided(values, exponent):
    """An array, dense or sparse, divided by 2 ** `exponent`, in float64; the same array if that is 1."""
    if exponent == 0:
        return values
    if sparse.issparse(values):
        values = values.astype(np.float64)
        values.data = np.ldexp(values.data, -exponent)
        return values
    with np.errstate(over="ignore"):  # What becomes infinite, the caller refuses.
        return np.ldexp(values.astype(np.float64), -exponent)


def restored(values, exponent):
    """A number or an array times 2 ** `exponent`; numbers beyond the largest become that."""
    if exponent == 0:
        return values
    return np.clip(divided(np.asarray(values), -exponent), -_LARGEST_NUMBER, _LARGEST_NUMBER)


def in_float32(values, name):
    """An array as float32, if its numbers fit; what is too small becomes 0.

    Parameters
    ----------
    values : ndarray
    name : str
        What they are called where they do not fit.

    Returns
    -------
    values : ndarray, float32
    """
    with np.errstate(over="ignore", under="ignore"):
        cast = values.astype(np.float32, copy=False)
    if cast is not values and not np.isfinite(cast).all():
        raise ValueError(f"{name} holds values that are too large for float32 beside those of the training data.")
    return cast


def squared_norms(rows):
    """Squared length of each row, dense or CSR, in float64."""
    if sparse.issparse(rows):
        return np.asarray(rows.power(2, dtype=np.float64).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", rows, rows, dtype=np.float64)


def lengths(rows):
    """Lengths of rows as pairs ``norms, exponents``: a row is ``norms * 2 ** exponents`` long, whatever its scale.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)

    Returns
    -------
    norms : ndarray of shape (n_rows, 1)
    exponents : ndarray of shape (n_rows, 1), int
        0 but for rows of extreme magnitudes.
    """
    with np.errstate(over="ignore", under="ignore"):
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
    exponents = np.zeros(norms.shape, dtype=np.int32)
    extreme = np.flatnonzero(~((norms > 2.0**-_MODEST) & (norms < 2.0**_MODEST)))
    if len(extreme) and rows.shape[1]:
        exponents[extreme] = np.frexp(np.abs(rows[extreme]).max(axis=1, keepdims=True))[1]
        norms[extreme] = np.linalg.norm(np.ldexp(rows[extreme], -exponents[extreme]), axis=1, keepdims=True)
    return norms, exponents


def scaled_rows(rows, norm="l2", floor=0.0):
    """Rows divided by their norms, dense or CSR; those no longer than `floor` become zeros.

    Parameters
    ----------
    rows : ndarray or CSR array or matrix of shape (n_rows, n_features)
        Of any magnitudes.
    norm : {"l2", "l1", "max"}, default="l2"
    floor : float, default=0

    Returns
    -------
    scaled : ndarray or CSR array or matrix of shape (n_rows, n_features)
    """
    if sparse.issparse(rows):
        scaled, of_row = rows.copy(), np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        largest = np.zeros(rows.shape[0], dtype=rows.dtype)
        np.maximum.at(largest, of_row, np.abs(rows.data))
        exponents = np.frexp(largest)[1]
        scaled.data = np.ldexp(rows.data, -exponents[of_row])
        sums = {"l1": np.abs, "l2": np.square}
        if norm == "max":
            norms = np.ldexp(largest, -exponents)
        else:
            norms = np.bincount(of_row, sums[norm](scaled.data), minlength=rows.shape[0])
            norms = np.sqrt(norms) if norm == "l2" else norms
        norms = np.where(norms > np.ldexp(floor, -exponents), norms, np.inf)
        scaled.data = (scaled.data / norms[of_row]).astype(rows.dtype)
        return scaled
    if norm == "l2":
        norms, exponents = lengths(rows)
    else:
        magnitude = np.abs(rows)
        largest = magnitude.max(axis=1, keepdims=True, initial=0)
        exponents = np.frexp(largest)[1]
        norms = np.ldexp(largest, -exponents)
        if norm == "l1":
            norms = np.ldexp(magnitude, -exponents).sum(axis=1, keepdims=True)
    longer = norms > np.ldexp(floor, -exponents)
    scaled = np.ldexp(rows, -exponents) if exponents.any() else rows
    return np.divide(scaled, norms, out=np.zeros_like(scaled), where=longer)
