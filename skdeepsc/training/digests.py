"""Which fit it is: a digest of samples and parameters that is the same for equal ones."""

import hashlib
import inspect
import json
import os
from functools import partial
from pickle import PicklingError

import joblib
import numpy as np
import torch
from scipy import sparse
from sklearn.frozen import FrozenEstimator

from .._input import row_blocks
from .._params import HOW_NOT_WHAT
from .states import PLAIN, packed, sha256_of

# Parameters that a trained network does not depend on; the device is told apart.
_NOT_IN_KEY = {*HOW_NOT_WHAT, "callbacks", "memory", "checkpoint", "device"}
# Packages whose code is known by their versions.
_VERSIONED = {"skdeepsc", "torch", "sklearn", "skorch", "numpy", "scipy", "builtins"}


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
    sha = hashlib.sha256(sha256_of("", packed(_described(params), arrays), arrays).encode())
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
    if isinstance(value, (*PLAIN, float, np.ndarray, np.generic, torch.Tensor)):
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
        return [kind, source_of(value), joblib.hash(value)]
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
    kinds = (*PLAIN, float, tuple, torch.Tensor, np.ndarray)
    return {
        name: part
        for name, part in vars(module).items()
        if isinstance(part, kinds) and not name.startswith("_") and name != "training"
    }
