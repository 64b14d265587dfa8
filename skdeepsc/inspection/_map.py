"""A map of the samples: two coordinates for each, and which of their pictures find room on it."""

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA

from .._arrays import naming

# The most samples whose pictures are looked at for room.
_TRIED = 4000
# The fewest rows for UMAP, whose start takes three eigenvectors of their graph.
_FEWEST_NEIGHBORHOODS = 4


def projected(rows, projection="pca"):
    """Two coordinates of each row.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    projection : {"pca", "umap"} or transformer, default="pca"

    Returns
    -------
    points : ndarray of shape (n_samples, 2)
    """
    n_components = min(2, *rows.shape)
    if not isinstance(projection, str):
        with naming("projection"):
            transformer = clone(projection)
        if not hasattr(transformer, "fit_transform"):
            raise TypeError(f"projection must be 'pca', 'umap' or a transformer; got {projection!r}.")
        points = np.asarray(transformer.fit_transform(rows))
        if points.ndim != 2 or len(points) != len(rows) or points.shape[1] < 2:
            raise ValueError(f"projection must make two columns of {len(rows)} rows; got shape {points.shape}.")
        return points[:, :2]
    if len(rows) == 1:
        return np.zeros((1, 2))
    if projection == "pca" or len(rows) < _FEWEST_NEIGHBORHOODS:
        points = PCA(n_components, random_state=0).fit_transform(rows)
    else:
        neighbors = min(15, len(rows) - 1)  # Fewer than its default only where there are fewer.
        umap = _umap()(n_neighbors=neighbors, n_components=2, metric="cosine", random_state=0, n_jobs=1)
        points = umap.fit_transform(rows)
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def _umap():
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError("projection='umap' needs umap-learn: pip install umap-learn.") from error
    return UMAP


def with_room(points, size, n_shown):
    """Samples, drawn at random without a state of the process, whose pictures do not cover each other.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Middles of the pictures.
    size : array-like of shape (2,)
        Width and height of a picture in the same units, with the space around it.
    n_shown : int
        The most pictures.

    Returns
    -------
    numbers : ndarray of shape (n_found,), int64
    """
    tried = np.random.RandomState(0).permutation(len(points))[:_TRIED]
    return tried[apart(points[tried], size, n_shown)]


def apart(points, size, n_shown=None):
    """Places, the first ones first, where things of this size do not cover each other.

    Parameters
    ----------
    points : ndarray of shape (n_places, 2)
        Middles of the things.
    size : array-like of shape (2,)
        Width and height of a thing in the same units, with the space around it.
    n_shown : int or None, default=None
        The most places; ``None``: all.

    Returns
    -------
    numbers : ndarray of shape (n_found,), int64
    """
    found: list[int] = []
    for number in range(len(points)):
        if len(found) == n_shown:
            break
        if (np.abs(points[found] - points[number]) >= size).any(axis=1).all():
            found.append(number)
    return np.array(found, dtype=np.int64)


def middles_of(points, labels):
    """Where clusters are named: the median of the points of each, by its label."""
    return {int(label): np.median(points[labels == label], axis=0) for label in np.unique(labels[labels >= 0])}
