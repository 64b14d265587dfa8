"""The classics: subspace clustering without a network, one file a method."""

from ._edsc import EDSC
from ._lrsc import LRSC

__all__ = ["EDSC", "LRSC"]
