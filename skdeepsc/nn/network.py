"""The papers' figure as a module, and what one pass through it can answer."""

from contextlib import contextmanager
from functools import cached_property

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


@contextmanager
def answering():
    """Without gradients, and such that what fully connected layers make of a sample does not hang on its block."""
    with torch.inference_mode(), _PreciseLayers():
        yield


class _PreciseLayers(TorchFunctionMode):
    """Fully connected layers of float32 compute in float64 on the CPU.

    The last digits of a row hang on its place in the block, on some processors; those of float64 are rounded away.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return (_linear if func is F.linear else func)(*args, **(kwargs or {}))


def _linear(input, weight, bias=None):
    given = [each for each in (input, weight, bias) if each is not None]
    is_plain = all(each.device.type == "cpu" and each.dtype == torch.float32 for each in given)
    if not is_plain or torch.is_autocast_enabled("cpu"):
        return F.linear(input, weight, bias)
    return F.linear(*(each.double() for each in given)).float()


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
        From codes, and the rows of the training set that they belong to, to C, see :mod:`skdeepsc.nn.expression`.
    classifier : Module or None
        From codes to logits (n_samples, n_clusters).
    projector : Module or None
        From codes to the features that are contrasted, (n_samples, n_projected).
    augment : callable or None
        From scaled images to random views of them, of the same shape.
    features : callable or None
        From the :class:`Outputs` of samples to the features that express each other; ``None``: the codes.
    input_scale : float, default=1.0
        Samples are divided by it before anything else.

    Attributes
    ----------
    segments : tensor of shape (n_samples,), int64, or None
        Cluster of each training sample, while a spectral clustering supervises the training.
    group : ProcessGroup or None
        Processes among which the rows of a batch are shared out, while they train together.
    """

    group = None

    def __init__(
        self,
        encoder,
        decoder,
        expression=None,
        classifier=None,
        *,
        projector=None,
        augment=None,
        features=None,
        input_scale=1.0,
    ):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.expression = expression
        self.classifier = classifier
        self.projector = projector
        self.augment = augment
        self.features = features
        self.register_buffer("segments", None, persistent=False)
        self.register_buffer("input_scale", torch.tensor(float(input_scale), dtype=torch.float32))

    def code_shape(self, x):
        """Shape of the code of a sample before it is flattened."""
        shapes, encoder = [], self.encoder.eval()
        if isinstance(encoder, nn.Sequential) and isinstance(encoder[-1], nn.Flatten):
            hook = encoder[-1].register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape))
        else:
            hook = encoder.register_forward_hook(lambda _, given, code: shapes.append(code.shape))
        with torch.inference_mode():
            encoder(self(x).x)
        hook.remove()
        return tuple(shapes[-1][1:])

    def forward(self, x, index=None):
        """Outputs for the samples `x`, which are the rows `index` of the training set.

        With a `group`, `x` and `index` are this process's own rows of a batch, and the outputs are those of the batch.
        """
        if self.group is None or index is None:
            return Outputs(self, x, index)
        batch = self.group.batch(len(x))
        return Outputs(self, x, batch.whole(index), batch)


class Outputs:
    """What one pass of a batch can answer, under the papers' letters; all but X are computed when first asked for.

    Attributes
    ----------
    index : tensor of shape (n_samples,) or None
        Rows of the training set that the batch holds.
    x : tensor of shape (n_samples, ...)
        Scaled images, X.
    z : tensor of shape (n_samples, n_latent)
        Codes, Z.
    encoder : Module
        What makes the codes.
    features : tensor of shape (n_samples, n_expressed)
        What samples are expressed by: the codes, unless the network says otherwise.
    coef : tensor of shape (n_samples, n_samples)
        Self-expression coefficients, C, of the features; row i rebuilds sample i.
    z_hat : tensor of shape (n_samples, n_latent)
        Self-expressed codes, C Z.
    x_hat : tensor of shape (n_samples, ...)
        Images decoded from ``z_hat``.
    x_auto : tensor of shape (n_samples, ...)
        Images decoded from ``z``, without self-expression.
    logits : tensor of shape (n_samples, n_clusters)
        Output of the classifier before the softmax.
    h : tensor of shape (n_samples, n_projected)
        Output of the projector.
    segments : tensor of shape (n_samples,), int64
        Present clusters of the samples.
    view : Outputs
        Of the augmented images; without an augmentation, these same outputs.
    """

    def __init__(self, network, x, index=None, batch=None):
        self._network = network
        self._batch = batch
        self.index = index
        self.x = None if x is None else self._whole(x).to(torch.float32) / network.input_scale

    @cached_property
    def z(self):
        return self._made("encoder", self.x).flatten(1)

    @property
    def encoder(self):
        return self._network.encoder

    @cached_property
    def features(self):
        return self.z if self._network.features is None else self._network.features(self)

    @cached_property
    def coef(self):
        return self._network.expression(self.features, self.index)

    @cached_property
    def z_hat(self):
        return self._network.expression.combine(self.coef, self.z, self.features)

    @cached_property
    def x_hat(self):
        return self._made("decoder", self.z_hat)

    @cached_property
    def x_auto(self):
        return self._made("decoder", self.z)

    @cached_property
    def logits(self):
        return self._whole(self._network.classifier(self._own(self.z)))

    @cached_property
    def h(self):
        return self._whole(self._network.projector(self._own(self.z)))

    @cached_property
    def segments(self):
        segments = self._network.segments
        return segments if self.index is None else segments[self.index]

    @cached_property
    def view(self):
        if self._network.augment is None:
            return self
        view = Outputs(self._network, None, self.index, self._batch)
        view.x = augmented(self._network.augment, self.x)
        return view

    def _made(self, part, given):
        """What the encoder or the decoder makes of a tensor, which others ask for, too."""
        version = None if given.is_inference() else given._version
        made = self._whole(getattr(self._network, part)(self._own(given)))
        if version is not None and given._version != version:
            raise ValueError(
                f"The {part} changes what it is given in place, and the costs compare with that: take inplace=False."
            )
        return made

    def _own(self, whole):
        """The rows of a batch that this process works on."""
        return whole if self._batch is None else self._batch.own(whole)

    def _whole(self, own):
        """The rows of a batch, from what this process made of its own."""
        return own if self._batch is None else self._batch.whole(own)


def augmented(augment, x):
    """A view of each of some samples, of their shape and dtype, by an augmentation, which may be the user's own."""
    before = tuple(x.shape)
    try:
        view = augment(x.clone())  # It may change what it gets.
    except Exception as error:
        error.add_note(f"It was raised by augment, of samples of shape {before}.")
        raise
    if not torch.is_tensor(view):
        raise TypeError(f"augment must make a tensor of the samples; got {type(view).__name__}.")
    if before != tuple(view.shape):
        raise ValueError(f"augment must keep the shape of the samples, {before}, but returned {tuple(view.shape)}.")
    return view.to(x.dtype)
