"""A linear classifier that learns the labels of all samples, its own ones after the first round."""

import numpy as np

# The constant feature beside rows of unit length, the ridge penalty as a share of the mean square, and the rounds.
_CONSTANT, _PENALTY, _ROUNDS = 0.3, 0.1, 3
# Share of the labels that may change; a classifier that changes more has not learnt them.
_MOST_CHANGED = 0.1


def self_train(blocks, labels, n_clusters):
    """Labels that a linear classifier, trained on the labels of all samples, gives in turn, three times over.

    Least squares from rows w of unit length, and a constant, to the labels as indicators, with a ridge penalty of a
    tenth of the mean square of a feature; its largest output is the next label.

    Parameters
    ----------
    blocks : callable
        Gives pairs of row numbers and their features, float32, each time anew.
    labels : ndarray of shape (n_samples,), int64
        First labels.
    n_clusters : int

    Returns
    -------
    labels : ndarray of shape (n_samples,), int64
    weights : ndarray of shape (n_features + 1, n_clusters), float32
        Of the classifier that gave them, the constant last. ``None``, and `labels` as they were, if it would leave a
        cluster empty or changes more than a tenth of them: clusters that a linear classifier cannot tell apart, such as
        subspaces, both ends of which are one cluster, are not for it.
    """
    first, targets = labels, np.eye(n_clusters, dtype=np.float32)
    gram, products = 0.0, 0.0
    for rows, z in blocks():
        z = _with_constant(z)
        gram, products = gram + z.T @ z, products + z.T @ targets[labels[rows]]
    gram = gram.astype(np.float64)
    gram += _PENALTY * np.trace(gram) / len(gram) * np.eye(len(gram))
    for _ in range(_ROUNDS):
        weights = np.linalg.solve(gram, products).astype(np.float32)
        labels, products = np.empty_like(first), 0.0
        for rows, z in blocks():  # What the next round learns is gathered on the way.
            labels[rows] = outputs(z, weights).argmax(axis=1)
            products = products + _with_constant(z).T @ targets[labels[rows]]
        if len(np.unique(labels)) < len(np.unique(first)) or (labels != first).mean() > _MOST_CHANGED:
            return first, None
    return labels, weights


def outputs(z, weights):
    """What a classifier makes of rows, shape (n_rows, n_clusters)."""
    return z @ weights[:-1] + _CONSTANT * weights[-1]


def _with_constant(z):
    return np.column_stack([z, np.full(len(z), _CONSTANT, dtype=z.dtype)])
