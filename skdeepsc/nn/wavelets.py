"""Wavelet scattering: convolutions with fixed Morlet wavelets, moduli, and a low pass, computed by FFT.

.. math::
    S_1 x(\\lambda_1) = |x * \\psi_{\\lambda_1}| * \\phi, \\qquad
    S_2 x(\\lambda_1, \\lambda_2) = ||x * \\psi_{\\lambda_1}| * \\psi_{\\lambda_2}| * \\phi

for wavelets of the scale :math:`2^j`, j < J, and the angle :math:`\\pi l / L`; only paths with :math:`j_2 > j_1` carry
energy. (Bruna, Mallat, "Invariant scattering convolution networks", IEEE TPAMI 35, 2013, doi:10.1109/TPAMI.2012.230.)
"""

import math

import numpy as np
import torch
from torch import nn

from .autoencoders import checked_size, checked_sizes

# Centre frequency of the finest wavelet, and the width of its envelope in pixels; both scale with 2 ** j.
_XI, _SIGMA = 0.75 * math.pi, 0.8
# Values of a filter, whose peak is 1, that are left out of the arithmetic.
_NEGLIGIBLE = 1e-5
# Share of the largest value of a filter that changes no sum in single precision.
_VANISHING = 1e-12
# The most values of wavelets, and paths, of a network: 8 GB.
_MOST_VALUES = 2**30
# An image is continued in whole blocks of as many pixels, or more.
_LEAST_UNIT = 8


