"""Self-expression against its slow, obvious version."""

import numpy as np
import pytest
import torch
from scipy.linalg import eigh

from skdeepsc import _eigenpairs
from skdeepsc.nn import (
    ExpressionHead,
    RidgeExpression,
    RidgePath,
    TrainedExpression,
    gram_spectrum,
    ridge_coefficients,
    ridge_penalty,
)
from skdeepsc.nn.expression import SelfExpression, eigenpairs


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


@pytest.mark.parametrize("degrees_of_freedom", [1e-18, 1e-200])
def test_penalty_of_hardly_any_degrees_of_freedom(degrees_of_freedom):
    spectrum = torch.arange(1.0, 9.0, dtype=torch.float64)
    lam = ridge_penalty(spectrum, degrees_of_freedom)
    assert (spectrum / lam).sum().item() == pytest.approx(degrees_of_freedom)


def test_penalty_of_constant_features_is_defined():
    assert ridge_penalty(gram_spectrum(torch.zeros(5, 3)), 2) > 0
    coef = RidgeExpression(degrees_of_freedom=2)(torch.ones(5, 3))
    assert torch.isfinite(coef).all()


def test_a_penalty_that_nothing_holds_is_refused():
    for shape in ((6, 3), (3, 6)):
        with pytest.raises(ValueError, match=r"A ridge penalty of inf is more than torch\.float32 holds"):
            ridge_coefficients(torch.ones(shape), torch.tensor(1e300))
        with pytest.raises(ValueError, match="too small for features"):
            ridge_coefficients(torch.ones(shape), -10.0)
        with pytest.raises(FloatingPointError, match=r"features .* hold NaN or infinite values"):
            ridge_coefficients(torch.full(shape, 1e30), 1.0)


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
    torch.testing.assert_close(expression.combine(expression(z), z, z), z)


def test_combine_is_c_z_without_normalisation():
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    coef = torch.randn(6, 6, generator=torch.Generator().manual_seed(1))
    expression = TrainedExpression(6, coef)
    torch.testing.assert_close(expression.combine(expression(z), z, z), coef @ z)


def test_trained_diagonal_is_forced_to_zero():
    expression = TrainedExpression(4, 1.0, zero_diagonal=True)
    coef = expression(torch.zeros(4, 2))
    assert coef.diagonal().abs().sum() == 0
    coef.sum().backward()
    assert expression.coef.grad.diagonal().abs().sum() == 0


@pytest.mark.parametrize("shape", [(30, 5), (20, 50), (12, 12)])
def test_path_has_the_ridge_solution_for_every_penalty(shape):
    z = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    path = RidgePath(z)
    for lam in (0.1, 10.0):
        expected = ridge_coefficients(z, lam)
        np.testing.assert_allclose(path.coefficients(lam), expected, atol=2e-4)
        np.testing.assert_allclose(path.coefficients(lam, slice(3, 8)), expected[3:8], atol=2e-4)


def test_eigenpairs_are_found_where_the_fast_ways_do_not_find_them(monkeypatch):
    def failing(gram):
        raise torch.linalg.LinAlgError("The algorithm failed to converge")

    def slow_only(gram, driver, **how):
        if driver == "evd":
            raise np.linalg.LinAlgError("The algorithm failed to converge")
        return eigh(gram, driver=driver, **how)

    grams = torch.randn((3, 5, 7), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    grams = grams @ grams.mT
    wanted = torch.linalg.eigh(grams)
    monkeypatch.setattr(torch.linalg, "eigh", failing)
    monkeypatch.setattr(_eigenpairs, "eigh", slow_only)
    for gram, values in ((grams, wanted[0]), (grams[1], wanted[0][1])):
        found, vectors = eigenpairs(gram)
        torch.testing.assert_close(found, values)
        torch.testing.assert_close(vectors * found[..., None, :] @ vectors.mT, gram)
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        eigenpairs(grams * torch.inf)


def test_what_lapack_cannot_count_is_not_asked_of_it(monkeypatch):
    """The way by halves of more than 32,767 samples works in more numbers than 32 bits count, and writes past them."""
    drivers = []
    monkeypatch.setattr(_eigenpairs, "eigh", lambda matrix, driver, **how: drivers.append(driver))
    for n_samples in (2, 32_768):
        _eigenpairs.all_eigenpairs(np.broadcast_to(0.0, (n_samples, n_samples)))
    assert drivers == ["evd", "evr"]


@pytest.mark.parametrize("shape", [(30, 5), (20, 50)])
def test_path_expresses_new_samples(shape):
    generator = torch.Generator().manual_seed(0)
    z, new = (torch.randn(n, shape[1], dtype=torch.float64, generator=generator) for n in (shape[0], 3))
    expected = torch.linalg.solve(z @ z.T + 0.5 * torch.eye(len(z), dtype=z.dtype), z @ new.T).T
    np.testing.assert_allclose(new.float() @ RidgePath(z).weights(0.5), expected, atol=2e-5)


def test_top_coefficients_are_the_largest_of_each_row(monkeypatch):
    z = torch.randn(25, 6, generator=torch.Generator().manual_seed(0))
    path = RidgePath(z)
    expected = -np.sort(-path.coefficients(0.5).numpy(), axis=1)[:, :4]
    for block_values in (2**23, 70):  # All rows at once, and two at a time.
        monkeypatch.setattr("skdeepsc.nn.expression._BLOCK_VALUES", block_values)
        columns, coefs = path.top_coefficients(0.5, 4)
        np.testing.assert_allclose(coefs, expected, atol=1e-6)
        np.testing.assert_allclose(
            np.take_along_axis(path.coefficients(0.5).numpy(), columns, axis=1), coefs, atol=1e-6
        )


def test_top_cosines_are_the_largest_means_over_rooms(monkeypatch):
    z = torch.randn(25, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z = z - z.mean(0)
    expected = np.ones((25, 25))
    for lam in (0.5, 10.0):
        hat = z @ torch.linalg.solve(z.T @ z + lam * torch.eye(6, dtype=z.dtype), z.T) + 1 / 25
        expected *= (hat.abs() / (hat.diagonal().outer(hat.diagonal())).sqrt()).numpy() ** (8 / 2)
    np.fill_diagonal(expected, 0)
    path = RidgePath(z, affine=True)
    for block_values in (2**23, 70):  # All rows at once, and two at a time.
        monkeypatch.setattr("skdeepsc.nn.expression._BLOCK_VALUES", block_values)
        columns, cosines = path.top_cosines([0.5, 10.0], 4)
        np.testing.assert_allclose(cosines, -np.sort(-expected, axis=1)[:, :4], atol=1e-5)
        np.testing.assert_allclose(np.take_along_axis(expected, columns, axis=1), cosines, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5)])
