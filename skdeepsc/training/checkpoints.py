"""What an unfinished fit has done, in a folder: read by the fit that goes on with it, removed by the one that ends.

A checkpoint is a folder of files, one for each finished step of a fit and for the one under way: phases, and values
that are computed or drawn once. Which fit it belongs to is in its name; of fits that are the same in every parameter
and sample, each has one of its own, and holds its lock.
"""

import re
import secrets
import shutil
import time
from collections import Counter
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from filelock import FileLock, Timeout

from .._warn import warn_user
from .states import StateFile, packed, sha256_of

# Seconds between two writes within a phase, and the largest share of the time that writing may take.
INTERVAL, _MOST_WRITING = 30.0, 0.05
_FORM = "skdeepsc checkpoint"
_LOCK, _GONE = "lock", ".gone"
# The checkpoint of the fit that this thread is in.
_OPEN: ContextVar = ContextVar("skdeepsc_checkpoint", default=None)


# What a fit asks for


@contextmanager
def kept_in(folder, name, key, group=None):
    """A context in which a fit keeps its steps, and finds those of an unfinished fit with the same key.

    Within the context of another fit, the steps are that fit's.

    Parameters
    ----------
    folder : str, path-like or None
    name : str
        Of the estimator.
    key : str
        A digest of samples and parameters, see :func:`~skdeepsc.training.digests.digest`.
    group : ProcessGroup or None, default=None
        Processes that train together: the first has the files.
    """
    if _OPEN.get() is not None:
        with within(f"{name}-{key[:12]}"):
            yield
        return
    if group is not None and group.rank:
        with _opened(Checkpoint(None, key, group)):
            yield
        return
    lock, place = _claimed(folder, f"{name}-{key[:32]}")
    checkpoint = Checkpoint(place, key, group)
    is_over = False
    try:
        with _opened(checkpoint):
            yield
        is_over = True
    finally:
        _leave(lock, place, is_over or not checkpoint.has_phases)


@contextmanager
def within(name):
    """A context whose steps are told apart from others by a name; without a checkpoint, nothing."""
    checkpoint = _OPEN.get()
    if checkpoint is None:
        yield
        return
    former, checkpoint.path = checkpoint.path, (*checkpoint.path, checkpoint.name_of(name))
    try:
        yield
    finally:
        checkpoint.path = former


def is_kept():
    """Whether the fit that this thread is in keeps its steps."""
    return _OPEN.get() is not None


def recall(name, compute):
    """What a function returned in this fit, before it was interrupted, or returns now: plain values and arrays."""
    checkpoint = _OPEN.get()
    return compute() if checkpoint is None else checkpoint.recall(name, compute)


def open_step(name):
    """The next step of this name as a :class:`Step`; None without a checkpoint."""
    checkpoint = _OPEN.get()
    return None if checkpoint is None else Step(checkpoint, checkpoint.name_of(name))


@contextmanager
def _opened(checkpoint):
    token = _OPEN.set(checkpoint)
    try:
        yield
    finally:
        _OPEN.reset(token)


# The folder of one fit


def _claimed(folder, stem):
    """A lock, and the folder of an unfinished fit that nobody goes on with, the latest, or else a new one."""
    root = Path(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
        for place in root.glob(f".{stem}-*{_GONE}"):  # Whoever was to remove it was killed.
            shutil.rmtree(place, ignore_errors=True)
        found = [place for place in root.glob(f"{stem}-*") if place.is_dir()]
        for place in [*sorted(found, key=_time_of, reverse=True), root / f"{stem}-{secrets.token_hex(4)}"]:
            place.mkdir(exist_ok=True)
            lock = FileLock(place / _LOCK)
            with suppress(Timeout):
                lock.acquire(timeout=0)
                if (place / _LOCK).exists():  # Else its fit has ended meanwhile.
                    return lock, place
                lock.release()
    except (OSError, NotImplementedError) as error:
        raise ValueError(f"checkpoint={str(folder)!r} is no folder that can be written and locked: {error}.") from error
    raise AssertionError("A new folder is nobody else's.")  # pragma: no cover


def _time_of(place):
    with suppress(OSError):
        return place.stat().st_mtime
    return 0.0


def _leave(lock, place, is_over):
    """Give a folder free, or remove it: at once, so that nobody finds half of it."""
    gone = place.with_name(f".{place.name}{_GONE}")
    if is_over:
        with suppress(OSError):  # Windows does not rename what is open.
            place = place.rename(gone)
    lock.release()
    if is_over:
        shutil.rmtree(place, ignore_errors=True)


class Checkpoint:
    """The steps of one fit.

    Parameters
    ----------
    place : Path or None
        Where the files are; None in processes that get what the first one reads.
    key : str
    group : ProcessGroup or None

    Attributes
    ----------
    path : tuple of str
        Names of the contexts that the fit is in.
    has_phases : bool
        Whether anything was kept that took time.
    """

    def __init__(self, place, key, group):
        self.place, self.key, self.group = place, key, group
        self.path, self.counts = (), Counter()
        self.has_phases = place is not None and any(place.glob("*.step"))
        self.is_broken = False

    def name_of(self, name):
        """A name that is not used yet in the present context."""
        full = "/".join((*self.path, name))
        self.counts[full] += 1
        return name if self.counts[full] == 1 else f"{name}-{self.counts[full]}"

    def recall(self, name, compute):
        step = Step(self, self.name_of(name), "value")
        kept = step.read()
        if kept is None:
            kept = {"value": compute()}
            step.write(kept)
        arrays = {}
        # What follows belongs to these values.
        self.key = sha256_of(self.key, packed(kept, arrays), arrays)
        return kept["value"]


class Step:
    """The file of one step.

    Parameters
    ----------
    checkpoint : Checkpoint
    name : str
    kind : {"step", "value"}, default="step"
        A value is written once, and took little time.
    """

    def __init__(self, checkpoint, name, kind="step"):
        self.checkpoint = checkpoint
        self.name = "/".join((*checkpoint.path, name))
        self.is_phase = kind == "step"
        self.next_write = time.monotonic() + INTERVAL
        self.file, place = None, checkpoint.place
        if place is not None:
            path = place / f"{re.sub(r'[^0-9A-Za-z]+', '-', self.name)}.{kind}"
            # Out of the folder, which goes with the fit.
            aside = place.with_name(f"{place.name}.{path.name}")
            said = f"A part of a checkpoint, {self.name!r}, cannot be used and is computed anew"
            self.file = StateFile(path, _FORM, aside, said, name=self.name, key=checkpoint.key)

    @property
    def is_due(self):
        """Whether it is time to write."""
        return self.file is not None and time.monotonic() >= self.next_write

    def read(self):
        """What the file holds; None where there is none, or none that can be used, which is told and put aside."""
        group = self.checkpoint.group
        state = None if self.file is None else self.file.read()
        return state if group is None else group.agree(state)

    def put_aside(self, reason):
        """Rename a file that cannot be used, and say so."""
        if self.file is not None:
            self.file.put_aside(reason)

    def write(self, state):
        """Replace what the file holds; a fit does not fail where this does."""
        if self.file is None or self.checkpoint.is_broken:
            return
        begin = time.monotonic()
        try:
            self.file.write(state)
            self.checkpoint.has_phases |= self.is_phase
        except Exception as error:  # Whatever keeps it from being written.
            self.checkpoint.is_broken = True
            warn_user(f"The fit goes on without checkpoint: {self.file.path} cannot be written ({error}).")
        end = time.monotonic()
        self.next_write = end + max(INTERVAL, (end - begin) / _MOST_WRITING)
