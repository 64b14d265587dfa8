"""Synthetic data whose subspaces are known."""

import numpy as np

from .._memory import require_bytes
from .._params import Count, NonNegative, RandomState, checked
from .._random import generator_of


@checked
def make_union_of_subspaces(
    n_samples: Count = 300,
    n_features: Count = 30,
    *,
    n_subspaces: Count = 3,
    subspace_dim: Count = 4,
    noise: NonNegative = 0.0,
    shuffle: bool = True,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Samples on a union of random linear subspaces, drawn uniformly from the unit sphere of each.

    With ``n_subspaces * subspace_dim <= n_features`` the subspaces are independent almost surely.

    Parameters
    ----------
    n_samples : int, default=300
        Number of samples, shared out evenly.
    n_features : int, default=30
        Dimension of the ambient space.
    n_subspaces : int, default=3
        Number of subspaces.
    subspace_dim : int, default=4
        Dimension of each.
    noise : float, default=0.0
        Standard deviation of Gaussian noise, relative to the samples' unit length: its expected squared norm is
        ``noise**2``.
    shuffle : bool, default=True
        Whether the samples come in random order.
    random_state : int, RandomState instance or None, default=None
        Randomness of everything.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Subspace of each sample.

    Raises
    ------
    MemoryError
        If they do not fit the memory there is.

    Examples
    --------
    >>> from skdeepsc.datasets import make_union_of_subspaces
    >>> X, y = make_union_of_subspaces(n_samples=12, n_features=8, random_state=0)
    >>> X.shape, sorted(set(y.tolist()))
    ((12, 8), [0, 1, 2])
    """
    if subspace_dim > n_features:
        raise ValueError(f"subspace_dim={subspace_dim} must not be larger than n_features={n_features}.")
    values = n_features * (n_samples * (subspace_dim + 3) + n_subspaces * subspace_dim)
    what = f"A union of {n_subspaces} subspaces, {n_samples} samples of {n_features} features,"
    require_bytes(8 * values, what, "Choose fewer samples, features or subspaces, or a smaller subspace_dim.")
    generator = generator_of(random_state)
    y = np.arange(n_samples) * n_subspaces // n_samples
    bases = np.linalg.qr(generator.normal(size=(n_subspaces, n_features, subspace_dim)))[0]
    codes = generator.normal(size=(n_samples, subspace_dim))
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    X = np.einsum("nds,ns->nd", bases[y], codes)
    X += noise / np.sqrt(n_features) * generator.normal(size=X.shape)
    order = generator.permutation(n_samples) if shuffle else np.arange(n_samples)
    return X[order], y[order]
