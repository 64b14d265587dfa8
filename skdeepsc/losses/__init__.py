"""The equations: plain functions, tensors in, a scalar out."""

from .bases import basis_cost, sharpened_assignments, sharpening_cost
from .coding_rate import coding_rate, rate_within
from .collaborative import (
    balance_cost,
    classifier_affinity,
    negative_cross_entropy,
    negative_pairs,
    positive_cross_entropy,
    positive_pairs,
    subspace_affinity,
)
from .contrastive import edge_contrastive_loss, nearest_samples, structural_contrastive_loss
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
    "basis_cost",
    "bounded_logistic_loss",
    "center_loss",
    "classification_cost",
    "classifier_affinity",
    "coding_rate",
    "coefficient_norm",
    "confident_cross_entropy",
    "contrastive_graph_loss",
    "edge_contrastive_loss",
    "laplacian_cost",
    "nearest_samples",
    "negative_cross_entropy",
    "negative_pairs",
    "normalized_graph",
    "positive_cross_entropy",
    "positive_pairs",
    "pseudo_graph_loss",
    "rate_within",
    "segmentation_norm",
    "sharpened_assignments",
    "sharpening_cost",
    "similarity_graph",
    "squared_error",
    "structural_contrastive_loss",
    "subspace_affinity",
]
