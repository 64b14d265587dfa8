"""What scikit-learn does not declare public, imported here alone, and what its base classes are to type checkers."""

import sys
from importlib.machinery import PathFinder, SourceFileLoader
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import sklearn.utils.validation

from ._threads import ProcessLock
from ._version import __version__

try:
    from sklearn.base import _fit_context as fit_context
    from sklearn.cluster._spectral import cluster_qr, discretize
    from sklearn.utils._param_validation import (
        HasMethods,
        StrOptions,
        validate_parameter_constraints,
    )
    from sklearn.utils._param_validation import Interval as _Interval
    from sklearn.utils._param_validation import Options as _Options
    from sklearn.utils.validation import _num_samples as num_samples
except ImportError as error:
    raise ImportError(
        f"skdeepsc {__version__} needs parts of scikit-learn that are not declared public, and which scikit-learn "
        f"{sklearn.__version__} has changed: {error}. Take a later skdeepsc, or an earlier scikit-learn, such as 1.9."
    ) from error

if TYPE_CHECKING:  # scikit-learn has no annotations, and behind a base of unknown type nothing is checked.
    import numpy as np
    from numpy.typing import ArrayLike

    class BaseEstimator:
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...

    class ClusterMixin:
        def fit_predict(self, X: ArrayLike, y: Any = None) -> np.ndarray: ...

    class TransformerMixin:
        def fit_transform(self, X: ArrayLike, y: Any = None) -> np.ndarray: ...
        def set_output(self, *, transform: str | None = None) -> Self: ...

    class ClassNamePrefixFeaturesOutMixin:
        def get_feature_names_out(self, input_features: Any = None) -> np.ndarray: ...

    class OneToOneFeatureMixin:
        def get_feature_names_out(self, input_features: Any = None) -> np.ndarray: ...

    class CallbackSupportMixin:
        def set_callbacks(self, *callbacks: Any) -> Self: ...

else:
    from sklearn.base import (
        BaseEstimator,
        ClassNamePrefixFeaturesOutMixin,
        ClusterMixin,
        OneToOneFeatureMixin,
        TransformerMixin,
    )

    try:
        from sklearn.callback import CallbackSupportMixin
    except ImportError:  # Before 1.9 scikit-learn has no callbacks.

        class CallbackSupportMixin:
            def _init_callback_context(self, **_):
                return _NoCallbacks()


class _NoCallbacks:
    """A task that nobody watches."""

    def subcontext(self, **_):
        return self

    def call_on_fit_task_begin(self, **_):
        """Nobody is told."""

    def call_on_fit_task_end(self, **_):
        """Nobody asks for an end."""
        return False


class Interval(_Interval):
    """Numbers in a range; True and False are none."""

    def is_satisfied_by(self, val):
        return not isinstance(val, bool) and super().is_satisfied_by(val)


class Options(_Options):
    """Some numbers; True and False are none."""

    def is_satisfied_by(self, val):
        return not isinstance(val, bool) and super().is_satisfied_by(val)


class _KeepsDocstrings(SourceFileLoader):
    """A loader for packages that work on their own docstrings."""

    def get_code(self, fullname):
        return compile(self.get_data(self.path), self.path, "exec", dont_inherit=True, optimize=0)


class _FindsSkorch:
    """Python -OO leaves docstrings out, without which skorch cannot be imported."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] != "skorch":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _KeepsDocstrings(spec.loader.name, spec.loader.path)
        return spec


if sys.flags.optimize > 1:
    sys.meta_path.insert(0, _FindsSkorch())  # type: ignore[arg-type]

# scikit-learn's validation changes the process's warnings filters for a moment, which no two threads may do at once.
VALIDATION = ProcessLock()
# It sums values, to see whether any is infinite, of which the largest there are overflow.
_OF_SUMS: dict = {"over": "ignore", "invalid": "ignore"}


def check_array(*args, **kwargs):
    """:func:`sklearn.utils.check_array`, one thread after the other."""
    with VALIDATION, np.errstate(**_OF_SUMS):
        return sklearn.utils.validation.check_array(*args, **kwargs)


def validate_data(*args, **kwargs):
    """:func:`sklearn.utils.validation.validate_data`, one thread after the other."""
    try:
        with VALIDATION, np.errstate(**_OF_SUMS):
            return sklearn.utils.validation.validate_data(*args, **kwargs)
    except OverflowError as error:
        raise ValueError(f"X holds numbers that no float64 can hold: {error}") from error


__all__ = [
    "VALIDATION",
    "BaseEstimator",
    "CallbackSupportMixin",
    "ClassNamePrefixFeaturesOutMixin",
    "ClusterMixin",
    "HasMethods",
    "Interval",
    "OneToOneFeatureMixin",
    "Options",
    "StrOptions",
    "TransformerMixin",
    "check_array",
    "cluster_qr",
    "discretize",
    "fit_context",
    "num_samples",
    "validate_data",
    "validate_parameter_constraints",
]
