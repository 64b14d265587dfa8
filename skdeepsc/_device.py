"""Devices: by name, and the way of checked arrays onto them."""

import torch


def resolve_device(device):
    """``torch.device`` for ``"auto"`` (CUDA if there is any, else the CPU) or a name."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={device!r} cannot be used here: {error}") from error


def to_device(samples, device):
    """A checked array as a tensor on `device`; read-only memory is copied, all other CPU memory is shared."""
    return torch.from_numpy(samples if samples.flags.writeable else samples.copy()).to(device)
