"""Random views of samples: seeded, of the same shape, each setting doing what it says and no more."""

import numpy as np
import pytest
import torch

from skdeepsc import DSCSC, PSSC, AutoEncoder
from skdeepsc._random import seeded
from skdeepsc.segmentation import edge_information
from skdeepsc.training import RandomAugmentation
from skdeepsc.training import augment as augmentation
from skdeepsc.training.augment import IMAGE_POLICIES, POLICIES, as_augmentation
from tests.estimators import make

SETTINGS = {
    "shift": 0.2,
    "rotation": 30.0,
    "scale": 0.3,
    "shear": 0.3,
    "flip": True,
    "light": 0.7,
    "gamma": 0.5,
    "contrast": 0.5,
    "brightness": 0.3,
    "noise": 0.1,
    "erasing": 0.5,
    "masking": 0.3,
}


@pytest.fixture
def x():
    return torch.rand(40, 2, 9, 7, generator=torch.Generator().manual_seed(0))


def view(x, seed=0, **settings):
    with seeded(seed):
        return RandomAugmentation(**settings)(x)


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_changes_images_and_nothing_else(x, name):
    before = x.clone()
    changed = view(x, **{name: SETTINGS[name]})
    assert torch.equal(x, before)
    assert changed.shape == x.shape
    assert changed.dtype == x.dtype
    assert torch.isfinite(changed).all()
    assert not torch.allclose(changed, x, atol=1e-3)
    assert torch.equal(view(x, **{name: SETTINGS[name]}), changed)
    assert not torch.equal(view(x, seed=1, **{name: SETTINGS[name]}), changed)
    torch.testing.assert_close(view(x, **{name: 0}), x)


def test_images_are_changed_each_in_its_own_way(x):
    alike = x[:1].expand(40, -1, -1, -1)
    for name, value in SETTINGS.items():
        assert len(torch.unique(view(alike, **{name: value}), dim=0)) > 1, name


def test_flip_mirrors_half_of_the_images_left_to_right(x):
    flipped = view(x, flip=True)
    mirrored = torch.isclose(flipped, x.flip(-1), atol=1e-5).flatten(1).all(1)
    kept = torch.isclose(flipped, x, atol=1e-5).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 10 < mirrored.sum() < 30


