"""The papers' figure as a module, and what one pass through it can answer."""

from functools import cached_property

import torch
from torch import nn


class SubspaceNetwork(nn.Module):
    """An auto-encoder with a self-expression layer and heads: the figure of the deep subspace clustering papers.

    Calling the network computes nothing yet: it returns an :class:`Outputs`, whose fields are computed on first
    request. A pass that asks for ``x_auto`` only never touches C nor the heads.

    Parameters
    ----------
    encoder : Module
        From images (n_samples, ...) to codes (n_samples, ...), flattened if necessary.
    decoder : Module
        From codes (n_samples, n_latent) to images.
    expression : Module or None
        From codes to C, see :mod:`skdeepsc.nn.expression`.
    classifier : Module or None
        From codes to logits (n_samples, n_clusters).
    input_scale : float, default=1.0
        Samples are divided by it before anything else.
    """

    def __init__(self, encoder, decoder, expression=None, classifier=None, *, input_scale=1.0):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.expression = expression
        self.classifier = classifier
        self.register_buffer("input_scale", torch.tensor(float(input_scale)))

    def forward(self, x, index=None):
        """Outputs for the samples `x`, which are the rows `index` of the training set."""
        return Outputs(self, x, index)


class Outputs:
    """What one pass of a batch can answer; the fields carry the papers' letters and are computed when first asked for.

    Attributes
    ----------
    index : tensor of shape (n_samples,) or None
        Rows of the training set that the batch holds.
    x : tensor of shape (n_samples, ...)
        Scaled images, X.
    z : tensor of shape (n_samples, n_latent)
        Codes, Z.
    coef : tensor of shape (n_samples, n_samples)
        Self-expression coefficients, C; row i rebuilds sample i.
    z_hat : tensor of shape (n_samples, n_latent)
        Self-expressed codes, C Z.
    x_hat : tensor of shape (n_samples, ...)
        Images decoded from ``z_hat``.
    x_auto : tensor of shape (n_samples, ...)
        Images decoded from ``z``, without self-expression.
    logits : tensor of shape (n_samples, n_clusters)
        Output of the classifier before the softmax.
    """

    def __init__(self, network, x, index=None):
        self._network = network
        self._raw = x
        self.index = index

    @cached_property
    def x(self):
        return self._raw.to(torch.float32) / self._network.input_scale

    @cached_property
    def z(self):
        return self._network.encoder(self.x).flatten(1)

    @cached_property
    def coef(self):
        return self._network.expression(self.z)

    @cached_property
    def z_hat(self):
        return self._network.expression.combine(self.coef, self.z)

    @cached_property
    def x_hat(self):
        return self._network.decoder(self.z_hat)

    @cached_property
    def x_auto(self):
        return self._network.decoder(self.z)

    @cached_property
    def logits(self):
        return self._network.classifier(self.z)
