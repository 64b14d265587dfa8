"""The equations: plain functions, tensors in, a scalar out."""

from .expression import coefficient_norm
from .pseudo import confident_cross_entropy, contrastive_graph_loss, similarity_graph
from .reconstruction import laplacian_cost, normalized_graph, squared_error

__all__ = [
    "coefficient_norm",
    "confident_cross_entropy",
    "contrastive_graph_loss",
    "laplacian_cost",
    "normalized_graph",
    "similarity_graph",
    "squared_error",
]
