"""From an affinity to labels: spectral clustering that loses no eigenvectors, normalised cut, label matching."""

from contextlib import suppress
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh, splu
from scipy.special import entr, rel_entr
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils.extmath import svd_flip

from ._arrays import as_numbers
from ._compat import cluster_qr, discretize
from ._eigenpairs import all_eigenpairs
from ._input import unit_rows
from ._kmeans import k_means_starts
from ._labels import as_labels, as_pair, numbered
from ._params import Count, RandomState, checked
from ._random import generator_of
from ._scale import exponent_of
from ._split_merge import split_and_merge
from ._threads import blas_on_one_core
from ._warn import advice_or, warn_user

# Ways from an embedding to labels.
AssignLabels = Literal["kmeans", "discretize", "cluster_qr", "diffusion", "best"]

__all__ = [
    "DegenerateAffinityWarning",
    "candidate_labels",
    "choose_n_clusters",
    "edge_information",
    "match_labels",
    "normalized_cut",
    "spectral_embedding",
    "spectral_labels",
]

# Up to this many samples of a sparse and of a dense affinity a dense eigensolver is faster than, or as fast as, an
# iterative one, and loses nothing; so it is where more than one in five of the eigenvectors are wanted.
_SPARSE_LIMIT, _DENSE_LIMIT = 800, 3000
# How far edges may differ from one way to the other, as a share of the degree: rounding of float32 does.
_ASYMMETRY = 1e-5
# Up to this many samples, with as many edges each, the Laplacian of a graph is factorised at once: factors of graphs of
# neighbours have 10 times its entries and take a tenth of a second, those of a random graph of 5,000 samples take
# three. Of larger graphs it is, where so many restarts of Lanczos iterations do not find what is wanted, and among what
# they find are as many eigenvalues close to 1 as a graph has that falls apart: its factors are sparse. The shift keeps
# the Laplacian positive definite.
_FACTOR_LIMIT, _FACTOR_EDGES, _MOST_RESTARTS, _SHIFT = 5000, 40, 40, 1e-5
_CLOSE_TO_1, _CROWD = 0.99, 10
# Restarts after which a dense matrix would have been decomposed directly, of 3,000 samples as of 7,000.
_DENSE_RESTARTS = 10
# Eigenvectors beyond the wanted ones that are sought with the factors.
_MORE_VECTORS = 20
# Share of the most that a number of clusters saves in any graph which graphs save whose word counts.
_NEARLY = 0.85
# Share of it, by labellings that need no starts, below which starts are not worth their time.
_WORTH_STARTS = 0.5
# Eigenvectors of a random walk, for each cluster.
_DIFFUSION_VECTORS = 6
# Rows of the embedding of samples without any affinity are shorter.
NO_LENGTH = 1e-12
# Steps of the random walks, and starts of each k-means, among which candidates are found.
_DIFFUSION_STEPS = (8, 16, 32)
N_STARTS = 8
# The embeddings in which clusters are split.
_SPLIT = ("diffusion-8", "diffusion-16")
# Rounds of further starts that must not add this share to the edge information before the search ends, and the most.
_PATIENCE, _LEAST_GAIN, _MOST_ROUNDS = 2, 1e-4, 20
# Information that a share of the entropy has to bring, as a share of what it brings on the whole; what a labelling
# that is fairer must gain, of a largest possible gain of 1, to be the best; and from how many one is sought by moves.
_FAIR_SHARE, _FAIR_GAIN, _FAIR_STARTS = 0.9, 0.025, 3
# Entries of the tables of the labellings that are scored at once.
_HELD = 2**20


class DegenerateAffinityWarning(UserWarning):
    """The affinity cannot support the clustering that was asked of it."""


@checked
def spectral_labels(
    affinity: Any, n_clusters: Count, *, assign_labels: AssignLabels = "kmeans", random_state: RandomState = None
) -> np.ndarray:
    """Spectral clustering of an affinity.

    Parameters
    ----------
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
        Symmetric, non-negative. The diagonal counts in the degrees of the samples, as in a lazy random walk, where
        scikit-learn ignores it: the affinity of Algorithm 2 of PSSC has a unit diagonal and is clustered more steadily
        with it.
    n_clusters : int
        Number of clusters; 1 gives one label without any decomposition.
    assign_labels : {"kmeans", "discretize", "cluster_qr", "diffusion", "best"}, default="kmeans"
        How the embedding becomes labels. The first three as in :class:`sklearn.cluster.SpectralClustering`; but k-means
        works on rows of unit length (Ng, Jordan, Weiss, NIPS 2001), which is steadier: the lengths of the rows follow
        the degrees of the samples and say nothing about clusters. ``"diffusion"``: k-means on unit rows of
        ``6 * n_clusters + 1`` eigenvectors, each times its eigenvalue to the 8th power, eight steps of a random walk.
        ``"best"``: the one of :func:`candidate_labels` with the most :func:`edge_information`, from which a cluster is
        split and two are merged as long as that has more, and of further rounds of starts and such moves until two have
        found no better one, so that one graph has one answer as far as its score tells; unless another labelling is
        plainly fairer to clusters of uneven sizes: information I grows with the entropy H of the sizes. With I* and H*
        of the one with the most information, fairness is :math:`I - 0.9\\, (I^* / H^*) H`. Of all these labellings, the
        three fairest are split and merged as long as that makes them fairer, and the fairest of all is taken if it
        gains .025 of the logarithm of `n_clusters` or more.
    random_state : int, RandomState instance or None, default=None
        Randomness of the assignment.

    Returns
    -------
    labels : ndarray of shape (n_samples,), int64
        Consecutive from 0, in the order in which they first appear.

    Warns
    -----
    DegenerateAffinityWarning
        If samples are isolated, if all pairs are alike, if the graph falls into more components than clusters, or if
        almost all samples end in one cluster.
    """
    graph = _as_graph(affinity)
    n_samples = graph.shape[0]
    _check_n_clusters(n_clusters, n_samples)
    if n_clusters == 1:
        return np.zeros(n_samples, dtype=np.int64)
    if n_clusters == n_samples:
        return np.arange(n_samples)
    n_parts, part = _components(graph)
    _warn_if_degenerate(graph, n_parts, n_clusters)
    generator = generator_of(random_state)
    with _cores_for(graph):
        if assign_labels == "best":
            labels = _best_labels(graph, part, n_clusters, generator)
        else:
            n_vectors = _DIFFUSION_VECTORS * n_clusters + 1 if assign_labels == "diffusion" else n_clusters
            values, vectors = _eigenpairs(graph, part, n_vectors, generator)
            labels = _assign(values, vectors, n_clusters, assign_labels, generator)
    labels = numbered(labels)
    _warn_if_collapsed(labels, n_clusters)
    return labels


