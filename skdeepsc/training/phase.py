"""One line of a paper's algorithm box."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from .._params import Count, NonNegative, checked
from .batches import n_batches


@dataclass(frozen=True)
class Phase:
    """What to minimise, for how long, and which parts of the network learn.

    Parameters
    ----------
    name : str
        Name in the history, the progress bars and error messages.
    costs : callable
        From :class:`~skdeepsc.nn.network.Outputs` to a dict of named, weighted 0-d tensors; their sum is minimised.
        The values are sums over the samples of a batch.
    epochs : int
        Passes through the data; 0 skips the phase.
    lr : float
        Step size of Adam.
    parts : tuple of str or None, default=None
        Names of the sub-modules that learn, all others are frozen; ``None``: all learn.
    part_lrs : dict of str to float, default={}
        Step sizes of sub-modules that differ from `lr`.
    batch_size : int, default=-1
        Samples in a batch, drawn anew each epoch; -1 takes all samples at once, in their order.
    callbacks : tuple of skorch callbacks, default=()
        The method's own callbacks.
    """

    name: str
    costs: Callable
    epochs: int
    lr: float
    parts: tuple | None = None
    part_lrs: dict = field(default_factory=dict)
    batch_size: int = -1
    callbacks: tuple = ()


@checked
def epochs_of(n_steps: NonNegative, n_samples: Count, batch_size: Count) -> int:
    """Epochs that give `n_steps` optimiser steps, or a few more.

    Parameters
    ----------
    n_steps : float
    n_samples, batch_size : int

    Returns
    -------
    n_epochs : int
    """
    return math.ceil(n_steps / n_batches(n_samples, batch_size))
