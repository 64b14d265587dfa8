"""Tasks in threads: as many as linear algebra would use, with linear algebra on one core in each."""

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
import torch
from threadpoolctl import ThreadpoolController, threadpool_limits

from skdeepsc import segmentation
from skdeepsc._threads import Shared, threads
from skdeepsc.affinity import symmetric_affinity, top_affinity
from skdeepsc.nn import expression


def pools(*_):
    return {pool["user_api"]: pool["num_threads"] for pool in ThreadpoolController().info()}


def test_results_come_in_the_order_of_the_items():
    with threads(4) as run:
        assert list(run(lambda i: (time.sleep(0.001 * (i % 5)), i)[1], range(40))) == list(range(40))


def test_not_all_items_are_under_way_at_once():
    """What is made and not yet taken is memory."""
    begun = []
    with threads(2) as run:
        next(run(begun.append, range(1000)))
        assert len(begun) < 10


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_linear_algebra_has_one_core_in_each_and_all_afterwards(n_jobs):
    before = pools()
    with threads(n_jobs) as run:
        inside = list(run(pools, range(6)))
    assert all(set(counts.values()) == {1} for counts in inside)
    assert pools() == before


def test_fits_that_overlap_leave_blas_as_it_was():
    """The first to begin is the first to end."""
    before, first, second = pools(), threads(2), threads(2)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert pools() == before


def test_the_first_holder_enters_what_is_shared_and_the_last_leaves_it():
    told = []

    @contextmanager
    def context(name):
        told.append(f"{name} entered")
        yield
        told.append("left")

    shared = Shared(context)
    with shared("first"):
        with shared("second"):
            pass
        assert told == ["first entered"]
    assert told == ["first entered", "left"]
    with shared("third"):
        pass
    assert told[2:] == ["third entered", "left"]


def test_as_many_as_linear_algebra_would_use():
    def n_working():
        together, numbers = threading.Barrier(2), set()

        def meet(_):
            numbers.add(threading.get_ident())
            if run is not map:
                together.wait(timeout=20)

        with threads() as run:
            list(run(meet, range(4)))
        return len(numbers)

    with threadpool_limits(1):
        assert n_working() == 1
    if min(*pools().values(), joblib.cpu_count()) > 1:
        assert n_working() >= 2


def test_threads_within_threads_are_one():
    with threads(2) as run:

        def within(_):
            with threads() as usual, threads(2) as two:
                return usual is two is map

        assert all(run(within, range(4)))


def test_an_error_ends_the_others():
    done = []

    def work(i):
        if i == 3:
            raise ValueError("the third")
        done.append(i)

    with pytest.raises(ValueError, match="the third"), threads(2) as run:
        list(run(work, range(1000)))
    assert len(done) < 20
    assert threading.active_count() < 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here.")
def test_a_forked_child_finds_the_locks_of_the_process_open():
    code = """
import os, threading
from skdeepsc._compat import VALIDATION
from skdeepsc._random import _PROCESS, seeded
held, done = threading.Event(), threading.Event()
def hold():
    with VALIDATION, _PROCESS:
        held.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    with VALIDATION, seeded(0, shared=True):
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "7"


_IN_A_FORKED_CHILD = """
import os, signal
import numpy as np, torch
from skdeepsc import AutoEncoder, DSCNet
torch.set_num_threads(2)
X = np.random.RandomState(0).uniform(size=(200, 12, 12)).astype(np.float32)
def fit():
    return DSCNet(3, autoencoder=AutoEncoder(max_epochs=2), random_state=0).fit(X).predict(X)
labels = fit()
child = os.fork()
if child == 0:
    signal.alarm(60)
    same = np.array_equal(fit(), labels)
    os._exit(7 if same and torch.get_num_threads() == 2 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here.")
def test_a_child_that_is_forked_after_a_fit_fits():
    """Torch would wait there for threads that are the parent's."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _IN_A_FORKED_CHILD],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    assert run.stdout.strip() == "7"


def test_what_has_little_to_do_has_one_core(monkeypatch):
    """Eigenpairs of sparse graphs, and small products and eigenpairs; large ones have all."""
    seen = []

    def watched(function):
        return lambda *args, **kwargs: (seen.append(pools()["blas"]), function(*args, **kwargs))[1]

    monkeypatch.setattr(segmentation, "_SPARSE_LIMIT", 50)
    monkeypatch.setattr(expression, "FEW_MULTIPLICATIONS", 90**3)
    monkeypatch.setattr(segmentation, "_connected_eigenpairs", watched(segmentation._connected_eigenpairs))
    monkeypatch.setattr(expression, "all_eigenpairs", watched(expression.all_eigenpairs))
    rows = torch.from_numpy(np.random.RandomState(0).normal(size=(100, 40)))
    coefs = np.random.RandomState(0).uniform(size=(100, 100))
    with threadpool_limits(2, user_api="blas"):
        sparse_graph, dense_graph = top_affinity(coefs, n_coefs=5), symmetric_affinity(coefs)
        for graph, n_cores in ((sparse_graph, 1), (dense_graph[:40, :40], 1), (dense_graph, 2)):
            segmentation.find_candidates(graph, 2, 0)
            segmentation.spectral_labels(graph, 2, random_state=0)
            assert seen == [n_cores] * 2
            seen.clear()
        expression.RidgePath(rows)
        expression.eigenpairs(rows @ rows.T)
        assert seen == [1, 2]
        assert pools()["blas"] == 2
