"""The only place that imports what scikit-learn does not declare public, and its callback interface."""

from sklearn.base import _fit_context as fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.cluster._spectral import cluster_qr, discretize
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "cluster_qr",
    "discretize",
    "fit_context",
    "num_samples",
]
