"""Every cost against its slow, obvious version, and the identities that the papers state."""

import numpy as np
import pytest
import torch

from skdeepsc.losses import (
    coefficient_norm,
    confident_cross_entropy,
    contrastive_graph_loss,
    laplacian_cost,
    normalized_graph,
    similarity_graph,
    squared_error,
)


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
