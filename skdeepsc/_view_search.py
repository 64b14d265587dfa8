"""One view of the samples: how they express each other in it, and which of many labellings its graphs favour."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ._input import unit_rows
from ._labels import numbered
from ._random import draw_seeds
from ._ridge import penalties_by_dim
from ._warn import muted
from .affinity import affinity_from_top
from .nn import RidgePath, precise, product
from .segmentation import (
    DegenerateAffinityWarning,
    fair_scores,
    find_candidates,
    match_labels,
    relative_scores,
    spectral_labels,
)
from .training.batches import to_device

# Centred rows that are shorter than this share of the longest row before centring are rounding errors of float32.
_ROUNDING = 1e-6
# The most that a labelling that is fairer may leave open, as a share of what the one with the most information does,
# after whitening; and what it must gain, of a largest possible gain of 1, to leave more where clusters are many.
# Information that is less than this apart is equal.
_LEFT_OPEN, _FAIR_GAIN, _TIE = 0.7, 0.0075, 0.00075
# A view that leaves so many times as much open as another, and is named before it, is as clear.
_AS_CLEAR = 1.05
# How much less information than the most the labellings may have that say how sure labels are.
_NEARLY = 0.08
# Steps of the random walks that say it, too: as many as of the shortest from which labellings are made.
_STEPS = 8
# Share of the graph before whitening in those after it.
_GROUND = 0.02
# Share of the mean of the variances along edges that is added to each of them before it is divided by.
_WHITENING = 1.0
# Axes with no more than this share of the variance of the first are not whitened, but left out.
_UNSEEN = 1e-5
# The most that clusters on flats may give away of their affinity, in the mean.
_FLAT_CUT = 0.1


@dataclass(frozen=True)
class Centering:
    """What is done to features before they express each other: they are centred and scaled, and turned before that.

    Parameters
    ----------
    mean : ndarray of shape (n_components,), float32
        What they are centred by.
    floor : float
        Centred rows no longer than this become zeros.
    affine : bool
        Whether they are divided by the length of the longest training row, and not each by its own.
    turn : ndarray of shape (n_features, n_components), float32, or None, default=None
        A linear map, of rows to which `former` has been done.
    former : Centering or None, default=None
    """

    mean: np.ndarray
    floor: float
    affine: bool
    turn: np.ndarray | None = None
    former: "Centering | None" = None

    @classmethod
    def of(cls, rows, affine):
        """That of training rows, which have been turned already."""
        mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        return cls(mean, float(_ROUNDING * np.linalg.norm(rows, axis=1).max()), affine)

    def __call__(self, features):
        rows = features if self.former is None else self.former(features) @ self.turn
        if not self.affine:
            return unit_rows(rows, self.mean, self.floor)
        return (rows - self.mean) * np.float32(_ROUNDING / self.floor if self.floor else 1)


@dataclass
class Look:
    """Samples in a view, centred and of unit length, and their self-expression for all penalties.

    Parameters
    ----------
    view : str
        Name.
    features : ndarray of shape (n_rows, n_features), float32
        What the view makes of the samples.
    centering : Centering
        What is done last to features before they express each other.
    path : RidgePath
    turned : (Look, slice, tensor) or None, default=None
        The look that is whitened here, the axes of it that are not left out, and the factor L of :meth:`whitened`.
    ground : sparse array of shape (n_rows, n_rows) or None, default=None
        A graph of the same rows, a small share of which is added to every graph: where those fall into more parts than
        there are clusters, it says which belong together.
    """

    view: str
    features: np.ndarray
    centering: Centering
    path: RidgePath
    turned: Any = None
    ground: Any = None

    @classmethod
    def at(cls, view, features, device, *, affine=False):
        """The first look at features."""
        centering = Centering.of(features, affine)
        return cls(view, features, centering, RidgePath(to_device(centering(features), device), affine=affine))

    def whitened(self, affinity):
        """Another look, after differences along the edges of a graph have been made small.

        With the graph A of degrees D, and Z what expresses itself here, :math:`S = Z^T (D - A) Z / \\sum d` is the mean
        product of the differences along edges: the scatter within clusters, without labels. With its mean eigenvalue
        :math:`\\bar w` and the Cholesky factor of :math:`S + \\bar w I = LL^T`, :math:`Z L^{-T}` takes its place. Axes
        of Z with less than a hundred-thousandth of the variance of the first are left out.
        """
        degrees = np.asarray(affinity.sum(axis=1)).ravel()
        if not degrees.any():
            return self
        seen = slice(int((self.path.spectrum <= _UNSEEN * self.path.spectrum[-1]).sum()), None)
        scores = self.path.scores[:, seen]
        laplacian = (sparse.diags_array(degrees) - affinity).tocsr()
        along = torch.from_numpy(laplacian @ scores.cpu().numpy()).to(scores)
        scatter = precise(product(scores.T, along))
        scatter = (scatter + scatter.T) / (2 * degrees.sum())
        mean = scatter.trace() / len(self.path.spectrum)  # Of all axes: those that are left out add next to nothing.
        scatter.diagonal().add_(_WHITENING * mean)
        factor, is_rounding = torch.linalg.cholesky_ex(scatter)
        if not mean > 0 or is_rounding:  # The rows on each edge are equal.
            return self
        factor, affine = factor.float(), self.centering.affine
        z = _divided_by(scores, factor).cpu().numpy()
        centering = Centering.of(z, affine)
        path = RidgePath(to_device(centering(z), scores.device), affine=affine)
        return Look(self.view, self.features, centering, path, (self, seen, factor), affinity)

    @cached_property
    def scaling(self):
        """What is done to features, those of new samples, too, before they express each other."""
        if self.turned is None:
            return self.centering
        former, seen, factor = self.turned
        turn = _divided_by(former.path.axes[:, seen], factor).cpu().numpy()
        return replace(self.centering, turn=turn, former=former.scaling)

    @property
    def is_whitened(self):
        """Whether its features are those of :meth:`whitened`."""
        return self.turned is not None

    @property
    def name(self):
        """The view, and whether it has been whitened."""
        return f"{self.view}, whitened" if self.is_whitened else self.view

    def penalties(self, dims, n_clusters):
        """From expected dimensions to penalties, see :func:`~skdeepsc._ridge.penalties_by_dim`."""
        return penalties_by_dim(self.path.penalty, dims, n_clusters, len(self.path.scores))

    def n_kept(self, n_coefs):
        """How many coefficients a row can keep."""
        return min(n_coefs, len(self.path.scores) - 1)

    def graph(self, dim, lam, n_coefs):
        """The affinity of the largest coefficients of each row under a penalty."""
        affinity = affinity_from_top(*self.path.top_coefficients(lam, self.n_kept(n_coefs)))
        if self.ground is not None:
            affinity = sparse.csr_array((1 - _GROUND) * affinity + _GROUND * self.ground)
        return Graph(self.name, dim, lam, affinity)


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


def search(look, dims, n_clusters, n_coefs, seed, run, sought=None, **effort):
    """Candidates of one view, the best first.

    Parameters
    ----------
    look : Look
    dims : list of float
        Expected dimensions of a subspace, in whose graphs labellings are scored.
    n_clusters, n_coefs : int
    seed : int
    run : callable
        Of :func:`~skdeepsc._threads.threads`.
    sought : list of float or None, default=None
        The dimensions in whose graphs labellings are sought, or in that of the next smaller one where features have too
        few dimensions; ``None``: all.
    **effort
        Random walks and starts of :func:`~skdeepsc.segmentation.find_candidates`.

    Returns
    -------
    candidates : list of Candidate
    """
    graphs = list(run(lambda pair: look.graph(*pair, n_coefs), look.penalties(dims, n_clusters).items()))
    searched = graphs if sought is None else [graphs[place] for place in _places([g.dim for g in graphs], sought)]
    seeds = draw_seeds(seed, len(searched))
    proposed = run(
        lambda pair: find_candidates(pair[0].affinity, n_clusters, pair[1], **effort), zip(searched, seeds, strict=True)
    )
    pool = [
        (name, graph.dim, numbered(labels))
        for graph, labellings in zip(searched, proposed, strict=True)
        for name, labels in labellings.items()
    ]
    found = run(lambda graph: _scored(graph, pool, n_clusters), graphs)
    return sorted((candidate for group in found for candidate in group), key=lambda candidate: candidate.rank)


def search_on_flats(look, dims, n_clusters, n_coefs, seed):
    """Candidates of one view whose samples lie on flats of few dimensions, in the order of :func:`search`.

    All have the labels that k-means gives the graph of the samples that point most the same way in rooms of all
    dimensions (:meth:`~skdeepsc.nn.RidgePath.top_cosines`), four times as many as coefficients: a flat must hang
    together. Information would choose clusters of equal size, which flats need not have.

    Parameters
    ----------
    look : Look
    dims : list of float
    n_clusters, n_coefs, seed : int

    Returns
    -------
    candidates : list of Candidate
        None, if that graph does not nearly fall into clusters: samples do not lie on flats then.
    cut : float
        What the clusters give away of their affinity in it, in the mean.
    """
    lams = look.penalties(dims, n_clusters)
    affinity = affinity_from_top(*look.path.top_cosines(list(lams.values()), look.n_kept(4 * n_coefs)))
    with muted(DegenerateAffinityWarning):
        labels = spectral_labels(affinity, n_clusters, random_state=seed)
    cut = float(relative_scores(affinity, [labels], n_clusters)[0, 2])
    if cut > _FLAT_CUT:
        return [], cut
    graphs = [look.graph(dim, lam, n_coefs) for dim, lam in lams.items()]
    found = [candidate for graph in graphs for candidate in _scored(graph, [("flats", np.nan, labels)], n_clusters)]
    return sorted(found, key=lambda candidate: candidate.rank), cut


def clearest(left_open):
    """The view whose clusters say most, the first of those that are as clear.

    Parameters
    ----------
    left_open : dict of str to float
        What the clusters of each view do not say, in the order in which ties are decided.
    """
    least = min(left_open.values())
    return next(view for view in left_open if is_as_clear(left_open[view], least))


def is_as_clear(left_open, least):
    """Whether a view that leaves so much open is as clear as one that leaves as little as any."""
    return left_open <= _AS_CLEAR * least


def open_information(candidates):
    """Information that the best candidate lacks of what clusters of equal sizes could have."""
    return max(1 - candidates[0].information, 0)


def open_share(candidates, n_clusters):
    """Share that the fairest candidate lacks of the information that clusters of its sizes could have."""
    best = fairest(candidates, n_clusters)
    return max(1 - best.information / best.entropy, 0) if best.entropy > 0 else 1.0


def fairest(candidates, n_clusters):
    r"""The candidate of a whitened view that is the answer, whatever the sizes of its clusters.

    Information I leaves the share :math:`1 - I / H` of the entropy H of the sizes open: how far the cluster at one end
    of an edge is not known from that at the other. The answer is the candidate with the most information, unless there
    are others with a larger fair score (:func:`~skdeepsc.segmentation.fair_scores`) that

    1. leave at most .7 of what that one leaves open: where a class is cut in two, and small ones are one, it is much;
    2. or, of more than ten clusters, leave at most :math:`1 - \log 2 / \log K` of it, for a smaller part need be cut
       there, and have a score that is larger by three quarters of a hundredth;
    3. or, if there are no such ones, have the same information but for noise: of 5,000 samples, a cluster that is cut
       in two, with another two in one, may have as much.

    Of these, the answer has the largest score.

    Parameters
    ----------
    candidates : list of Candidate
        Sorted, the one with the most information first.
    n_clusters : int

    Returns
    -------
    candidate : Candidate
    """
    information, entropy, cut = np.array([(each.information, each.entropy, each.cut) for each in candidates]).T
    gains = fair_scores(information, entropy)
    gains -= gains[0]
    left_open = 1 - np.divide(information, entropy, out=np.zeros_like(entropy), where=entropy > 0)
    of_many = 1 - np.log(2) / np.log(max(n_clusters, 2))
    is_answer = (gains > 0) & (left_open <= _LEFT_OPEN * left_open[0])
    is_answer |= (gains > _FAIR_GAIN) & (left_open <= of_many * left_open[0])
    if not is_answer.any():
        is_answer = information > information[0] - _TIE
    answers = np.flatnonzero(is_answer)
    return candidates[answers[np.lexsort((cut[answers], -gains[answers]))[0]]]


def agreement(candidates, chosen):
    """How far each row is tied to each cluster, and to rows about which the labellings agree.

    With the shares T of the rows' affinity, the mean over the graphs of all dimensions, and the share :math:`a_j` of
    labellings that give row j its label, it is :math:`\\sum_{j: y_j = k} T_{ij} a_j` for row i and cluster k, times the
    probability that a random walk from row i in the chosen graph is in k after eight steps: in a cluster that hangs
    together loosely, labellings may agree all the same. Asked are labellings with nearly as much information as any,
    each once, under the names that agree best.

    Parameters
    ----------
    candidates : list of Candidate
        Sorted, the one with the most information first.
    chosen : Candidate
        The answer; its labels are consecutive from 0.

    Returns
    -------
    shares : ndarray of shape (n_rows, n_clusters), float32
        Rows sum to 1 or less.
    """
    near = [each for each in candidates if each.information > candidates[0].information - _NEARLY]
    labellings, labels = {(each.labelling, each.labelling_dim): each.labels for each in near}, chosen.labels
    agreed = sum(match_labels(each, labels) == labels for each in labellings.values()) / len(labellings)
    members = np.eye(labels.max() + 1)[labels]
    graphs = {each.graph.dim: each.graph.affinity for each in candidates}.values()
    ties = sum(_step(graph, agreed[:, None] * members) for graph in graphs) / len(graphs)
    for _ in range(_STEPS):
        members = _step(chosen.graph.affinity, members)
    return (ties * members).astype(np.float32)


def _divided_by(rows, factor):
    """:math:`Z L^{-T}` of rows Z and a lower triangular factor L."""
    return torch.linalg.solve_triangular(factor, rows.T, upper=False).T


def _step(graph, values):
    """Means of values over the neighbours in a graph, weighted; 0 where there are none."""
    sums, degrees = graph @ values, graph.sum(axis=1)[:, None]
    return np.divide(sums, degrees, out=np.zeros_like(sums), where=degrees > 0)


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


def _places(dims, sought):
    """Places among ascending dimensions of those that are sought, or of the next smaller ones, if there are any."""
    return np.unique(np.maximum(np.searchsorted(dims, sought, side="right") - 1, 0))


def _scored(graph, pool, n_clusters):
    """All labellings of a view in one of its graphs; many starts find the same one."""
    found = {labels.tobytes(): labels for _, _, labels in pool}
    scores = relative_scores(graph.affinity, list(found.values()), n_clusters).tolist()
    scores = dict(zip(found, scores, strict=True))
    return [Candidate(graph, *candidate, *scores[candidate[-1].tobytes()]) for candidate in pool]
