"""Features as scikit-learn transformers: trained ones, which a deep clusterer can have, and fixed ones."""

from ._autoencoder import AutoEncoder
from ._contrastive import Contrastive
from ._scattering import Scattering

__all__ = ["AutoEncoder", "Contrastive", "Scattering"]
