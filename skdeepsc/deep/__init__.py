"""The papers: deep subspace clusterers."""

from ._autoencoder import AutoEncoder
from ._dscnet import DSCNet
from ._pssc import PSSC

__all__ = ["DSCNet", "PSSC", "AutoEncoder"]
