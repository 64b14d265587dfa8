"""The figure: auto-encoders, self-expression, and the network that holds them."""

from .autoencoders import ConvAutoEncoder, DenseAutoEncoder
from .expression import RidgeExpression, TrainedExpression, gram_spectrum, ridge_coefficients, ridge_penalty
from .network import Outputs, SubspaceNetwork

__all__ = [
    "ConvAutoEncoder",
    "DenseAutoEncoder",
    "Outputs",
    "RidgeExpression",
    "SubspaceNetwork",
    "TrainedExpression",
    "gram_spectrum",
    "ridge_coefficients",
    "ridge_penalty",
]
