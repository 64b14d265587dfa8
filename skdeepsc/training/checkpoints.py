"""What an unfinished fit has done, in a folder: read by the fit that goes on with it, removed by the one that ends.

A checkpoint is a folder of files, one for each finished step of a fit and for the one under way: phases, and values
that are computed or drawn once. Which fit it belongs to is in its name; of fits that are the same in every parameter
and sample, each has one of its own, and holds its lock.
"""

import hashlib
import inspect
import json
import os
import re
import secrets
import shutil
import time
from collections import Counter
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from pickle import PicklingError

import joblib
import numpy as np
import torch
from filelock import FileLock, Timeout
from scipy import sparse
from sklearn.frozen import FrozenEstimator

from .._container import read, write
from .._input import row_blocks
from .._params import HOW_NOT_WHAT
from .._version import __version__
from .._warn import warn_user

# Seconds between two writes within a phase, and the largest share of the time that writing may take.
INTERVAL, _MOST_WRITING = 30.0, 0.05
_FORM = "skdeepsc checkpoint"
_LOCK, _GONE = "lock", ".gone"
# Parameters that a trained network does not depend on; the device is told apart.
_NOT_IN_KEY = {*HOW_NOT_WHAT, "callbacks", "memory", "checkpoint", "device"}
_PLAIN = (type(None), bool, int, str)
# Packages whose code is known by their versions.
_VERSIONED = {"skdeepsc", "torch", "sklearn", "skorch", "numpy", "scipy", "builtins"}

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
        A digest of samples and parameters, see :func:`digest`.
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
        self.key = _sha256(self.key, _packed(kept, arrays), arrays)
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
        self.head = {"name": self.name, "key": checkpoint.key, "skdeepsc": __version__, "torch": torch.__version__}
        self.file = checkpoint.place and checkpoint.place / f"{re.sub(r'[^0-9A-Za-z]+', '-', self.name)}.{kind}"
        self.is_phase = kind == "step"
        self.next_write = time.monotonic() + INTERVAL

    @property
    def is_due(self):
        """Whether it is time to write."""
        return self.file is not None and time.monotonic() >= self.next_write

    def read(self):
        """What the file holds; None where there is none, or none that can be used, which is told and put aside."""
        group = self.checkpoint.group
        state = None if self.file is None else self._read()
        return state if group is None else group.agree(state)

    def _read(self):
        if not self.file.exists():
            return None
        try:
            text, arrays, _ = read(self.file, _FORM)
            head, form = json.loads(text)
            self._check(head)
            return _unpacked(form, arrays)
        except MemoryError:
            raise
        except Exception as error:  # Whatever is wrong with the file.
            self.put_aside(error)
            return None

    def _check(self, head):
        for library in ("skdeepsc", "torch"):
            if head[library] != self.head[library]:
                raise ValueError(f"it was written with {library} {head[library]}, and this is {self.head[library]}")
        if head != self.head:
            raise ValueError("it belongs to other samples, parameters or phases")

    def put_aside(self, reason):
        """Rename a file that cannot be used, and say so."""
        if self.file is None:
            return
        aside = self.file.parent.with_name(f"{self.file.parent.name}.{self.file.name}.{secrets.token_hex(2)}.damaged")
        self.file.replace(aside)
        warn_user(
            f"A part of a checkpoint, {self.name!r}, cannot be used and is computed anew: {reason}. The file was put "
            f"aside as {aside}."
        )

    def write(self, state):
        """Replace what the file holds; a fit does not fail where this does."""
        if self.file is None or self.checkpoint.is_broken:
            return
        begin, arrays = time.monotonic(), {}
        try:
            self.file.parent.mkdir(exist_ok=True)
            write(self.file, json.dumps([self.head, _packed(state, arrays)], allow_nan=False), arrays, _FORM)
            self.checkpoint.has_phases |= self.is_phase
        except (OSError, TypeError, ValueError) as error:
            self.checkpoint.is_broken = True
            warn_user(f"The fit goes on without checkpoint: {self.file} cannot be written ({error}).")
        end = time.monotonic()
        self.next_write = end + max(INTERVAL, (end - begin) / _MOST_WRITING)


# Which fit it is


def digest(samples, **params):
    """A digest of an array, read block by block, and of parameters of a fit.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...) or csr_array
    **params
        Estimators count by their class and by the parameters that shape what is trained.

    Raises
    ------
    ValueError
        If a parameter is a lambda or a local function, which nothing tells from another.
    """
    arrays = {}
    sha = hashlib.sha256(_sha256("", _packed(_described(params), arrays), arrays).encode())
    sha.update(json.dumps([samples.dtype.str, samples.shape]).encode())
    for part in (samples.data, samples.indices, samples.indptr) if sparse.issparse(samples) else (samples,):
        for block in row_blocks(len(part)):
            sha.update(np.ascontiguousarray(part[block]).reshape(-1).view(np.uint8))
    return sha.hexdigest()


