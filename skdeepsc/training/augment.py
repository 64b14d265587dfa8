"""Random changes of samples that should not change their cluster: batched, on the device, by the generator of a fit."""

import inspect
import math
from numbers import Real

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .._params import require_call
from .._random import generator_for


class RandomAugmentation(nn.Module):
    """A random view of each sample of a batch.

    Images are warped by one small affine map each, flipped, lit from elsewhere, changed in contrast and brightness,
    erased in part, and noise is added; flat rows know noise and masking only. A setting of 0 leaves its step out.

    Parameters
    ----------
    shift : float, default=0.0
        Largest shift along each axis, as a share of the image's side.
    rotation : float, default=0.0
        Largest rotation in degrees, either way.
    scale : float, default=0.0
        Largest relative change of size: factors in [1 - scale, 1 + scale].
    shear : float, default=0.0
        Largest shear, as the tangent of its angle.
    flip : bool, default=False
        Mirror half of the images left to right.
    light : float, default=0.0
        Largest logarithm of a factor that grows, or falls, from the middle of the image to its border, in a random
        direction; and of a factor of the whole image.
    gamma : float, default=0.0
        Largest logarithm of an exponent of the absolute values, which leaves 0 and 1 alone.
    contrast : float, default=0.0
        Largest relative change of contrast: factors in [1 - contrast, 1 + contrast].
    brightness : float, default=0.0
        Largest value that is added to a whole image, in units of the input scale.
    noise : float, default=0.0
        Standard deviation of Gaussian noise on each value, in units of the input scale.
    erasing : float, default=0.0
        Largest side of a rectangle that is set to the image's mean, as a share of the image's side.
    masking : float, default=0.0
        Share of the features of a flat row (of the pixels of an image) that are set to 0.

    Examples
    --------
    >>> import torch
    >>> from skdeepsc.training import RandomAugmentation
    >>> RandomAugmentation(shift=0.1, flip=True)(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        *,
        shift: float = 0.0,
        rotation: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        flip: bool = False,
        light: float = 0.0,
        gamma: float = 0.0,
        contrast: float = 0.0,
        brightness: float = 0.0,
        noise: float = 0.0,
        erasing: float = 0.0,
        masking: float = 0.0,
    ) -> None:
        super().__init__()
        settings = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        for name, value in settings.items():
            if not _is_setting(value):
                raise TypeError(f"{name} of RandomAugmentation must be a number from 0; got {value!r}.")
        self.flip = flip
        self.shift, self.rotation, self.scale, self.shear = map(float, (shift, rotation, scale, shear))
        self.light, self.gamma, self.contrast, self.brightness = map(float, (light, gamma, contrast, brightness))
        self.noise, self.erasing, self.masking = map(float, (noise, erasing, masking))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Views of `x`, float32 of shape (n_samples, [channels,] height, width) or (n_samples, n_features)."""
        if not torch.is_tensor(x):
            raise TypeError(f"x must be a tensor; got {type(x).__name__}.")
        if x.ndim == 3:
            return self.forward(x[:, None])[:, 0]
        if x.ndim == 4:
            if self.shift or self.rotation or self.scale or self.shear or self.flip:
                x = self._warped(x)
            if self.light:
                x = x * self._lights(x)
            if self.gamma:
                x = x.sign() * x.abs() ** torch.exp(self.gamma * _signed(x, 1, 1, 1))
            if self.contrast:
                mean = x.mean((1, 2, 3), keepdim=True)
                x = mean + (x - mean) * (1 + self.contrast * _signed(x, 1, 1, 1))
            if self.brightness:
                x = x + self.brightness * _signed(x, 1, 1, 1)
            if self.erasing:
                x = self._erased(x)
        if self.masking:
            x = x * (_rand_like(x[:, :1] if x.ndim == 4 else x) >= self.masking)
        return x + self.noise * _randn_like(x) if self.noise else x

    def _warped(self, x):
        """Images under a rotation, shear, scaling and shift each, continued by their border."""
        angle = math.radians(self.rotation) * _signed(x)
        cos, sin = angle.cos(), angle.sin()
        size = 1 + self.scale * _signed(x)
        mirror = 1 - 2 * (_rand_like(size) < 0.5).to(x.dtype) if self.flip else torch.ones_like(size)
        shear = self.shear * _signed(x)
        shift = 2 * self.shift * _signed(x, 2)
        maps = torch.stack(
            [
                torch.stack([mirror * cos, shear - sin, shift[:, 0]], 1),
                torch.stack([mirror * sin, cos, shift[:, 1]], 1),
            ],
            1,
        ) / size[:, None, None].clamp_min(0.1)
        height, width = x.shape[2:]  # Of a grid from -1 to 1 on both sides.
        maps = maps * maps.new_tensor([[1, height / width, 1], [width / height, 1, 1]])
        grid = F.affine_grid(maps, x.shape, align_corners=False)
        return F.grid_sample(x, grid, padding_mode="border", align_corners=False)

    def _lights(self, x):
        """Factors of the pixels of each image, the exponentials of a plane."""
        down, right, level = (self.light * _signed(x, 1, 1, 1) for _ in range(3))
        rows, columns = (torch.linspace(-1, 1, length, device=x.device, dtype=x.dtype) for length in x.shape[2:])
        return torch.exp(level + down * rows[:, None] + right * columns)

    def _erased(self, x):
        """Images with a rectangle of random size and place set to the image's mean."""
        inside = torch.ones_like(x[:, :1], dtype=torch.bool)
        for length, as_axis in ((x.shape[2], (-1, 1)), (x.shape[3], (1, -1))):
            side = self.erasing * length * _rand_like(x[:, :1, :1, :1])
            start = (length - side) * _rand_like(side)
            place = torch.arange(length, device=x.device).view(as_axis)
            inside = inside & (place >= start) & (place < start + side)
        return torch.where(inside, x.mean((1, 2, 3), keepdim=True), x)


