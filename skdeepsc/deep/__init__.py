"""The papers: deep subspace clusterers."""

from ._dscnet import DSCNet
from ._dscsc import DSCSC
from ._edesc import EDESC
from ._kscn import KSCN
from ._ncsc import NCSC
from ._pssc import PSSC
from ._s2convscn import S2ConvSCN
from ._settings import paper_settings
from ._solver import RidgeSolver, TrainedSolver

__all__ = [
    "DSCSC",
    "EDESC",
    "KSCN",
    "NCSC",
    "PSSC",
    "DSCNet",
    "RidgeSolver",
    "S2ConvSCN",
    "TrainedSolver",
    "paper_settings",
]
