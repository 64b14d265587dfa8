"""Clusters are found: accuracy floors on unions of subspaces and on handwritten digits."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from skdeepsc import DSCSC, EDSC, KSSC, LRR, LRSC, PSSC, S3C, SSC, SSCOMP, AutoEncoder, DSCNet, EnSC, S2ConvSCN
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.metrics import clustering_accuracy_score, subspace_preserving_error
from skdeepsc.nn import ridge_coefficients
from skdeepsc.segmentation import spectral_labels
from tests.estimators import make


class Identity(torch.nn.Module):
    """Codes are the samples: what is left is self-expression."""

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Identity()
        self.decoder = torch.nn.Identity()


def test_samples_lie_on_their_subspaces():
    X, y = make_union_of_subspaces(120, 20, n_subspaces=4, subspace_dim=3, random_state=0)
    assert np.bincount(y).tolist() == [30] * 4
    for k in range(4):
        assert np.linalg.matrix_rank(X[y == k]) == 3
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1)
    noisy, _ = make_union_of_subspaces(2000, 20, noise=0.5, random_state=0)
    clean, _ = make_union_of_subspaces(2000, 20, noise=0.0, random_state=0)
    assert np.square(noisy).sum(1).mean() == pytest.approx(1.25, abs=0.05)
    assert not np.allclose(noisy, clean)


def test_ridge_is_subspace_preserving_on_independent_subspaces():
    X, y = make_union_of_subspaces(200, 30, n_subspaces=4, subspace_dim=4, random_state=0)
    coef = ridge_coefficients(torch.from_numpy(X), 1e-6).numpy()
    assert subspace_preserving_error(coef, y) < 1e-3


@pytest.mark.parametrize("method", [DSCNet, PSSC, S2ConvSCN, DSCSC])
@pytest.mark.parametrize(
    "params",
    [
        {"solver": "ridge", "affinity": "top"},
        {"solver": "ridge", "affinity": "enhanced", "affinity_params": {"subspace_rank": 4, "keep": 1.0}},
        {"solver": "trained", "affinity": "thresholded", "affinity_params": {"keep": 0.5}},
    ],
    ids=["ridge-top", "ridge-enhanced", "trained-thresholded"],
)
def test_subspaces_are_recovered(method, params):
    X, y = make_union_of_subspaces(240, 30, n_subspaces=4, subspace_dim=4, noise=0.05, random_state=0)
    assert clustering_accuracy_score(y, KMeans(4, n_init=10, random_state=0).fit_predict(X)) < 0.6
    codes = AutoEncoder(network=Identity(), max_epochs=0)
    estimator = method(4, autoencoder=codes, subspace_dim=4, max_epochs=0, random_state=0, **params)
    assert clustering_accuracy_score(y, estimator.fit_predict(X)) > 0.95


INDEPENDENT = [
    SSC(4, alpha=1000.0),
    EnSC(4, alpha=1000.0, l1_ratio=0.95),
    SSCOMP(4, n_nonzero_coefs=4),
    S3C(4, alpha=1000.0),
    KSSC(4, kernel="linear", alpha=1000.0),
    LRR(4, noise_lambda=None),
    LRSC(4, tau=None),
    EDSC(4, ridge_lambda=1e-6),
]


@pytest.mark.parametrize("method", INDEPENDENT, ids=lambda method: type(method).__name__)
def test_independent_subspaces_are_recovered_exactly(method):
    X, y = make_union_of_subspaces(200, 30, n_subspaces=4, subspace_dim=4, random_state=0)
    fitted = clone(method).set_params(random_state=0).fit(X)
    assert subspace_preserving_error(fitted.coef_, y) < 1e-5
    assert clustering_accuracy_score(y, fitted.labels_) == 1


@pytest.mark.parametrize("method", INDEPENDENT[:5], ids=lambda method: type(method).__name__)
def test_disjoint_subspaces_are_recovered_by_sparse_methods(method):
    X, y = make_union_of_subspaces(480, 12, n_subspaces=6, subspace_dim=3, random_state=0)
    fitted = clone(method).set_params(n_clusters=6, random_state=0)
    fitted = fitted.set_params(n_nonzero_coefs=3) if isinstance(method, SSCOMP) else fitted
    fitted.fit(X)
    assert subspace_preserving_error(fitted.coef_, y) < 1e-3
    assert clustering_accuracy_score(y, fitted.labels_) > 0.99
    dense = EDSC(6, ridge_lambda=1e-6, random_state=0).fit(X)
    assert subspace_preserving_error(dense.coef_, y) > 0.4  # Disjoint is not enough for it.


def test_digits_are_clustered_better_than_by_kmeans():
    digits = load_digits()
    kmeans = KMeans(10, n_init=10, random_state=0).fit_predict(digits.data)
    labels = PSSC(10, max_epochs=0, random_state=0).fit_predict(digits.images)
    accuracy = clustering_accuracy_score(digits.target, labels)
    assert accuracy > clustering_accuracy_score(digits.target, kmeans)
    assert accuracy > 0.8


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (S2ConvSCN, {"max_epochs": 3, "segment_every": 1}),
        (DSCSC, {"augment": "digits", "autoencoder__max_epochs": 60, "max_epochs": 2}),
    ],
)
def test_some_digits_are_clustered_as_well_as_by_kmeans_or_better(method, params):
    images, digits = load_digits().images[:600], load_digits().target[:600]
    kmeans = KMeans(10, n_init=10, random_state=0).fit_predict(images.reshape(600, -1))
    fitted = make(method, 10, **params, random_state=0).fit(images)
    assert clustering_accuracy_score(digits, fitted.labels_) > clustering_accuracy_score(digits, kmeans)
    new = load_digits().images[600:900]
    assert clustering_accuracy_score(load_digits().target[600:900], fitted.predict(new)) > 0.75


def test_supervision_by_segments_lets_a_trained_c_recover_more():
    """On noisy subspaces, ||C||_Q leaves less of C between the true subspaces than the same schedule without it."""
    X, y = make_union_of_subspaces(160, 30, n_subspaces=4, subspace_dim=4, noise=0.5, random_state=0)
    params = {
        "autoencoder": AutoEncoder(network=Identity(), max_epochs=0), "solver": "trained", "affinity": "symmetric",
        "lr": 1e-3, "max_epochs": 60, "random_state": 0,
    }  # fmt: skip
    plain = S2ConvSCN(4, gamma_segmentation=0, gamma_class=0, **params).fit(X)
    supervised = S2ConvSCN(4, gamma_segmentation=1.0, gamma_class=0, **params).fit(X)
    assert subspace_preserving_error(supervised.coef_, y) < 0.95 * subspace_preserving_error(plain.coef_, y)
    assert clustering_accuracy_score(y, supervised.labels_) >= clustering_accuracy_score(y, plain.labels_)


def test_labels_do_not_depend_on_the_order_of_the_samples():
    X, y = make_union_of_subspaces(150, 20, noise=0.1, random_state=0)
    coef = ridge_coefficients(torch.from_numpy(X), 0.1).numpy()
    order = np.random.RandomState(0).permutation(150)
    one = spectral_labels(np.abs(coef) + np.abs(coef.T), 3, assign_labels="cluster_qr", random_state=0)
    other = spectral_labels((np.abs(coef) + np.abs(coef.T))[np.ix_(order, order)], 3, assign_labels="cluster_qr")
    assert clustering_accuracy_score(one[order], other) == 1
    assert clustering_accuracy_score(y, one) > 0.95
