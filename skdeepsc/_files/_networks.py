"""Networks of this package's parts as their figure, layer by layer, and weights beside it.

They are described as they are and not built again from the estimator's parameters, which may have been set anew since.
"""

import torch
from torch import nn

from ..nn import (
    ExpressionHead,
    JoinedFeatures,
    NearestSubspace,
    RidgeExpression,
    ScatteringNetwork,
    SubspaceAffinity,
    SubspaceNetwork,
)
from ..nn.residual import ResidualBlock
from ..training import RandomAugmentation

_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
_BASES = ("bases", "mean", "unit")
# Layers, and the arguments that make them, which are attributes of the same names.
_LAYERS = {
    nn.AdaptiveAvgPool2d: ("output_size",),
    nn.Conv2d: (*_CONV, "bias"),
    nn.ConvTranspose2d: (*_CONV, "output_padding", "bias"),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.Linear: ("in_features", "out_features", "bias"),
    nn.ReLU: ("inplace",),
    nn.Unflatten: ("dim", "unflattened_size"),
    ExpressionHead: ("mean", "axes", "n_hidden"),
    JoinedFeatures: ("code_scale", "projection_scale"),
    NearestSubspace: _BASES,
    RandomAugmentation: (
        *("shift", "rotation", "scale", "shear", "flip", "light", "gamma", "contrast", "brightness"),
        *("noise", "erasing", "masking"),
    ),
    ResidualBlock: ("resize", "shortcut", "conv", "preactivation"),
    RidgeExpression: ("lam", "degrees_of_freedom", "weight", "center", "unit"),
    ScatteringNetwork: ("image_size", "n_scales", "n_angles", "order"),
    SubspaceAffinity: (*_BASES, "smoothing"),
    SubspaceNetwork: ("encoder", "decoder", "expression", "classifier", "projector", "augment", "features"),
}
_BY_NAME = {cls.__name__: cls for cls in (nn.Sequential, *_LAYERS)}


def described(network, path, write):
    """The figure of a network as JSON, and its weights as arrays by name.

    Parameters
    ----------
    network : Module
    path : str
        Where it was found, for messages.
    write : callable
        From a value and a path to JSON; it refuses what is unknown.
    """
    weights = {name: weight.detach().cpu().numpy() for name, weight in network.state_dict().items()}
    return _figure(network, path, write), weights


def _figure(value, path, write):
    if isinstance(value, torch.Tensor):
        return {"tensor": [list(value.shape), str(value.dtype).removeprefix("torch.")]}
    if type(value) is nn.Sequential:
        return {"Sequential": [_figure(layer, f"{path}[{number}]", write) for number, layer in enumerate(value)]}
    if type(value) in _LAYERS:
        arguments = {name: _argument(value, name) for name in _LAYERS[type(value)]}
        figures = {name: _figure(part, f"{path}.{name}", write) for name, part in arguments.items()}
        return {type(value).__name__: figures}
    return {"value": write(value, path)}


def _argument(layer, name):
    """An argument of a layer's constructor."""
    if name == "bias":
        return layer.bias is not None
    if name == "n_hidden":
        return 0 if layer.bent is None else layer.bent[0].out_features
    if name == "lam":
        return None if layer.lam is None else float(layer.lam)
    value = getattr(layer, name)
    return tuple(value) if isinstance(value, torch.Size) else value


def rebuilt(figure, weights, read):
    """The network of a figure with its weights, which must fit it name by name and shape by shape.

    Nothing is allocated for a layer before its weights are there, and torch's generators are not used.
    """
    with torch.device("meta"):
        network = _layer(figure, read)
    network.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()}, assign=True)
    return network


def _layer(figure, read):
    ((name, content),) = figure.items()
    if name == "value":
        return read(content)
    if name == "tensor":
        shape, dtype = content
        if dtype not in ("float32", "float64"):
            raise ValueError(f"it has a tensor of {dtype}")
        return torch.empty(shape, dtype=getattr(torch, dtype))
    if name == "Sequential":
        return nn.Sequential(*(_layer(part, read) for part in content))
    if name not in _BY_NAME:
        raise ValueError(f"it has a layer of the kind {name!r}, which is not known")
    return _BY_NAME[name](**{key: _layer(part, read) for key, part in content.items()})
