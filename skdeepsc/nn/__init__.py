"""The figure: auto-encoders, self-expression, and the network that holds them."""

from .autoencoders import ConvAutoEncoder, DenseAutoEncoder, checked_sizes, xavier
from .bases import NearestSubspace, SubspaceAffinity, SubspaceBases, principal_bases, scatter_by_label
from .expression import (
    RidgeExpression,
    RidgePath,
    SelfExpression,
    TrainedExpression,
    gram_spectrum,
    precise,
    product,
    ridge_coefficients,
    ridge_penalty,
)
from .heads import (
    ExpressionHead,
    JoinedFeatures,
    center_units,
    classifier_for,
    conv_classifier,
    dense_head,
)
from .network import Outputs, SubspaceNetwork, answering
from .residual import ResidualAutoEncoder
from .wavelets import ScatteringNetwork, scattered

__all__ = [
    "ConvAutoEncoder",
    "DenseAutoEncoder",
    "ExpressionHead",
    "JoinedFeatures",
    "NearestSubspace",
    "Outputs",
    "ResidualAutoEncoder",
    "RidgeExpression",
    "RidgePath",
    "ScatteringNetwork",
    "SelfExpression",
    "SubspaceAffinity",
    "SubspaceBases",
    "SubspaceNetwork",
    "TrainedExpression",
    "answering",
    "center_units",
    "checked_sizes",
    "classifier_for",
    "conv_classifier",
    "dense_head",
    "gram_spectrum",
    "precise",
    "principal_bases",
    "product",
    "ridge_coefficients",
    "ridge_penalty",
    "scatter_by_label",
    "scattered",
    "xavier",
]
