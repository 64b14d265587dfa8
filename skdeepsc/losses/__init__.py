"""The equations: plain functions, tensors in, a scalar out."""

from .contrastive import nearest_samples, structural_contrastive_loss
from .expression import coefficient_norm, segmentation_norm
from .pseudo import (
    bounded_logistic_loss,
    center_loss,
    confident_cross_entropy,
    contrastive_graph_loss,
    similarity_graph,
)
from .reconstruction import laplacian_cost, normalized_graph, squared_error

__all__ = [
    "bounded_logistic_loss",
    "center_loss",
    "coefficient_norm",
    "confident_cross_entropy",
    "contrastive_graph_loss",
    "laplacian_cost",
    "nearest_samples",
    "normalized_graph",
    "segmentation_norm",
    "similarity_graph",
    "squared_error",
    "structural_contrastive_loss",
]
