"""What transformers of flat rows share: any shape of samples, and numbers as precise as they come."""

from .._compat import TransformerMixin
from .._input import TakesSamples, as_flat_rows
from .._params import estimator


@estimator
class TransformsRows(TransformerMixin, TakesSamples):
    """A transformer of rows; images are flattened."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _read(self, X, *, reset=True):
        """Checked rows."""
        return as_flat_rows(self, X, reset=reset, accept_sparse=False)[:]
