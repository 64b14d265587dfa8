"""Auto-encoders: modules with an `encoder` (images to flat codes) and a `decoder` (flat codes to images)."""

import math
from collections.abc import Iterable
from itertools import pairwise
from numbers import Integral

from torch import nn


class ConvAutoEncoder(nn.Module):
    """Convolutional auto-encoder of the deep subspace clustering papers: stride 2, no pooling, no batch norm.

    Every convolution halves height and width and is followed by a ReLU; the decoder mirrors the encoder layer by layer
    and returns exactly the shapes that the encoder met. The decoder's last layer is linear: the released code ends in
    a ReLU, which is harmless for pixels above zero only.

    Parameters
    ----------
    image_shape : tuple of int
        ``(channels, height, width)`` of one image.
    channels : sequence of int, default=(15,)
        Filters of each encoder layer.
    kernel_sizes : sequence of int, default=(3,)
        Odd sizes of the square filters of each encoder layer; one size is used for all layers.

    Raises
    ------
    ValueError
        If there are not as many kernel sizes as layers, or an image gets smaller than a layer's filter.
    """

    def __init__(self, image_shape, channels=(15,), kernel_sizes=(3,)):
        super().__init__()
        shapes, kernel_sizes = layer_shapes(image_shape, channels, kernel_sizes)
        down, up = [], []
        for (outer, inner), size in zip(pairwise(shapes), kernel_sizes, strict=True):
            down += [halve(outer, inner, size), nn.ReLU(inplace=True)]
            up = [double(inner, outer, size), nn.ReLU(inplace=True), *up]
        self.encoder = nn.Sequential(*down, nn.Flatten())
        self.decoder = nn.Sequential(nn.Unflatten(1, shapes[-1]), *up[:-1])
        xavier(self)


class DenseAutoEncoder(nn.Module):
    """Fully connected auto-encoder for rows without spatial structure, or the papers' ``d-500-500-2000-k`` network.

    A ReLU follows every layer but the code and the output.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of one sample; it is flattened.
    hidden_sizes : sequence of int, default=(64, 32)
        Width of each encoder layer; the last is the length of the code.
    """

    def __init__(self, image_shape, hidden_sizes=(64, 32)):
        super().__init__()
        sizes = [math.prod(image_shape), *checked_sizes("hidden_sizes", hidden_sizes, least=1)]
        down, up = [], []
        for outer, inner in pairwise(sizes):
            down += [nn.Linear(outer, inner), nn.ReLU(inplace=True)]
            up = [nn.Linear(inner, outer), nn.ReLU(inplace=True), *up]
        self.encoder = nn.Sequential(nn.Flatten(), *down[:-1])
        self.decoder = nn.Sequential(*up[:-1], nn.Unflatten(1, tuple(image_shape)))
        xavier(self)


def checked_sizes(name, sizes, n_layers=None, least=0):
    """Sizes of layers as a tuple of positive integers.

    Parameters
    ----------
    name : str
        What they are called in messages.
    sizes : int or iterable of int
    n_layers : int or None, default=None
        How many there must be.
    least : int, default=0
        How many there must be at least.

    Returns
    -------
    sizes : tuple of int

    Raises
    ------
    ValueError
        If they are not.
    """
    sizes = tuple(sizes) if isinstance(sizes, Iterable) else (sizes,)
    if not all(map(_is_size, sizes)) or n_layers not in (None, len(sizes)) or len(sizes) < least:
        number = f"{n_layers} positive integers" if n_layers else f"{'one or more ' if least else ''}positive integers"
        raise ValueError(f"{name} must hold {number}; got {sizes}.")
    return tuple(map(int, sizes))


def checked_size(name, size):
    """A positive integer."""
    if not _is_size(size):
        raise ValueError(f"{name} must be a positive integer; got {size!r}.")
    return int(size)


def _is_size(size):
    return isinstance(size, Integral) and not isinstance(size, bool) and size > 0


def checked_shape(image_shape):
    """The shape of images with channels."""
    if len(shape := tuple(image_shape)) != 3:
        raise ValueError(f"image_shape must be (channels, height, width); got {image_shape}.")
    return shape


def layer_shapes(image_shape, channels, kernel_sizes):
    """Shapes of an image and of what each layer, which halves it, makes of it; and the filter size of each layer."""
    channels = checked_sizes("channels", channels, least=1)
    kernel_sizes = checked_sizes("kernel_sizes", kernel_sizes, least=1)
    kernel_sizes = kernel_sizes * (len(channels) if len(kernel_sizes) == 1 else 1)
    if len(kernel_sizes) != len(channels):
        raise ValueError(
            f"channels={tuple(channels)} asks for {len(channels)} layers, kernel_sizes={kernel_sizes} "
            f"for {len(kernel_sizes)}: give as many kernel sizes as channels, or one for all layers."
        )
    shapes = [checked_shape(image_shape)]
    for layer, (n_filters, size) in enumerate(zip(channels, kernel_sizes, strict=True)):
        check_filter(shapes, layer, size)
        shapes.append((n_filters, math.ceil(shapes[-1][1] / 2), math.ceil(shapes[-1][2] / 2)))
    return shapes, kernel_sizes


def halve(outer, inner, size):
    """Convolution from the shape `outer` to half of it, rounded up."""
    return nn.Conv2d(outer[0], inner[0], size, stride=2, padding=size // 2)


def double(inner, outer, size):
    """Transposed convolution from the shape `inner` to exactly the shape `outer`."""
    missing = tuple(outer[axis] - (2 * inner[axis] - 1) for axis in (1, 2))
    return nn.ConvTranspose2d(inner[0], outer[0], size, stride=2, padding=size // 2, output_padding=missing)


def check_filter(shapes, layer, size):
    """Whether a layer's filter is odd and fits the image that reaches it, ``shapes[-1]``."""
    height, width = shapes[-1][1:]
    if size % 2 == 0 or size < 1:
        raise ValueError(
            f"kernel_sizes holds {size} for layer {layer + 1}; the filters' sizes must be odd and positive."
        )
    if min(height, width) <= size // 2:
        raise ValueError(
            f"Images of shape {shapes[0]} (channels, height, width) are {height} x {width} when they reach layer "
            f"{layer + 1}, too small for its {size} x {size} filters: use fewer entries in channels, smaller "
            f"kernel_sizes, or larger images."
        )


def xavier(module):
    """Initialise all layers as the papers' code does: Xavier weights, no bias.

    Parameters
    ----------
    module : Module
        Changed in place.

    Returns
    -------
    module : Module
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return module
