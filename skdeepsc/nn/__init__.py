"""The figure: auto-encoders, self-expression, and the network that holds them."""

from .autoencoders import ConvAutoEncoder, DenseAutoEncoder
from .expression import RidgeExpression, RidgePath, TrainedExpression, gram_spectrum, ridge_coefficients, ridge_penalty
from .network import Outputs, SubspaceNetwork
from .scattering import Scattering
from .wavelets import ScatteringNetwork

__all__ = [
    "ConvAutoEncoder",
    "DenseAutoEncoder",
    "Outputs",
    "RidgeExpression",
    "RidgePath",
    "Scattering",
    "ScatteringNetwork",
    "SubspaceNetwork",
    "TrainedExpression",
    "gram_spectrum",
    "ridge_coefficients",
    "ridge_penalty",
]
