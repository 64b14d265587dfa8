"""The papers: deep subspace clusterers."""

from ._autoencoder import AutoEncoder
from ._dscnet import DSCNet
from ._pssc import PSSC
from ._settings import paper_settings

__all__ = ["PSSC", "AutoEncoder", "DSCNet", "paper_settings"]
