"""KSCN and EDESC: subspaces by bases, what draws codes to them, and how well they find subspaces and digits."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from skorch.callbacks import Callback

from skdeepsc import EDESC, KSCN, AutoEncoder
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.deep._bases import refit
from skdeepsc.losses import basis_cost, sharpened_assignments, sharpening_cost
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.nn import NearestSubspace, SubspaceAffinity, principal_bases, scatter_by_label
from skdeepsc.training import StopTraining

METHODS = [KSCN, EDESC]


@pytest.fixture(scope="module")
def digits():
    """Images of five digits, their classes, and an auto-encoder of them."""
    X, y = load_digits(n_class=5, return_X_y=True)
    images = X.reshape(-1, 8, 8)[:400]
    return images, y[:400], FrozenEstimator(AutoEncoder(channels=(10, 20), max_epochs=40, random_state=0).fit(images))


def codes(n_samples=30, seed=0):
    return torch.randn(n_samples, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# Bases and logits


def test_bases_are_the_leading_singular_vectors_of_each_cluster():
    z, labels = codes(), torch.arange(30) % 3
    blocks = zip(z.split(7), labels.split(7), strict=True)
    bases = principal_bases(scatter_by_label(blocks, 3), 2).double()
    for k in range(3):
        wanted = torch.linalg.svd(z[labels == k], full_matrices=False).Vh[:2]
        torch.testing.assert_close(bases[k] @ bases[k].T, wanted.T @ wanted, atol=1e-6, rtol=0)


def test_a_cluster_of_fewer_rows_than_dimensions_has_a_smaller_basis():
    z = codes(3)
    bases = principal_bases(scatter_by_label([(z, torch.tensor([0, 1, 1]))], 3), 2)
    assert (bases.square().sum((1, 2)).round() == torch.tensor([1, 2, 0])).all()


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_logits_are_distances_and_projections(unit, center):
    z, generator = codes(), torch.Generator().manual_seed(1)
    bases = torch.linalg.qr(torch.randn(4, 6, 2, dtype=torch.float64, generator=generator)).Q
    mean = z.mean(0) if center else None
    nearest, affinity = NearestSubspace(bases, mean, unit), SubspaceAffinity(bases, mean, unit, smoothing=0.3)
    for i, row in enumerate(z):
        row = row - mean if center else row
        row = row / row.norm() if unit else row
        distances = torch.stack([(row - u @ (u.T @ row)).square().sum() for u in bases])
        torch.testing.assert_close(nearest(z)[i].softmax(0), (1 / distances) / (1 / distances).sum())
        shares = torch.stack([(row @ u).square().sum() + 0.3 * 2 for u in bases])
        torch.testing.assert_close(affinity(z)[i].softmax(0), shares / shares.sum())
    assert not list(nearest.parameters())
    assert len(list(affinity.parameters())) == 1


def test_passes_of_k_subspaces_never_move_codes_away():
    z = codes(200)
    subspaces = NearestSubspace(torch.linalg.qr(torch.randn(5, 6, 2, dtype=torch.float64)).Q)
    distances = []
    for _ in range(8):
        distances.append((-subspaces(z).amax(1)).exp().sum().item())
        refit(subspaces, z.split(64))
    assert all(later <= former + 1e-6 for former, later in itertools.pairwise(distances))
    assert distances[-1] < 0.9 * distances[0]


def test_a_basis_that_no_code_is_near_to_stays_as_it_is():
    z = torch.eye(6, dtype=torch.float64)[:2].repeat(5, 1)
    bases = torch.stack([torch.eye(6, dtype=torch.float64)[:, [k]] for k in (0, 1, 5)])
    subspaces = NearestSubspace(bases.clone())
    refit(subspaces, [z])
    torch.testing.assert_close(subspaces.bases.abs(), bases)


# EDESC's equations


def test_sharpened_assignments_and_their_divergence():
    logits = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    s = logits.softmax(1).numpy()
    target = np.array([[s[i, k] ** 2 / s[:, k].sum() for k in range(3)] for i in range(7)])
    target /= target.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(sharpened_assignments(logits.softmax(1)), target)
    assert sharpening_cost(logits).item() == pytest.approx((target * np.log(target / s)).sum())


def test_basis_cost_spares_pairs_within_a_basis():
    bases = torch.randn(3, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    flat = torch.cat(list(bases), dim=1)
    gram, own = flat.T @ flat, torch.block_diag(*[torch.ones(2, 2, dtype=torch.float64)] * 3)
    eye = torch.eye(6, dtype=torch.float64)
    wanted = ((gram * eye - eye) ** 2).sum() / 2 + ((gram * (1 - own)) ** 2).sum() / 2
    torch.testing.assert_close(basis_cost(bases), wanted)
    whole = torch.eye(6)[None].unflatten(2, (3, 2)).permute(0, 2, 1, 3)[0]
    assert basis_cost(whole).item() == 0


# The estimators


@pytest.mark.parametrize(("n_batches", "n_epochs"), [(1, 10), (10, 10), (40, 3), (280, 1)])
def test_edesc_takes_as_many_steps_of_many_samples_as_of_few(n_batches, n_epochs):
    assert EDESC()._n_epochs(256 * n_batches, 256) == n_epochs
    assert EDESC(max_epochs=7)._n_epochs(256 * n_batches, 256) == 7


@pytest.mark.parametrize("method", METHODS)
def test_subspaces_are_found(method):
    X, y = make_union_of_subspaces(240, 30, n_subspaces=4, subspace_dim=3, noise=0.02, random_state=0)
    found = method(4, max_epochs=3, random_state=0).fit(X)
    assert clustering_accuracy_score(y, found.labels_) > 0.95
    np.testing.assert_array_equal(found.predict(X), found.labels_)


@pytest.mark.parametrize("method", METHODS)
def test_digits_are_found_and_new_ones_have_probabilities(digits, method):
    X, y, autoencoder = digits
    found = method(5, autoencoder=autoencoder, random_state=0).fit(X[:300])
    assert clustering_accuracy_score(y[:300], found.labels_) > 0.9
    assert clustering_accuracy_score(y[300:], found.predict(X[300:])) > 0.85
    proba = found.predict_proba(X[300:])
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(proba.argmax(axis=1), found.predict(X[300:]))
    assert found.bases_.shape == (5, found.transform(X[:2]).shape[1], found.subspace_dim_)


def test_training_draws_codes_to_their_subspaces(digits):
    X, _, autoencoder = digits
    distances = {}
    for gamma in (0.0, 100.0):
        found = KSCN(5, gamma_subspace=gamma, subspace_dim=3, autoencoder=autoencoder, lr=1e-3, random_state=0).fit(X)
        z = torch.from_numpy(found.transform(X))
        distances[gamma] = (-found.network_.classifier(z).amax(1)).exp().mean().item()
    assert distances[100.0] < 0.7 * distances[0.0]


def test_the_penalty_makes_bases_orthogonal(digits):
    X, _, autoencoder = digits
    shared = {"subspace_dim": 3, "autoencoder": autoencoder, "lr": 1e-3, "max_epochs": 30, "random_state": 0}
    fitted = [EDESC(5, gamma_basis=gamma, **shared).fit(X) for gamma in (0.0, 1e-2)]
    costs = [basis_cost(torch.from_numpy(method.bases_)).item() for method in fitted]
    assert costs[1] < 0.5 * costs[0]


def test_first_labels_may_be_anyones_but_must_be(digits):
    X, _, autoencoder = digits
    shared = {"autoencoder": autoencoder, "max_epochs": 0, "subspace_dim": 3}
    found = KSCN(5, init=KMeans(5, random_state=0), **shared).fit(X)
    assert found.subspace_dim_ == 3
    with pytest.raises(ValueError, match="'init' parameter of KSCN must be a str among"):
        KSCN(5, init="none", **shared).fit(X)
    with pytest.raises(ValueError, match="subspace_dim=500 is more than the 80 values of a code"):
        EDESC(5, **{**shared, "subspace_dim": 500}).fit(X)


def test_bases_are_those_of_the_last_epoch_where_a_callback_ends_the_phase(digits):
    class Ends(Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.phase.name == "joint" and len(net.history) == 2:
                raise StopTraining

    X, _, autoencoder = digits
    shared = {"autoencoder": autoencoder, "subspace_dim": 3, "lr": 1e-2, "batch_size": 20, "random_state": 0}
    ended = KSCN(5, callbacks=[Ends()], max_epochs=5, **shared).fit(X)
    whole = KSCN(5, callbacks=[Callback()], max_epochs=2, **shared).fit(X)
    np.testing.assert_array_equal(ended.bases_, whole.bases_)
    assert ended.history_[-1].keys() == whole.history_[-1].keys()


@pytest.mark.filterwarnings("error")
def test_labels_do_not_depend_on_the_size_of_memory_mapped_blocks(digits, tmp_path):
    X, _, autoencoder = digits
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    labels = [KSCN(5, autoencoder=autoencoder, random_state=0).fit_predict(rows) for rows in (X, mapped)]
    np.testing.assert_array_equal(*labels)
