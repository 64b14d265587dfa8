"""The figure: auto-encoders, self-expression, and the network that holds them."""

from .autoencoders import ConvAutoEncoder, DenseAutoEncoder
from .expression import (
    BlockExpression,
    RidgeExpression,
    RidgePath,
    TrainedExpression,
    gram_spectrum,
    ridge_coefficients,
    ridge_penalty,
)
from .heads import conv_classifier, dense_classifier
from .network import Outputs, SubspaceNetwork
from .residual import ResidualAutoEncoder
from .scattering import Scattering
from .wavelets import ScatteringNetwork

__all__ = [
    "BlockExpression",
    "ConvAutoEncoder",
    "DenseAutoEncoder",
    "Outputs",
    "ResidualAutoEncoder",
    "RidgeExpression",
    "RidgePath",
    "Scattering",
    "ScatteringNetwork",
    "SubspaceNetwork",
    "TrainedExpression",
    "conv_classifier",
    "dense_classifier",
    "gram_spectrum",
    "ridge_coefficients",
    "ridge_penalty",
]