def _is_setting(value):
    return isinstance(value, Real | np.bool_) and 0 <= value < math.inf


def _signed(x, *shape):
    """Uniform random numbers in [-1, 1], `shape` of them for each sample."""
    drawn = torch.rand(len(x), *shape, device=x.device, dtype=x.dtype, generator=generator_for(x.device))
    return 2 * drawn - 1


def _rand_like(x):
    return torch.rand(x.shape, device=x.device, dtype=x.dtype, generator=generator_for(x.device))


def _randn_like(x):
    return torch.randn(x.shape, device=x.device, dtype=x.dtype, generator=generator_for(x.device))


# Changes that leave the class of such samples alone.
POLICIES = {
    "digits": {"shift": 0.1, "rotation": 15.0, "scale": 0.2, "shear": 0.3, "contrast": 0.3},
    "faces": {"shift": 0.06, "rotation": 5.0, "scale": 0.05, "flip": True, "contrast": 0.2, "brightness": 0.1},
    "objects": {"shift": 0.06, "scale": 0.1, "flip": True, "contrast": 0.2, "erasing": 0.3},
    "light": {"shift": 0.03, "flip": True, "light": 0.7, "gamma": 0.3, "contrast": 0.2},
    "rows": {"noise": 0.05, "masking": 0.1},
}
IMAGE_POLICIES = ("digits", "faces", "objects", "light")


def as_augmentation(augment, image_shape):
    """A callable from a policy's name, a dict of settings, a callable, or None.

    Parameters
    ----------
    augment : str, dict, callable or None
        See :data:`POLICIES` and :class:`RandomAugmentation`.
    image_shape : tuple of int
        Shape of a sample: ``(channels, height, width)``, or ``(n_features,)`` for flat rows.

    Raises
    ------
    ValueError
        If flat rows are to be changed as only images can be.
    """
    if callable(augment):
        require_call("augment", augment, "a tensor of samples", torch.empty(0))
    if augment is None or callable(augment):
        return augment
    settings = POLICIES[augment] if isinstance(augment, str) else augment
    known = inspect.signature(RandomAugmentation).parameters
    for name, value in settings.items():
        if name not in known or not _is_setting(value):
            raise TypeError(
                f"augment must hold settings of RandomAugmentation, which are {', '.join(known)}, and numbers "
                f"from 0; got {name!r}: {value!r}."
            )
    only_images = sorted(name for name, value in settings.items() if value and name not in ("noise", "masking"))
    if len(image_shape) == 1 and only_images:
        raise ValueError(
            f"augment={augment!r} changes images ({', '.join(only_images)}), but X has flat rows of {image_shape[0]} "
            "features: give image_shape, or augment='rows'."
        )
    return RandomAugmentation(**settings)
