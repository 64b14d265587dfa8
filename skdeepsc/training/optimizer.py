"""The optimiser of all phases."""

import inspect

import torch


class Adam(torch.optim.Adam):
    """That of torch, without what its methods do to be compiled: for that the first one imports torch's compiler.

    The import takes more than a second, which no fit has a use for.
    """

    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))
    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    state_dict = inspect.unwrap(torch.optim.Adam.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Adam.load_state_dict)
