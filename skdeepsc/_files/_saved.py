"""Estimators in files that hold no code: `save` and `load`."""

import json
import re
from os import PathLike
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.fixes import parse_version

from .._compat import BaseEstimator
from .._container import read, write
from .._params import Estimator, checked
from .._version import __version__
from .._warn import warn_user
from ._values import Reader, Writer


@checked
def save(estimator: Any, path: str | PathLike) -> None:
    """Write an estimator into a file that can be opened without trusting it.

    The file is one of safetensors: arrays and weights, and in its header parameters and fitted values as JSON, the
    version of the package, and a checksum. It takes the place of `path` when it is complete, and holds no code.

    Parameters
    ----------
    estimator : estimator
        One of this package, fitted or not, or a :class:`~sklearn.pipeline.Pipeline` of them. Steps, views and `init`
        that are scikit-learn's own need skops, ``pip install "skdeepsc[files]"``.
    path : str or path-like
        Where to; ``.skdeepsc`` is a good ending. A file that is there is replaced.

    Raises
    ------
    TypeError
        If the estimator holds code of your own, such as a torch module, a callable or a class that derives from one of
        this package, or an estimator of another package. pickle and skops can keep those.
    ImportError
        If skops is needed and not installed.

    See Also
    --------
    load : The way back.

    Notes
    -----
    `memory`, `checkpoint` and callbacks are not written, the latter with a warning: they are folders of this machine
    and code, and belong to the training. Also left out, as in a pickle, is `affinity_matrix_`; it is made again from
    `coef_` when it is asked for.

    Examples
    --------
    >>> import os, tempfile
    >>> import skdeepsc
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> X, _ = make_union_of_subspaces(60, 10, random_state=0)
    >>> fitted = skdeepsc.EDSC(3, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "lines.skdeepsc")
    ...     skdeepsc.save(fitted, path)
    ...     again = skdeepsc.load(path)
    >>> bool((again.predict(X) == fitted.labels_).all())
    True
    """
    if not isinstance(estimator, Estimator | FrozenEstimator | Pipeline):
        raise TypeError(
            f"save takes estimators of skdeepsc and pipelines of them; got {type(estimator).__name__}. Of a search, "
            "save its best_estimator_; for scikit-learn's own estimators there is skops."
        )
    writer = Writer()
    content = writer.write(estimator)
    if writer.leaves_out:
        warn_user(f"Callbacks are code and are not saved: {', '.join(writer.leaves_out)}.")
    write(path, json.dumps(content, allow_nan=False), writer.arrays)


@checked
def load(path: str | PathLike) -> Any:
    """The estimator of a file that :func:`save` wrote.

    No code of the file is run: parts of this package are made by its own code from a fixed list, scikit-learn's by
    skops with what skops trusts by itself; all else is refused. Where the file was written on a GPU that is not here,
    the estimator goes to what there is.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    estimator : estimator
        Labels, predictions, probabilities and codes are the same as those of the one that was saved.

    Raises
    ------
    ValueError
        If the file is a pickle or another stranger, is cut off or damaged, was written by a newer version or in a newer
        format, or holds what this version does not know. A checksum finds damage; it does not tell who wrote a file.
    ImportError
        If skops is needed and not installed.

    Warns
    -----
    UserWarning
        If an earlier version of the package wrote it.

    See Also
    --------
    save : What is written.
    """
    content, arrays, version = read(path)
    written, present = (re.match(r"\d+(\.\d+)*", each) for each in (version, __version__))
    if written is None:
        raise ValueError(f"{path} names no version of skdeepsc that has written it, but {version!r}.")
    if present and parse_version(written[0]) > parse_version(present[0]):
        raise ValueError(
            f"{path} was written by skdeepsc {version}, which is newer than this, {__version__}: what it learnt may "
            f"mean something else here. Install skdeepsc {version} or a later one to open it."
        )
    reader = Reader(arrays)
    try:
        estimator = reader.read(json.loads(content, parse_constant=_no_constant))
        if not isinstance(estimator, BaseEstimator) or reader.unread:
            raise ValueError("it has something beside an estimator")
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # Whatever a wrong content leads to, it is the file's fault.
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path} cannot be read by skdeepsc {__version__}: {reason}. It was written by skdeepsc {version}."
        ) from error
    if version != __version__:
        warn_user(
            f"{path} was written by skdeepsc {version}, and this is {__version__}: what it learnt may mean something "
            "else here."
        )
    return estimator


def _no_constant(name):
    raise ValueError(f"it has a number {name}")
