"""The state of a phase: what it changes, so that the phase can go on from there as if nothing had happened."""

from contextlib import suppress

import torch
from skorch.callbacks import Callback, EpochTimer, PrintLog

from .._random import generator_states, set_generator_states


class Unfit(ValueError):
    """A state does not belong to what it is to be put into."""


class KeptPhase(Callback):
    """Keep the state of a phase after its epochs, every now and then, and put back what was kept of it before.

    It must be the last of the callbacks: what they do at the beginning of the training, they have done already, and
    what they do after an epoch is kept.

    Parameters
    ----------
    step : Step
        Where the state is kept.
    network : Module
        Trained by the phase.
    keeps : sequence of (object, str)
        Attributes beside the network that the phase changes: plain values and tensors.
    device : device
    """

    def __init__(self, step, network, keeps, device):
        self.step, self.network, self.keeps, self.device = step, network, keeps, torch.device(device)
        self.state = step.read()
        if self.state is not None:
            try:
                self._put_back()
            except Unfit as error:
                step.put_aside(error)
                self.state = None

    @property
    def rows(self):
        """The history of a phase that has ended; None of one that has not."""
        if self.state is None or not self.state["is_done"]:
            return None
        set_generator_states(self.state["generators"], self.device)
        return self.state["rows"]

    def end(self, rows):
        """Keep the state at the end of the phase."""
        self.step.write({**self._common(), "is_done": True, "rows": rows})

    def on_train_begin(self, net, **kwargs):
        """Put back what belongs to the training of the phase, over what its beginning has made."""
        if self.state is None:
            return
        self._put_back_attributes()  # Callbacks may have changed them.
        net.history.extend({**row, "batches": []} for row in self.state["history"])
        net.optimizer_.load_state_dict(self.state["optimizer"])
        for name, callback in self._callbacks(net):
            _set_attributes(callback, self.state["callbacks"].get(name, {}))
        set_generator_states(self.state["generators"], self.device)
        self.state = None

    def on_epoch_end(self, net, **kwargs):
        if self.step.is_due:
            history = [{name: value for name, value in row.items() if name != "batches"} for row in net.history]
            callbacks = {name: _attributes(callback) for name, callback in self._callbacks(net)}
            optimizer = net.optimizer_.state_dict()
            own = {"is_done": False, "history": history, "callbacks": callbacks, "optimizer": optimizer}
            self.step.write({**self._common(), **own})

    def _callbacks(self, net):
        return [
            (f"{name}: {type(callback).__name__}", callback)
            for name, callback in net.callbacks_
            if callback is not self and not isinstance(callback, EpochTimer | PrintLog)
        ]

    def _common(self):
        return {
            "network": network_state(self.network),
            "attributes": [getattr(owner, name) for owner, name in self.keeps],
            "generators": generator_states(self.device),
        }

    # Back

    def _put_back(self):
        """Put back what the network and the method had learnt."""
        if len(self.state["attributes"]) != len(self.keeps):
            raise Unfit("it has other values beside the network")
        set_network_state(self.network, self.state["network"], self.device)
        self._put_back_attributes()

    def _put_back_attributes(self):
        for (owner, name), value in zip(self.keeps, self.state["attributes"], strict=True):
            setattr(owner, name, value.to(self.device) if isinstance(value, torch.Tensor) else value)


# Networks


def network_state(network):
    """Parameters, buffers, modes and what torch calls extra state of a network, as plain values and tensors."""
    modes = {name: module.training for name, module in network.named_modules()}
    extra = {name: module.get_extra_state() for name, module in _with_extra_state(network)}
    return {"tensors": dict(tensors_of(network)), "modes": modes, "extra": extra}


def set_network_state(network, state, device):
    """Put back what a network had learnt.

    Raises
    ------
    Unfit
        If the network has other parts; it is then as before.
    """
    kept, parameters, modes = state["tensors"], dict(network.named_parameters()), dict(network.named_modules())
    names = {name for name, _ in _with_extra_state(network)}
    if set(kept) != set(dict(tensors_of(network))) or set(state["modes"]) != set(modes) or set(state["extra"]) != names:
        raise Unfit("its network has other parts")
    for name, value in parameters.items():
        if kept[name].shape != value.shape or kept[name].dtype != value.dtype:
            raise Unfit(f"its {name!r} has another shape or type")
    for name, value in kept.items():
        if name in parameters:
            with torch.no_grad():
                parameters[name].copy_(value)
        else:
            path, _, last = name.rpartition(".")
            setattr(network.get_submodule(path), last, None if value is None else value.to(device))
    for name, is_training in state["modes"].items():
        modes[name].training = is_training
    for name, module in _with_extra_state(network):
        module.set_extra_state(state["extra"][name])


def _with_extra_state(network):
    for name, module in network.named_modules():
        if type(module).get_extra_state is not torch.nn.Module.get_extra_state:
            yield name, module


def tensors_of(network):
    """Parameters and buffers by name, also buffers that are None."""
    yield from network.named_parameters()
    for path, module in network.named_modules():
        for name, buffer in module._buffers.items():
            yield f"{path}.{name}" if path else name, buffer


# Callbacks: what they say they keep, and what skorch's write with a trailing underscore


def _attributes(callback):
    names = [name for name in vars(callback) if name.endswith("_") and not name.startswith("_")]
    found = {name: getattr(callback, name) for name in (*getattr(callback, "keeps", ()), *names)}
    stateful = {name: value for name, value in found.items() if hasattr(value, "state_dict")}
    states = {name: value.state_dict() for name, value in stateful.items() if not isinstance(value, type)}
    plain = {name: value for name, value in found.items() if _is_plain(value)}
    return {"plain": plain, "states": {name: state for name, state in states.items() if _is_plain(state)}}


def _set_attributes(callback, kept):
    for name, value in kept.get("plain", {}).items():
        setattr(callback, name, value)
    for name, state in kept.get("states", {}).items():
        with suppress(AttributeError):
            getattr(callback, name).load_state_dict(state)


def _is_plain(value):
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | torch.Tensor)
