"""The equations: plain functions, tensors in, a scalar out."""

from .collaborative import (
    balance_cost,
    classifier_affinity,
    negative_cross_entropy,
    negative_pairs,
    positive_cross_entropy,
    positive_pairs,
    subspace_affinity,
)
from .contrastive import nearest_samples, structural_contrastive_loss
from .expression import coefficient_norm, segmentation_norm
from .pseudo import (
    bounded_logistic_loss,
    center_loss,
    classification_cost,
    confident_cross_entropy,
    contrastive_graph_loss,
    pseudo_graph_loss,
    similarity_graph,
)
from .reconstruction import laplacian_cost, normalized_graph, squared_error

__all__ = [
    "balance_cost",
    "bounded_logistic_loss",
    "center_loss",
    "classification_cost",
    "classifier_affinity",
    "coefficient_norm",
    "confident_cross_entropy",
    "contrastive_graph_loss",
    "laplacian_cost",
    "nearest_samples",
    "negative_cross_entropy",
    "negative_pairs",
    "normalized_graph",
    "positive_cross_entropy",
    "positive_pairs",
    "pseudo_graph_loss",
    "segmentation_norm",
    "similarity_graph",
    "squared_error",
    "structural_contrastive_loss",
    "subspace_affinity",
]
