"""First labels of a few samples, for a classifier to start from."""

import warnings

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils import get_tags

from ..affinity import affinity_from_top
from ..nn import RidgeExpression, RidgePath, ridge_penalty
from ..segmentation import DegenerateAffinityWarning, spectral_labels

# Coefficients of each row from which clusters are found.
_N_COEFS = 5


def labels_by_clusterer(clusterer, samples, n_clusters, seed):
    """Labels of a clone of a clusterer; it gets images if its tags say that it takes arrays of three dimensions.

    Parameters
    ----------
    clusterer : estimator with `fit_predict`
        Its random state is set if it is open.
    samples : ndarray of shape (n_samples, ...)
    n_clusters : int
        The most clusters that it may find.
    seed : int

    Returns
    -------
    labels : ndarray of shape (n_samples,), int64
        Consecutive from 0.
    """
    clusterer = clone(clusterer)
    if clusterer.get_params().get("random_state", 0) is None:
        clusterer.set_params(random_state=seed)
    takes_images = get_tags(clusterer).input_tags.three_d_array
    found = clusterer.fit_predict(samples if takes_images else samples.reshape(len(samples), -1))
    labels = np.unique(found, return_inverse=True)[1].astype(np.int64)
    if labels.max() >= n_clusters:
        raise ValueError(f"init found {labels.max() + 1} clusters, more than n_clusters={n_clusters}.")
    return labels


def labels_by_codes(z, n_clusters, degrees_of_freedom, seed):
    """Spectral clustering of the largest ridge coefficients of each row, on centred codes of unit length.

    Parameters
    ----------
    z : tensor of shape (n_samples, n_latent)
    n_clusters : int
    degrees_of_freedom : float
        Of the ridge, see :class:`~skdeepsc.nn.RidgeExpression`.
    seed : int

    Returns
    -------
    labels : ndarray of shape (n_samples,), int64
        Consecutive from 0.
    """
    path = RidgePath(RidgeExpression().normalize(z)[0])
    lam = ridge_penalty(path.spectrum, min(degrees_of_freedom, 0.7 * len(z)))
    affinity = affinity_from_top(*path.top_coefficients(lam, min(_N_COEFS, len(z) - 1)))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateAffinityWarning)
        return spectral_labels(affinity, n_clusters, assign_labels="best", random_state=seed)
