"""Warnings that name the user's line, and can be left out in one thread without touching the process's filters."""

import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar

from sklearn.exceptions import InconsistentVersionWarning

_NOT_THE_USER = {"skdeepsc", "sklearn", "skorch", "joblib", "contextlib", "copy", "pickle", "threading", "concurrent"}
# Categories that this thread leaves out, and what it advises in place of a function's own advice.
_MUTED: ContextVar = ContextVar("skdeepsc_muted", default=())
_ADVICE: ContextVar = ContextVar("skdeepsc_advice", default=None)


class OtherVersionWarning(InconsistentVersionWarning):
    """A pickle was written by another version of this package; scikit-learn's warning, for those who filter it.

    Parameters
    ----------
    estimator_name : str
    current, original : str
        Versions of skdeepsc: this one, and the one that wrote the pickle.
    """

    def __init__(self, estimator_name, current, original):
        super().__init__(
            estimator_name=estimator_name, current_sklearn_version=current, original_sklearn_version=original
        )

    def __reduce__(self):
        return type(self), (self.estimator_name, self.current_sklearn_version, self.original_sklearn_version)

    def __str__(self):
        return (
            f"This pickle of {self.estimator_name} was written by version {self.original_sklearn_version} of skdeepsc, "
            f"and this is version {self.current_sklearn_version}: it may fail, or mean something else here. Fit again, "
            "or keep estimators with skdeepsc.save, whose files are refused in words where they cannot be read."
        )


def warn_user(message, category=UserWarning):
    """Warn at the nearest line that belongs neither to this package nor to what it is called through."""
    if issubclass(category, _MUTED.get()):
        return
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _NOT_THE_USER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def muted(category):
    """A context that leaves out warnings of a category; :func:`warnings.catch_warnings` would do so in all threads."""
    token = _MUTED.set((*_MUTED.get(), category))
    try:
        yield
    finally:
        _MUTED.reset(token)


@contextmanager
def advising(advice):
    """A context in which :func:`advice_or` gives this advice, which names the parameters that an estimator has."""
    token = _ADVICE.set(advice)
    try:
        yield
    finally:
        _ADVICE.reset(token)


def advice_or(usual):
    """The advice of the estimator that this thread works for, or a function's own."""
    advice = _ADVICE.get()
    return usual if advice is None else advice
