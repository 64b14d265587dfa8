"""The expected dimension of a subspace, chosen without labels by edge information."""

import numpy as np

from ._warn import muted
from .segmentation import DegenerateAffinityWarning, find_candidates, relative_scores

# The dimensions q that are tried. Below 1, a cluster is hardly more than a direction.
SUBSPACE_DIMS = (0.25, 0.5, 1, 2, 4, 8, 16)
# Coefficients of each row in the graphs that are compared.
N_COEFS = 5
# Labellings of a graph that is only compared: one random walk, and two starts of each k-means.
_FEW = {"walks": (8,), "n_starts": 2}


def best_graph(graphs, n_clusters, seed):
    """The graph in which any labelling of any graph has the most edge information, that labelling, and how much it is.

    Parameters
    ----------
    graphs : dict of csr_array
        Affinities of the same samples and density, such as those of :func:`~skdeepsc.affinity.top_affinity`.
    n_clusters : int
    seed : int

    Returns
    -------
    key : object
        Of the graph.
    labels : ndarray of shape (n_samples,), int
    information : float
        A share of the largest possible, in [0, 1].
    """
    if n_clusters == 1:
        return next(iter(graphs)), np.zeros(next(iter(graphs.values())).shape[0], dtype=np.int64), 0.0
    generator, labellings = np.random.RandomState(seed), []
    for graph in graphs.values():
        labellings += find_candidates(graph, n_clusters, generator, **_FEW).values()
    scores = _information(graphs, labellings, n_clusters)
    graph, labelling = np.unravel_index(np.argmax(scores), scores.shape)
    return list(graphs)[graph], labellings[labelling], float(scores[graph, labelling])


def best_labelling(graphs, labellers, n_clusters):
    """The way to labels that have the most edge information in any of the graphs.

    Parameters
    ----------
    graphs : dict of csr_array
        As for :func:`best_graph`.
    labellers : dict of callable
        Each returns labels.
    n_clusters : int

    Returns
    -------
    key : object
        Of the way.
    """
    with muted(DegenerateAffinityWarning):
        labellings = [find() for find in labellers.values()]
    return list(labellers)[_information(graphs, labellings, n_clusters).max(axis=0).argmax()]


def _information(graphs, labellings, n_clusters):
    """Relative edge information of each labelling in each graph, shape (n_graphs, n_labellings)."""
    return np.array([relative_scores(graph, labellings, n_clusters)[:, 0] for graph in graphs.values()])