@checked
def spectral_embedding(
    affinity: Any, n_components: Count, *, random_state: RandomState = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Leading eigenvectors of the normalised affinity :math:`D^{-1/2} A D^{-1/2}`.

    Every connected component is decomposed on its own, so that none of the eigenvectors of a multiple eigenvalue 1
    (one for each component) can be lost, as an iterative solver on the whole graph loses them. Eigenvectors of the
    eigenvalue 1 are defined up to a rotation only; if there are more of them than `n_components`, a random rotation
    keeps a share of each component in the first ones.

    Parameters
    ----------
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
        Symmetric, non-negative; the diagonal counts.
    n_components : int
        Number of eigenvectors.
    random_state : int, RandomState instance or None, default=None
        Start of the iterative solver and the rotation above.

    Returns
    -------
    values : ndarray of shape (n_components,)
        Eigenvalues in descending order, at most 1. Samples without any affinity to others have eigenvalue 0, so that
        they take no cluster from those that have.
    vectors : ndarray of shape (n_samples, n_components)
        Eigenvectors, one a column, orthonormal.
    """
    graph = _as_graph(affinity)
    return _eigenpairs(graph, _components(graph)[1], n_components, generator_of(random_state))


@checked
def normalized_cut(affinity: Any, labels: ArrayLike) -> float:
    r"""Normalised cut of a labelling, :math:`\sum_k \mathrm{cut}(k) / \mathrm{vol}(k)`; the smaller, the better.

    Comparable between labellings of one affinity, and between affinities of equal density such as
    :func:`skdeepsc.affinity.top_affinity` gives.

    Parameters
    ----------
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
        Symmetric, non-negative. The diagonal is ignored.
    labels : array-like of shape (n_samples,)

    Returns
    -------
    cut : float
        Between 0 and the number of clusters. A cluster without any affinity counts as entirely cut.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepsc.segmentation import normalized_cut
    >>> normalized_cut(np.kron(np.eye(2), np.ones((3, 3))), [0, 0, 0, 1, 1, 1])
    0.0
    """
    return float(_cuts(_table(_edges(_as_graph(affinity)), as_labels("labels", labels, _n_rows(affinity))))[0])


@checked
def edge_information(affinity: Any, labels: ArrayLike) -> float:
    r"""Mutual information between the clusters at the two ends of an edge; the larger, the better.

    With :math:`e_{kl}` the share of the whole affinity that lies between the clusters k and l, and
    :math:`a_k = \sum_l e_{kl}`,

    .. math:: I = \sum_{kl} e_{kl} \log \frac{e_{kl}}{a_k a_l},

    which is, up to constants, the log-likelihood of the degree-corrected stochastic block model for a given number of
    clusters (Karrer, Newman, Phys. Rev. E 83, 2011, doi:10.1103/PhysRevE.83.016107). It asks of a labelling that few
    edges leave its clusters, as :func:`normalized_cut` does, and that knowing the clusters tells much about the edges:
    cutting a few samples off a cluster hardly adds to it, separating two large clusters does. Comparable between
    labellings of one affinity, and between affinities of equal density such as
    :func:`skdeepsc.affinity.top_affinity` gives.

    Parameters
    ----------
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
        Symmetric, non-negative. The diagonal is ignored.
    labels : array-like of shape (n_samples,)

    Returns
    -------
    information : float
        In nats, between 0 and the logarithm of the number of clusters; 0 without any affinity.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepsc.segmentation import edge_information
    >>> round(edge_information(np.kron(np.eye(2), np.ones((3, 3))), [0, 0, 0, 1, 1, 1]), 4)
    0.6931
    """
    return _edge_information(_edges(_as_graph(affinity)), as_labels("labels", labels, _n_rows(affinity)))


@checked
def candidate_labels(affinity: Any, n_clusters: Count, *, random_state: RandomState = None) -> dict[str, np.ndarray]:
    """Several labellings of one affinity from a single eigen-decomposition, to choose from.

    Parameters
    ----------
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
        Symmetric, non-negative; the diagonal counts.
    n_clusters : int
        Number of clusters.
    random_state : int, RandomState instance or None, default=None
        Randomness of the assignments.

    Returns
    -------
    candidates : dict of str to ndarray of shape (n_samples,), int
        k-means, from eight starts, on unit rows of the embedding (``"kmeans-1"`` to ``"kmeans-8"``) and after random
        walks of 8, 16 and 32 steps (``"diffusion-8-1"``, ...), see :func:`spectral_labels`; ``"cluster_qr"`` and
        ``"discretize"``. Assignments that fail on a degenerate embedding are left out.
    """
    return find_candidates(affinity, n_clusters, random_state)


def find_candidates(affinity, n_clusters, random_state, walks=_DIFFUSION_STEPS, n_starts=N_STARTS):
    """:func:`candidate_labels` of some random walks and starts."""
    graph, generator = _as_graph(affinity), generator_of(random_state)
    n_samples = graph.shape[0]
    _check_n_clusters(n_clusters, n_samples)
    if n_clusters in (1, n_samples):
        return {"only": np.arange(n_samples) % n_clusters}
    with _cores_for(graph):
        values, vectors = _walks(graph, _components(graph)[1], n_clusters, generator)
        candidates = _starts(_embeddings(values, vectors, n_clusters, walks), n_clusters, n_starts, generator)
        return candidates | _without_starts(values, vectors, n_clusters, generator)


@checked
def choose_n_clusters(
    affinity: Any, n_clusters: Any = None, *, random_state: RandomState = None
) -> tuple[int, dict[int, float]]:
    r"""The number of clusters that shortens the description of a graph most.

    With p the share of the affinity within clusters, s its expectation :math:`\sum_k a_k^2` by the shares :math:`a_k`
    of the clusters in all degrees, and the shares :math:`h_k` of samples, a labelling with K clusters saves, in nats,

    .. math:: E \Big[p \log \frac{p}{s} + (1 - p) \log \frac{1 - p}{1 - s}\Big] + n \sum_k h_k \log h_k
              - \log E - \frac{K}{2} \log n, \qquad E = 1.5 n,

    the likelihood of a planted partition of E independent edges, less what the labels, one rate and the degrees cost.
    For each number of clusters, the best of some labellings of one eigen-decomposition counts (:func:`cluster_qr` and
    k-means after a random walk of 8 steps). E was settled on image sets, where edges of neighbours are not independent.

    Parameters
    ----------
    affinity : ndarray or sparse array of shape (n_samples, n_samples)
        Symmetric, non-negative, sparse: that of the five largest coefficients of each row, as
        :func:`~skdeepsc.affinity.top_affinity` makes it. It should not depend on a number of clusters itself:
        coefficients of a ridge with a fixed number of degrees of freedom, or neighbours.
    n_clusters : iterable of int or None, default=None
        Numbers to try; ``None``: 2 to 16, then in steps of an eighth to 60, and all around the best of these, as far as
        there are four samples for each.
    random_state : int, RandomState instance or None, default=None
        Randomness of the labellings.

    Returns
    -------
    best : int
        The number with the largest saving; 1 if no number saves anything: there are no clusters.
    savings : dict of int to float
        Nats saved for each sample, by the number of clusters. Numbers that are nearly as good may be as right.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepsc.segmentation import choose_n_clusters
    >>> best, savings = choose_n_clusters(np.kron(np.eye(5), np.ones((8, 8))), random_state=0)
    >>> best
    5
    """
    graph, generator = _as_graph(affinity), generator_of(random_state)
    n_samples = graph.shape[0]
    numbers = _checked_numbers(n_clusters, n_samples)
    if not numbers:
        return 1, {}
    labeller = _Labeller(graph, max(numbers), generator)
    savings = {number: labeller.most(labeller.labellings(number)) for number in numbers}
    best = max(savings, key=lambda number: savings[number])
    if n_clusters is None:
        savings |= {number: labeller.most(labeller.labellings(number)) for number in _numbers_between(best, numbers)}
        best = max(savings, key=lambda number: savings[number])
    return (best if savings[best] > 0 else 1), dict(sorted(savings.items()))


def choose_by_graphs(graphs, seed, run):
    """The number of clusters that saves most in the mean of several graphs of the same samples.

    One graph may favour any of some neighbouring numbers, and its labellings for a number are of a few starts. Asked
    are the graphs of which some labelling saves nearly as much as of any; a number's saving is that of the one
    labelling, of whichever of them, that saves most in their mean.

    Parameters
    ----------
    graphs : list of csr_array
    seed : int
    run : callable
        Of :func:`~skdeepsc._threads.threads`.

    Returns
    -------
    best : int
    savings : dict of int to float
        As of :func:`choose_n_clusters`.
    """
    n_samples = graphs[0].shape[0]
    numbers = _checked_numbers(None, n_samples)
    if not numbers:
        return 1, {}

    def nearly(looks, saved, share):
        """Those that save nearly as much as any."""
        least = min(share * max(saved), max(saved))
        return [look for look, each in zip(looks, saved, strict=True) if each >= least]

    def mean_savings(labellers, found):
        """The most that a labelling for each number saves in the mean of the graphs."""
        pools = {number: np.concatenate([labellings[number] for labellings in found]) for number in found[0]}
        saved = run(lambda own: [[own.saving(labels) for labels in pool] for pool in pools.values()], labellers)
        return {number: float(np.mean(each, axis=0).max()) for number, *each in zip(pools, *saved, strict=True)}

    labellers = list(run(lambda graph: _Labeller(_as_graph(graph), max(numbers), generator_of(seed)), graphs))
    at_once = list(run(lambda own: max(own.most(own.at_once(number)) for number in numbers), labellers))
    labellers = nearly(labellers, at_once, _WORTH_STARTS) if max(at_once) > 0 else labellers
    looks = list(run(lambda own: (own, own.for_each(numbers)), labellers))
    reached = list(run(lambda look: max(map(look[0].most, look[1].values())), looks))
    asked, found = zip(*nearly(looks, reached, _NEARLY), strict=True)
    savings = mean_savings(asked, found)
    best = max(savings, key=savings.get)
    if savings[best] > 0 and (between := _numbers_between(best, numbers)):
        savings |= mean_savings(asked, list(run(lambda own: own.for_each(between), asked)))
        best = max(savings, key=savings.get)
    return (best if savings[best] > 0 else 1), dict(sorted(savings.items()))


def _numbers_between(best, numbers):
    """Numbers on both sides of the best one that ascending numbers leave out."""
    place = numbers.index(best)
    first, last = numbers[max(place - 1, 0)], numbers[min(place + 1, len(numbers) - 1)]
    return [number for number in range(first, last) if number not in numbers]


def relative_scores(affinity, labellings, n_clusters):
    """Scores of labellings that can be compared between graphs that keep the same number of coefficients a row.

    Parameters
    ----------
    affinity : csr_array of shape (n_samples, n_samples)
    labellings : list of ndarray of shape (n_samples,), int
        Of no more than `n_clusters` clusters.
    n_clusters : int

    Returns
    -------
    scores : ndarray of shape (n_labellings, 3)
        Edge information, the entropy of the shares of the clusters in all degrees, and normalised cut. The first two
        are divided by the logarithm of `n_clusters`; information counts times the share of rows with any coefficient,
        so that it lies in [0, 1]. Cut is divided by `n_clusters`, and clusters without samples count as cut. All are
        rounded to six decimals: of perfect graphs, the errors of float32 would choose.
    """
    expressed = affinity.sum() / affinity.shape[0]  # Rows that have coefficients sum to 1.
    unit, scores = np.log(max(n_clusters, 2)), []
    for tables in _tables(_edges(_as_graph(affinity)), labellings):
        entropies = entr(_shares(tables).sum(2)).sum(1)
        cuts = (_cuts(tables) + n_clusters - tables.shape[1]) / n_clusters
        scores.append(np.column_stack([expressed * _informations(tables) / unit, entropies / unit, cuts]))
    return np.concatenate(scores).round(6)


def fair_scores(information, entropy):
    r"""Edge information of labellings less what clusters of equal size account for, whatever the sizes.

    Information I is bounded by the entropy H of the clusters' shares of the degrees, hardly other than that of their
    sizes where degrees are alike, and so it pays for clusters of equal size: half of a large
    cluster may say more than a small one. Half of a cluster is cut through the middle of it, though, and says less for
    its share of the entropy than the clusters do on the whole: the score is :math:`I - 0.9\, (I^* / H^*) H`, with those
    of the labelling with the most information, I* and H*.

    Parameters
    ----------
    information, entropy : ndarray of shape (n_labellings,)
        The first labelling has the most information.

    Returns
    -------
    scores : ndarray of shape (n_labellings,)
    """
    return information - _entropy_price(information[0], entropy[0]) * entropy


def _entropy_price(information, entropy):
    """What fair scores take off for each nat of entropy."""
    return _FAIR_SHARE * information / (entropy or 1)


def match_labels(labels: ArrayLike, reference: ArrayLike) -> np.ndarray:
    """Rename `labels` so that they agree with `reference` on as many samples as possible (Hungarian method).

    Parameters
    ----------
    labels, reference : array-like of shape (n_samples,), int
        Two clusterings of the same samples, the numbers of clusters may differ.

    Returns
    -------
    matched : ndarray of shape (n_samples,)
        `labels` under their best matching names; clusters without a partner get names that `reference` does not use.

    Examples
    --------
    >>> from skdeepsc.segmentation import match_labels
    >>> match_labels([0, 0, 1, 2], [4, 4, 0, 0])
    array([4, 4, 0, 1])
    """
    found, known = as_pair("labels", labels, "reference", reference)
    if known.dtype.kind not in "iu":
        raise ValueError(f"reference must hold integers, clusters without a partner get new ones; got {known.dtype}.")
    clusters, found = np.unique(found, return_inverse=True)
    names, known = np.unique(known, return_inverse=True)
    rows, columns = linear_sum_assignment(contingency_matrix(found, known), maximize=True)
    alone = np.setdiff1d(np.arange(len(clusters)), rows)
    unused = np.setdiff1d(np.arange(len(names) + len(clusters)), names)
    holds_all = np.min_scalar_type(len(names) + len(clusters))
    matched = np.empty(len(clusters), dtype=np.promote_types(names.dtype, holds_all))
    matched[rows] = names[columns]
    matched[alone] = unused[: len(alone)]
    return matched[found]


def warn_if_degenerate(affinity, labels, n_clusters):
    """Warn, as :func:`spectral_labels` does, of an affinity or a labelling that should not be trusted."""
    graph = _as_graph(affinity)
    if 1 < n_clusters < graph.shape[0]:
        _warn_if_degenerate(graph, _components(graph)[0], n_clusters)
        _warn_if_collapsed(labels, n_clusters)


def _cores_for(graph):
    """All cores for the eigenpairs of a large dense graph; sparse ones, and k-means, gain nothing from a second one."""
    return blas_on_one_core(sparse.issparse(graph) or len(graph) <= _SPARSE_LIMIT)


def _assign(values, vectors, n_clusters, assign_labels, generator):
    leading = vectors[:, :n_clusters]
    if assign_labels == "kmeans":
        return _k_means(unit_rows(leading, floor=NO_LENGTH), n_clusters, generator)
    if assign_labels == "diffusion":
        return _k_means(_diffused(values, vectors, 8), n_clusters, generator)
    if assign_labels == "cluster_qr":
        return cluster_qr(leading)
    if assign_labels == "discretize":
        return discretize(_off_zero(leading), random_state=generator)
    raise ValueError(
        f"assign_labels must be 'kmeans', 'discretize', 'cluster_qr', 'diffusion' or 'best'; got {assign_labels!r}."
    )


def _k_means(rows, n_clusters, generator):
    labels, inertia = k_means_starts(rows, n_clusters, 10, generator)
    return labels[inertia.argmin()]


def _best_labels(graph, part, n_clusters, generator):
    """The labelling with the most edge information, or the fairest, after rounds of starts and moves."""
    values, vectors = _walks(graph, part, n_clusters, generator)
    embeddings = _embeddings(values, vectors, n_clusters, _DIFFUSION_STEPS)
    edges, split = _edges(graph), [embeddings[name] for name in _SPLIT]
    candidates, kept, most, stale = _without_starts(values, vectors, n_clusters, generator), [], -np.inf, 0
    for _ in range(_MOST_ROUNDS):
        candidates |= _starts(embeddings, n_clusters, N_STARTS, generator)
        found = _with_scores(edges, list(candidates.values()))
        information, _, labels = max(found, key=lambda scored: scored[0])
        least = _LEAST_GAIN * abs(information)
        (moved,) = _with_scores(edges, [split_and_merge(_numbered(labels)[0], edges, split, least, generator)])
        stale = 0 if moved[0] > most + least else stale + 1
        most, kept, candidates = max(most, moved[0]), _undominated([*kept, *_whole(found, n_clusters), moved]), {}
        if stale == _PATIENCE:
            break
    fairer = _with_scores(edges, _fairer(kept, edges, split, generator))
    kept = _undominated([*kept, *_whole(fairer, n_clusters)])
    fairness = _fairness(kept)
    fairest = int(fairness.argmax())
    return kept[fairest if fairness[fairest] > fairness[0] + _FAIR_GAIN * np.log(n_clusters) else 0][2]


def _fairer(kept, edges, embeddings, generator):
    """The fairest labellings, after moves that make them fairer."""
    (information, entropy, _), least = kept[0], _LEAST_GAIN * abs(kept[0][0])
    starts = [kept[place][2] for place in np.argsort(-_fairness(kept), kind="stable")[:_FAIR_STARTS]]
    price = _entropy_price(information, entropy)
    return [split_and_merge(_numbered(labels)[0], edges, embeddings, least, generator, price) for labels in starts]


def _fairness(scored):
    """Fair scores of labellings, the one with the most information first."""
    information, entropy, _ = zip(*scored, strict=True)
    return fair_scores(np.array(information), np.array(entropy))


def _whole(scored, n_clusters):
    """Those that have as many clusters as were asked for."""
    return [each for each in scored if np.count_nonzero(np.bincount(each[2])) == n_clusters]


def _with_scores(edges, labellings):
    """Edge information, and the entropy of the sizes of the clusters, beside each of some labellings."""
    information = np.concatenate([_informations(tables) for tables in _tables(edges, labellings)])
    entropies = [entr(np.bincount(labels) / len(labels)).sum() for labels in labellings]
    return list(zip(information.tolist(), entropies, labellings, strict=True))


def _undominated(scored):
    """Labellings with less entropy than any that has as much information, those with more information first."""
    kept, least = [], np.inf
    for each in sorted(scored, key=lambda each: (-each[0], each[1])):
        if each[1] < least:
            kept.append(each)
            least = each[1]
    return kept


def _walks(graph, part, n_clusters, generator):
    return _eigenpairs(graph, part, _DIFFUSION_VECTORS * n_clusters + 1, generator)


def _embeddings(values, vectors, n_clusters, walks):
    """Unit rows in which k-means looks for clusters, by name."""
    embeddings = {"kmeans": unit_rows(vectors[:, :n_clusters], floor=NO_LENGTH)}
    return embeddings | {f"diffusion-{steps}": _diffused(values, vectors, steps) for steps in walks}


def _starts(embeddings, n_clusters, n_starts, generator):
    """Labellings of some starts of k-means on each embedding, by name."""
    labellings = {}
    for name, rows in embeddings.items():
        labels, _ = k_means_starts(rows, n_clusters, n_starts, generator)
        labellings |= {f"{name}-{start}": found for start, found in enumerate(labels, 1)}
    return labellings


def _without_starts(values, vectors, n_clusters, generator):
    """Labellings of one embedding that need no starts, by name."""
    labellings = {}
    for name in ("cluster_qr", "discretize"):
        with suppress(np.linalg.LinAlgError):
            labellings[name] = _assign(values, vectors, n_clusters, name, generator)
    return labellings


def _diffused(values, vectors, n_steps):
    """Unit rows of the embedding after some steps of a random walk on the graph."""
    return unit_rows(vectors * np.maximum(values, 0) ** n_steps, floor=NO_LENGTH)


class _Labeller:
    """Labellings of a graph for each number of clusters, at most `most`, of one eigen-decomposition; what they save."""

    def __init__(self, graph, most, generator):
        self._values, self._vectors = _eigenpairs(graph, _components(graph)[1], 2 * most + 1, generator)
        self._edges, self._generator, self._at_once = _edges(graph), generator, {}

    def at_once(self, number):
        """The labelling that needs no starts, if there is one."""
        if number not in self._at_once:
            with suppress(np.linalg.LinAlgError):
                found = _assign(self._values, self._vectors, number, "cluster_qr", self._generator)
                self._at_once[number] = [found]
        return self._at_once.get(number, [])

    def labellings(self, number):
        width = min(2 * number + 1, self._vectors.shape[1])
        embedding = {"diffusion": _diffused(self._values[:width], self._vectors[:, :width], 8)}
        return [*_starts(embedding, number, 2, self._generator).values(), *self.at_once(number)]

    def for_each(self, numbers):
        return {number: np.array(self.labellings(number), dtype=np.int16) for number in numbers}

    def saving(self, labels):
        """Nats for each sample by which a labelling shortens the description, see :func:`choose_n_clusters`."""
        return _saving(self._edges, labels, len(self._vectors))

    def most(self, labellings):
        return max(map(self.saving, labellings), default=-np.inf)


def _checked_numbers(n_clusters, n_samples):
    """Numbers of clusters to try, ascending."""
    if n_clusters is not None:
        try:
            numbers = np.unique(np.fromiter(() if isinstance(n_clusters, str) else n_clusters, dtype=float))
        except (TypeError, ValueError):
            numbers = np.empty(0)
        if not len(numbers) or not (numbers[0] >= 2 and numbers[-1] <= n_samples) or (numbers % 1).any():
            raise ValueError(
                f"n_clusters must hold whole numbers from 2 to n_samples = {n_samples}; got {n_clusters!r}."
            )
        return numbers.astype(int).tolist()
    numbers = list(range(2, 17))
    while numbers[-1] < 60:
        numbers.append(numbers[-1] + numbers[-1] // 8)
    return [number for number in numbers if 4 * number <= n_samples]


def _saving(edges, labels, n_samples):
    """Nats for each sample that a labelling saves in the description of a graph, see :func:`choose_n_clusters`."""
    between = _table(edges, labels)[0]
    total = between.sum()
    if total == 0:
        return -np.inf
    ends, sizes = between.sum(1) / total, np.bincount(np.unique(labels, return_inverse=True)[1]) / n_samples
    within, expected = min(between.trace() / total, 1.0), ends @ ends  # Rounded, it may be more.
    if within <= expected or len(sizes) == 1:
        return -np.inf
    n_edges = 1.5 * n_samples
    likelihood = float(n_edges * (rel_entr(within, expected) + rel_entr(1 - within, 1 - expected)))
    price = n_samples * entr(sizes).sum() + np.log(n_edges) + len(sizes) / 2 * np.log(n_samples)
    return float(likelihood - price) / n_samples


def _edges(graph):
    """Ends and weights of the edges between different samples, each pair twice."""
    edges = sparse.coo_array(graph)
    apart = edges.row != edges.col
    return edges.row[apart], edges.col[apart], edges.data[apart]


def _tables(edges, labellings):
    """Affinity from each cluster to each, of some labellings at a time, shape (n_some, n_clusters, n_clusters).

    Clusters that only other labellings have are empty.
    """
    row, col, weights = edges
    labellings = [_numbered(labels)[0] for labels in labellings]
    n_clusters = max(labels.max() for labels in labellings) + 1
    n_at_once = max(1, _HELD // n_clusters**2)
    for start in range(0, len(labellings), n_at_once):
        pairs = (labels[row] * n_clusters + labels[col] for labels in labellings[start : start + n_at_once])
        tables = [np.bincount(pair, weights, minlength=n_clusters**2) for pair in pairs]
        yield np.array(tables, dtype=np.float64).reshape(-1, n_clusters, n_clusters)  # Without edges they are of int.


def _table(edges, labels):
    """That of one labelling, shape (1, n_clusters, n_clusters)."""
    return next(_tables(edges, [labels]))


def _shares(tables):
    """Tables divided by their sums; without any affinity, zeros."""
    totals = tables.sum((1, 2), keepdims=True)
    return tables / np.where(totals == 0, 1, totals)


def _cuts(tables):
    """Normalised cut of each table."""
    inside, volume = tables.diagonal(axis1=1, axis2=2), tables.sum(2)
    kept = np.divide(inside, volume, out=np.zeros_like(volume), where=volume > 0)
    return np.minimum(np.maximum(1 - kept, 0), 1).sum(1)


def _informations(tables):
    """Edge information of each table."""
    shares = _shares(tables)
    ends = shares.sum(2)
    expected = ends[:, :, None] * ends[:, None]
    return rel_entr(shares, np.maximum(expected, np.finfo(np.float64).tiny)).sum((1, 2))


def _edge_information(edges, labels):
    return float(_informations(_table(edges, labels))[0])


def _numbered(labels):
    """The clusters of samples by numbers from 0, in the order of their labels, and how many they are."""
    if labels.dtype.kind == "i" and len(labels) and labels.min() >= 0 and labels.max() < len(labels):
        holds_any = np.bincount(labels) > 0  # Without sorting.
        return (np.cumsum(holds_any) - 1)[labels], int(holds_any.sum())
    clusters, labels = np.unique(labels, return_inverse=True)
    return labels, len(clusters)


def _off_zero(vectors):
    """Rows of zeros (isolated samples) moved to the middle of the embedding, where `discretize` can assign them."""
    lengths = np.linalg.norm(vectors, axis=1)
    lost = lengths < NO_LENGTH
    if not lost.any():
        return vectors
    vectors = vectors.copy()
    vectors[lost] = vectors[~lost].mean(axis=0) if not lost.all() else 1.0
    vectors[np.linalg.norm(vectors, axis=1) < NO_LENGTH] = 1.0
    return vectors


def _eigenpairs(graph, part, n_components, generator):
    """Leading eigenpairs of a graph, component by component."""
    n_samples = graph.shape[0]
    n_components = min(n_components, n_samples)
    if part.max() == 0:
        return _connected_eigenpairs(graph, n_components, generator)

    members = np.split(np.argsort(part, kind="stable"), np.cumsum(np.bincount(part))[:-1])
    values, columns, owners = [], [], []
    for rows in members:
        block = graph[np.ix_(rows, rows)]
        block_values, block_vectors = _connected_eigenpairs(block, min(n_components, len(rows)), generator)
        values.append(block_values)
        columns.extend(block_vectors.T)
        owners.extend([rows] * len(block_values))
    values = np.concatenate(values)
    best = np.argsort(-values, kind="stable")[: max(n_components, np.sum(values > 1 - 1e-9))]
    # More of the eigenvalue 1 than wanted: random combinations, so that each part has its share in the first ones.
    rotation = np.eye(len(best))
    if len(best) > n_components:
        rotation = np.linalg.qr(generator.normal(size=(len(best), n_components)))[0]
    vectors = np.zeros((n_samples, rotation.shape[1]))
    for column, share in zip(best, rotation, strict=True):
        vectors[owners[column]] += np.outer(columns[column], share)
    return values[best][:n_components], vectors


def _connected_eigenpairs(graph, n_components, generator):
    """Leading eigenpairs of the normalised affinity of one connected component."""
    n_samples = graph.shape[0]
    if n_samples == 1:
        return np.zeros(1), np.ones((1, 1))
    scale = 1 / np.sqrt(_degrees(graph))
    if sparse.issparse(graph):
        data = np.repeat(scale, np.diff(graph.indptr)) * graph.data * scale[graph.indices]
        normalized = sparse.csc_array((data, graph.indices, graph.indptr), shape=graph.shape)  # It is symmetric.
    else:
        normalized = scale[:, None] * graph * scale
    if n_samples <= (_SPARSE_LIMIT if sparse.issparse(graph) else _DENSE_LIMIT) or n_components > n_samples // 5:
        values, vectors = _dense_eigenpairs(normalized, n_components)
    elif sparse.issparse(graph) and graph.nnz > _FACTOR_EDGES * n_samples:
        values, vectors = _iterated_eigenpairs(normalized, n_components, generator)
    elif not sparse.issparse(graph) or n_samples <= _FACTOR_LIMIT:
        values, vectors = _factored_eigenpairs(normalized, n_components, generator)
    else:
        try:
            values, vectors = _iterated_eigenpairs(normalized, n_components, generator, _MOST_RESTARTS)
        except ArpackNoConvergence as error:
            crowd = np.sum(error.eigenvalues > _CLOSE_TO_1) >= _CROWD
            further = _factored_eigenpairs if crowd else _iterated_eigenpairs
            values, vectors = further(normalized, n_components, generator)
    best = np.argsort(-values, kind="stable")[:n_components]
    values, vectors = np.minimum(values[best], 1.0), vectors[:, best]
    values[0] = 1.0  # By rounding errors, the order of a graph's parts would hang on the processor.
    return values, svd_flip(vectors, None)[0]


def _dense_eigenpairs(normalized, n_components, generator=None):
    matrix, n_samples = normalized.toarray() if sparse.issparse(normalized) else normalized, normalized.shape[0]
    window = (n_samples - n_components, n_samples - 1)
    try:
        return eigh(matrix, subset_by_index=window, check_finite=False)
    except np.linalg.LinAlgError:  # It can fail where eigenvalues bunch, as those of a complete graph do.
        values, vectors = all_eigenpairs(matrix)
        return values[-n_components:], vectors[:, -n_components:]


def _iterated_eigenpairs(normalized, n_components, generator, most_restarts=None):
    """Leading eigenpairs by Lanczos iterations with the graph itself.

    More of them than needed: nearly separate parts have nearly equal eigenvalues, and some would be missed.
    """
    n_samples = normalized.shape[0]
    wanted, start = min(2 * n_components + 10, n_samples - 2), generator.uniform(-1, 1, n_samples)
    return eigsh(normalized, k=wanted, which="LA", v0=start, maxiter=most_restarts)


def _factored_eigenpairs(normalized, n_components, generator):
    """Leading eigenpairs by factors of the Laplacian, or where those do not give them, by another solver."""
    found = _inverted_eigenpairs(normalized, n_components, generator)
    if found is not None:
        return found
    direct = not sparse.issparse(normalized) or normalized.shape[0] <= _FACTOR_LIMIT
    return (_dense_eigenpairs if direct else _iterated_eigenpairs)(normalized, n_components, generator)


def _inverted_eigenpairs(normalized, n_components, generator):
    """Leading eigenpairs by Lanczos iterations with the inverse of the shifted Laplacian; None if some may be lost.

    The inverse pulls apart eigenvalues that crowd below 1, those of groups that hang together by weak edges, where
    iterations with the graph itself crawl and lose some. What is not found all the same would grow in a few
    applications of the inverse to what is orthogonal to the found ones.
    """
    n_samples = normalized.shape[0]
    solve = _inverse_laplacian(normalized)
    inverse = LinearOperator(normalized.shape, matvec=solve, dtype=np.float64)
    wanted, start = min(n_components + _MORE_VECTORS, n_samples - 2), generator.uniform(-1, 1, n_samples)
    most_restarts = None if sparse.issparse(normalized) else _DENSE_RESTARTS
    try:
        inverted, vectors = eigsh(inverse, k=wanted, which="LA", v0=start, maxiter=most_restarts)
    except ArpackError:
        return None
    probe = generator.uniform(-1, 1, (n_samples, 2))
    for _ in range(3):
        probe = np.linalg.qr(probe - vectors @ (vectors.T @ probe))[0]
        probe = solve(probe)
    probe = np.linalg.qr(probe - vectors @ (vectors.T @ probe))[0]
    rest = np.linalg.norm(solve(probe), axis=0).max()
    if rest > (1 + 1e-9) * np.sort(inverted)[-n_components]:
        return None
    return 1 + _SHIFT - 1 / inverted, vectors


def _inverse_laplacian(normalized):
    """What applies the inverse of the shifted Laplacian to vectors, by its factors."""
    if sparse.issparse(normalized):
        laplacian = (1 + _SHIFT) * sparse.eye_array(normalized.shape[0], format="csc") - normalized
        return splu(laplacian, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True}).solve
    laplacian = -normalized
    np.fill_diagonal(laplacian, 1 + _SHIFT - normalized.diagonal())
    factors = cho_factor(laplacian.T, lower=True, overwrite_a=True, check_finite=False)
    return partial(cho_solve, factors, check_finite=False)


def _check_n_clusters(n_clusters, n_samples):
    if n_clusters > n_samples:
        raise ValueError(f"n_clusters={n_clusters} must not be larger than the number of samples, {n_samples}.")


def _n_rows(affinity):
    """How many labels an affinity asks for; None where it is no matrix, which is refused by itself."""
    shape = getattr(affinity, "shape", None) or ([len(affinity)] if isinstance(affinity, list | tuple) else [None])
    return shape[0]


def _as_graph(affinity):
    """A checked float64 copy of an affinity, dense or CSR, divided by a power of 2 such that it is at most 1."""
    any_shape = {"ensure_2d": False, "allow_nd": True, "ensure_min_samples": 0, "ensure_min_features": 0}
    graph = as_numbers(
        "affinity", affinity, accept_sparse="csr", dtype=np.float64, copy=True, ensure_all_finite=False, **any_shape
    )
    if sparse.issparse(graph):
        graph = sparse.csr_array(graph)
        graph.sum_duplicates()
    values = graph.data if sparse.issparse(graph) else graph
    if graph.ndim != 2 or graph.shape[0] != graph.shape[1] or not graph.shape[0]:
        raise ValueError(f"affinity must be a square matrix of at least one sample; got shape {graph.shape}.")
    if not np.isfinite(values).all() or (values.size and values.min() < 0):
        raise ValueError("affinity must be finite and non-negative; it holds NaN, infinite or negative entries.")
    np.ldexp(values, -exponent_of(values), out=values)  # The same graph at every scale, to the bit.
    if sparse.issparse(graph):
        graph.eliminate_zeros()  # They are no edges, as they are none in a dense matrix.
    if not _is_symmetric(graph):
        raise ValueError("affinity must be symmetric; e.g. take the larger, or the mean, of the two entries of a pair.")
    return graph


def _is_symmetric(graph):
    """Whether edges are the same both ways, but for rounding; loops, which may be far larger, are left out."""
    probe = np.cos(np.arange(graph.shape[0]))
    if sparse.issparse(graph):
        edges = graph.tocoo()
        is_edge = edges.row != edges.col
        row, column, weights = edges.row[is_edge], edges.col[is_edge], edges.data[is_edge]
        rows = np.bincount(row, weights * probe[column], minlength=len(probe))
        columns = np.bincount(column, weights * probe[row], minlength=len(probe))
        degrees, largest = np.bincount(row, weights, minlength=len(probe)), weights.max(initial=0)
    else:
        loops = graph.diagonal().copy()
        np.fill_diagonal(graph, 0)
        rows, columns, degrees, largest = graph @ probe, graph.T @ probe, graph.sum(axis=1), graph.max()
        np.fill_diagonal(graph, loops)
    return bool((np.abs(rows - columns) <= _ASYMMETRY * degrees + 1e-6 * (largest or 1)).all())


def _degrees(graph):
    return np.asarray(graph.sum(axis=1)).ravel()


def _components(graph):
    """Number of connected components and the component of each sample."""
    if (
        not sparse.issparse(graph)
        and (np.count_nonzero(graph, axis=1) - (graph.diagonal() > 0) == len(graph) - 1).any()
    ):
        return 1, np.zeros(len(graph), dtype=int)  # One sample is linked to all others.
    # Of numbers, scipy takes those below 1e-8 for no edges where the graph is dense.
    return connected_components(graph if sparse.issparse(graph) else graph > 0, directed=False)


def _warn_if_degenerate(graph, n_parts, n_clusters):
    n_samples = graph.shape[0]
    loops = graph.diagonal()
    strength = _degrees(graph) - loops
    isolated = int(np.sum(strength <= 1e-14 * loops))
    if isolated:
        _warn(
            f"{isolated} of {n_samples} samples have no affinity to any other sample; their labels are arbitrary. "
            f"{advice_or('Keep more coefficients of each sample.')}"
        )
    if n_parts - isolated > n_clusters:
        _warn(
            f"The affinity falls into {n_parts - isolated} connected components, more than n_clusters={n_clusters}; "
            f"which of them share a cluster is arbitrary. {advice_or('Keep more coefficients of each sample.')}"
        )
    values = graph.data if sparse.issparse(graph) else graph.ravel()
    squares, n_pairs = values @ values - loops @ loops, n_samples * (n_samples - 1)
    if squares > 0 and strength.sum() ** 2 >= (1 - 1e-9) * n_pairs * squares:  # Equal only for equal entries.
        _warn("All pairs of samples have the same affinity: there is nothing to cluster by.")


def _warn_if_collapsed(labels, n_clusters):
    sizes = np.bincount(labels)
    if len(sizes) < n_clusters:
        _warn(f"Only {len(sizes)} of n_clusters={n_clusters} clusters hold any sample.")
    elif len(labels) >= 5 * n_clusters and sizes.max() > (1 - 0.125 * min(n_clusters - 1, 4)) * len(labels):
        _warn(
            f"One of {n_clusters} clusters holds {sizes.max()} of {len(labels)} samples: unless classes are as uneven, "
            f"the affinity has collapsed. {advice_or('Try another affinity.')}"
        )


def _warn(message):
    warn_user(message, DegenerateAffinityWarning)
