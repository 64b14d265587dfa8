"""What scikit-learn does not declare public, imported here alone, and what its base classes are to type checkers."""

from typing import TYPE_CHECKING, Any, Self

from sklearn.base import _fit_context as fit_context
from sklearn.cluster._spectral import cluster_qr, discretize
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import _num_samples as num_samples

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

    class CallbackSupportMixin:
        def set_callbacks(self, *callbacks: Any) -> Self: ...

else:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
    from sklearn.callback import CallbackSupportMixin

__all__ = [
    "BaseEstimator",
    "CallbackSupportMixin",
    "ClassNamePrefixFeaturesOutMixin",
    "ClusterMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "TransformerMixin",
    "cluster_qr",
    "discretize",
    "fit_context",
    "num_samples",
]
