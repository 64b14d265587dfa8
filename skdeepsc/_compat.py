"""The only place that imports what scikit-learn does not declare public, and its callback interface."""

from sklearn.base import _fit_context as fit_context
from sklearn.cluster._spectral import cluster_qr, discretize
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn < 1.9 has no callbacks

    class _NoContext:
        """Stands in for a callback context: accepts every call and never asks to stop."""

        def subcontext(self, **kwargs):
            return self

        def call_on_fit_task_begin(self, **kwargs):
            return self

        def call_on_fit_task_end(self, **kwargs):
            return False

    class CallbackSupportMixin:
        def _init_callback_context(self, **kwargs):
            return _NoContext()


__all__ = ["CallbackSupportMixin", "HasMethods", "Interval", "StrOptions", "cluster_qr", "discretize", "fit_context"]
