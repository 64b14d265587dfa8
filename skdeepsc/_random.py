"""Local randomness: an estimator draws its own seeds and leaves the user's generators as they were."""

import threading
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

import numpy as np
from sklearn.utils import check_random_state

from ._params import Estimator, RandomState, estimator

_LARGEST_SEED = np.iinfo(np.int32).max


@estimator
class Randomized(Estimator):
    """An estimator that draws at random.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An int gives the same result each time. NumPy's and torch's global generators are neither used nor changed.
    """

    random_state: RandomState = None

    def _draw_seeds(self, n_seeds):
        """Seeds of the independent parts of a fit."""
        return draw_seeds(self.random_state, n_seeds)


def generator_of(random_state):
    """A generator of a seed, or the given one; ``None``: a new one, so that NumPy's global one is not advanced."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def draw_seeds(random_state, n_seeds):
    """Draw integer seeds, one for each independent part of an estimator.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An int always gives the same seeds; a RandomState instance is advanced, as that is its purpose; ``None`` takes
        fresh entropy from the operating system, so that NumPy's global generator is not advanced.
    n_seeds : int
        How many seeds.

    Returns
    -------
    seeds : list of int
    """
    return generator_of(random_state).randint(_LARGEST_SEED, size=n_seeds).tolist()


def draw_rows(n_samples, n_rows, seed):
    """Sorted indices of `n_rows` random rows, each at most once; all of them in order if that many are wanted."""
    if n_rows == n_samples:
        return np.arange(n_samples)
    return np.sort(np.random.RandomState(seed).choice(n_samples, n_rows, replace=False))


# Generators of the fit that this thread is in.
_OWN: ContextVar = ContextVar("skdeepsc_generators", default=None)
# Code of others draws from torch's generators, of which the process has one for each device.
_PROCESS = threading.RLock()


@contextmanager
def seeded(seed, device="cpu", *, shared=False):
    """Run a block whose random numbers follow from a seed alone; torch's generators stay as they are.

    On CUDA, cuDNN is asked for deterministic algorithms inside the block and returned to its former setting after it.

    Parameters
    ----------
    seed : int
    device : device, default="cpu"
    shared : bool, default=False
        Whether code of others takes part, such as a user's network: it draws from torch's generators, which are then
        seeded and given back, in one thread at a time.
    """
    import torch  # Not above: drawing seeds must not cost its import.

    device = torch.device(device)
    with ExitStack() as stack:
        if device.type == "cuda":
            stack.enter_context(_DETERMINISTIC)
        if shared:
            stack.enter_context(_PROCESS)
            forked = [device] if device.type == "cuda" else []
            stack.enter_context(torch.random.fork_rng(devices=forked, device_type="cuda"))
            torch.default_generator.manual_seed(seed)
            if device.type in ("cuda", "mps", "xpu"):
                getattr(torch, device.type).manual_seed(seed)
        stack.callback(_OWN.reset, _OWN.set(None if shared else _Generators(seed)))
        yield


def generator_for(device):
    """The generator from which a fit in this thread draws numbers on a device; ``None``: torch's own.

    Parameters
    ----------
    device : torch.device or str

    Returns
    -------
    generator : torch.Generator or None
    """
    own = _OWN.get()
    return None if own is None else own.on(device)


def generator_states(device):
    """States of the generators from which a fit in this thread draws: those of its own, or torch's for a device."""
    import torch

    own = _OWN.get()
    if own is not None:
        return {str(where): generator.get_state() for where, generator in own.made.items()}
    states = {"cpu": torch.default_generator.get_state()}
    if device.type in ("cuda", "mps", "xpu"):
        of_device = getattr(torch, device.type)
        states[str(device)] = of_device.get_rng_state() if device.type == "mps" else of_device.get_rng_state(device)
    return states


def set_generator_states(states, device):
    """Let a fit in this thread draw on from :func:`generator_states`."""
    import torch

    own = _OWN.get()
    if own is not None:
        own.made.clear()
        for where, state in states.items():
            own.on(where).set_state(state)
        return
    torch.default_generator.set_state(states["cpu"])
    if str(device) in states and device.type != "cpu":
        of_device = getattr(torch, device.type)
        at = () if device.type == "mps" else (device,)
        of_device.set_rng_state(states[str(device)], *at)


class _Generators:
    """Generators of one fit, one for each device, which give what torch's would give after the same seed."""

    def __init__(self, seed):
        self.seed = seed
        self.made = {}

    def on(self, device):
        import torch

        device = torch.device(device)
        if device not in self.made:
            self.made[device] = torch.Generator(device).manual_seed(self.seed)
        return self.made[device]


class _ForAll:
    """A context of the whole process, entered by the first thread that needs it and left by the last."""

    def __init__(self, make):
        self.make, self.lock, self.n_users = make, threading.Lock(), 0

    def __enter__(self):
        with self.lock:
            if not self.n_users:
                self.context = self.make()
                self.context.__enter__()
            self.n_users += 1

    def __exit__(self, *_):
        with self.lock:
            self.n_users -= 1
            if not self.n_users:
                self.context.__exit__(None, None, None)


def _deterministic():
    import torch

    return torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, deterministic=True)


_DETERMINISTIC = _ForAll(_deterministic)
