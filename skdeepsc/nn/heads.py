"""Classifier heads: from codes to logits."""

import math
from copy import deepcopy
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from .autoencoders import xavier
from .expression import eigenpairs, precise


def classifier_for(code_shape, n_clusters):
    """NCSC's classifier of codes of a shape: convolutional where they are maps, else dense.

    Parameters
    ----------
    code_shape : tuple of int
        ``(channels, height, width)``; codes of any other shape are flat to it.
    n_clusters : int

    Returns
    -------
    classifier : Module
        From codes of that shape to logits.
    """
    if len(code_shape) == 3:
        return conv_classifier(code_shape, (64, 64, 64), n_clusters)
    return xavier(dense_head(math.prod(code_shape), (128,), n_clusters))


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
    def of_equal_variance(cls, network, blocks):
        """The features of a network with a projector, such that both parts have the variance 1 on blocks of samples."""
        with torch.inference_mode():
            outputs = [(out.z, out.h) for out in map(network.eval(), blocks)]
        both = (torch.cat(parts) for parts in zip(*outputs, strict=True))
        return cls(*(part.var(0, correction=0).sum().sqrt().item() or 1.0 for part in both))

    def forward(self, out):
        """Features of shape (n_samples, n_latent + n_projected)."""
        parts = (out.z, self.code_scale), (out.h, self.projection_scale)
        return torch.cat([part / scale for part, scale in parts if scale], 1)


class ExpressionHead(nn.Module):
    r"""What samples are expressed by, learnt on codes that stay as they are: unit rows of

    .. math:: h = W p + B \max(0, 10 A p + a) + b, \qquad p = V^T \frac{z - \bar z}{\|z - \bar z\|}

    with the first principal axes V of the directions. It starts from h = p, so that C is at first that of the codes.

    Parameters
    ----------
    mean : tensor of shape (n_latent,)
        :math:`\bar z`.
    axes : tensor of shape (n_latent, n_axes)
        V.
    n_hidden : int
        Length of a; 0: the head is linear.
    """

    def __init__(self, mean, axes, n_hidden):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("axes", axes)
        n_axes = axes.shape[1]
        self.linear = nn.Linear(n_axes, n_axes)
        # On the device meta, where a file's weights are awaited, nn.init.eye_ imports torch's compiler.
        nn.init.zeros_(self.linear.weight).detach().diagonal().fill_(1)
        nn.init.zeros_(self.linear.bias)
        self.bent = None
        if n_hidden:
            self.bent = nn.Sequential(nn.Linear(n_axes, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_axes, bias=False))
            nn.init.zeros_(self.bent[2].weight)

    @classmethod
    @torch.no_grad()
    def of_codes(cls, z, n_axes=128, n_hidden=512):
        """The head that starts from the codes `z`, with as many axes as the codes have, at most `n_axes`."""
        mean = z.mean(0)
        directions = F.normalize(z - mean)
        directions = precise(directions - directions.mean(0))
        n_samples, n_latent = z.shape
        if n_latent <= n_samples:
            axes = eigenpairs(directions.T @ directions)[1]
        else:
            axes = directions.T @ eigenpairs(directions @ directions.T)[1]
        axes = F.normalize(axes.flip(1)[:, : max(1, min(n_axes, n_samples - 1, n_latent))], dim=0)
        return cls(mean, axes, n_hidden).to(z.dtype)

    def directions(self, z):
        """p, shape (n_samples, n_axes)."""
        return F.normalize(z - self.mean) @ self.axes

    def project(self, p):
        """h as unit rows, shape (n_samples, n_axes)."""
        return F.normalize(self.linear(p) if self.bent is None else self.linear(p) + self.bent(10 * p))

    @classmethod
    def of_state(cls, state):
        """The head with the parameters and buffers of another one."""
        head = cls(state["mean"], state["axes"], len(state.get("bent.0.bias", ())))
        head.load_state_dict(state)
        return head

    def forward(self, out):
        """Features of the outputs of a network, float32.

        Where nothing is learnt by them, codes are made in float64, if the device has it: the direction of a code near
        the mean magnifies roundings, which depend on the rows beside it.
        """
        if not torch.is_inference_mode_enabled():
            return self.project(self.directions(out.z))
        x = precise(out.x)
        encoder, exact = (deepcopy(part).to(x.dtype) for part in (out.encoder, self))
        try:
            z = encoder(x).flatten(1)
        except RuntimeError as error:
            if "type" not in str(error):
                raise
            z = out.z  # A user's encoder may hold tensors of float32.
        return exact.project(exact.directions(z.to(x.dtype))).to(out.x.dtype)


@torch.no_grad()
def center_units(head, z):
    """Set the biases before a head's ReLUs so that no unit is silent for all codes, as few units easily are.

    Parameters
    ----------
    head : Sequential
        Changed in place.
    z : tensor of shape (n_samples, n_features)
        What it gets.
    """
    for layer in head[:-1]:
        if isinstance(layer, nn.Linear):
            layer.bias -= layer(z).mean(0)
        z = layer(z)
