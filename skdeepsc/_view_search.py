"""One view of the samples: how they express each other in it, and which of many labellings its graphs favour."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from joblib import delayed
from scipy import sparse

from ._input import unit_rows
from ._random import draw_seeds
from ._ridge import penalties_by_dim
from .affinity import affinity_from_top
from .nn import RidgePath, precise
from .segmentation import find_candidates, match_labels, relative_scores
from .training.batches import to_device

# Centred rows that are shorter than this share of the longest row before centring are rounding errors of float32.
_ROUNDING = 1e-6
# Information that a share of the entropy has to bring, as a share of what it brings on the whole, and what a labelling
# that is chosen for it must gain, of a largest possible gain of 1.
_FAIR_SHARE, _FAIR_GAIN = 0.9, 0.0075
# Share of the graph before whitening in those after it.
_GROUND = 0.02
# Share of the mean of the variances along edges that is added to each of them before it is divided by.
_WHITENING = 1.0


@dataclass
class Look:
    """Samples in a view, centred and of unit length, and their self-expression for all penalties.

    Parameters
    ----------
    view : str
        Name.
    features : ndarray of shape (n_rows, n_features), float32
        What the view makes of the samples.
    mean : ndarray of shape (n_features,), float32
        What features are centred by.
    floor : float
        Centred features no longer than this become zeros.
    path : RidgePath
    whitening : Whitening or None, default=None
        What has been done to centred features of unit length before they express each other.
    ground : sparse array of shape (n_rows, n_rows) or None, default=None
        A graph of the same rows, a small share of which is added to every graph: where those fall into more parts than
        there are clusters, it says which belong together.
    """

    view: str
    features: np.ndarray
    mean: np.ndarray
    floor: float
    path: RidgePath
    whitening: "Whitening | None" = None
    ground: Any = None

    @classmethod
    def at(cls, view, features, device):
        """The first look at features."""
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        floor = _ROUNDING * np.linalg.norm(features, axis=1).max()
        z = to_device(unit_rows(features, mean, floor), device)
        return cls(view, features, mean, floor, RidgePath(z))

    def whitened(self, affinity):
        """Another look, after differences along the edges of a graph have been made small.

        With the graph A of degrees D, and Z what expresses itself here, :math:`S = Z^T (D - A) Z / \\sum d` is the mean
        product of the differences along edges: the scatter within clusters, without labels. With its eigenvectors U and
        eigenvalues w, :math:`Z U (w + \\bar w)^{-1/2}` takes its place.
        """
        scores, degrees = self.path.scores, np.asarray(affinity.sum(axis=1)).ravel()
        if not degrees.any():
            return self
        along = degrees[:, None] * scores.cpu().numpy() - affinity @ scores.cpu().numpy()
        scatter = precise(scores).T @ to_device(along, scores.device).to(precise(scores))
        values, vectors = torch.linalg.eigh((scatter + scatter.T) / (2 * degrees.sum()))
        values = values.clamp_min(0) + _WHITENING * values.clamp_min(0).mean()
        turn = (vectors / values.clamp_min(torch.finfo(values.dtype).tiny).sqrt()).float()
        z = (scores @ turn).cpu().numpy()
        mean = z.mean(axis=0, dtype=np.float64).astype(np.float32)
        floor = _ROUNDING * np.linalg.norm(z, axis=1).max()
        path = RidgePath(to_device(unit_rows(z, mean, floor), scores.device))
        whitening = Whitening((self.path.axes @ turn).cpu().numpy(), mean, floor)
        return Look(self.view, self.features, self.mean, self.floor, path, whitening, affinity)

    @property
    def name(self):
        """The view, and whether it has been whitened."""
        return self.view if self.whitening is None else f"{self.view}, whitened"

    def graph(self, dim, lam, n_coefs):
        """The affinity of the largest coefficients of each row under a penalty."""
        top = self.path.top_coefficients(lam, min(n_coefs, len(self.path.scores) - 1))
        affinity = affinity_from_top(*top)
        if self.ground is not None:
            affinity = sparse.csr_array((1 - _GROUND) * affinity + _GROUND * self.ground)
        return Graph(self.name, dim, lam, affinity)


@dataclass(frozen=True)
class Whitening:
    """A linear map of centred features of unit length, after which they are centred and scaled again.

    Parameters
    ----------
    turn : ndarray of shape (n_features, n_components), float32
    mean : ndarray of shape (n_components,), float32
    floor : float
    """

    turn: np.ndarray
    mean: np.ndarray
    floor: float

    def __call__(self, z):
        return unit_rows(z @ self.turn, self.mean, self.floor)


@dataclass
class Graph:
    """The affinity of one view under one expected dimension."""

    view: str
    dim: float
    lam: float
    affinity: object


@dataclass
class Candidate:
    """A labelling in a graph, which need not be the one that it was found in."""

    graph: Graph
    labelling: str
    labelling_dim: float
    labels: np.ndarray
    information: float
    entropy: float
    cut: float

    @property
    def rank(self):
        """What candidates are sorted by, the best first."""
        return -self.information, self.cut


def search(look, dims, n_clusters, n_coefs, seed, run, **effort):
    """Candidates of one view, the best first.

    Parameters
    ----------
    look : Look
    dims : list of float
        Expected dimensions of a subspace.
    n_clusters, n_coefs : int
    seed : int
    run : joblib.Parallel
    **effort
        Random walks and starts of :func:`~skdeepsc.segmentation.find_candidates`.

    Returns
    -------
    candidates : list of Candidate
    """
    lams = penalties_by_dim(look.path.penalty, dims, n_clusters, len(look.path.scores))
    seeds = draw_seeds(seed, len(lams))
    graphs = run(delayed(look.graph)(dim, lam, n_coefs) for dim, lam in lams.items())
    proposed = run(
        delayed(find_candidates)(graph.affinity, n_clusters, seed, **effort)
        for graph, seed in zip(graphs, seeds, strict=True)
    )
    pool = [
        (name, graph.dim, labels)
        for graph, labellings in zip(graphs, proposed, strict=True)
        for name, labels in labellings.items()
    ]
    found = run(delayed(_scored)(graph, pool, n_clusters) for graph in graphs)
    return sorted((candidate for group in found for candidate in group), key=lambda candidate: candidate.rank)


def fairest(candidates):
    r"""The candidate of a whitened view that is the answer, whatever the sizes of its clusters.

    Edge information I is bounded by the entropy H of the sizes, and so it pays for clusters of equal size: half of a
    large cluster may say more than a small one. Half of a cluster is cut through the middle of it, though, and says
    less for its share of the entropy than the clusters do on the whole. With :math:`\beta = 0.9\, I^* / H^*` of the
    candidate with the most information, the one with the largest :math:`I - \beta H` is the answer, if that is larger
    than the other's by three quarters of a hundredth.

    Parameters
    ----------
    candidates : list of Candidate
        Sorted, the one with the most information first.

    Returns
    -------
    candidate : Candidate
    """
    first = candidates[0]
    rate = _FAIR_SHARE * first.information / (first.entropy or 1)

    def fair(candidate):
        return candidate.information - rate * candidate.entropy

    best = min(candidates, key=lambda candidate: (-fair(candidate), candidate.cut))
    return best if fair(best) > fair(first) + _FAIR_GAIN else first


def agreement(candidates, labels, n_clusters):
    """Shares of the labellings, each counted once, that give each row each label, renamed to agree with some labels.

    Returns
    -------
    shares : ndarray of shape (n_rows, n_clusters), float32
    """
    labellings = {(each.labelling, each.labelling_dim): each.labels for each in candidates}
    shares, rows = np.zeros((len(labels), n_clusters), dtype=np.float32), np.arange(len(labels))
    for each in labellings.values():
        named = match_labels(each, labels)
        known = named < n_clusters
        shares[rows[known], named[known]] += 1
    return shares / len(labellings)


def columns(candidates):
    """Candidates as columns."""
    return {
        "view": np.array([each.graph.view for each in candidates]),
        "subspace_dim": np.array([each.graph.dim for each in candidates]),
        "labelling": np.array([each.labelling for each in candidates]),
        "labelling_dim": np.array([each.labelling_dim for each in candidates]),
        "edge_information": np.array([each.information for each in candidates]),
        "size_entropy": np.array([each.entropy for each in candidates]),
        "normalized_cut": np.array([each.cut for each in candidates]),
    }


def _scored(graph, pool, n_clusters):
    """All labellings of a view in one of its graphs."""
    scores = relative_scores(graph.affinity, [labels for _, _, labels in pool], n_clusters)
    return [Candidate(graph, *candidate, *score) for candidate, score in zip(pool, scores, strict=True)]
