"""Every cost against its slow, obvious version, and the identities that the papers state."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from skdeepsc.affinity import symmetric_affinity
from skdeepsc.losses import (
    balance_cost,
    bounded_logistic_loss,
    center_loss,
    classifier_affinity,
    coefficient_norm,
    confident_cross_entropy,
    contrastive_graph_loss,
    edge_contrastive_loss,
    laplacian_cost,
    nearest_samples,
    negative_cross_entropy,
    negative_pairs,
    normalized_graph,
    positive_cross_entropy,
    positive_pairs,
    segmentation_norm,
    sharpened_assignments,
    sharpening_cost,
    similarity_graph,
    squared_error,
    structural_contrastive_loss,
    subspace_affinity,
)
from skdeepsc.nn import scatter_by_label


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_squared_error_is_a_sum(generator):
    a, b = torch.randn(2, 5, 3, generator=generator)
    assert squared_error(a, b).item() == pytest.approx(
        sum(float((x - y) ** 2) for x, y in zip(a.ravel(), b.ravel(), strict=True))
    )


def test_coefficient_norms(generator):
    coef = torch.randn(4, 4, generator=generator)
    assert coefficient_norm(coef, "l2").item() == pytest.approx(float((coef.numpy() ** 2).sum()), rel=1e-6)
    assert coefficient_norm(coef, "l1").item() == pytest.approx(float(np.abs(coef.numpy()).sum()), rel=1e-6)


def test_pssc_eq_2_is_eq_3(generator):
    """Weighted reconstruction by pairs = degree-weighted error + twice the Laplacian term, for any symmetric S."""
    x, x_hat = torch.randn(2, 7, 3, dtype=torch.float64, generator=generator)
    coef = torch.randn(7, 7, dtype=torch.float64, generator=generator)
    graph = normalized_graph(coef)
    pairs = sum(graph[i, j] * ((x[i] - x_hat[j]) ** 2).sum() for i in range(7) for j in range(7))
    degrees = graph.sum(1)
    laplacian = torch.diag(degrees) - graph
    matrix_form = torch.trace((x - x_hat).T @ torch.diag(degrees) @ (x - x_hat)) + 2 * torch.trace(
        x.T @ laplacian @ x_hat
    )
    torch.testing.assert_close(pairs, matrix_form)


def test_laplacian_cost_is_the_trace_of_eq_5(generator):
    x, x_hat = torch.randn(2, 6, 2, 2, dtype=torch.float64, generator=generator)
    coef = torch.randn(6, 6, dtype=torch.float64, generator=generator)
    graph = (coef.abs() + coef.abs().T) / 2
    scale = torch.diag(graph.sum(1) ** -0.5)
    laplacian = torch.eye(6, dtype=torch.float64) - scale @ graph @ scale
    wanted = torch.trace(x.flatten(1).T @ laplacian @ x_hat.flatten(1))
    torch.testing.assert_close(laplacian_cost(x, x_hat, coef), wanted)


def test_laplacian_cost_of_isolated_samples_is_defined(generator):
    x = torch.randn(4, 3, generator=generator)
    coef = torch.zeros(4, 4, requires_grad=True)
    cost = laplacian_cost(x, x, coef)
    cost.backward()
    assert torch.isfinite(cost)
    assert torch.isfinite(coef.grad).all()


def test_contrastive_graph_loss_is_the_double_loop(generator):
    logits = torch.randn(5, 3, dtype=torch.float64, generator=generator)
    similarity = similarity_graph(torch.randn(5, 5, dtype=torch.float64, generator=generator))
    f, total = logits.softmax(1), 0.0
    for i in range(5):
        for j in range(5):
            d = (f[i] - f[j]).norm()
            total += similarity[i, j] * d**2 + (1 - similarity[i, j]) * torch.clamp(1.0 - d, min=0) ** 2
    # Distances of a sample to itself are rounded up to 1e-6 for a finite gradient.
    torch.testing.assert_close(contrastive_graph_loss(logits, similarity), total / 2 / 25, atol=1e-5, rtol=0)


def test_contrastive_graph_loss_pulls_and_pushes():
    apart, together = torch.tensor([[9.0, 0], [0, 9.0]]), torch.tensor([[9.0, 0], [9.0, 0]])
    alike, unlike = torch.ones(2, 2), torch.eye(2)
    assert contrastive_graph_loss(together, alike) < contrastive_graph_loss(apart, alike)
    assert contrastive_graph_loss(apart, unlike) < contrastive_graph_loss(together, unlike)


def test_similarity_graph_is_a_graph_of_probabilities(generator):
    similarity = similarity_graph(1e-3 * torch.randn(8, 8, generator=generator))
    torch.testing.assert_close(similarity, similarity.T)
    assert similarity.min() >= 0
    assert similarity.max() == 1
    assert (similarity.diagonal() == 1).all()


def test_confident_cross_entropy_is_the_loop(generator):
    logits = 3 * torch.randn(20, 4, generator=generator)
    probabilities = logits.softmax(1)
    costs = [-torch.log(p.max()) for p in probabilities if p.max() >= 0.8]
    assert 0 < len(costs) < 20
    torch.testing.assert_close(confident_cross_entropy(logits, 0.8), torch.stack(costs).mean())


def test_confident_cross_entropy_without_confident_samples_is_zero():
    logits = torch.zeros(5, 4, requires_grad=True)
    cost = confident_cross_entropy(logits, 0.8)
    cost.backward()
    assert cost == 0
    assert logits.grad.abs().sum() == 0


# S2ConvSCN


def test_s2convscn_eq_4_is_eq_5(generator):
    """Half the cost of spectral clustering is the norm of C across clusters."""
    coef = torch.randn(9, 9, dtype=torch.float64, generator=generator)
    segments = torch.tensor([0, 2, 1, 1, 0, 2, 2, 0, 1])
    affinity, q = symmetric_affinity(coef.numpy()), np.eye(3)[segments]
    pairs = [(i, j) for i in range(9) for j in range(9)]
    eq_4 = sum(affinity[i, j] * np.square(q[i] - q[j]).sum() for i, j in pairs)
    eq_5 = sum(abs(float(coef[i, j])) * np.square(q[i] - q[j]).sum() / 2 for i, j in pairs)
    assert eq_4 / 2 == pytest.approx(eq_5)
    assert segmentation_norm(coef, segments).item() == pytest.approx(eq_5)


def test_segmentation_norm_is_zero_for_blocks_and_blind_to_names(generator):
    coef = torch.randn(8, 8, generator=generator)
    segments = torch.tensor([0, 0, 1, 1, 1, 2, 2, 2])
    blocks = coef.masked_fill(segments[:, None] != segments, 0)
    assert segmentation_norm(blocks, segments) == 0
    assert segmentation_norm(coef, segments) > 0
    for names in ([1, 2, 0], [2, 1, 0], [7, 3, 5]):
        assert segmentation_norm(coef, torch.tensor(names)[segments]) == segmentation_norm(coef, segments)


def test_eq_6_is_the_loop_as_printed(generator):
    y = torch.randn(7, 3, dtype=torch.float64, generator=generator)
    labels = torch.tensor([0, 2, 1, 1, 0, 2, 2])
    q, first, second = torch.eye(3, dtype=torch.float64)[labels], 0.0, 0.0
    for j in range(7):
        first += torch.log(1 + torch.exp(-y[j].softmax(0) @ q[j]))
        second += (y[j] - y[labels == labels[j]].mean(0)).square().sum()
    torch.testing.assert_close(bounded_logistic_loss(y, labels), first)
    torch.testing.assert_close(center_loss(y, labels), second)


def test_bounded_logistic_loss_is_no_cross_entropy():
    labels = torch.tensor([0])
    right, wrong = (bounded_logistic_loss(torch.tensor([[s, -s]]), labels).item() for s in (50.0, -50.0))
    assert right == pytest.approx(np.log(1 + np.exp(-1)))
    assert wrong == pytest.approx(np.log(2))


def test_detached_centers_change_no_gradient(generator):
    labels = torch.tensor([0, 2, 1, 1, 0, 2, 2])
    y = torch.randn(7, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    center_loss(y, labels).backward()
    ours, y.grad = y.grad, None
    centers = torch.stack([y[labels == k].mean(0) for k in range(3)])
    (y - centers[labels]).square().sum().backward()
    torch.testing.assert_close(ours, y.grad)


# DSCSC


def contrastive_loop(h, h_view, neighbors, temperature):
    """Eqs (4), (5) and (8), pair by pair."""
    h, h_view = h / h.norm(dim=1, keepdim=True), h_view / h_view.norm(dim=1, keepdim=True)
    n, total = len(h), 0.0

    def taken_for(i, x):
        return torch.exp(h[i] @ x / temperature) / sum(torch.exp(h[k] @ x / temperature) for k in range(n))

    for i in range(n):
        total -= torch.log(taken_for(i, h_view[i]))
        for j in range(n):
            if j != i and j not in neighbors[i]:
                total -= torch.log(1 - taken_for(i, h[j]))
    return total


@pytest.mark.parametrize("n_neighbors", [0, 1, 3, 8])
def test_contrastive_loss_is_the_double_loop(generator, n_neighbors):
    z, h, h_view = torch.randn(3, 9, 4, dtype=torch.float64, generator=generator)
    neighbors = nearest_samples(z, n_neighbors)
    found = structural_contrastive_loss(h, h_view, neighbors, temperature=0.3)
    torch.testing.assert_close(found, contrastive_loop(h, h_view, neighbors.tolist(), 0.3))


def test_eq_8_without_neighbors_is_eq_7(generator):
    h, h_view = torch.randn(2, 9, 4, dtype=torch.float64, generator=generator)
    none = torch.empty(9, 0, dtype=torch.int64)
    eq_7 = contrastive_loop(h, h_view, [[]] * 9, 0.1)
    torch.testing.assert_close(structural_contrastive_loss(h, h_view, none), eq_7)
    torch.testing.assert_close(structural_contrastive_loss(h, h_view, None), eq_7)


def test_contrastive_loss_falls_when_positives_approach_and_negatives_part(generator):
    h, far = torch.randn(2, 6, 4, generator=generator)
    approaching = [structural_contrastive_loss(h, torch.lerp(far, h, t)).item() for t in (0.0, 0.3, 0.6, 1.0)]
    assert approaching == sorted(approaching, reverse=True)
    shared = torch.ones(4)
    parting = [structural_contrastive_loss(shared + t * h, shared + t * h).item() for t in (0.0, 0.1, 0.3, 1.0)]
    assert parting == sorted(parting, reverse=True)
    neighbors = torch.tensor([[1], [0], [3], [2], [5], [4]])
    assert structural_contrastive_loss(h, far, neighbors) < structural_contrastive_loss(h, far)


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 10.0])
def test_contrastive_loss_and_gradient_are_finite_where_samples_coincide(temperature):
    h = torch.cat([torch.ones(3, 4), -torch.ones(3, 4), torch.zeros(1, 4)]).requires_grad_()
    cost = structural_contrastive_loss(h, h.detach().roll(3, 0), temperature=temperature)
    cost.backward()
    assert torch.isfinite(cost)
    assert torch.isfinite(h.grad).all()


def test_nearest_samples_are_those_of_the_loop(generator):
    z = torch.randn(8, 3, generator=generator, requires_grad=True)
    found = nearest_samples(z, 3)
    assert not found.requires_grad
    for i in range(8):
        distances = {j: float((z[i] - z[j]).norm().detach()) for j in range(8) if j != i}
        assert found[i].tolist() == sorted(distances, key=distances.get)[:3]
    assert nearest_samples(z, 99).shape == (8, 7)


# NCSC


def test_classifier_affinity_is_the_cosine_of_predictions(generator):
    logits = 3 * torch.randn(6, 4, dtype=torch.float64, generator=generator)
    found = classifier_affinity(logits)
    for i in range(6):
        for j in range(6):
            p, q = torch.exp(logits[i]), torch.exp(logits[j])
            assert found[i, j].item() == pytest.approx(float(p @ q / (p.norm() * q.norm())))
    one_hot = classifier_affinity(torch.tensor([[99.0, 0, 0], [99.0, 0, 0], [0, 0, 99.0]]))
    torch.testing.assert_close(one_hot, torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]))


@pytest.mark.parametrize("signed", [False, True])
def test_subspace_affinity_is_eq_4_with_the_scale_of_section_4(generator, signed):
    coef = torch.randn(7, 7, dtype=torch.float64, generator=generator)
    coef[3], coef[:, 3] = 0, 0
    found = subspace_affinity(coef, signed=signed)
    for i in range(7):
        row = []
        for j in range(7):
            c, d = coef[i, j].item(), coef[j, i].item()
            row.append((max(c, 0) + max(d, 0)) / 2 if signed else (abs(c) + abs(d)) / 2)
        largest = max(value for j, value in enumerate(row) if j != i)
        for j in range(7):
            wanted = 1 if i == j else row[j] / largest if largest else 0
            assert found[i, j].item() == pytest.approx(wanted)
    assert not torch.equal(found, found.T)
    assert found.min() >= 0
    assert found.max() == 1


def test_scale_of_the_subspace_affinity_is_not_differentiated(generator):
    coef = torch.rand(5, 5, dtype=torch.float64, generator=generator).requires_grad_()
    affinity = subspace_affinity(coef)
    i, j = divmod(int(affinity.detach().fill_diagonal_(0).argmax()), 5)
    affinity[i, j].backward()
    assert affinity[i, j] == 1
    assert coef.grad[i, j] > 0  # Of a largest entry divided by itself it would be 0.
    assert (coef.grad != 0).sum() == 2


def test_pairs_are_selected_by_the_thresholds_and_the_largest_of_each_row(generator):
    a_s, a_c = torch.rand(2, 8, 8, generator=generator)
    off = [(i, j) for i in range(8) for j in range(8) if i != j]
    for n_positives in (None, 1, 3, 7, 50):
        found = positive_pairs(a_s, 0.4, n_positives)
        for i in range(8):
            order = sorted((j for j in range(8) if j != i), key=lambda j: -float(a_s[i, j]))
            wanted = {j for j in order[:n_positives] if a_s[i, j] > 0.4}
            assert set(found[i].nonzero().ravel().tolist()) == wanted
    found = negative_pairs(a_c, 0.6)
    assert {(int(i), int(j)) for i, j in found.nonzero()} == {(i, j) for i, j in off if a_c[i, j] < 0.6}


def test_eqs_6_and_7_are_the_loops_as_printed(generator):
    a_s, a_c = torch.rand(2, 8, 8, dtype=torch.float64, generator=generator) * 0.9 + 0.05
    off = [(i, j) for i in range(8) for j in range(8) if i != j]
    positive = [-a_s[i, j] * torch.log(a_c[i, j]) for i, j in off if a_s[i, j] > 0.4]
    negative = [-(1 - a_c[i, j]) * torch.log(1 - a_s[i, j]) for i, j in off if a_c[i, j] < 0.6]
    l_pos = positive_cross_entropy(a_s, a_c, positive_pairs(a_s, 0.4))
    l_neg = negative_cross_entropy(a_c, a_s, negative_pairs(a_c, 0.6))
    torch.testing.assert_close(l_pos, torch.stack(positive).mean())
    torch.testing.assert_close(l_neg, torch.stack(negative).mean())
    # Eq. (5) with its collaboration rate, the ratio of the numbers of pairs, is a multiple of l_pos + l_neg.
    alpha = len(positive) / len(negative)
    torch.testing.assert_close((sum(positive) + alpha * sum(negative)) / len(positive), l_pos + l_neg)


def test_cross_entropies_are_finite_at_0_and_1_and_0_without_pairs():
    a = torch.tensor([[1.0, 1.0], [0.0, 1.0]], requires_grad=True)
    every, none = torch.ones(2, 2, dtype=torch.bool), torch.zeros(2, 2, dtype=torch.bool)
    for cost in (positive_cross_entropy, negative_cross_entropy):
        total = cost(a, a, every) + cost(1 - a, a, every)
        total.backward()
        assert torch.isfinite(total)
        assert torch.isfinite(a.grad).all()
        assert cost(a, a, none) == 0


def test_one_cluster_is_an_optimum_of_the_printed_collaboration(generator):
    """Eq. (5) is 0 for a constant classifier; negatives in both directions and the balance are not."""
    constant = torch.tensor([[9.0, 0, 0]]).expand(6, 3)
    a_c, a_s = classifier_affinity(constant), subspace_affinity(torch.rand(6, 6, generator=generator))
    positive = positive_cross_entropy(a_s, a_c, positive_pairs(a_s, 0.1))
    negative = negative_cross_entropy(a_c, a_s, negative_pairs(a_c, 0.9))
    assert (positive + negative).item() == pytest.approx(0, abs=1e-5)
    assert balance_cost(constant) > 1


def test_balance_is_the_missing_entropy(generator):
    logits = torch.randn(9, 4, dtype=torch.float64, generator=generator)
    shares = logits.softmax(1).mean(0)
    entropy = -sum(float(share) * np.log(float(share)) for share in shares)
    assert balance_cost(logits).item() == pytest.approx(np.log(4) - entropy)
    assert balance_cost(50 * torch.eye(4)).item() == pytest.approx(0, abs=1e-6)
    assert balance_cost(torch.tensor([[999.0, 0, 0]])).item() == pytest.approx(np.log(3))


# At the edges


def test_gradients_of_predictions_that_are_alike_are_no_rounding_errors(generator):
    logits = torch.tensor([6.0, 0, 0]) + 0.05 * torch.randn(50, 3, generator=generator)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        leaf = logits.to(dtype, copy=True).requires_grad_()
        contrastive_graph_loss(leaf, torch.eye(50, dtype=dtype)).backward()
        gradients.append(leaf.grad.double())
    assert (gradients[0] - gradients[1]).norm() < 1e-2 * gradients[1].norm()


def test_predictions_beyond_the_margin_are_not_pushed():
    logits = torch.tensor([[9.0, 0], [0, 9.0]], requires_grad=True)
    cost = contrastive_graph_loss(logits, torch.eye(2), margin=0.5)
    cost.backward()
    assert cost.item() == pytest.approx(0, abs=1e-12)
    assert not logits.grad.any()


def test_a_label_as_sure_as_the_threshold_supervises(generator):
    logits = torch.randn(1, 4, generator=generator)
    assert confident_cross_entropy(logits, logits.softmax(1).max().item()) > 0


def test_the_scale_of_the_similarity_graph_is_not_differentiated(generator):
    coef = torch.rand(5, 5, dtype=torch.float64, generator=generator).requires_grad_()
    weights = torch.rand(5, 5, dtype=torch.float64, generator=generator)
    (similarity_graph(coef) * weights).sum().backward()
    with torch.no_grad():
        graph = (coef + coef.T) / 2
        scale = graph.amax(1, keepdim=True)
        is_own = graph / scale >= (graph / scale).T
    again = coef.detach().clone().requires_grad_()
    graph = (again + again.T) / 2 / scale
    graph = torch.where(is_own, graph, graph.T).masked_fill(torch.eye(5, dtype=torch.bool), 1.0)
    (graph * weights).sum().backward()
    torch.testing.assert_close(coef.grad, again.grad)


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1e30])
def test_normalized_graph_knows_no_scale(generator, scale):
    coef = torch.rand(5, 5, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(normalized_graph(coef * scale), normalized_graph(coef))


def test_neighbours_far_from_the_origin_are_found(generator):
    z = 0.1 * torch.randn(60, 8, generator=generator) + 100
    distance = (z[:, None].double() - z.double()).norm(dim=2).fill_diagonal_(torch.inf)
    assert torch.equal(nearest_samples(z, 5).sort()[0], distance.topk(5, largest=False).indices.sort()[0])


def test_positive_pairs_cost_no_more_than_at_a_thousandth():
    student = torch.full((2, 2), 1e-5, requires_grad=True)
    cost = positive_cross_entropy(torch.ones(2, 2), student, ~torch.eye(2, dtype=torch.bool))
    assert cost.item() == pytest.approx(-np.log(1e-3))


def test_a_cluster_that_has_nothing_gets_nothing():
    target = sharpened_assignments(torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0.5, 0.5, 0]]))
    torch.testing.assert_close(target, torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0.5, 0.5, 0]]))
    logits = torch.tensor([[1.0, 0, -200], [0, 2.0, -200]], requires_grad=True)
    cost = sharpening_cost(logits)
    cost.backward()
    assert cost.isfinite()
    assert logits.grad.isfinite().all()


def test_noise_has_no_part_in_a_scatter(generator):
    rows, labels = torch.randn(4, 2, generator=generator), torch.tensor([0, 0, 1, -1])
    found = scatter_by_label([(rows, labels)], 2)
    torch.testing.assert_close(found[1], rows[2:3].T.double() @ rows[2:3].double())


def test_edges_are_contrasted_with_what_is_linked_neither_way():
    """As the formula says it, for links of one direction."""
    generator = torch.Generator().manual_seed(0)
    h, g = (F.normalize(torch.randn(6, 4, generator=generator, dtype=torch.float64)) for _ in range(2))
    linked = torch.rand(6, 6, generator=generator) < 0.3
    total = 0.0
    for i in range(6):
        to_g = [j for j in range(6) if j == i or not linked[i, j]]
        from_h = [j for j in range(6) if j == i or not linked[j, i]]
        own = (h[i] @ g[i] / 0.2).exp()
        total += (own / sum((h[i] @ g[j] / 0.2).exp() for j in to_g)).log()
        total += (own / sum((h[j] @ g[i] / 0.2).exp() for j in from_h)).log()
    torch.testing.assert_close(edge_contrastive_loss(h, g, linked), -total / 12)
