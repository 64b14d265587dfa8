"""Features as scikit-learn transformers: trained ones, which a deep clusterer can have, and fixed ones."""

from ._autoencoder import AutoEncoder
from ._contrast import LocalContrast
from ._contrastive import Contrastive
from ._multiscale import MultiscaleScattering
from ._radial import RadialFeatures
from ._scattering import Scattering
from ._squashing import SquashingScaler

__all__ = [
    "AutoEncoder",
    "Contrastive",
    "LocalContrast",
    "MultiscaleScattering",
    "RadialFeatures",
    "Scattering",
    "SquashingScaler",
]
