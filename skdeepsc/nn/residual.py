"""The residual auto-encoder of NCSC: a convolution, then residual blocks without batch norm."""

from itertools import pairwise

from torch import nn

from .autoencoders import check_filter, checked_shape, checked_sizes, double, halve, layer_shapes, xavier


class ResidualAutoEncoder(nn.Module):
    """Residual auto-encoder without batch norm, which would corrupt the subspaces of the codes.

    A convolution at full size, then blocks that each halve height and width; the decoder mirrors the encoder block by
    block and returns exactly the shapes that the encoder met. The code is the flattened output of the last block.

    Parameters
    ----------
    image_shape : tuple of int
        ``(channels, height, width)`` of one image.
    channels : sequence of int, default=(10, 20, 30, 40)
        Filters of the first convolution and of each residual block. The default is NCSC's for Fashion-MNIST.
    kernel_sizes : sequence of int, default=(3,)
        Odd sizes of the square filters of the first convolution and of each block; one size is used for all.
    preactivation : bool, default=False
        ReLUs before the convolutions of a block, so that nothing follows its sum (He et al., ECCV 2016), as in NCSC's
        network for Stanford Online Products; else after them and after the sum (He et al., CVPR 2016).

    Raises
    ------
    ValueError
        If there are not as many kernel sizes as layers, or an image gets smaller than a block's filter.

    References
    ----------
    T. Zhang, P. Ji, M. Harandi, W. Huang, H. Li, "Neural collaborative subspace clustering", ICML 2019,
    arXiv:1904.10596, sections 5.2 and 5.3.

    Examples
    --------
    >>> import torch
    >>> from skdeepsc.nn import ResidualAutoEncoder
    >>> ResidualAutoEncoder((1, 28, 28)).encoder(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 640])
    """

    def __init__(self, image_shape, channels=(10, 20, 30, 40), kernel_sizes=(3,), *, preactivation=False):
        super().__init__()
        image_shape = checked_shape(image_shape)
        channels = checked_sizes("channels", channels, least=1)
        if len(channels) == 1:
            raise ValueError(f"channels must hold two numbers or more for residual blocks; got {channels}.")
        kernel_sizes = checked_sizes("kernel_sizes", kernel_sizes, least=1)
        first, *channels = channels
        size, *sizes = kernel_sizes if len(kernel_sizes) > 1 else tuple(kernel_sizes) * (len(channels) + 1)
        check_filter([image_shape], 0, size)
        shapes, sizes = layer_shapes((first, *image_shape[1:]), channels, sizes)
        down, up = [], []
        for (outer, inner), block_size in zip(pairwise(shapes), sizes, strict=True):
            shrink = halve(outer, inner, block_size), halve(outer, inner, 1)
            grow = double(inner, outer, block_size), double(inner, outer, 1)
            down.append(ResidualBlock(*shrink, same(inner[0], inner[0], block_size), preactivation))
            up = [ResidualBlock(*grow, same(outer[0], outer[0], block_size), preactivation), *up]
        self.encoder = nn.Sequential(same(image_shape[0], first, size), nn.ReLU(), *down, nn.Flatten())
        self.decoder = nn.Sequential(nn.Unflatten(1, shapes[-1]), *up, same(first, image_shape[0], size))
        xavier(self)


class ResidualBlock(nn.Module):
    """Two convolutions beside a linear shortcut.

    Parameters
    ----------
    resize, shortcut : Module
        The first convolution, and the shortcut, both to the block's output shape.
    conv : Module
        The second convolution.
    preactivation : bool
        See :class:`ResidualAutoEncoder`.
    """

    def __init__(self, resize, shortcut, conv, preactivation):
        super().__init__()
        self.resize = resize
        self.shortcut = shortcut
        self.conv = conv
        self.preactivation = preactivation

    def forward(self, x):
        """Output of the block."""
        inner = self.resize(x.relu() if self.preactivation else x).relu()
        total = self.conv(inner) + self.shortcut(x)
        return total if self.preactivation else total.relu()


def same(n_in, n_out, size):
    """Convolution that keeps height and width."""
    return nn.Conv2d(n_in, n_out, size, padding=size // 2)