def _described(value):
    """A value as plain values and arrays that are the same for equal ones."""
    if isinstance(value, list | tuple):
        return [_described(part) for part in value]
    if isinstance(value, dict):
        return [[_described(key), _described(value[key])] for key in sorted(value, key=str)]
    if isinstance(value, (*_PLAIN, float, np.ndarray, np.generic, torch.Tensor)):
        return value
    if isinstance(value, np.random.RandomState):
        return _described(value.get_state())
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, torch.nn.Module):
        settings = [[source_of(module), _described(_settings(module))] for module in value.modules()]
        return [kind, repr(value), _described(value.state_dict()), settings]
    if isinstance(value, FrozenEstimator):
        learnt = {name: part for name, part in vars(value.estimator).items() if name.endswith("_")}
        return [kind, _described(value.estimator), _described(learnt)]
    if hasattr(value, "get_params") and not isinstance(value, type):
        params = value.get_params(deep=False)
        return [kind, _described({name: part for name, part in params.items() if name not in _NOT_IN_KEY})]
    if isinstance(value, partial):
        return [_described(part) for part in (value.func, value.args, value.keywords)]
    if callable(value) and hasattr(value, "__qualname__"):
        if "<" in value.__qualname__:
            raise ValueError(
                "memory= and checkpoint= cannot tell one lambda or local function from another: give a module, or a "
                "function that can be imported."
            )
        return [f"{value.__module__}.{value.__qualname__}", source_of(value)]
    if isinstance(value, os.PathLike | torch.device):
        return [kind, str(value)]
    try:
        return [kind, joblib.hash(value)]
    except PicklingError as error:
        raise ValueError(f"memory= and checkpoint= cannot tell one {kind} from another: {error}.") from error


def source_of(value):
    """The text of a user's function or class, or of an instance's: once it is edited, its name has another meaning."""
    while isinstance(value, partial):
        value = value.func
    is_named = inspect.isroutine(value) or inspect.isclass(value)
    code = value if is_named else type(value)
    if (getattr(code, "__module__", None) or "").split(".")[0] in _VERSIONED:
        return ""
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):
        return ""


def _settings(module):
    """Numbers and words of a module that need not be in its text."""
    kinds = (*_PLAIN, float, tuple, torch.Tensor, np.ndarray)
    return {
        name: part
        for name, part in vars(module).items()
        if isinstance(part, kinds) and not name.startswith("_") and name != "training"
    }


# Values as JSON and arrays of bytes


def _packed(value, arrays):
    """A JSON form of nested plain values, arrays and tensors; their bytes are added to `arrays`."""
    if isinstance(value, np.generic):
        value = np.asarray(value)
        return {"scalar": _packed(value, arrays)}
    if isinstance(value, torch.Tensor):
        value = value.detach()
        strides = list(torch.empty_like(value, device="meta").stride())
        values = value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        dtype = str(value.dtype).removeprefix("torch.")
        return {"tensor": [_added(values, arrays), dtype, list(value.shape), strides]}
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufcU":
            raise TypeError(f"arrays of {value.dtype} are not kept")
        values = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        return {"array": [_added(values, arrays), value.dtype.str, list(value.shape)]}
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, list):
        return [_packed(part, arrays) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [_packed(part, arrays) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[_packed(key, arrays), _packed(part, arrays)] for key, part in value.items()]}
    raise TypeError(f"values of the kind {type(value).__name__} are not kept")


def _added(values, arrays):
    name = str(len(arrays))
    arrays[name] = values
    return name


def _unpacked(form, arrays):
    """The value of a JSON form."""
    if isinstance(form, _PLAIN):
        return form
    if isinstance(form, list):
        return [_unpacked(part, arrays) for part in form]
    ((kind, content),) = form.items()
    if kind == "scalar":
        return _unpacked(content, arrays)[()]
    if kind == "tensor":
        name, dtype, shape, strides = content
        values = torch.from_numpy(arrays[name]).view(getattr(torch, dtype)).reshape(shape)
        return torch.empty_strided(shape, strides, dtype=values.dtype).copy_(values)
    if kind == "array":
        name, dtype, shape = content
        return arrays[name].view(np.dtype(dtype)).reshape(shape)
    if kind == "float":
        return float.fromhex(content)
    if kind == "tuple":
        return tuple(_unpacked(part, arrays) for part in content)
    if kind == "dict":
        return {_unpacked(key, arrays): _unpacked(part, arrays) for key, part in content}
    raise ValueError(f"it has a value of the kind {kind!r}, which is not known")


def _sha256(start, form, arrays):
    """A digest of a JSON form and its arrays."""
    sha = hashlib.sha256(json.dumps([start, form]).encode())
    for values in arrays.values():
        sha.update(values)
    return sha.hexdigest()
