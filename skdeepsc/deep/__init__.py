"""The papers: deep subspace clusterers."""

from ._autoencoder import AutoEncoder
from ._dscnet import DSCNet
from ._dscsc import DSCSC
from ._ncsc import NCSC
from ._pssc import PSSC
from ._s2convscn import S2ConvSCN
from ._settings import paper_settings

__all__ = ["DSCSC", "NCSC", "PSSC", "AutoEncoder", "DSCNet", "S2ConvSCN", "paper_settings"]
