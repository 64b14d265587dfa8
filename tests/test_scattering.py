"""Scattering against convolutions written out, its invariances, its energy, and the transformer around it."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepsc import LocalContrast, MultiscaleScattering, Scattering, SubspaceClustering
from skdeepsc.features import _scattering
from skdeepsc.features._scattering import SharedWavelets
from skdeepsc.metrics import clustering_accuracy_score
from skdeepsc.nn import ScatteringNetwork
from skdeepsc.nn.wavelets import _morlet_wavelets


def circular_convolution(image, kernel):
    """Every shift of the image times one value of the kernel: the definition, slowly."""
    shifts = np.ndindex(kernel.shape)
    return sum(kernel[dy, dx] * np.roll(image, (dy, dx), axis=(0, 1)) for dy, dx in shifts)


def slow_scattering(image, paths, n_scales, n_angles):
    """The definition: reflect, convolve in space, keep every 2 ** j-th pixel, modulus; Gaussian averages at the end."""
    step, unit = 2**n_scales, max(2**n_scales, 8)
    margin = 3 * unit // 2
    height, width = image.shape
    total = [-(-(size + 2 * margin) // unit) * unit for size in image.shape]
    padding = [(margin, n - size - margin) for n, size in zip(total, image.shape, strict=True)]
    image = np.pad(image, padding, mode="reflect")
    output = []
    for path in paths:
        signal, resolution = image, 0
        for j, angle in path:
            # The wavelet on the grid of the signal: its spectrum repeats, so that frequencies fall upon each other.
            spectrum = _morlet_wavelets(tuple(total), j, n_angles)[angle]
            psi = np.fft.ifft2(spectrum)[:: 2**resolution, :: 2**resolution] * 4**resolution
            signal = np.abs(circular_convolution(signal, psi)[:: 2 ** (j - resolution), :: 2 ** (j - resolution)])
            resolution = j
        averages = []
        for axis, size in enumerate((height, width)):
            positions = margin + (size - -(-size // step) * step) / 2 + step * (np.arange(-(-size // step)) + 0.5)
            distance = positions[:, None] - np.arange(0, total[axis], 2**resolution)
            distance = (distance + total[axis] / 2) % total[axis] - total[axis] / 2
            sigma = 0.8 * step / 2
            averages.append(2**resolution / np.sqrt(2 * np.pi) / sigma * np.exp(-0.5 * (distance / sigma) ** 2))
        output.append(averages[0] @ signal @ averages[1].T)
    return np.array(output)


@pytest.mark.parametrize(("shape", "n_scales", "n_angles"), [((16, 16), 2, 3), ((9, 14), 2, 2), ((16, 8), 1, 4)])
def test_network_is_the_direct_convolution(shape, n_scales, n_angles):
    image = np.random.RandomState(0).uniform(size=shape)
    network = ScatteringNetwork(shape, n_scales, n_angles)
    fast = network(torch.tensor(image[None], dtype=torch.float32))[0].numpy()
    slow = slow_scattering(image, network.paths, n_scales, n_angles)
    assert fast.shape == slow.shape == (len(network.paths), *network.grid_shape)
    np.testing.assert_allclose(fast, slow, atol=2e-5 * slow.max())


def test_filters_have_zero_mean_and_keep_the_energy():
    """Littlewood-Paley: the squared spectra of all filters add up to at most 1, and to much in the band they cover."""
    shape = (64, 64)
    psi = np.concatenate([_morlet_wavelets(shape, j, 6) for j in range(3)])
    np.testing.assert_allclose(psi[:, 0, 0], 0, atol=1e-12)
    y, x = np.meshgrid(*[2 * np.pi * np.fft.fftfreq(64)] * 2, indexing="ij")
    phi = np.exp(-0.5 * 3.2**2 * (y**2 + x**2))
    mirrored = np.roll(psi[:, ::-1, ::-1], 1, axis=(1, 2))
    energy = phi**2 + (psi**2 + mirrored**2).sum(0) / 2
    assert energy.max() < 1 + 1e-9
    assert energy[np.hypot(x, y) < 2.8].min() > 0.45


def test_output_keeps_most_of_the_energy_of_a_smooth_image():
    y, x = np.mgrid[:32, :32]
    wave = np.cos(2 * np.pi * (x + y) / 12)
    coefficients = ScatteringNetwork((32, 32))(torch.tensor(wave[None], dtype=torch.float32))
    energy = coefficients.square().sum(1).mean().item()
    assert 0.4 * np.mean(wave**2) < energy < 1.1 * np.mean(wave**2)


def test_waves_answer_in_the_channel_of_their_angle_and_scale():
    y, x = np.mgrid[:32, :32]
    network = ScatteringNetwork((32, 32), n_angles=4, order=1)
    for j, angle in ((0, 0), (1, 1), (1, 2), (2, 3)):
        theta, xi = np.pi * angle / 4, 0.75 * np.pi / 2**j
        wave = np.cos(xi * (np.cos(theta) * x + np.sin(theta) * y))
        strength = network(torch.tensor(wave[None], dtype=torch.float32))[0].mean((1, 2))
        assert network.paths[strength.argmax()] == ((j, angle),)


def test_small_shifts_change_scattering_less_than_pixels():
    image = np.zeros((1, 32, 32), dtype=np.float32)
    image[0, 8:24, 12:18] = np.random.RandomState(0).uniform(size=(16, 6))
    shifted = np.roll(image, 1, axis=2)
    pixels = np.linalg.norm(shifted - image) / np.linalg.norm(image)
    scattering = Scattering(normalize=False)
    before, after = scattering.fit_transform(image.repeat(2, 0))[0], scattering.transform(shifted)[0]
    assert np.linalg.norm(after - before) / np.linalg.norm(before) < 0.25 * pixels


def test_normalization_is_the_formula():
    images = load_digits().images[:40]
    raw = Scattering(normalize=False).fit_transform(images).reshape(40, 126, 16).astype(float)
    parts = []
    for part in (raw[:, :18], raw[:, 18:]):
        norm = np.sqrt((part**2).sum(1, keepdims=True))
        parts.append(part / (norm + 0.1 * norm.mean()))
    expected = np.concatenate(parts, axis=1)
    expected -= expected.mean(0)
    expected /= expected.std(0).mean(1)[:, None]
    Z = Scattering().fit_transform(images)
    np.testing.assert_allclose(Z, expected.reshape(40, -1), atol=1e-4)


def test_fit_transform_is_transform_and_blocks_change_nothing():
    images = load_digits().images[:30]
    Z = Scattering().fit_transform(images)
    np.testing.assert_allclose(Scattering(block_size=7).fit(images).transform(images), Z, atol=1e-5)
    scattering = Scattering().fit(images)
    one = np.concatenate([scattering.transform(image[None]) for image in images])
    np.testing.assert_allclose(one, scattering.transform(images), atol=1e-6)


def test_normalized_features_ignore_contrast():
    images = load_digits().images[:30]
    scattering = Scattering().fit(images)
    np.testing.assert_allclose(Scattering().fit_transform(0.1 * images), scattering.transform(images), atol=1e-4)


@pytest.mark.parametrize("shape", [(5, 7), (1, 12), (40, 25), (2, 9, 9)])
@pytest.mark.parametrize("image_size", [None, 16])
def test_any_size(shape, image_size):
    images = np.random.RandomState(0).uniform(size=(6, *shape))
    scattering = Scattering(image_size=image_size, n_scales=2, n_angles=3)
    Z = scattering.fit_transform(images)
    assert Z.dtype == np.float32
    assert np.isfinite(Z).all()
    assert Z.shape == (6, np.prod(scattering.output_shape_))
    assert scattering.output_shape_[0] == len(scattering.paths_) * (shape[0] if len(shape) == 3 else 1)
    assert len(scattering.get_feature_names_out()) == Z.shape[1]


def test_channels_are_scattered_one_by_one():
    images = np.random.RandomState(0).uniform(size=(4, 2, 16, 16))
    both = Scattering(normalize=False, image_size=None).fit_transform(images).reshape(4, 2, -1)
    for channel in (0, 1):
        alone = Scattering(normalize=False, image_size=None).fit_transform(images[:, channel])
        np.testing.assert_allclose(both[:, channel], alone, atol=1e-6)


def test_constant_images_give_no_noise():
    Z = Scattering().fit_transform(np.full((5, 8, 8), 200, dtype=np.uint8))
    assert np.abs(Z).max() < 1e-2


def test_flat_rows_are_images_only_when_told():
    digits = load_digits()
    Z = make_pipeline(Scattering(image_shape=(8, 8)), StandardScaler()).fit_transform(digits.data[:20])
    assert Z.shape == (20, 2016)
    with pytest.warns(UserWarning, match="image_shape"):
        Scattering().fit(digits.data[:20])
    with pytest.raises(ValueError, match=r"'order' parameter of Scattering must be an? int among"):
        Scattering(order=3).fit(digits.images)


def test_order_one_is_the_first_part_of_order_two():
    images = load_digits().images[:5]
    first = Scattering(order=1, normalize=False).fit_transform(images)
    both = Scattering(order=2, normalize=False).fit_transform(images)
    np.testing.assert_allclose(first, both[:, : first.shape[1]], atol=1e-5)


def test_symmetric_features_are_those_of_both_sides(images):
    X, _ = images
    plain, both = Scattering().fit(X), Scattering(symmetric=True).fit(X)
    Z, mirrored = (plain.transform(rows) for rows in (X, X[:, :, ::-1]))
    found, of_mirrored = (both.transform(rows) for rows in (X, X[:, :, ::-1]))
    between = np.linalg.norm(Z - mirrored)
    assert np.linalg.norm(StandardScaler(with_std=False).fit_transform(found - Z - mirrored)) < 0.3 * between
    assert np.linalg.norm(found - of_mirrored) < 0.3 * between
    np.testing.assert_allclose(both.fit_transform(X), found, atol=1e-5)
    assert both.transform(X[:1]) == pytest.approx(found[:1], abs=1e-5)


def test_multiscale_features_are_parts_of_unit_length(images):
    X, _ = images
    scattering = MultiscaleScattering(n_scales=(2, 1), image_size=None).fit(X)
    Z = scattering.transform(X)
    first = scattering.scatterings_[0]._n_features_out
    np.testing.assert_allclose(np.linalg.norm(Z[:, :first], axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(Z[:, first:], axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(scattering.fit_transform(X), Z, atol=1e-5)
    with pytest.raises(ValueError, match="n_scales must hold"):
        MultiscaleScattering(n_scales=()).fit(X)


def test_scales_that_share_wavelets_have_the_features_of_each_alone(images):
    X = images[0]
    alike = {"n_angles": 2, "image_size": 16, "block_size": 7}
    both, one = MultiscaleScattering(n_scales=(4, 1, 2), **alike), Scattering(n_scales=2, **alike)
    found = list(SharedWavelets({"one": one, "both": both}, X).fit_transform().values())
    alone = [Scattering(n_scales=n_scales, symmetric=True, **alike).fit_transform(X) for n_scales in (4, 1, 2)]
    alone = np.hstack([part / np.linalg.norm(part, axis=1, keepdims=True) for part in alone])
    np.testing.assert_allclose(found[1], alone, atol=1e-5)
    np.testing.assert_allclose(found[0], Scattering(n_scales=2, **alike).fit_transform(X), atol=1e-5)
    np.testing.assert_allclose(both.transform(X[:3]), alone[:3], atol=1e-5)


def test_transformers_that_have_seen_some_samples_scatter_the_rest_alone(images, monkeypatch):
    X = images[0]
    alike = {"n_angles": 2, "image_size": 16, "block_size": 7}
    views = {"both": MultiscaleScattering(n_scales=(1, 2), **alike), "one": Scattering(n_scales=2, **alike)}
    places, scattered = np.array([40, 3, 17, 59]), []

    def coefficients_of(scatterings, samples, made=_scattering.coefficients_of):
        scattered.append(len(samples))
        return made(scatterings, samples)

    monkeypatch.setattr(_scattering, "coefficients_of", coefficients_of)
    shared = SharedWavelets(views, X)
    some = shared.fit_transform(places)
    for name, view in views.items():
        np.testing.assert_allclose(some[name], clone(view).fit(X[places]).transform(X[places]), atol=1e-5)
    scattered.clear()
    found = shared.fit_transform_all("both")
    assert scattered == [len(X) - 4]
    np.testing.assert_allclose(found, clone(views["both"]).fit_transform(X), atol=1e-5)
    np.testing.assert_allclose(views["both"].transform(X), found, atol=1e-5)
    assert shared.fit_transform_all("pixels") is None
    assert SharedWavelets({}, X).fit_transform(places) == {}


def test_local_contrast_is_the_formula_and_ignores_slow_light(images):
    X = images[0]
    contrast = LocalContrast(sigma=1.5).fit(X)
    v = np.log(X / X.max() + 0.02)
    u = v - np.stack([gaussian_filter(image, 1.5, mode="nearest") for image in v])
    s = np.sqrt(np.stack([gaussian_filter(image, 1.5, mode="nearest") for image in u**2]))
    slow = u / (s + 0.1 * s.mean())
    np.testing.assert_allclose(contrast.transform(X).reshape(X.shape), slow, atol=2e-3)
    bright = X + 1  # Far from the offset, light is a factor.
    contrast = LocalContrast().fit(bright)
    light = np.linspace(0.5, 1, 8)[None, :, None].astype(np.float32)
    change = np.linalg.norm(contrast.transform(bright * light) - contrast.transform(bright), axis=1)
    assert np.median(change / np.linalg.norm(contrast.transform(bright), axis=1)) < 0.25


def test_local_contrast_of_any_images(images):
    assert not LocalContrast().fit_transform(np.full((4, 5, 5), 3.0)).any()
    with pytest.raises(ValueError, match="must not be larger than the images, which are 5 x 4"):
        LocalContrast(sigma=1e9).fit(np.ones((4, 5, 4)))  # Its kernel would take 60 GiB.
    assert np.isfinite(LocalContrast().fit_transform(np.random.default_rng(0).normal(size=(6, 3, 5, 4)))).all()
    X = images[0]
    contrast = LocalContrast().fit(X)
    np.testing.assert_allclose(contrast.transform(X), LocalContrast().fit_transform(X * 1e30), atol=1e-4)
    np.testing.assert_array_equal(contrast.transform(X[3:4]), contrast.transform(X)[3:4])


# Colour


@pytest.fixture(scope="module")
def colours():
    return np.random.RandomState(0).uniform(0, 255, size=(20, 3, 8, 10)).astype(np.float32)


@pytest.mark.parametrize("symmetric", [False, True])
def test_opponent_colours_are_transformed_each_by_itself(colours, symmetric):
    params = {"n_scales": 2, "n_angles": 3, "symmetric": symmetric}
    r, g, b = np.moveaxis(colours, 1, 0)
    seen = (r + g + b) / np.sqrt(3), (r - g) / np.sqrt(2), (r + g - 2 * b) / np.sqrt(6)
    parts = [Scattering(**params).fit_transform(channel) for channel in seen]
    expected = np.hstack([part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts])
    scattering = Scattering(**params, opponent=True)
    np.testing.assert_allclose(scattering.fit_transform(colours), expected, atol=2e-5)
    np.testing.assert_allclose(scattering.transform(colours), expected, atol=2e-5)
    assert scattering.norms_.shape == (2, 3)


def test_images_without_colour_have_the_features_of_their_luminance(colours):
    grey = np.rint(colours[:, :1]).repeat(3, axis=1)
    Z = Scattering(n_angles=3, opponent=True).fit_transform(grey)
    light, colour = np.split(Z, [Z.shape[1] // 3], axis=1)
    alone = Scattering(n_angles=3).fit_transform(grey[:, 0])
    np.testing.assert_allclose(light, alone / np.linalg.norm(alone, axis=1, keepdims=True), atol=2e-5)
    assert not colour.any()


def test_opponent_colours_need_three_channels(colours):
    with pytest.raises(ValueError, match=r"opponent=True takes images of three channels; .* \(2, 8, 10\)"):
        MultiscaleScattering(opponent=True).fit(colours[:, :2])


def test_clusters_of_colour_that_differ_in_nothing_else_are_found():
    """The same noise, bright, in two opponent colours."""
    generator = np.random.RandomState(0)
    light, y = generator.uniform(size=(60, 1, 8, 8)), np.arange(60) % 2
    hue = np.array([[1, -1, 0], [0.5, 0.5, -1]])[y][:, :, None, None]
    images = 3 * light + hue * np.kron(np.eye(2), np.ones((4, 4)))
    clustering = SubspaceClustering(2, views=["scattering"], random_state=0).fit(images)
    assert clustering.views_["scattering"].opponent
    assert clustering_accuracy_score(y, clustering.labels_) == 1
    plain = SubspaceClustering(2, views=["scattering"], random_state=0).fit(images[:, 0])
    assert not plain.views_["scattering"].opponent


def test_bad_sizes_of_the_network_are_named():
    for arguments, message in (
        ((5,), r"image_size must hold 2 positive integers"),
        (((0, 5),), r"image_size must hold 2 positive integers"),
        (((8, 8), 0), "n_scales must be a positive integer"),
        (((8, 8), 2, 0), "n_angles must be a positive integer"),
        (((8, 8), 2, 6, 3), "order must be 1 or 2"),
        (((8, 8), 10**30), "give fewer scales or angles"),
        (((8, 8), 2, 10**30), "give fewer scales or angles"),
        (((10**30, 8), 2), "smaller images"),
    ):
        with pytest.raises(ValueError, match=message):
            ScatteringNetwork(*arguments)


def test_each_scale_has_one_network(monkeypatch):
    made = []
    monkeypatch.setattr(
        "skdeepsc.features._scattering.ScatteringNetwork", lambda *args: made.append(args) or ScatteringNetwork(*args)
    )
    MultiscaleScattering().fit(load_digits().images[:20])
    assert len(made) == 2


def test_wavelets_take_images_of_their_size_alone():
    network = ScatteringNetwork((8, 8))
    for shape in ((2, 20, 20), (2, 9, 8), (2, 1, 8, 8)):
        with pytest.raises(ValueError, match=r"images must have shape \(n_samples, 8, 8\)"):
            network(torch.zeros(shape))
    assert network(torch.zeros(0, 8, 8)).shape == (0, len(network.paths), *network.grid_shape)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_images_of_one_colour_have_gradients(value):
    images = torch.full((2, 8, 8), value, requires_grad=True)
    ScatteringNetwork((8, 8))(images).sum().backward()
    assert images.grad.isfinite().all()


def test_images_with_and_without_a_gradient_have_the_same_coefficients():
    network, images = ScatteringNetwork((16, 12)), torch.rand(3, 16, 12, generator=torch.Generator().manual_seed(0))
    coefficients = network(images)
    torch.testing.assert_close(network(images.clone().requires_grad_()).detach(), coefficients, rtol=1e-5, atol=1e-7)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), coefficients, rtol=1e-5, atol=1e-7)


def test_no_filter_makes_subnormal_numbers():
    """Which take processors many times as long as others."""
    network = ScatteringNetwork((32, 32), n_scales=2)
    filters = {name: values for name, values in network.named_buffers() if values.dtype == torch.float32}
    assert len(filters) == 7
    for values in filters.values():
        sizes = values.abs()
        assert not ((sizes > 0) & (sizes < 1e-12 * sizes.max())).any()
