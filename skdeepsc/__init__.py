"""Deep subspace clustering for scikit-learn."""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__ as __version__

# Public names and where they live; loaded on first use, so that importing skdeepsc costs next to nothing.
_HOMES = {
    "deep": ("DSCSC", "EDESC", "KSCN", "NCSC", "PSSC", "DSCNet", "S2ConvSCN", "paper_settings"),
    "features": (
        "AutoEncoder",
        "Contrastive",
        "LocalContrast",
        "MultiscaleScattering",
        "RadialFeatures",
        "Scattering",
        "SquashingScaler",
    ),
    "shallow": ("EDSC", "KSSC", "LRR", "LRSC", "S3C", "SSC", "SSCOMP", "EnSC"),
    "_subspace_clustering": ("SubspaceClustering",),
    "_files": ("load", "save"),
    "_files._onnx": ("export_onnx",),
}
_MODULES = (
    "affinity",
    "datasets",
    "deep",
    "features",
    "inspection",
    "losses",
    "metrics",
    "model_selection",
    "nn",
    "report",
    "segmentation",
    "shallow",
    "training",
)
__all__ = [*_MODULES, *(name for names in _HOMES.values() for name in names)]

if TYPE_CHECKING:  # For editors and type checkers, the same once more; a test compares.
    from . import affinity as affinity
    from . import datasets as datasets
    from . import deep as deep
    from . import features as features
    from . import inspection as inspection
    from . import losses as losses
    from . import metrics as metrics
    from . import model_selection as model_selection
    from . import nn as nn
    from . import report as report
    from . import segmentation as segmentation
    from . import shallow as shallow
    from . import training as training
    from ._files import load as load
    from ._files import save as save
    from ._files._onnx import export_onnx as export_onnx
    from ._subspace_clustering import SubspaceClustering as SubspaceClustering
    from .deep import DSCSC as DSCSC
    from .deep import EDESC as EDESC
    from .deep import KSCN as KSCN
    from .deep import NCSC as NCSC
    from .deep import PSSC as PSSC
    from .deep import DSCNet as DSCNet
    from .deep import S2ConvSCN as S2ConvSCN
    from .deep import paper_settings as paper_settings
    from .features import AutoEncoder as AutoEncoder
    from .features import Contrastive as Contrastive
    from .features import LocalContrast as LocalContrast
    from .features import MultiscaleScattering as MultiscaleScattering
    from .features import RadialFeatures as RadialFeatures
    from .features import Scattering as Scattering
    from .features import SquashingScaler as SquashingScaler
    from .shallow import EDSC as EDSC
    from .shallow import KSSC as KSSC
    from .shallow import LRR as LRR
    from .shallow import LRSC as LRSC
    from .shallow import S3C as S3C
    from .shallow import SSC as SSC
    from .shallow import SSCOMP as SSCOMP
    from .shallow import EnSC as EnSC
else:

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{home}"), name)
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
