"""From the expected dimensions of subspaces to penalties of a ridge, however they are computed."""

# Effective degrees of freedom of a ridge, as a share of the number of samples.
MOST_FREEDOM = 0.7


def penalties_by_dim(penalty, dims, n_clusters, n_samples):
    """Penalties under which the subspaces have the expected dimensions `dims`.

    Those for which the ridge would need more than 0.7 n_samples degrees of freedom are left out; if that leaves none,
    the smallest is taken with so many. Those that need the penalty of a smaller one, because the features have fewer
    dimensions, are left out, too.

    Parameters
    ----------
    penalty : callable
        From degrees of freedom to the penalty, a float.
    dims : sequence of float
        Ascending.
    n_clusters, n_samples : int

    Returns
    -------
    penalties : dict of float to float
        From the dimension to the penalty.
    """
    dims = [dim for dim in dims if dim * n_clusters <= MOST_FREEDOM * n_samples] or dims[:1]
    by_penalty = {}
    for dim in dims:
        by_penalty.setdefault(penalty(limited_freedom(dim, n_clusters, n_samples)), dim)
    return {dim: lam for lam, dim in by_penalty.items()}


def limited_freedom(dim, n_clusters, n_samples):
    """Degrees of freedom of subspaces of a dimension, as far as there are samples for them."""
    return min(dim * n_clusters, MOST_FREEDOM * n_samples)