def test_path_of_constant_features_is_zero(shape):
    path = RidgePath(torch.zeros(shape))
    assert path.spectrum.tolist() == [0]
    assert path.coefficients(1.0).abs().max() == 0
    assert path.weights(1.0).abs().max() == 0
    assert path.top_cosines([1.0], 2)[1].max() == 0


@pytest.mark.parametrize("scaling", [{"center": True, "unit": True}, {"center": False, "unit": False}])
@pytest.mark.parametrize("n_more", [0, 2])
@pytest.mark.parametrize(("n_samples", "n_latent"), [(30, 5), (20, 12), (8, 20)])
def test_ridge_combines_what_its_coefficients_do(n_samples, n_latent, n_more, scaling):
    """Also where samples are expressed by more than their codes."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(n_samples, n_latent, dtype=torch.float64, generator=generator, requires_grad=True)
    weights = torch.randn(z.shape, dtype=torch.float64, generator=generator)
    expressed = torch.cat([z, z[:, :n_more].exp()], 1)
    layer = RidgeExpression(0.3, **scaling)
    coef = layer(expressed)
    found = [SelfExpression.combine(layer, coef, z, expressed), layer.combine(coef, z, expressed)]
    torch.testing.assert_close(*found)
    torch.testing.assert_close(*(torch.autograd.grad((weights * z_hat).sum(), z, retain_graph=True) for z_hat in found))


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, None])
def test_a_bad_number_of_samples_is_named(n_samples):
    with pytest.raises(ValueError, match="n_samples must be a positive integer"):
        TrainedExpression(n_samples)


def test_a_ridge_has_no_more_freedom_than_most_of_the_samples():
    z = torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    layers = [RidgeExpression(degrees_of_freedom=freedom) for freedom in (14, 19)]
    assert torch.equal(*(layer(z) for layer in layers))


def test_a_path_knows_the_rank_of_its_samples():
    z = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)) @ torch.ones(3, 30).tril()
    assert len(RidgePath(z).spectrum) == 3


def test_weights_with_and_without_a_chosen_penalty_can_be_loaded():
    used, new = RidgeExpression(None, 4.0), RidgeExpression(None, 4.0)
    coef = used(Z := torch.randn(20, 6, generator=torch.Generator().manual_seed(0)))
    new.load_state_dict(used.state_dict())
    torch.testing.assert_close(new(Z), coef)
    new.load_state_dict(RidgeExpression(None, 4.0).state_dict())
    assert new.lam is None


def test_a_head_has_the_precision_of_the_codes():
    codes = torch.randn(20, 6, dtype=torch.float64)
    head = ExpressionHead.of_codes(codes)
    assert head.project(head.directions(codes)).dtype == torch.float64


def test_a_penalty_stays_where_weights_are_loaded_in_part():
    fixed, chosen = RidgeExpression(0.5), RidgeExpression(None, 4.0)
    chosen(torch.randn(20, 6))
    lam = chosen.lam.clone()
    for layer in (fixed, chosen):
        layer.load_state_dict({}, strict=False)
    assert fixed.lam == 0.5
    assert chosen.lam == lam
    with pytest.raises(RuntimeError, match="Missing key"):
        fixed.load_state_dict(RidgeExpression(None, 4.0).state_dict())
