"""Devices: by name, and the way of checked arrays and of pickled estimators onto them."""

from copy import deepcopy

import torch

from ._params import Estimator


def resolve_device(device: str | torch.device) -> torch.device:
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


def collect(blocks, out):
    """Fill an array with consecutive blocks of rows, tensors; pieces that are kept until the end scatter the memory."""
    start = 0
    for block in blocks:
        out[start : start + len(block)] = block.cpu()
        start += len(block)
    return out


class OnDevice(Estimator):
    """An estimator that computes on a device. It is pickled without it, and goes back there, or to what there is.

    Parameters
    ----------
    device : str
        Where to compute: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` takes CUDA if there is any.

    Attributes
    ----------
    device_ : str
        Device in use.
    """

    device: str | torch.device = "auto"

    def _read(self, X, *, reset=True):
        samples = super()._read(X, reset=reset)
        if reset:
            self.device_ = str(self._find_device())
        return samples

    def _find_device(self):
        return resolve_device(self.device)

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
