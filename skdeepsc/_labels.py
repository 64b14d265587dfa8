"""Labels as they come in: one for each sample, and none of them missing."""

from collections.abc import Mapping, Set

import numpy as np

from ._arrays import naming, plain


def as_labels(name, labels, n_samples=None):
    """Labels, any names, as an array of one axis.

    Parameters
    ----------
    name : str
        What they are called in messages.
    labels : array-like of shape (n_samples,)
    n_samples : int or None, default=None
        How many there must be.

    Returns
    -------
    labels : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If they are not one for each sample, or hold NaN or None.
    """
    given = plain(name, labels)
    with naming(name):
        labels = np.asarray(given)
    if labels.dtype.kind == "f" and isinstance(given, list | tuple) and {*map(type, given)} == {int}:
        labels = np.asarray(given, dtype=object)  # Integers of more than 53 bits would be one.
    if labels.ndim != 1:
        raise ValueError(f"{name} must be 1-D, one label for each sample; got shape {labels.shape}.")
    if n_samples is not None and len(labels) != n_samples:
        raise ValueError(f"{name} must be one label for each of {n_samples} samples; got {len(labels)}.")
    if labels.dtype.kind == "c":
        raise TypeError(f"{name} holds complex numbers, which name no clusters.")
    if labels.dtype.kind in "OT":
        is_missing = any(map(_is_missing, labels.tolist()))
    elif labels.dtype.kind in "US" and isinstance(given, list | tuple):
        is_missing = any(map(_is_missing, given))  # NumPy makes the word 'nan' of a NaN among words.
    else:
        is_missing = labels.dtype.kind in "fcmM" and bool((labels != labels).any())
    if is_missing:
        raise ValueError(f"{name} holds NaN or None: every sample needs a label.")
    if labels.dtype.kind == "O":
        with naming(name):  # Labels of several kinds have no order.
            np.unique(labels)
    return labels


def _is_missing(label):
    try:
        return label is None or bool(label != label)
    except (TypeError, ArithmeticError):  # The NA of pandas and a signalling NaN are neither equal nor unequal.
        return True


def numbered(labels):
    """Labels as numbers from 0 in the order in which they first appear, so that equal clusterings have equal labels.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)

    Returns
    -------
    numbers : ndarray of shape (n_samples,), int64
    """
    _, first, which = np.unique(labels, return_index=True, return_inverse=True)
    return first.argsort().argsort()[which].astype(np.int64)


def as_names(names, n_samples=None):
    """What samples are called, by their order, whatever the index of a series says.

    Parameters
    ----------
    names : array-like of shape (n_samples,), or None
    n_samples : int or None, default=None
        How many there must be.

    Returns
    -------
    names : list of str or None

    Raises
    ------
    TypeError
        If they are no sequence.
    ValueError
        If they are not one for each sample.
    """
    if names is None:
        return None
    is_sequence = hasattr(names, "__len__") and hasattr(names, "__iter__") and getattr(names, "ndim", 1) == 1
    if not is_sequence or isinstance(names, str | bytes | Mapping | Set):
        raise TypeError(f"names must be a sequence with a name for each sample; got {names!r}.")
    if n_samples is not None and len(names) != n_samples:
        raise ValueError(f"names must be one for each of {n_samples} samples; got {len(names)}.")
    return [str(name) for name in names]


def as_pair(name, labels, other_name, other):
    """Two labellings of the same samples, at least one."""
    labels, other = as_labels(name, labels), as_labels(other_name, other)
    if len(labels) != len(other) or not len(labels):
        raise ValueError(
            f"{name} and {other_name} must have the same length, at least 1; got {len(labels)} and {len(other)}."
        )
    return labels, other
