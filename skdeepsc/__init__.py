"""Deep subspace clustering for scikit-learn."""

from importlib import import_module

__version__ = "0.1.0"

# Public names and where they live; loaded on first use, so that importing skdeepsc costs next to nothing.
_HOMES = {
    "AutoEncoder": "deep",
    "DSCNet": "deep",
    "DSCSC": "deep",
    "EDSC": "shallow",
    "EnSC": "shallow",
    "KSSC": "shallow",
    "LRR": "shallow",
    "LRSC": "shallow",
    "NCSC": "deep",
    "PSSC": "deep",
    "S2ConvSCN": "deep",
    "S3C": "shallow",
    "SSC": "shallow",
    "SSCOMP": "shallow",
    "Scattering": "nn",
    "SubspaceClustering": "_subspace_clustering",
    "paper_settings": "deep",
}
_MODULES = (
    "affinity",
    "datasets",
    "deep",
    "inspection",
    "losses",
    "metrics",
    "model_selection",
    "nn",
    "segmentation",
    "shallow",
    "training",
)

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
