"""Better labellings of a graph: one cluster is split and two are merged, as long as edges then say more."""

import numpy as np
from scipy.special import xlogy

from ._kmeans import two_means

# Steps at the most, and starts of 2-means in each embedding for the split of a cluster.
_MOST_STEPS, _N_STARTS = 20, 2
# Values of tables of shares that are held at once.
_HELD = 2**16


def split_and_merge(labels, edges, embeddings, least, generator, price=0.0):
    r"""A labelling with as many clusters and as much edge information, or as large a fair score, or more.

    k-means often ends with one cluster in two and two in one, and it takes many starts until one does not. A step does
    at once what mends that: it splits a cluster by 2-means and merges two. With the shares e of the affinity between
    clusters and their sums a, the information is :math:`\sum_{kl} e_{kl} \log e_{kl} - 2 \sum_k a_k \log a_k`; each
    split is tried with each merger, and only those of the new halves are reckoned exactly, until one is chosen. A fair
    score is the information less a multiple of the entropy :math:`-\sum_k a_k \log a_k`.

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
    price : float, default=0
        The multiple of the entropy.

    Returns
    -------
    labels : ndarray of shape (n_samples,), int
    """
    n_clusters, splits = labels.max() + 1, {}
    rows, cols, weights = edges
    edges = rows, cols, weights / (weights.sum() or 1)
    shares, score = _table(labels, edges, n_clusters, price)
    for _ in range(_MOST_STEPS if n_clusters > 2 else 0):
        members = [np.flatnonzero(labels == cluster) for cluster in range(n_clusters)]
        unsplit = {group.tobytes(): group for group in members if group.tobytes() not in splits}
        splits |= dict(zip(unsplit, _halves(list(unsplit.values()), embeddings, generator), strict=True))
        halves = [(cluster, half) for cluster, group in enumerate(members) for half in splits[group.tobytes()]]
        if not halves:
            break
        reached, gone, kept = _best_moves(shares, *_parted(labels, edges, halves), price)
        move = reached.argmax()
        if reached[move] <= score + least:
            break
        moved = labels.copy()
        moved[halves[move][1]] = n_clusters
        moved[moved == gone[move]] = kept[move]
        moved[moved == n_clusters] = gone[move]  # Its number is free, unless it was the half that has gone.
        found, exact = _table(moved, edges, n_clusters, price)
        if exact <= score + least:
            break
        labels, shares, score = moved, found, exact
    return labels


def _table(labels, edges, n_clusters, price):
    """Shares of the affinity between clusters, and their score."""
    rows, cols, weights = edges
    pairs = labels[rows] * n_clusters + labels[cols]
    shares = np.bincount(pairs, weights, minlength=n_clusters**2).reshape(n_clusters, n_clusters)
    return shares, _scores(shares[None], xlogy(shares, shares)[None], price)[0]


def _halves(groups, embeddings, generator):
    """For each group, rows that may leave it, each choice once."""
    found = [{} for _ in groups]
    for embedding in embeddings if groups else ():
        halves = two_means(embedding, groups, _N_STARTS, generator)
        for group, choices, of_group in zip(groups, found, halves, strict=True):
            choices |= {half.tobytes(): group[half] for half in of_group if half.any()}
    return [choices.values() for choices in found]


def _parted(labels, edges, halves):
    """The cluster that each half leaves, and the shares of the affinity between the half and the clusters then."""
    rows, cols, weights = edges
    last, ends = labels.max() + 1, []
    own = {cluster: np.flatnonzero(labels[rows] == cluster) for cluster in dict(halves)}
    for cluster, half in halves:
        apart = labels.copy()
        apart[half] = last
        leaves = own[cluster][apart[rows[own[cluster]]] == last]
        ends.append(np.bincount(apart[cols[leaves]], weights[leaves], minlength=last + 1))
    return np.array([cluster for cluster, _ in halves]), np.array(ends)


def _best_moves(shares, clusters, ends, price):
    """For parts of some clusters: the most that is reached once they are clusters, and which cluster joins which."""
    mergers, found = _gains_of_all(shares, price), []
    for block in _blocks(len(clusters), ends.shape[1]):
        found.append(_best_mergers(shares, clusters[block], ends[block], mergers, price))
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _best_mergers(shares, clusters, ends, mergers, price):
    """Those of a block of moves; each has a table in which the part of a cluster is the last one."""
    each, last = np.arange(len(clusters)), len(shares)
    after = np.zeros((len(each), last + 1, last + 1))
    after[:, :last, :last], after[:, last], after[:, :, last] = shares, ends, ends
    after[each, clusters, :last] -= ends[:, :last]
    after[each, :last, clusters] -= ends[:, :last]
    after[each, clusters, clusters] -= ends[:, last]
    np.maximum(after, 0, out=after)  # What is 0 may be less, rounded.
    terms = xlogy(after, after)
    gains = np.empty((len(each), last + 1, last))
    gains[:, :last] = mergers
    gains[each, :, clusters] = -np.inf  # Its parts are looked at now.
    for parts in (clusters, np.full_like(clusters, last)):
        gains[each, parts] = _merger_gains(after, terms, parts, price)[:, :last]
    gains[:, last][each, clusters] = -np.inf  # That would undo it.
    gains = gains.reshape(len(each), -1)
    best = gains.argmax(1)
    return _scores(after, terms, price) + gains[each, best], best // last, best % last


def _gains_of_all(shares, price):
    """What the score becomes more by, or less, if two clusters are merged, for all pairs."""
    clusters, terms, found = np.arange(len(shares)), xlogy(shares, shares), []
    for block in _blocks(len(shares), len(shares)):
        tables = [np.broadcast_to(each, (len(clusters[block]), *shares.shape)) for each in (shares, terms)]
        found.append(_merger_gains(*tables, clusters[block], price))
    return np.concatenate(found)


def _merger_gains(shares, terms, clusters, price):
    """The same for one cluster of each table, and each other one."""
    each, places = np.arange(len(clusters)), np.arange(shares.shape[1])
    sums, own, inside = shares.sum(2), shares[each, clusters], shares[:, places, places]
    both = own[:, None] + shares
    both = xlogy(both, both) - terms[each, clusters][:, None] - terms
    outside = both.sum(2) - both[:, places, places] - both[each, :, clusters]
    merged = inside[each, clusters][:, None] + inside + 2 * own
    gains = 2 * outside + xlogy(merged, merged) - terms[each, clusters, clusters][:, None] - terms[:, places, places]
    gains -= 2 * terms[each, clusters]
    merged, apart = sums[each, clusters][:, None] + sums, xlogy(sums, sums)
    gains -= (2 - price) * (xlogy(merged, merged) - apart[each, clusters][:, None] - apart)
    gains[each, clusters] = -np.inf
    return gains


def _blocks(n_tables, n_clusters):
    """Slices of tables that are held at once."""
    step = max(1, _HELD // n_clusters**2)
    return [slice(start, start + step) for start in range(0, n_tables, step)]


def _scores(shares, terms, price):
    """Of each table."""
    sums = shares.sum(2)
    return terms.reshape(len(terms), -1).sum(1) - (2 - price) * xlogy(sums, sums).sum(1)
