"""The figure: auto-encoders, self-expression, and the network that holds them."""

from .autoencoders import ConvAutoEncoder, DenseAutoEncoder, xavier
from .expression import (
    RidgeExpression,
    RidgePath,
    TrainedExpression,
    gram_spectrum,
    precise,
    ridge_coefficients,
    ridge_penalty,
)
from .heads import (
    ExpressionHead,
    JoinedFeatures,
    center_units,
    checked_sizes,
    classifier_for,
    conv_classifier,
    dense_head,
)
from .network import Outputs, SubspaceNetwork
from .residual import ResidualAutoEncoder
from .wavelets import ScatteringNetwork

__all__ = [
    "ConvAutoEncoder",
    "DenseAutoEncoder",
    "ExpressionHead",
    "JoinedFeatures",
    "Outputs",
    "ResidualAutoEncoder",
    "RidgeExpression",
    "RidgePath",
    "ScatteringNetwork",
    "SubspaceNetwork",
    "TrainedExpression",
    "center_units",
    "checked_sizes",
    "classifier_for",
    "conv_classifier",
    "dense_head",
    "gram_spectrum",
    "precise",
    "ridge_coefficients",
    "ridge_penalty",
    "xavier",
]
