"""Warnings that name the user's line."""

import sys
import warnings

_NOT_THE_USER = {"skdeepsc", "sklearn", "joblib", "contextlib"}


def warn_user(message, category=UserWarning):
    """Warn at the nearest line that belongs neither to this package nor to what it is called through."""
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _NOT_THE_USER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