def test_warps_move_a_spot_as_far_as_they_say():
    spot = torch.zeros(200, 1, 33, 33)
    spot[:, :, 16, 26] = 1.0

    def places(**settings):
        moved = view(spot, **settings)[:, 0]
        weight = moved.sum((1, 2))
        grid = torch.arange(33.0)
        return (moved.sum(1) @ grid / weight - 16).numpy(), (moved.sum(2) @ grid / weight - 16).numpy()

    right, down = places(shift=0.1)
    np.testing.assert_array_less(np.abs(right - 10), 3.8)
    np.testing.assert_array_less(np.abs(down), 3.8)
    assert min(np.ptp(right), np.ptp(down)) > 5
    right, down = places(rotation=45.0)
    np.testing.assert_allclose(np.hypot(right, down), 10, atol=0.3)
    angle = np.degrees(np.arctan2(down, right))
    assert 35 < angle.max() < 46
    assert -46 < angle.min() < -35
    right, down = places(scale=0.2)
    np.testing.assert_allclose(down, 0, atol=0.1)
    assert 7.7 < right.min() < 9
    assert 11 < right.max() < 12.3


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (32, 32)])
def test_rotations_turn_by_as_many_degrees_whatever_the_sides(shape, monkeypatch):
    monkeypatch.setattr(augmentation, "_signed", lambda x, *shape: torch.ones(len(x), *shape))
    x = torch.zeros(1, 1, *shape)
    if shape[0] > shape[1]:
        x[..., shape[1] // 2] = 1
        x = x.mT
        turned = RandomAugmentation(rotation=20)(x.mT.contiguous())[0, 0].T
    else:
        x[..., shape[0] // 2, :] = 1
        turned = RandomAugmentation(rotation=20)(x)[0, 0]
    columns = torch.arange(turned.shape[1] // 2 - 6, turned.shape[1] // 2 + 7)
    places = (turned[:, columns] * torch.arange(len(turned))[:, None]).sum(0) / turned[:, columns].sum(0)
    slope = np.polyfit(columns.numpy(), places.numpy(), 1)[0]
    assert abs(abs(np.degrees(np.arctan(slope))) - 20) < 1.5


def test_contrast_keeps_the_mean_and_brightness_the_differences(x):
    changed = view(x, contrast=0.5)
    torch.testing.assert_close(changed.mean((1, 2, 3)), x.mean((1, 2, 3)))
    factors = changed.std((1, 2, 3)) / x.std((1, 2, 3))
    assert 0.5 <= factors.min() < 0.7
    assert 1.3 < factors.max() <= 1.5
    added = view(x, brightness=0.3) - x
    assert added.flatten(1).std(1).max() < 1e-6
    assert 0.2 < added.abs().max() <= 0.3


def test_light_is_the_exponential_of_a_plane_and_gamma_keeps_black_and_white(x):
    logs = torch.log(view(x, light=0.7) / x)[:, 0]
    assert torch.allclose(logs.diff(n=2, dim=1), torch.zeros(1), atol=1e-4)
    assert torch.allclose(logs.diff(n=2, dim=2), torch.zeros(1), atol=1e-4)
    slopes = torch.stack([logs[:, -1, 0] - logs[:, 0, 0], logs[:, 0, -1] - logs[:, 0, 0]]) / 2
    assert 0.5 < slopes.abs().max() < 0.7
    exponents = (torch.log(view(x, gamma=0.5)) / torch.log(x)).flatten(1)
    assert (exponents.std(1) < 1e-3).all()
    assert 0.4 < exponents.mean(1).log().abs().max() < 0.5
    ends = torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 1, 3)
    assert torch.equal(view(ends, gamma=0.5), ends)


def test_erasing_is_a_rectangle_of_the_mean_and_masking_is_zero(x):
    erased = view(x, erasing=0.5)
    gone = (erased == x.mean((1, 2, 3), keepdim=True)) & (erased != x)
    assert torch.equal(gone[:, 0], gone[:, 1])
    for mask in gone[:, 0]:
        rows, columns = torch.nonzero(mask.any(1)).ravel(), torch.nonzero(mask.any(0)).ravel()
        assert mask.sum() == len(rows) * len(columns)
        assert len(rows) <= 5
        assert len(columns) <= 4
        if len(rows):
            assert rows[-1] - rows[0] == len(rows) - 1
    masked = view(x, masking=0.3)
    assert torch.equal(masked[masked != 0], x[masked != 0])
    assert (masked == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)


def test_noise_has_its_standard_deviation(x):
    assert (view(x, noise=0.1) - x).std().item() == pytest.approx(0.1, abs=0.005)


def test_flat_rows_know_noise_and_masking(x):
    rows = x.flatten(1)
    assert view(rows, noise=0.1, masking=0.3).shape == rows.shape
    assert as_augmentation("rows", (126,))(rows).shape == rows.shape
    for augment in ("digits", {"shift": 0.1, "noise": 0.1}):
        with pytest.raises(ValueError, match=r"changes images \(.*shift.*\), but X has flat rows of 126 features"):
            as_augmentation(augment, (126,))
    assert as_augmentation({"shift": 0, "noise": 0.1}, (126,)).noise == 0.1


def test_policies_are_settings(x):
    for name, settings in POLICIES.items():
        assert as_augmentation(name, (2, 9, 7))(x).shape == x.shape
        assert set(settings) <= set(SETTINGS)
    assert set(IMAGE_POLICIES) < set(POLICIES)
    assert as_augmentation(torch.neg, (2, 9, 7)) is torch.neg
    assert as_augmentation(None, (2, 9, 7)) is None


# In the estimator

QUICK = {"n_clusters": 3, "autoencoder__max_epochs": 3, "max_epochs": 1, "random_state": 0}


def test_augmentations_of_the_estimator(images):
    X, _ = images
    assert make(DSCSC, **QUICK, augment="digits").fit(X).augment_ == "digits"
    assert make(DSCSC, **QUICK).fit(X.reshape(60, -1)).augment_ == "rows"
    with pytest.raises(ValueError, match="'augment' parameter of DSCSC"):
        make(DSCSC, **QUICK, augment="photographs").fit(X)
    with pytest.raises(ValueError, match="flat rows of 64 features"):
        make(DSCSC, **QUICK, augment="faces").fit(X.reshape(60, -1))
    with pytest.raises(TypeError, match="rotate"):
        make(DSCSC, **QUICK, augment={"rotate": 3}).fit(X)


@pytest.mark.parametrize("method", [DSCSC, PSSC])
def test_what_is_wrong_with_an_augmentation_of_the_users_is_said(method, images):
    with pytest.raises(ValueError, match=r"augment must keep .* \(60, 1, 8, 8\), but returned \(60, 1, 4, 4\)"):
        make(method, **QUICK, augment=lambda x: x[..., ::2, ::2]).fit(images[0])
    with pytest.raises(TypeError, match="augment must make a tensor of the samples; got ndarray"):
        make(method, **QUICK, augment=lambda x: x.numpy()).fit(images[0])
    with pytest.raises(ZeroDivisionError) as raised:
        make(method, **QUICK, augment=lambda x: 1 / 0).fit(images[0])
    assert raised.value.__notes__ == ["It was raised by augment, of samples of shape (60, 1, 8, 8)."]


def test_a_callable_sees_scaled_samples_on_the_device(images):
    seen = []

    def spy(x):
        seen.append((x.min().item(), x.max().item(), x.shape[1:], x.dtype))
        return x + 0.01 * torch.randn_like(x)

    first = make(DSCSC, **QUICK, augment=spy).fit(255 * images[0])
    assert {(0.0, 1.0)} >= {(low, high) for low, high, _, _ in seen}
    assert all(shape == (1, 8, 8) and dtype == torch.float32 for _, _, shape, dtype in seen)
    again = make(DSCSC, **QUICK, augment=spy).fit(255 * images[0])
    np.testing.assert_array_equal(first.coef_, again.coef_)


def test_views_differ_from_epoch_to_epoch_and_repeat_with_the_seed(images):
    views = []

    def spy(x):
        views.append(RandomAugmentation(noise=0.1)(x))
        return views[-1]

    before = torch.random.get_rng_state()
    make(DSCSC, **QUICK, augment=spy).fit(images[0])
    half = len(views)
    make(DSCSC, **QUICK, augment=spy).fit(images[0])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert half > 2
    assert not torch.equal(views[0], views[1])
    assert all(torch.equal(one, other) for one, other in zip(views[:half], views[half:], strict=True))


def test_changing_light_is_learnt_by_one_layer_unless_layers_are_given():
    """Of what is given, all is kept."""
    for policy, channels in (("light", (15,)), ("faces", (16, 32, 64)), (None, (16, 32, 64))):
        assert DSCSC(3)._stage_one(policy).channels == channels
        assert DSCSC(3, autoencoder=AutoEncoder(channels=(4,)))._stage_one(policy).channels == (4,)


def test_search_takes_the_policy_whose_graph_says_most(images):
    X, _ = images
    fitted = make(DSCSC, **QUICK).fit(X)
    assert list(fitted.augment_scores_) == list(IMAGE_POLICIES)
    for policy, score in fitted.augment_scores_.items():
        pretrained = make(DSCSC, **{**QUICK, "max_epochs": 0}, augment=policy).fit(X)
        affinity, n_clusters = pretrained.affinity_matrix_, QUICK["n_clusters"]
        found = edge_information(affinity, pretrained.labels_) / np.log(n_clusters)
        assert found - 0.02 < score <= 1, policy  # Which is of fewer labellings.
    assert fitted.augment_ == max(fitted.augment_scores_, key=fitted.augment_scores_.get)
    alone = make(DSCSC, **QUICK, augment=fitted.augment_).fit(X)
    np.testing.assert_array_equal(alone.coef_, fitted.coef_)
    rows = make(DSCSC, **QUICK).fit(X.reshape(60, -1))
    assert rows.augment_ == "rows"


def test_grey_images_without_channels_are_images():
    x = torch.rand(6, 8, 8)
    augment = RandomAugmentation(shift=0.2, rotation=30, contrast=0.5)
    assert augment(x).shape == x.shape
    assert not torch.equal(augment(x), x)


def test_masks_hide_pixels_in_all_colours():
    masked = RandomAugmentation(masking=0.5)(torch.ones(20, 3, 8, 8)) == 0
    assert torch.equal(masked.any(1), masked.all(1))
    assert 0.4 < masked.float().mean() < 0.6
