"""Trained networks in a folder, for the fits to come that would train the same: what `memory` is."""

import os
from pathlib import Path

import joblib

from .._warn import warn_user
from .digests import same_settings
from .resume import Unfit, network_state, set_network_state
from .states import StateFile

_FORM = "skdeepsc network"
# The folder within that of a joblib.Memory, whose `clear` then removes it, too.
_WITHIN_MEMORY = "skdeepsc"


def cache_folder(memory):
    """The folder that `memory` is, which is there; None without one.

    Parameters
    ----------
    memory : str, path-like, joblib.Memory or None

    Raises
    ------
    ValueError
        If it is no folder, or there cannot be one.
    """
    if isinstance(memory, joblib.Memory):
        if memory.store_backend is not None and memory.backend != "local":
            raise ValueError(f"memory={memory!r} keeps its entries in no folder: give the path of one.")
        folder = memory.store_backend and Path(memory.store_backend.location, _WITHIN_MEMORY)
    elif isinstance(memory, str) and not memory:
        raise ValueError("memory must be the path of a folder, a joblib.Memory or None; got ''.")
    else:
        folder = None if memory is None else Path(os.fspath(memory))
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise ValueError(f"memory={str(folder)!r} is no folder that can be written: {error}.") from error
    return folder


class NetworkFile:
    """One trained network and what is known of its training.

    Parameters
    ----------
    folder : Path
    name : str
        What was trained.
    key : str
        A digest of all that the network depends on, see :func:`~skdeepsc.training.digests.digest`.
    """

    def __init__(self, folder, name, key):
        path = folder / f"{name}-{key[:32]}.network"
        self.file = StateFile(path, _FORM, path, "A network in memory= cannot be used and is trained anew", key=key)

    def read(self, build):
        """Network, on the CPU, and what was written with it; None without, or where they cannot be used, which is told.

        Parameters
        ----------
        build : callable
            Gets what was written with the network, and returns one with the same parts.
        """
        state = self.file.read()
        if state is None:
            return None
        network = build(state["training"])
        try:
            set_network_state(network, state["network"], "cpu")
        except Unfit as error:
            self.file.put_aside(error)
            return None
        return network, state["training"]

    def write(self, network, training, build):
        """Keep a network, if it comes back as it is, and plain values; a fit does not fail where that does."""
        try:
            state, again = network_state(network), build(training)
            set_network_state(again, state, "cpu")
            if not same_settings(network, again):
                raise ValueError("modules have attributes that are learnt, and are neither parameters nor buffers")
            self.file.write({"network": state, "training": training})
        except Exception as error:  # Whatever keeps it from being written.
            warn_user(f"The trained network is not kept in memory=: {self.file.path} cannot be written ({error}).")
