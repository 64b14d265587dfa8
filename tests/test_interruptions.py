"""Ctrl-C and kill -9 at any moment, once or several times: what goes on ends as if nothing had happened.

``make stress`` interrupts more often, SKDEEPSC_INTERRUPTIONS times over all estimators.
"""

import os
import random
import signal
import time
import traceback
import warnings

import numpy as np
import pytest

from skdeepsc import AutoEncoder
from skdeepsc.training import checkpoints
from tests.test_checkpoint import FITS, state_of

N_INTERRUPTIONS = int(os.environ.get("SKDEEPSC_INTERRUPTIONS", "0"))
NAMES = list(FITS) if N_INTERRUPTIONS else ["NCSC", "S2ConvSCN"]
SIGNALS = [signal.SIGINT, signal.SIGKILL] if hasattr(os, "fork") else []
# Seconds between writes: after every epoch, or after some.
INTERVALS = (0.0, 0.05, 0.2)

pytestmark = pytest.mark.skipif(not SIGNALS, reason="processes are forked, which saves their imports")


def begin(name, X, answer, folder=None, interval=0.0):
    """A process that fits, and writes what it learnt; after Ctrl-C, 3 is its status if nothing else happened."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns of forks in processes with threads.
        process = os.fork()
    if process:
        return process
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        checkpoints.INTERVAL, checkpoints._MOST_WRITING = interval, 1e9
        kind, params = FITS[name]
        estimator = kind(**params, checkpoint=folder)
        try:
            estimator.fit(X)
        except KeyboardInterrupt:
            status = 3 if not hasattr(estimator, "network_") and not hasattr(estimator, "labels_") else 1
        else:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _, arrays = state_of(estimator)
            np.savez(answer, estimator.transform(X), *map(np.asarray, arrays))
            status = 0
    except KeyboardInterrupt:  # Before the fit or after it.
        status = 3
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def end(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def contents(path):
    with np.load(path) as arrays:
        return [arrays[name] for name in arrays.files]


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_that_is_interrupted_at_any_moment_ends_the_same(images, tmp_path, name):
    X, folder = images[0], tmp_path / "checkpoint"
    AutoEncoder(max_epochs=1).fit(X)  # Torch imports some of its parts when it first trains.
    begun = time.monotonic()
    assert end(begin(name, X, tmp_path / "whole.npz")) == 0
    seconds, whole = time.monotonic() - begun, contents(tmp_path / "whole.npz")
    chance, left = random.Random(f"{name} {N_INTERRUPTIONS}"), max(2, -(-N_INTERRUPTIONS // len(NAMES)))
    while left:
        answer, status, interrupted = tmp_path / "answer.npz", None, 0
        interval = chance.choice(INTERVALS)
        while status != 0:
            process = begin(name, X, answer, folder, interval)
            if left and interrupted < 4:
                time.sleep(chance.uniform(0, 1.2 * seconds))
                os.kill(process, sent := chance.choice(SIGNALS))
                status = end(process)
                assert status in (0, 3, -signal.SIGKILL), (status, sent)
                if status:
                    left, interrupted = left - 1, interrupted + 1
            else:
                status = end(process)
                assert status == 0
        for one, other in zip(contents(answer), whole, strict=True):
            np.testing.assert_array_equal(one, other)
        answer.unlink()
        assert not [place for place in folder.iterdir() if not place.name.endswith(".gone")]
