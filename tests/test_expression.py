"""Self-expression against its slow, obvious version."""

import numpy as np
import pytest
import torch

from skdeepsc.nn import RidgeExpression, TrainedExpression, gram_spectrum, ridge_coefficients, ridge_penalty


def slow_ridge(z, lam):
    """Each sample regressed on all others by the normal equations."""
    coef = np.zeros((len(z), len(z)))
    for i in range(len(z)):
        others = np.delete(np.arange(len(z)), i)
        gram = z[others] @ z[others].T
        coef[i, others] = np.linalg.solve(gram + lam * np.eye(len(others)), z[others] @ z[i])
    return coef


@pytest.mark.parametrize("shape", [(30, 5), (20, 50)], ids=["latent side", "sample side"])
@pytest.mark.parametrize("lam", [0.1, 10.0])
def test_ridge_is_the_regression_on_all_others(shape, lam):
    z = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(ridge_coefficients(z, lam), slow_ridge(z.numpy(), lam), atol=1e-12)


@pytest.mark.parametrize("shape", [(12, 4), (6, 9)])
def test_ridge_is_differentiable(shape):
    z = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: ridge_coefficients(z, 0.5), z)


def test_ridge_permutes_with_the_samples():
    z = torch.randn(15, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(15, generator=torch.Generator().manual_seed(1))
    coef = ridge_coefficients(z, 1.0)
    torch.testing.assert_close(ridge_coefficients(z[order], 1.0), coef[order][:, order])


@pytest.mark.parametrize("degrees_of_freedom", [0.5, 3, 7])
def test_penalty_has_the_wanted_degrees_of_freedom(degrees_of_freedom):
    z = torch.randn(40, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    lam = ridge_penalty(gram_spectrum(z), degrees_of_freedom)
    hat = z @ torch.linalg.solve(z.T @ z + lam * torch.eye(8, dtype=z.dtype), z.T)
    assert torch.trace(hat).item() == pytest.approx(degrees_of_freedom, rel=1e-9)


def test_penalty_of_constant_features_is_defined():
    assert ridge_penalty(gram_spectrum(torch.zeros(5, 3)), 2) > 0
    coef = RidgeExpression(degrees_of_freedom=2)(torch.ones(5, 3))
    assert torch.isfinite(coef).all()


def test_ridge_keeps_its_first_penalty():
    expression = RidgeExpression(degrees_of_freedom=3)
    z = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    expression(z)
    lam = expression.lam.item()
    expression(z + torch.randn(20, 6, generator=torch.Generator().manual_seed(1)))
    assert expression.lam.item() == lam


@pytest.mark.parametrize(("center", "unit"), [(False, False), (False, True), (True, True), (True, False)])
def test_combine_undoes_the_normalisation(center, unit):
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    expression = TrainedExpression(6, torch.eye(6), center=center, unit=unit)
    torch.testing.assert_close(expression.combine(expression(z), z), z)


def test_combine_is_c_z_without_normalisation():
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    coef = torch.randn(6, 6, generator=torch.Generator().manual_seed(1))
    expression = TrainedExpression(6, coef)
    torch.testing.assert_close(expression.combine(expression(z), z), coef @ z)


def test_trained_diagonal_is_forced_to_zero():
    expression = TrainedExpression(4, 1.0, zero_diagonal=True)
    coef = expression(torch.zeros(4, 2))
    assert coef.diagonal().abs().sum() == 0
    coef.sum().backward()
    assert expression.coef.grad.diagonal().abs().sum() == 0
