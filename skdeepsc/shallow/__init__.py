"""The classics: subspace clustering without a network, one file a method."""

from ._edsc import EDSC
from ._ensc import EnSC
from ._lrsc import LRSC
from ._ssc_omp import SSCOMP

__all__ = ["EDSC", "LRSC", "SSCOMP", "EnSC"]
