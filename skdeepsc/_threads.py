"""Threads that do not wait for each other: some tasks at a time, with linear algebra on one core in each."""

import functools
import os
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext

from joblib import cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController

# Multiplications up to which a second core gains nothing: threads that have so little to do wait for each other longer
# than they work, and by spinning, many times as long where others use the cores.
FEW_MULTIPLICATIONS = 2**30
# Of a thread that works on tasks.
_TASK = threading.local()


@contextmanager
def threads(n_jobs=None):
    """A function that gives, one after the other, what a function makes of items, some of them at a time.

    Linear algebra uses one core in each thread, with BLAS and with OpenMP: their pools, where they are larger than the
    number of cores that are free, wait for each other by spinning, and take many times as long.

    Parameters
    ----------
    n_jobs : int or None
        Threads, as in :class:`joblib.Parallel`; ``None``, where joblib would take one: as many as linear algebra would
        use. A task has one.
    """
    pools = _pools("torch" in sys.modules)
    n_threads = effective_n_jobs(n_jobs)
    if n_jobs is None and n_threads == 1:
        n_threads = min([pool["num_threads"] for pool in pools.info()] + [cpu_count()])
    if n_threads == 1 or hasattr(_TASK, "is_one"):
        yield map
        return

    def on_one_core(function, item):
        _TASK.is_one = True
        with one_core():
            return function(item)

    def run(function, items):
        waiting = deque()
        for item in items:
            waiting.append(executor.submit(on_one_core, function, item))
            if len(waiting) > 2 * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    executor = ThreadPoolExecutor(n_threads)
    try:
        with blas_on_one_core():
            yield run
    finally:
        executor.shutdown(cancel_futures=True)


def one_core():
    """A context in which OpenMP, with it torch, uses one core in this thread; the number for BLAS is the process's."""
    return _pools("torch" in sys.modules).limit(limits=1, user_api="openmp")


def blas_on_one_core(condition=True):
    """A context in which NumPy and SciPy use one core, in all threads of the process, if a condition holds."""
    return _BLAS_ON_ONE_CORE(_pools("torch" in sys.modules)) if condition else nullcontext()


@contextmanager
def one_core_if_forked():
    """A context for torch: one core in a process that was forked from one which had loaded it.

    OpenMP and MKL would wait there, for ever, for threads that are the other's.
    """
    if not _FORKED:
        yield
        return
    with one_core(), _TORCH_ON_ONE_CORE():  # OpenMP's number is this thread's, MKL's the process's.
        yield


# Has something in it in a process that was forked after torch was loaded.
_FORKED: set[str] = set()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _FORKED.update({"torch"} & sys.modules.keys()))


class ProcessLock:
    """A lock of the whole process, which a thread may take again; a forked child finds it open."""

    def __init__(self):
        self.lock, self.holder, self.depth = threading.RLock(), None, 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self):
        if self.holder not in (None, threading.get_ident()):
            self.lock, self.holder, self.depth = threading.RLock(), None, 0

    def __enter__(self):
        self.lock.acquire()
        self.holder, self.depth = threading.get_ident(), self.depth + 1

    def __exit__(self, *_):
        self.depth -= 1
        self.holder = self.holder if self.depth else None
        self.lock.release()


class Shared:
    """A context of the whole process, which the first of the threads that want it enters and the last one leaves.

    Parameters
    ----------
    context : callable
        What makes it, from the arguments of a call.
    """

    def __init__(self, context):
        self.context, self.lock, self.n_holders, self.entered = context, ProcessLock(), 0, ExitStack()

    @contextmanager
    def __call__(self, *args):
        with self.lock:
            if not self.n_holders:
                self.entered.enter_context(self.context(*args))
            self.n_holders += 1
        try:
            yield
        finally:
            with self.lock:
                self.n_holders -= 1
                if not self.n_holders:
                    self.entered.close()


@contextmanager
def _torch_on_one_core():
    torch = sys.modules["torch"]
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


_TORCH_ON_ONE_CORE = Shared(_torch_on_one_core)
_BLAS_ON_ONE_CORE = Shared(lambda pools: pools.limit(limits=1, user_api="blas"))


@functools.lru_cache
def _pools(_has_torch):
    """The libraries with pools of threads that are loaded, which takes some time to find."""
    return ThreadpoolController()
