"""Arrays as they come in: a tensor's array, and refusal, by name, of what scikit-learn would take for numbers."""

import re
from contextlib import contextmanager
from numbers import Number

import numpy as np
from scipy import sparse

from ._compat import check_array

# Types of dates and times, as polars and Arrow call them.
_TIMES = re.compile("date|time|duration", re.IGNORECASE)


def plain(name, values):
    """The array of a tensor, half precision as float32; anything else as it is, if it can hold data.

    Parameters
    ----------
    name : str
        What they are called in messages.
    values : array-like, data frame, sparse matrix or tensor

    Returns
    -------
    values : array-like, data frame or sparse matrix
        Of a tensor a view where possible.

    Raises
    ------
    ValueError
        If entries of a masked array are masked, or a tensor is on the device meta.
    TypeError
        If a tensor is sparse, or an array holds records.
    """
    if not hasattr(values, "detach"):
        if isinstance(values, list | tuple) and any(hasattr(row, "detach") for row in values):
            return [plain(name, row) for row in values]
        if getattr(getattr(values, "dtype", None), "names", None):
            raise TypeError(f"{name} holds records with the fields {values.dtype.names}: make columns of them.")
        if any(map(np.ma.is_masked, values if isinstance(values, list | tuple) else [values])):
            raise ValueError(
                f"{name} is a masked array with masked entries, which hold no data: fill them, {name}.filled(0), or "
                "impute."
            )
        return values
    if values.is_meta:
        raise ValueError(f"{name} is a tensor on the device meta, which has a shape and no data.")
    if str(values.layout) != "torch.strided":
        raise TypeError(f"{name} is a sparse tensor: give {name}.to_dense(), or a sparse matrix of scipy.")
    try:
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() and values.element_size() < 4 else values).numpy()
    except (RuntimeError, TypeError) as error:
        raise TypeError(f"{name} is a tensor that is no plain array of numbers: {error}") from error


def numeric(name, values):
    """:func:`plain` values that can be numbers: no dates and times, TypeError for those."""
    values = plain(name, values)
    if hasattr(values, "__array_interface__") and not hasattr(values, "shape"):
        values = np.asarray(values)  # Scikit-learn would not see how many features they have.
    if _is_sparse_frame(values) and not is_sparse(values):  # Scikit-learn takes those that leave out zeros.
        values = values.sparse.to_dense()
    dtypes = [getattr(values, "dtype", None), *dtypes_of(values)]
    has_objects = any(getattr(dtype, "kind", "") == "O" for dtype in dtypes)
    of_times = any(map(_is_of_times, dtypes)) or _is_time(_first_of(values))
    if of_times or (has_objects and any(map(_is_time, _objects_of(values)))):
        raise TypeError(f"{name} holds dates or times, which are no numbers as they are: make numbers of them.")
    return values


def dtypes_of(values):
    """Types of the columns of a frame of pandas or polars, or of a table of Arrow; of anything else, none."""
    dtypes = getattr(values, "dtypes", None)
    dtypes = getattr(getattr(values, "schema", None), "types", ()) if dtypes is None else dtypes
    found = getattr(dtypes, "values", dtypes)
    return list(found) if isinstance(found, list | tuple | np.ndarray) else []


def is_sparse(values):
    """Whether values are a sparse matrix, or a frame whose columns all leave out zeros."""
    return sparse.issparse(values) or (_is_sparse_frame(values) and all(map(_leaves_out_zeros, values.dtypes)))


def _is_sparse_frame(values):
    return hasattr(values, "columns") and hasattr(values, "sparse")


def _leaves_out_zeros(dtype):
    return isinstance(dtype.fill_value, Number) and dtype.fill_value == 0


def _is_of_times(dtype):
    return getattr(dtype, "kind", "") in ("m", "M") or bool(_TIMES.match(str(dtype)))


def _is_time(value):
    return getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M")


def _first_of(values):
    """The first value of nested sequences."""
    while isinstance(values, list | tuple) and values:
        values = values[0]
    return values


def _objects_of(values):
    """The values of an array of objects."""
    return values.flat if isinstance(values, np.ndarray) else ()


def as_numbers(name, values, **how):
    """A checked array, dense or sparse: :func:`sklearn.utils.check_array` of what is :func:`numeric`.

    Parameters
    ----------
    name : str
        What they are called in messages.
    values : array-like, data frame, sparse matrix or tensor
    **how
        Further arguments of :func:`sklearn.utils.check_array`.

    Returns
    -------
    values : ndarray or sparse matrix
    """
    values = numeric(name, values)
    with naming(name):
        return check_array(values, input_name=name, **how)


@contextmanager
def naming(name):
    """A context whose errors of type and value say what they are about."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        if re.search(rf"\b{re.escape(name)}\b", str(error)):
            raise
        is_of_value = isinstance(error, ValueError | OverflowError)  # Scikit-learn's are of both.
        raise (ValueError if is_of_value else TypeError)(f"{name}: {error}") from error
