"""Devices: by name, and the way of checked arrays and of pickled estimators onto them."""

from copy import deepcopy

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


class DeviceMixin:
    """An estimator that is pickled without its device: it goes back there, or to what the new machine has."""

    def __getstate__(self):
        state = super().__getstate__()
        if "network_" in state and not state["device_"].startswith("cpu"):
            state = {**state, "network_": deepcopy(state["network_"]).cpu()}
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if not hasattr(self, "device_"):
            return
        try:
            self.device_ = str(resolve_device(self.device_))
        except ValueError:
            self.device_ = str(resolve_device("auto"))
        if hasattr(self, "network_"):
            self.network_.to(self.device_)
