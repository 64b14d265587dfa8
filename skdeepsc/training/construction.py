"""Layers are made in float32 and from the generator of the fit, whatever the process has set."""

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from .._random import generator_for

# What makes tensors of the default type, before and after it has drawn.
_MAKE = {torch.empty, torch.zeros, torch.ones, torch.eye, torch.linspace, torch.rand, torch.randn}
_MAKE_OF_VALUES = {torch.tensor, torch.as_tensor, torch.full, torch.arange}
# What draws: a new tensor, or one that is given or like it.
_DRAW = {
    *(getattr(torch, name) for name in ("rand", "randn", "randint", "randperm")),
    *(getattr(torch.Tensor, name) for name in ("uniform_", "normal_", "random_", "bernoulli_", "exponential_")),
    *(getattr(torch, name) for name in ("rand_like", "randn_like", "bernoulli", "multinomial", "normal")),
    *(getattr(nn.init, name) for name in ("uniform_", "normal_", "trunc_normal_", "orthogonal_", "sparse_")),
    *(getattr(nn.init, f"{rule}_{law}_") for rule in ("xavier", "kaiming") for law in ("uniform", "normal")),
}


class Construction(TorchFunctionMode):
    """A context in which layers are made; torch's layers ask nobody for a type and a generator."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in _MAKE and kwargs.get("dtype") is None:
            kwargs["dtype"] = torch.float32
        if func in _DRAW and kwargs.get("generator") is None:
            tensor = next((part for part in args if isinstance(part, torch.Tensor)), kwargs.get("tensor"))
            generator = generator_for(kwargs.get("device") or "cpu" if tensor is None else tensor.device)
            if generator is not None:
                kwargs["generator"] = generator
        made = func(*args, **kwargs)
        if func in _MAKE_OF_VALUES and kwargs.get("dtype") is None and made.dtype == torch.get_default_dtype():
            return made.to(torch.float32)
        return made
