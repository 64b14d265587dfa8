"""Warnings that name the user's line."""

import sys
import warnings

from sklearn.exceptions import InconsistentVersionWarning

_NOT_THE_USER = {"skdeepsc", "sklearn", "joblib", "contextlib", "copy", "pickle"}


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
            f"This pickle of {self.estimator_name} was written by skdeepsc {self.original_sklearn_version}, and this "
            f"is skdeepsc {self.current_sklearn_version}: it may fail, or mean something else here. Fit again, or keep "
            "estimators with skdeepsc.save, whose files are refused in words where they cannot be read."
        )


def warn_user(message, category=UserWarning):
    """Warn at the nearest line that belongs neither to this package nor to what it is called through."""
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _NOT_THE_USER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
