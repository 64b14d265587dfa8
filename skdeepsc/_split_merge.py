"""Better labellings of a graph: one cluster is split and two are merged, as long as edges then say more."""

import numpy as np
from scipy.special import xlogy

from ._kmeans import two_means

# Steps at the most, and starts of 2-means in each embedding for the split of a cluster.
_MOST_STEPS, _N_STARTS = 20, 2


def split_and_merge(labels, edges, embeddings, least, generator):
    r"""A labelling with as many clusters and as much edge information or more.

    k-means often ends with one cluster in two and two in one, and it takes many starts until one does not. A step does
    at once what mends that: it splits a cluster by 2-means and merges two. With the shares e of the affinity between
    clusters and their sums a, the information is :math:`\sum_{kl} e_{kl} \log e_{kl} - 2 \sum_k a_k \log a_k`; each
    split is tried with each merger, and only those of the new halves are reckoned exactly, until one is chosen.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,), int
        From 0 to n_clusters - 1, each in use.
    edges : tuple of ndarray
        Ends and weights of the edges between different samples, each pair twice.
    embeddings : list of ndarray of shape (n_samples, n_components)
        Rows for 2-means.
    least : float
        What a step must add, in nats.
    generator : RandomState

    Returns
    -------
    labels : ndarray of shape (n_samples,), int
    """
    n_clusters, splits = labels.max() + 1, {}
    rows, cols, weights = edges
    weights = weights / (weights.sum() or 1)

    def shares_of(labels):
        pairs = labels[rows] * n_clusters + labels[cols]
        return np.bincount(pairs, weights, minlength=n_clusters**2).reshape(n_clusters, n_clusters)

    shares = shares_of(labels)
    information = _information(shares)
    for _ in range(_MOST_STEPS if n_clusters > 2 else 0):
        mergers, moves = _merger_gains(shares, np.arange(n_clusters)), []
        members = [np.flatnonzero(labels == cluster) for cluster in range(n_clusters)]
        unsplit = {group.tobytes(): group for group in members if group.tobytes() not in splits}
        splits |= dict(zip(unsplit, _halves(list(unsplit.values()), embeddings, generator), strict=True))
        for cluster, group in enumerate(members):
            own = np.flatnonzero(labels[rows] == cluster)
            for half in splits[group.tobytes()]:
                apart = labels.copy()
                apart[half] = n_clusters
                ends = own[apart[rows[own]] == n_clusters]
                ends = np.bincount(apart[cols[ends]], weights[ends], minlength=n_clusters + 1)
                moves.append((*_best_merger(shares, cluster, ends, mergers), half))
        reached, gone, kept, half = max(moves, key=lambda move: move[0], default=(information, 0, 0, None))
        if reached <= information + least:
            break
        moved = labels.copy()
        moved[half] = n_clusters
        moved[moved == gone] = kept
        moved[moved == n_clusters] = gone  # Its number is free, unless it was the half that has gone.
        found = shares_of(moved)
        reached = _information(found)
        if reached <= information + least:
            break
        labels, shares, information = moved, found, reached
    return labels


def _halves(groups, embeddings, generator):
    """For each group, rows that may leave it, each choice once."""
    found = [{} for _ in groups]
    for embedding in embeddings if groups else ():
        halves = two_means(embedding, groups, _N_STARTS, generator)
        for group, choices, of_group in zip(groups, found, halves, strict=True):
            choices |= {half.tobytes(): group[half] for half in of_group if half.any()}
    return [choices.values() for choices in found]


def _best_merger(shares, cluster, ends, mergers):
    """The most that is reached, and which cluster joins which, once a part of one has become the last cluster."""
    last = len(shares)
    after = np.zeros((last + 1, last + 1))
    after[:last, :last], after[last], after[:, last] = shares, ends, ends
    after[cluster, :last] -= ends[:last]
    after[:last, cluster] -= ends[:last]
    after[cluster, cluster] -= ends[last]
    np.maximum(after, 0, out=after)  # What is 0 may be less, rounded.
    gains = np.full((last + 1, last), -np.inf)
    gains[:last] = mergers
    gains[:, cluster] = -np.inf  # Its parts are looked at now.
    gains[cluster], gains[last] = _merger_gains(after, np.array([cluster, last]))[:, :last]
    gains[last, cluster] = -np.inf  # That would undo it.
    gone, kept = np.unravel_index(gains.argmax(), gains.shape)
    return _information(after) + gains[gone, kept], gone, kept


def _merger_gains(shares, clusters):
    """What information becomes more by, or less, if some clusters are merged with each other one."""
    sums, terms = shares.sum(1), xlogy(shares, shares)
    gains = np.empty((len(clusters), len(shares)))
    for gain, i in zip(gains, clusters, strict=True):
        both = xlogy(shares[i] + shares, shares[i] + shares) - terms[i] - terms
        outside = both.sum(1) - both.diagonal() - both[:, i]
        inside = shares[i, i] + shares.diagonal() + 2 * shares[i]
        gain[:] = 2 * outside + xlogy(inside, inside) - terms[i, i] - terms.diagonal() - 2 * terms[i]
        gain -= 2 * (xlogy(sums[i] + sums, sums[i] + sums) - xlogy(sums[i], sums[i]) - xlogy(sums, sums))
        gain[i] = -np.inf
    return gains


def _information(shares):
    sums = shares.sum(1)
    return xlogy(shares, shares).sum() - 2 * xlogy(sums, sums).sum()
