"""Warnings that name the user's line, and can be left out in one thread without touching the process's filters."""

import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar

_NOT_THE_USER = {"skdeepsc", "sklearn", "skorch", "joblib", "contextlib", "threading", "concurrent"}
# Categories that this thread leaves out, and what it advises in place of a function's own advice.
_MUTED: ContextVar = ContextVar("skdeepsc_muted", default=())
_ADVICE: ContextVar = ContextVar("skdeepsc_advice", default=None)


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
