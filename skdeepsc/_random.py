"""Local randomness: an estimator draws its own seeds and leaves the user's generators as they were."""

from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

import numpy as np
from sklearn.utils import check_random_state

from ._params import Estimator, RandomState, estimator
from ._threads import ProcessLock, Shared

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
_PROCESS = ProcessLock()


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
            stack.enter_context(_DETERMINISTIC())
        stack.callback(_OWN.reset, _OWN.set(None if shared else _Generators(seed)))
        if shared:
            stack.enter_context(_PROCESS)
            stack.callback(set_generator_states, generator_states(device), device)
            _seed_torch(seed, device)
        yield


def _seed_torch(seed, device):
    """Seed torch's generators of the CPU and of a device."""
    import torch

    torch.default_generator.manual_seed(seed)
    if device.type in ("cuda", "xpu"):
        with getattr(torch, device.type).device(device):  # They seed the generator of the present one.
            getattr(torch, device.type).manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


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


@contextmanager
def _deterministic():
    import torch

    cudnn = torch.backends.cudnn
    former = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = former


_DETERMINISTIC = Shared(_deterministic)