class ScatteringNetwork(nn.Module):
    r"""Scattering transform of images of one size; nothing is learnt.

    An image is continued by reflection, :math:`1.5 \cdot 2^J` pixels or more on each side, and 12 or more, so that
    networks of up to three scales share what comes before the low pass (:func:`scattered`). :math:`|x * \psi_j|` is
    kept at every :math:`2^j`-th pixel, which folds its spectrum; the low pass of width :math:`\sigma = 0.8 \cdot
    2^{J-1}` is taken at the middles of blocks of :math:`2^J` pixels.

    Parameters
    ----------
    image_size : tuple of int
        ``(height, width)``.
    n_scales : int, default=3
        J.
    n_angles : int, default=6
        L, angles in [0, pi).
    order : {1, 2}, default=2
        Largest number of wavelets in a path.

    Attributes
    ----------
    paths : list of tuple
        ``((j1, l1),)`` or ``((j1, l1), (j2, l2))`` for each channel of the output: scale and angle of its wavelets.
        :math:`\theta = \pi l / L` is the direction in which the wavelet oscillates, from the x towards the y axis of
        the array.
    grid_shape : tuple of int
        ``(rows, columns)`` of positions, one for each block of :math:`2^J` pixels.
    """

    def __init__(self, image_size, n_scales=3, n_angles=6, order=2):
        super().__init__()
        self.image_size = checked_sizes("image_size", image_size, n_layers=2)
        self.n_scales, self.n_angles = checked_size("n_scales", n_scales), checked_size("n_angles", n_angles)
        if order not in (1, 2):
            raise ValueError(f"order must be 1 or 2; got {order!r}.")
        self.order = order
        step = 2 ** min(n_scales, 62)
        unit = max(step, _LEAST_UNIT)
        margin = 3 * unit // 2
        padded = tuple(-(-(size + 2 * margin) // unit) * unit for size in image_size)
        n_paths = n_scales * n_angles + (order - 1) * math.comb(n_scales, 2) * n_angles**2
        if max(n_paths, n_scales * n_angles * math.prod(padded)) > _MOST_VALUES:
            raise ValueError(
                f"Wavelets of n_scales={n_scales} and n_angles={n_angles} for images of {image_size[0]} x "
                f"{image_size[1]} are more than fit into memory: give fewer scales or angles, or smaller images."
            )
        angles = range(n_angles)
        self.paths: list[tuple] = [((j, angle),) for j in range(n_scales) for angle in angles]
        if order == 2:
            self.paths += [
                ((j1, angle1), (j2, angle2))
                for j1 in range(n_scales)
                for j2 in range(j1 + 1, n_scales)
                for angle1 in angles
                for angle2 in angles
            ]
        self.grid_shape = tuple(-(-size // step) for size in image_size)
        for axis, size, total in zip("yx", image_size, padded, strict=True):
            self.register_buffer(f"reflect_{axis}", _reflected(size, margin, total), persistent=False)
            for j in range(n_scales):
                self.register_buffer(f"lowpass_{axis}{j}", _lowpass(size, margin, total, j, n_scales), persistent=False)
        self.padded = padded
        self._kept: dict = {}
        psi = [_morlet_wavelets(padded, j, n_angles) for j in range(n_scales)]
        for j in range(n_scales):
            self._add_bank("image", j, psi[j], 0)
            for j1 in range(j if order == 2 else 0):
                self._add_bank(j1, j, psi[j], j1)

    def _add_bank(self, source, j, psi, resolution):
        """Keep the filters of scale `j` for spectra of signals at every 2 ** `resolution`-th pixel."""
        bank = _aliases(_periodised(psi, 2**resolution), 2 ** (j - resolution)) / 4 ** (j - resolution)
        self._kept[source, j] = np.flatnonzero(np.abs(bank).max((0, 2)) > _NEGLIGIBLE).tolist()
        bank /= bank.shape[-1]  # What an inverse transform is divided by, which takes MKL as long as the transform.
        bank = np.repeat(bank, 2, axis=-1)  # Once for the real, once for the imaginary part.
        self.register_buffer(f"psi_{source}_{j}", _single(bank), persistent=False)

    def forward(self, images):
        """Scattering coefficients.

        Parameters
        ----------
        images : tensor of shape (n_samples, height, width), float32

        Returns
        -------
        coefficients : tensor of shape (n_samples, n_paths, n_down, n_across), float32
            At the positions of `grid_shape`, in the units of the images, >= 0 but for rounding.
        """
        return scattered([self], images)[0]

    def moduli(self, images):
        """Order, scale of the last wavelet, and moduli, shape (n_samples, n_paths, height, width), of all paths."""
        spectrum = torch.fft.fft2(images[:, self.reflect_y][:, :, self.reflect_x])
        for j1 in range(self.n_scales):
            modulus = self._wavelet_modulus(spectrum, "image", j1)
            yield 1, j1, modulus
            if self.order == 2 and j1 < self.n_scales - 1:
                deeper = torch.fft.fft2(modulus)
                for j2 in range(j1 + 1, self.n_scales):
                    yield 2, j2, self._wavelet_modulus(deeper, j1, j2).flatten(1, 2)

    def averaged(self, modulus, j):
        """The low pass of moduli of the scale `j`, at the positions of `grid_shape`."""
        return getattr(self, f"lowpass_y{j}") @ modulus @ getattr(self, f"lowpass_x{j}").T

    def _wavelet_modulus(self, spectrum, source, j):
        """|x * psi_j| at every 2 ** j-th pixel, for all angles; a new axis before the last two."""
        bank, (first, *others) = getattr(self, f"psi_{source}_{j}"), self._kept[source, j]
        factor = math.isqrt(bank.shape[1])
        folded = torch.view_as_real(_aliases(spectrum, factor)).flatten(-2).unsqueeze(-3)
        product = folded[..., first, :] * bank[:, first]
        for alias in others:
            product.addcmul_(folded[..., alias, :], bank[:, alias])
        height, width = spectrum.shape[-2] // factor, spectrum.shape[-1] // factor
        product = torch.view_as_complex(product.unflatten(-1, (height, width, 2)))
        return _modulus(torch.fft.ifft2(product, norm="forward"))


def scattered(networks, images):
    """What each of several networks, which differ in their scales alone, makes of images.

    Wavelets of the same scale, on images that are continued alike, are applied once for all.

    Parameters
    ----------
    networks : sequence of ScatteringNetwork
        Of the same size of images, angles and order.
    images : tensor of shape (n_samples, height, width), float32

    Returns
    -------
    coefficients : list of tensors of shape (n_samples, n_paths, n_down, n_across), float32
    """
    size = networks[0].image_size
    if images.ndim != 3 or tuple(images.shape[1:]) != size:
        raise ValueError(
            f"images must have shape (n_samples, {size[0]}, {size[1]}), as the wavelets; got {tuple(images.shape)}."
        )
    if not len(images):
        return [images.new_zeros(0, len(network.paths), *network.grid_shape) for network in networks]
    by_order: dict = {network: ([], []) for network in networks}
    for padded in {network.padded for network in networks}:
        alike = [network for network in networks if network.padded == padded]
        for order, j, modulus in max(alike, key=lambda network: network.n_scales).moduli(images):
            for network in alike:
                if j < network.n_scales:
                    by_order[network][order - 1].append(network.averaged(modulus, j))
    return [torch.cat([*first, *second], dim=1) for first, second in by_order.values()]


def _modulus(z):
    """|z|; on the CPU and in inference mode, where nothing is differentiated, by numpy, in half of torch's time."""
    if z.device.type == "cpu" and z.is_inference():
        return torch.from_numpy(np.abs(z.numpy()))
    parts = torch.view_as_real(z).square()
    squares = parts[..., 0] + parts[..., 1]
    if squares.requires_grad:
        squares = squares.clamp_min(torch.finfo(squares.dtype).tiny)  # At 0, a root has no gradient.
    return squares.sqrt_()


def _aliases(spectrum, factor):
    """The parts of a spectrum that fall upon each other when every `factor`-th pixel is kept, side by side.

    ``(..., height, width)`` becomes ``(..., factor ** 2, height * width // factor ** 2)``.
    """
    *batch, height, width = spectrum.shape
    parts = spectrum.reshape(*batch, factor, height // factor, factor, width // factor)
    parts = parts.swapaxes(-3, -2)
    return parts.reshape(*batch, factor**2, height * width // factor**2)


def _periodised(psi, factor):
    """Filters for a signal at every `factor`-th pixel: the sum of the parts of the spectrum."""
    *batch, height, width = psi.shape
    return psi.reshape(*batch, factor, height // factor, factor, width // factor).sum((-4, -2))


def _morlet_wavelets(shape, j, n_angles):
    """Fourier transforms of the Morlet wavelets of scale `j`, shape (n_angles, *shape): real, zero mean, peak near 1.

    ``psi = g_xi - g_0 * g_xi(0) / g_0(0)`` with Gaussians g, `slant` times as wide along the wave as across it.
    """
    sigma, xi, slant = _SIGMA * 2**j, _XI / 2**j, 4 / n_angles
    theta = math.pi * np.arange(n_angles)[:, None, None] / n_angles
    along, at_rest = np.zeros((n_angles, *shape)), np.zeros((n_angles, *shape))
    for shift_y in (-1, 0, 1):
        for shift_x in (-1, 0, 1):
            y = 2 * np.pi * (np.fft.fftfreq(shape[0])[:, None] + shift_y)
            x = 2 * np.pi * (np.fft.fftfreq(shape[1]) + shift_x)
            u, v = np.cos(theta) * x + np.sin(theta) * y, np.cos(theta) * y - np.sin(theta) * x
            along += np.exp(-0.5 * sigma**2 * ((u - xi) ** 2 + (v / slant) ** 2))
            at_rest += np.exp(-0.5 * sigma**2 * (u**2 + (v / slant) ** 2))
    return along - at_rest * along[:, :1, :1] / at_rest[:, :1, :1]


def _lowpass(size, margin, total, j, n_scales):
    """The low pass of one axis as a matrix: from every 2 ** `j`-th pixel of the continued image to the positions."""
    step, sigma = 2**n_scales, _SIGMA * 2 ** (n_scales - 1)
    n_positions = -(-size // step)
    positions = margin + (size - n_positions * step) / 2 + step * (np.arange(n_positions) + 0.5)
    distance = positions[:, None] - np.arange(0, total, 2**j)
    distance = (distance + total / 2) % total - total / 2
    weights = 2**j / (math.sqrt(2 * math.pi) * sigma) * np.exp(-0.5 * (distance / sigma) ** 2)
    return _single(weights)


def _single(filters):
    """Filters in single precision, without what vanishes beside the largest value.

    Products with values that are hardly above 0 are subnormal numbers, which take processors many times as long.
    """
    size = np.abs(filters)
    return torch.from_numpy(np.where(size < _VANISHING * size.max(), 0, filters).astype(np.float32))


def _reflected(size, margin, total):
    """Indices that continue an axis of `size` pixels by reflection to `total`, `margin` of them before its start."""
    index = np.abs(np.arange(-margin, total - margin))
    period = max(2 * (size - 1), 1)
    index = index % period
    return torch.from_numpy(np.minimum(index, period - index) if size > 1 else np.zeros_like(index))
