"""Local randomness: an estimator draws its own seeds and leaves the user's generators as they were."""

from contextlib import contextmanager
from typing import Annotated

import numpy as np
from sklearn.utils import check_random_state

from ._params import Estimator, estimator

_LARGEST_SEED = np.iinfo(np.int32).max


@estimator
class Randomized(Estimator):
    """An estimator that draws at random.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An int gives the same result each time. NumPy's and torch's global generators are neither used nor changed.
    """

    random_state: Annotated[int | np.random.RandomState | None, "random_state"] = None


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
    generator = np.random.RandomState() if random_state is None else check_random_state(random_state)
    return generator.randint(_LARGEST_SEED, size=n_seeds).tolist()


def draw_rows(n_samples, n_rows, seed):
    """Sorted indices of `n_rows` random rows, each at most once; all of them in order if that many are wanted."""
    if n_rows == n_samples:
        return np.arange(n_samples)
    return np.sort(np.random.RandomState(seed).choice(n_samples, n_rows, replace=False))


@contextmanager
def seeded(seed, device="cpu"):
    """Run a block under its own torch seed, on the CPU and on `device`, then restore torch's generators.

    cuDNN is asked for deterministic algorithms inside the block and returned to its former setting after it.
    """
    import torch  # Not above: drawing seeds must not cost its import.

    device = torch.device(device)
    forked = [device] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices=forked, device_type="cuda"),
        torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled, deterministic=True),
    ):
        torch.default_generator.manual_seed(seed)
        if device.type in ("cuda", "mps", "xpu"):
            getattr(torch, device.type).manual_seed(seed)
        yield
