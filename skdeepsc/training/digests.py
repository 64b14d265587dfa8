"""Which fit it is: a digest of samples, parameters and the user's code that is the same for equal ones."""

import functools
import hashlib
import json
import os
import sys
import sysconfig
import types
from pickle import PicklingError

import joblib
import numpy as np
import torch
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from torch.nn.parameter import is_lazy

from .._input import row_blocks
from .._params import HOW_NOT_WHAT
from .resume import tensors_of
from .states import PLAIN, packed, sha256_of

# Parameters that a trained network does not depend on; the device is told apart.
_NOT_IN_KEY = {*HOW_NOT_WHAT, "callbacks", "memory", "checkpoint", "device"}
# Packages whose code their names tell, beside Python's own and those that are installed.
_KNOWN = {"skdeepsc", "torch", "sklearn", "skorch", "numpy", "scipy", "builtins"}
# What torch keeps in every module, and of it, what changes the answers.
_OF_MODULES = set(vars(torch.nn.Module()))
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
# Settings of torch's own modules.
_SETTINGS = (*PLAIN, float, tuple, torch.Tensor, np.ndarray, types.FunctionType)


def digest(samples, **params):
    """A digest of an array, read block by block, and of parameters of a fit.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, ...) or csr_array
    **params
        Estimators count by their class and by the parameters that shape what is trained, functions, classes and
        networks of the user by their code, as far as it is reached by names, and by what they hold.

    Raises
    ------
    ValueError
        If a parameter holds what nothing tells from another, such as a lock.
    """
    arrays = {}
    sha = hashlib.sha256(sha256_of("", packed(_Description().of(params), arrays), arrays).encode())
    sha.update(json.dumps([samples.dtype.str, samples.shape]).encode())
    for part in (samples.data, samples.indices, samples.indptr) if sparse.issparse(samples) else (samples,):
        for block in row_blocks(len(part)):
            sha.update(np.ascontiguousarray(part[block]).reshape(-1).view(np.uint8))
    return sha.hexdigest()


