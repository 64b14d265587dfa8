"""Classifier heads: from codes to logits."""

from itertools import pairwise
from numbers import Integral

import torch
from torch import nn

from .autoencoders import xavier


def classifier_for(code_shape, n_clusters):
    """NCSC's classifier of codes of a shape: convolutional where they are maps, else dense."""
    if len(code_shape) == 3:
        return conv_classifier(code_shape, (64, 64, 64), n_clusters)
    return xavier(dense_head(code_shape[0], (128,), n_clusters))


def conv_classifier(code_shape, hidden_channels, n_clusters):
    """Convolutional classifier of NCSC: 2 x 2 convolutions without padding, then one of 1 x 1 to the clusters.

    A ReLU follows every convolution but the last. Where the map has become one pixel wide or high, so are the filters
    that are left; logits are averaged over the positions that remain. Of the paper's codes, 4 x 4 maps, three
    convolutions leave one position.

    Parameters
    ----------
    code_shape : tuple of int
        ``(channels, height, width)`` of a code before it is flattened.
    hidden_channels : sequence of int
        Filters of each 2 x 2 convolution.
    n_clusters : int

    Returns
    -------
    classifier : Sequential
        From flat codes to logits (n_samples, n_clusters).
    """
    layers, (n_in, *side) = [nn.Unflatten(1, tuple(code_shape))], code_shape
    for n_out in hidden_channels:
        sizes = tuple(min(2, length) for length in side)
        layers += [nn.Conv2d(n_in, n_out, sizes), nn.ReLU()]
        side = [length - size + 1 for length, size in zip(side, sizes, strict=True)]
        n_in = n_out
    return xavier(nn.Sequential(*layers, nn.Conv2d(n_in, n_clusters, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()))


def dense_head(n_latent, hidden_sizes, n_out):
    """Fully connected head; a ReLU follows every layer but the last.

    Parameters
    ----------
    n_latent : int
        Length of a code.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    n_out : int
        Clusters of a classifier, features of a projector.

    Returns
    -------
    head : Sequential
        From codes to (n_samples, n_out).
    """
    sizes = (n_latent, *hidden_sizes)
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], n_out))


class JoinedFeatures(nn.Module):
    """Codes and projections side by side, each divided by its scale; without a scale, it is left out.

    Parameters
    ----------
    code_scale, projection_scale : float or None
    """

    def __init__(self, code_scale, projection_scale):
        super().__init__()
        self.code_scale = code_scale
        self.projection_scale = projection_scale

    @classmethod
    def of_equal_variance(cls, network, x):
        """The features of a network with a projector, such that both parts have the variance 1 on the samples `x`."""
        with torch.inference_mode():
            outputs = [(out.z, out.h) for out in map(network.eval(), x.split(4096))]
        both = (torch.cat(parts) for parts in zip(*outputs, strict=True))
        return cls(*(part.var(0, correction=0).sum().sqrt().item() or 1.0 for part in both))

    def forward(self, out):
        """Features of shape (n_samples, n_latent + n_projected)."""
        parts = (out.z, self.code_scale), (out.h, self.projection_scale)
        return torch.cat([part / scale for part, scale in parts if scale], 1)


@torch.no_grad()
def center_units(head, z):
    """Set the biases before a head's ReLUs so that no unit is silent for all codes, as few units easily are."""
    for layer in head[:-1]:
        if isinstance(layer, nn.Linear):
            layer.bias -= layer(z).mean(0)
        z = layer(z)


def checked_sizes(name, sizes, n_layers=None):
    """The widths of layers as a tuple of positive integers, of `n_layers` if that is given."""
    sizes = tuple(sizes)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes) or n_layers not in (None, len(sizes)):
        number = "positive integers" if n_layers is None else f"{n_layers} positive integers"
        raise ValueError(f"{name} must hold {number}, the widths of layers; got {sizes}.")
    return sizes
