"""Classifier heads: from codes to logits."""

from itertools import pairwise

from torch import nn

from .autoencoders import xavier


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


def dense_classifier(n_latent, hidden_sizes, n_clusters):
    """Fully connected classifier; a ReLU follows every layer but the last.

    Parameters
    ----------
    n_latent : int
        Length of a code.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    n_clusters : int

    Returns
    -------
    classifier : Sequential
        From codes to logits (n_samples, n_clusters).
    """
    sizes = (n_latent, *hidden_sizes)
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    return xavier(nn.Sequential(*layers, nn.Linear(sizes[-1], n_clusters)))