class _Description:
    """Values as plain values and arrays that are the same for equal ones; what comes again is named by its number."""

    def __init__(self):
        self.known = {}

    def of(self, value):
        if isinstance(value, list | tuple):
            return [self.of(part) for part in value]
        if isinstance(value, dict):
            return [[self.of(key), self.of(value[key])] for key in sorted(value, key=str)]
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, (*PLAIN, float, np.ndarray, np.generic)):
            return value
        if id(value) in self.known:
            return ["again", self.known[id(value)][0]]
        self.known[id(value)] = len(self.known), value  # Kept, so that its number stays its own.
        return self._object(value)

    def _object(self, value):
        kind = _name(type(value))
        if isinstance(value, np.random.RandomState):
            return self.of(value.get_state())
        if isinstance(value, torch.nn.Module):
            return [kind, repr(value), self._module(value)]
        if isinstance(value, FrozenEstimator):
            learnt = {name: part for name, part in vars(value.estimator).items() if name.endswith("_")}
            return [kind, self.of(value.estimator), self.of(learnt)]
        if hasattr(value, "get_params") and not isinstance(value, type):
            params = value.get_params(deep=False)
            kept = {name: part for name, part in params.items() if name not in _NOT_IN_KEY}
            return [self.of(type(value)), self.of(kept)]
        if isinstance(value, functools.partial):
            return [self.of(part) for part in (value.func, value.args, value.keywords)]
        if isinstance(value, types.MethodType):
            return [self.of(value.__self__), self.of(value.__func__)]
        if isinstance(value, types.FunctionType | type):
            if _is_known(value):
                return _name(value)
            return [_name(value), self._class(value) if isinstance(value, type) else self._function(value)]
        if callable(value) and hasattr(value, "__qualname__"):
            return _name(value)
        if isinstance(value, os.PathLike | torch.device):
            return [kind, str(value)]
        if hasattr(value, "__dict__") and not (_is_known(type(value)) or _has_own_state(value)):
            return [self.of(type(value)), self.of(vars(value))]
        try:
            return [kind, joblib.hash(value)]
        except (PicklingError, TypeError, AttributeError) as error:
            raise ValueError(f"memory= and checkpoint= cannot tell one {kind} from another: {error}.") from error

    def _tensor(self, value):
        if is_lazy(value):
            return _name(type(value))
        return value.to_dense() if value.layout != torch.strided else value

    def _module(self, module):
        """All that the answers of a network depend on: tensors, settings, hooks and code of its parts."""
        learns = [name for name, value in module.named_parameters() if value.requires_grad]
        parts = []
        for part in module.modules():
            own = {name: value for name, value in vars(part).items() if name not in _OF_MODULES}
            if _is_known(type(part)):  # Under names of their own, torch's modules keep what follows from others.
                own = {name: value for name, value in own.items() if name[0] != "_" and isinstance(value, _SETTINGS)}
            hooks = [list(getattr(part, name).values()) for name in _HOOKS]
            parts.append([self.of(type(part)), self.of(own), self.of(hooks)])
        return [self.of(dict(tensors_of(module))), learns, parts]

    def _function(self, function):
        """A function's code, and the values that it finds in its surroundings."""
        cells = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
        names = sorted({name for code in _codes(function.__code__) for name in code.co_names})
        found = {name: function.__globals__[name] for name in names if name in function.__globals__}
        around = [self._around(value) for value in (*cells, *found.values())]
        return [self._code(function.__code__), self.of([function.__defaults__, function.__kwdefaults__]), around]

    def _class(self, cls):
        """The bodies of a class and of those that it derives from."""
        bodies = []
        for base in cls.__mro__:
            body = {} if _is_known(base) else vars(base)
            parts = {name: _inner(value) for name, value in body.items() if not _is_about(name)}
            bodies.append([_name(base), {name: self._around(parts[name]) for name in sorted(parts)}])
        return bodies

    def _around(self, value):
        """What a name stands for where code finds it; of what nothing tells from another, the kind."""
        if isinstance(value, types.ModuleType):
            return value.__name__
        try:
            return self.of(value)
        except ValueError:
            return _name(type(value))

    def _code(self, code):
        consts = [self._code(part) if isinstance(part, types.CodeType) else _const(part) for part in code.co_consts]
        names = [list(part) for part in (code.co_names, code.co_varnames, code.co_freevars)]
        return [hashlib.sha256(code.co_code).hexdigest(), consts, names]


def _name(value):
    return f"{value.__module__}.{value.__qualname__}"


def _is_known(code):
    """Whether the name of a function or class tells its code."""
    around = getattr(code, "__globals__", {})  # What wraps another function takes over the name of its module.
    root = (around.get("__name__") or getattr(code, "__module__", None) or "").partition(".")[0]
    return root in _KNOWN or root in sys.stdlib_module_names or _is_installed(root)


@functools.cache
def _is_installed(root):
    place = getattr(sys.modules.get(root), "__file__", None)
    installed = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    return root != "__main__" and place is not None and any(place.startswith(path + os.sep) for path in installed)


def _has_own_state(value):
    """Whether an object says itself what is kept of it."""
    return any(
        getattr(type(value), name, None) is not getattr(object, name, None)
        for name in ("__getstate__", "__reduce__", "__reduce_ex__")
    )


def _is_about(name):
    """Whether Python itself writes an attribute into a class's body, about it."""
    return name in ("__doc__", "__module__", "__dict__", "__weakref__", "__annotations__", "__slots__") or (
        name.startswith(("__static_", "__firstlineno", "__abstractmethods", "_abc_", "__annotate"))
    )


def _inner(value):
    """The function within what decorates a method."""
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    return value.fget if isinstance(value, property) else value


def _codes(code):
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _codes(part)


def _const(value):
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)
