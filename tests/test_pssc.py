"""PSSC: the head and the paper's own objective, and what each of their terms does."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from torch.nn import functional as F

from skdeepsc import PSSC, AutoEncoder, DSCNet
from skdeepsc.affinity import top_affinity
from skdeepsc.datasets import make_union_of_subspaces
from skdeepsc.deep._expression_head import HeadNetwork, PseudoGraph
from skdeepsc.losses import coding_rate, edge_contrastive_loss, rate_within
from skdeepsc.metrics import clustering_accuracy_score, silhouette_scorer
from skdeepsc.model_selection import TransductiveSplit
from skdeepsc.nn import ExpressionHead, RidgeExpression
from tests.test_recovery import Identity

# A head may part clusters entirely.
pytestmark = pytest.mark.filterwarnings("ignore:The affinity falls into")
GAMMAS = ("gamma_locality", "gamma_expression", "gamma_graph", "gamma_label")
ROWS = AutoEncoder(network=Identity(), max_epochs=0)


@pytest.fixture(scope="module")
def digits():
    """Images of the first five digits, and an auto-encoder of them."""
    images, target = load_digits(n_class=5).images[:200], load_digits(n_class=5).target[:200]
    return images, target, FrozenEstimator(AutoEncoder(max_epochs=400, random_state=0).fit(images))


@pytest.fixture(scope="module")
def learnt(digits):
    """A whole training on the first 160 images."""
    images, _, codes = digits
    return PSSC(5, autoencoder=codes, augment="digits", random_state=0).fit(images[:160])


@pytest.fixture(scope="module")
def subspaces():
    return make_union_of_subspaces(200, 60, n_subspaces=4, subspace_dim=9, noise=0.3, random_state=0)


def change(method, other):
    return np.linalg.norm(method.coef_ - other.coef_) / np.linalg.norm(other.coef_)


# Effects


def test_the_head_parts_what_the_codes_mix(digits, learnt):
    (images, target), codes, after = (whole[:160] for whole in digits[:2]), digits[2], learnt
    before = PSSC(5, autoencoder=codes, augment="digits", max_epochs=0, random_state=0).fit(images)
    assert (before.supervision_, after.supervision_) == ("none", "contrast")

    def within(method):
        graph = method.affinity_matrix_.tocoo()
        return graph.data[target[graph.row] == target[graph.col]].sum() / graph.data.sum()

    assert within(after) > within(before)
    assert clustering_accuracy_score(target, after.labels_) > 0.95
    assert change(before, after) > 0.1


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("way", ["contrast", "rate"])
def test_ten_times_a_gamma_changes_c(digits, subspaces, way, gamma):
    images, _, codes = digits
    X, params = (images, {"autoencoder": codes, "augment": "digits"}) if way == "contrast" else (subspaces[0], {})
    params = {"max_epochs": 8, "random_state": 0, "subspace_dim": 1 if way == "contrast" else 8} | params
    plain, strong, without = (
        PSSC(5, **({"autoencoder": ROWS} | params), assign_labels="cluster_qr", **{gamma: value}).fit(X)
        for value in (1.0, 10.0, 0.0)
    )
    assert plain.supervision_ == way
    assert min(change(strong, plain), change(without, strong)) > 1e-3
    name = gamma.removeprefix("gamma_")
    assert name in plain.history_[-1]
    assert name not in without.history_[-1]


@pytest.mark.parametrize("gamma", GAMMAS)
def test_ten_times_a_gamma_of_the_paper_changes_c(digits, gamma):
    images, _, codes = digits
    params = {"variant": "paper", "autoencoder": codes, "random_state": 0, "confidence": 0.3}
    plain, strong = (PSSC(5, **params, **{gamma: value}).fit(images) for value in (1.0, 10.0))
    assert change(strong, plain) > 1e-3


def test_subspaces_of_many_dimensions_keep_them(subspaces):
    X, y = subspaces
    method = PSSC(4, autoencoder=ROWS, random_state=0).fit(X)
    assert method.supervision_ == "rate"
    assert clustering_accuracy_score(y, method.labels_) > 0.95
    assert {entry["phase"] for entry in method.history_} == {"head"}


def test_a_grid_over_the_weights_is_not_flat(digits):
    images, _, codes = digits
    method = PSSC(5, autoencoder=codes, augment="digits", max_epochs=10, random_state=0)
    search = GridSearchCV(
        method, {"gamma_graph": [0.1, 1.0, 10.0]}, cv=TransductiveSplit(), scoring=silhouette_scorer, refit=False
    ).fit(images)
    assert len(set(search.cv_results_["mean_test_score"])) == 3


# The head


def test_the_head_starts_from_the_codes():
    z = torch.randn(40, 12, generator=torch.Generator().manual_seed(0)) + 1
    for n_hidden in (0, 20):
        head = ExpressionHead.of_codes(z, n_axes=128, n_hidden=n_hidden)
        before, after = (
            RidgeExpression(None, 6.0)(rows.double()) for rows in (z, head.project(head.directions(z)).detach())
        )
        # Principal axes of all directions lose nothing, and unit rows that are centred twice little.
        assert torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1] > 0.99
    few = ExpressionHead.of_codes(z, n_axes=4)
    assert few.axes.shape == (12, 4)
    torch.testing.assert_close(few.axes.T @ few.axes, torch.eye(4), atol=1e-5, rtol=0)
    wide = torch.randn(10, 30, generator=torch.Generator().manual_seed(0))
    assert ExpressionHead.of_codes(wide).axes.shape == (30, 9)


def test_the_graph_is_that_of_the_largest_coefficients(digits):
    images, _, codes = digits
    z = torch.from_numpy(codes.transform(images))
    head = ExpressionHead.of_codes(z)
    x = head.directions(z)[:, None]
    graph = PseudoGraph(x, 5, 1.0, 0.5, 0)
    graph.renew(head)
    h = head.project(x[:, 0]).detach()
    coef = RidgeExpression(None, 5.0)(h.double()).numpy()
    dense = np.zeros_like(coef)
    np.put_along_axis(dense, graph.columns.numpy(), graph.weights.numpy(), axis=1)
    np.testing.assert_allclose((dense + dense.T) / 2, top_affinity(coef).toarray(), atol=1e-4)
    labels = graph.labels.numpy()
    shares = np.array([row[labels == label].sum() for row, label in zip(dense, labels, strict=True)])
    np.testing.assert_array_equal(graph.confident.numpy(), shares >= 0.5)

    out = HeadNetwork(head, graph, 5)(graph.p[:30], torch.arange(30))
    torch.testing.assert_close(out.p_near, torch.from_numpy(dense[:30]).float() @ graph.p, atol=1e-5, rtol=1e-4)
    linked = (dense > 0) | (dense.T > 0)
    for i in range(30):
        assert dense[i, out.neighbors[i]] > 0
        for j in range(30):
            neighbor = int(out.neighbors[j])
            assert out.linked[i, j] == (linked[i, neighbor] or i == neighbor)


def test_views_are_chosen_by_silhouette(digits):
    images, _, codes = digits
    method = PSSC(5, autoencoder=codes, max_epochs=2, random_state=0).fit(images)
    assert set(method.augment_scores_) == {"digits", "faces", "objects"}
    assert method.augment_ == max(method.augment_scores_, key=method.augment_scores_.get)
    given = PSSC(5, autoencoder=codes, max_epochs=2, augment=method.augment_, random_state=0).fit(images)
    assert not hasattr(given, "augment_scores_")
    assert len(given.history_) == len(method.history_) == 2
    flat = PSSC(5, autoencoder=ROWS, max_epochs=2, random_state=0)
    assert flat.fit(images.reshape(len(images), -1)).augment_ is None


def test_new_rows_go_through_the_head(digits, learnt):
    images, target, _ = digits
    method = learnt
    np.testing.assert_array_equal(method.predict(images[:160]), method.labels_)
    np.testing.assert_allclose(method.transform(images[:160]), method.embedding_, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(method.embedding_, axis=1), 1, atol=1e-5)
    both = np.r_[method.labels_, method.predict(images[160:])]
    assert clustering_accuracy_score(target, both) > 0.9


# Reductions of the paper


def test_pssc_l_without_locality_is_dscnet_without_a_norm(digits):
    images, _, codes = digits
    shared = {"autoencoder": codes, "max_epochs": 5, "lr": 1e-3, "random_state": 0, "latent_normalization": "unit"}
    for solver in ("ridge", "trained"):
        pssc = PSSC(5, variant="paper", gamma_locality=0, gamma_graph=0, gamma_label=0, solver=solver, **shared)
        dscnet = DSCNet(5, gamma_coef=0, solver=solver, **shared)
        if solver == "trained":
            dscnet.set_params(solver__zero_diagonal=True)
        np.testing.assert_array_equal(pssc.fit(images).coef_, dscnet.fit(images).coef_)
        np.testing.assert_array_equal(pssc.labels_, dscnet.labels_)


def test_weights_are_relative_to_the_other_costs(digits):
    images, _, codes = digits
    params = {"variant": "paper", "autoencoder": codes, "max_epochs": 1, "random_state": 0, "confidence": 0.0}
    method = PSSC(5, gamma_graph=2.0, gamma_label=3.0, **params).fit(images)
    first = method.history_[-1]
    others = first["reconstruction"] + first["locality"] + first["expression"]
    assert math.isclose(first["graph"], 0.2 * others, rel_tol=1e-4)
    assert math.isclose(first["label"], 0.3 * others, rel_tol=1e-4)
    absolute = PSSC(5, gamma_graph=2.0, gamma_label=3.0, weighting="absolute", **params).fit(images)
    assert absolute.cost_weights_ == {"graph": 2.0, "label": 3.0}


# Equations


def test_the_objective_on_the_head_is_its_sums_as_loops():
    torch.manual_seed(0)
    n, n_axes, names = 6, 4, ("p", "p_hat", "h", "h_view", "h_neighbor", "features", "features_hat")
    out = SimpleNamespace(**{name: F.normalize(torch.randn(n, n_axes, dtype=torch.float64)) for name in names})
    weights = torch.rand(n, n, dtype=torch.float64)
    weights /= weights.sum(1, keepdim=True)
    out.p_near, out.linked, out.edge_lengths = weights @ out.p, weights > 0.2, torch.rand(n, 3, dtype=torch.float64)
    out.logits, out.labels = torch.randn(n, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2])
    out.confident = torch.tensor([True, False, True, True, False, True])
    pssc = PSSC(3, gamma_locality=2.0, gamma_expression=3.0, gamma_graph=5.0, gamma_label=7.0)

    laplacian = torch.eye(n) - weights
    shared = {
        "reconstruction": 0.1 * sum((out.p[i] - out.p_hat[i]).square().sum() for i in range(n)),
        "locality": 2.0 * 0.1 * 2 * torch.trace(out.p.T @ laplacian.T @ out.p_hat),
    }
    residual = sum((out.features[i] - out.features_hat[i]).square().sum() for i in range(n))
    sure = [-out.logits[i].log_softmax(0)[out.labels[i]] for i in range(n) if out.confident[i]]
    contrast = {
        **shared,
        "expression": 3.0 * 0.1 * residual,
        "graph": 5.0 * n * edge_contrastive_loss(out.h_view, out.h_neighbor, out.linked),
        "label": 7.0 * 0.1 * sum(sure),
    }
    rate = {
        **shared,
        "expression": 3.0 * 50.0 * residual,
        "rate": -n * coding_rate(out.h),
        "graph": 5.0 * out.edge_lengths.sum(),
        "label": 7.0 * sum((out.labels == k).sum() * coding_rate(out.h[out.labels == k]) for k in range(3)),
    }
    for costs, slow in ((pssc._contrast_costs(out), contrast), (pssc._rate_costs(out), rate)):
        assert costs.keys() == slow.keys()
        for name in slow:
            torch.testing.assert_close(costs[name], slow[name], msg=name)


def test_edge_contrast_is_two_cross_entropies():
    generator = torch.Generator().manual_seed(0)
    h, g = (torch.nn.functional.normalize(torch.randn(6, 3, generator=generator)) for _ in range(2))
    linked = torch.rand(6, 6, generator=generator) < 0.3
    wanted = 0.0
    for i in range(6):
        free = [j for j in range(6) if j == i or not linked[i, j]]
        back = [j for j in range(6) if j == i or not linked[j, i]]
        own = h[i] @ g[i] / 0.2
        wanted += -own + torch.logsumexp(torch.stack([h[i] @ g[j] / 0.2 for j in free]), 0)
        wanted += -own + torch.logsumexp(torch.stack([h[j] @ g[i] / 0.2 for j in back]), 0)
    torch.testing.assert_close(edge_contrastive_loss(h, g, linked), wanted / 12)


def test_coding_rate_is_a_log_determinant():
    h = torch.nn.functional.normalize(torch.randn(9, 4, generator=torch.Generator().manual_seed(0)).double())
    for rows in (h, h.T):
        n, d = rows.shape
        wanted = 0.5 * torch.logdet(torch.eye(d).double() + d / (n * 0.5) * rows.T @ rows)
        torch.testing.assert_close(coding_rate(rows), wanted)
    labels = torch.tensor([0, 0, 0, 2, 2, 2, 2, 2, 2])
    torch.testing.assert_close(rate_within(h, labels), coding_rate(h[:3]) / 3 + 2 * coding_rate(h[3:]) / 3)
