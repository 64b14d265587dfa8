"""Which fit it is: a digest of samples, parameters and the user's code that is the same for equal ones."""

import dis
import enum
import functools
import hashlib
import json
import os
import sys
import types
from pathlib import PurePath

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
# Folders of installed packages.
_INSTALLED = {"site-packages", "dist-packages"}
# What torch keeps in every module, and of it, what changes the answers.
_OF_MODULES = set(vars(torch.nn.Module()))
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
# Where decorators keep the function that they decorate.
_WITHIN = ("__wrapped__", "__func__", "fget", "func", "pyfunc")
# Numbers from which a list is one array.
_MANY = 100


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
    try:
        described = _sha256(_Description().of(params))
    except RecursionError:
        raise ValueError("memory= and checkpoint= cannot tell parameters apart that are nested so deeply.") from None
    sha = hashlib.sha256(described.encode())
    sha.update(json.dumps([samples.dtype.str, samples.shape]).encode())
    for part in (samples.data, samples.indices, samples.indptr) if sparse.issparse(samples) else (samples,):
        for block in row_blocks(len(part)):
            sha.update(np.ascontiguousarray(part[block]).reshape(-1).view(np.uint8))
    return sha.hexdigest()


class _Description:
    """Values as plain values and arrays that are the same for equal ones, in every process.

    An object that comes again is named by its number.
    """

    def __init__(self):
        self.known, self.within, self.is_in_code = {}, set(), False

    def of(self, value):
        if isinstance(value, (*PLAIN, float)):
            return value
        if isinstance(value, bytes | complex | range | slice | type(...)):
            return [_name(type(value)), repr(value)]
        if isinstance(value, np.ndarray | np.generic):
            return (
                value if value.dtype.kind in "biufcU" else [value.dtype.str, list(value.shape), self.of(value.tolist())]
            )
        if isinstance(value, torch.Tensor):
            return _of_tensor(value)
        if isinstance(value, list | tuple | dict | set | frozenset):
            return self._container(value)
        if id(value) in self.known:
            return ["again", self.known[id(value)][0]]
        self.known[id(value)] = len(self.known), value  # Kept, so that its number stays its own.
        return self._object(value)

    def _container(self, value):
        if id(value) in self.within:
            return "within itself"
        self.within.add(id(value))
        try:
            if isinstance(value, dict):
                return [[self.of(key), self.of(part)] for key, part in value.items()]
            if isinstance(value, set | frozenset):  # Each for itself, as their order is by chance.
                return sorted(_sha256(_Description().of(part)) for part in value)
            if len(value) >= _MANY and len(kinds := set(map(type, value))) == 1 and kinds <= {bool, int, float}:
                return self.of(np.asarray(value))
            return [self.of(part) for part in value]
        finally:
            self.within.remove(id(value))

    def _object(self, value):
        kind = type(value)
        if isinstance(value, types.ModuleType):
            return value.__name__
        if isinstance(value, torch.nn.Module):
            return self._module(value)
        if isinstance(value, FrozenEstimator):
            return [_name(kind), self.of(value.estimator), self._learnt(value.estimator)]
        if hasattr(kind, "get_params"):
            params = value.get_params(deep=False)
            kept = {name: params[name] for name in sorted(params) if name not in _NOT_IN_KEY}
            return [self.of(kind), self.of(kept), self._learnt(value) if self.is_in_code else None]
        if isinstance(value, functools.partial):
            return [self.of(part) for part in (value.func, value.args, value.keywords)]
        if isinstance(value, types.MethodType):
            return [self.of(value.__self__), self.of(value.__func__)]
        if isinstance(value, staticmethod | classmethod):
            return [_name(kind), self.of(value.__func__)]
        if isinstance(value, type):
            return _name(value) if _is_known(value) else [_name(value), self._class(value)]
        if isinstance(value, enum.Enum):
            return [_name(kind), value.name, self.of(value.value)]
        if (inner := _within(value)) is not None:
            return [_name(kind), self.of(inner)]
        if isinstance(value, types.FunctionType):
            return _name(value) if _is_known(value) else [_name(value), self._function(value)]
        if callable(value) and hasattr(value, "__qualname__"):  # Of C.
            owner = getattr(value, "__self__", None)
            return [_name(value), None if isinstance(owner, types.ModuleType) else self.of(owner)]
        if isinstance(value, os.PathLike | torch.device):
            return [_name(kind), str(value)]
        if isinstance(value, torch.Generator):
            return self.of(value.get_state())
        if isinstance(getattr(value, "__dict__", None), dict) and not (_is_known(kind) or _has_own_state(kind)):
            return [self.of(kind), self._attributes(value)]
        return self._reduced(value)

    def _reduced(self, value):
        """What pickle would write of an object."""
        kind = type(value)
        try:
            reduced = value.__reduce_ex__(4)
            if isinstance(reduced, str):
                return [self.of(kind), reduced]
            make, args, *rest = reduced
            rest = [part if not place or part is None else list(part) for place, part in enumerate(rest[:3])]
            return [self.of(kind), self.of(make), self.of([part for part in args if part is not kind]), self.of(rest)]
        except RecursionError:
            raise
        except Exception as error:
            raise ValueError(f"memory= and checkpoint= cannot tell one {_name(kind)} from another: {error}.") from error

    def _attributes(self, value):
        """Those of an object that are no answers which it keeps."""
        answers = {name for base in type(value).__mro__ for name, part in vars(base).items() if _is_kept(part)}
        return self.of({name: vars(value)[name] for name in sorted(vars(value)) if name not in answers})

    def _learnt(self, estimator):
        return self.of({name: vars(estimator)[name] for name in sorted(vars(estimator)) if name.endswith("_")})

    def _module(self, network):
        """All that the answers of a network depend on: tensors, settings, hooks and code of its parts."""
        learns = [name for name, value in network.named_parameters() if value.requires_grad]
        return [self.of(dict(sorted(tensors_of(network)))), learns, self.settings(network)]

    def settings(self, network):
        """What its parts are and hold beside tensors and each other."""
        parts = []
        for path, part in network.named_modules():
            own = {name: value for name, value in sorted(vars(part).items()) if name not in _OF_MODULES}
            if _is_known(type(part)):  # Under names of their own, torch's modules keep what follows from others.
                own = {name: self._around(value) for name, value in own.items() if name[0] != "_"}
            hooks = [list(getattr(part, name).values()) for name in _HOOKS]
            parts.append([path, self.of(type(part)), self.of(own), self.of(hooks)])
        return parts

    # Code

    def _function(self, function):
        """A function's code, and the values that it finds in its surroundings."""
        codes = list(_codes(function.__code__))
        used = {name for code in codes for name in code.co_names}
        found = {name: function.__globals__.get(name) for name in _loaded(codes, "LOAD_GLOBAL", "LOAD_NAME")}
        found |= {name: sys.modules.get(name) for name in _loaded(codes, "IMPORT_NAME")}
        for name in _loaded(codes, "STORE_GLOBAL"):  # What a function changes is not what it is.
            found.pop(name, None)
        cells = [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
        around = [self._around(value, used) for value in (*cells, *(found[name] for name in sorted(found)))]
        given = self.of([function.__defaults__, function.__kwdefaults__, dict(sorted(vars(function).items()))])
        return [_of_code(function.__code__), given, around]

    def _class(self, cls):
        """The bodies of a class and of those that it derives from."""
        if issubclass(cls, enum.Enum):
            return self.of({name: member.value for name, member in cls.__members__.items()})
        bodies = []
        for base in cls.__mro__:
            body = {} if _is_known(base) else vars(base)
            names = [name for name in sorted(body) if not _is_about(name)]
            bodies.append([_name(base), [[name, self._around(body[name])] for name in names]])
        return bodies

    def _around(self, value, used=()):
        """What a name stands for where code finds it; of what nothing tells from another, the kind."""
        was_in_code, self.is_in_code = self.is_in_code, True
        try:
            return self._of_module(value, used) if isinstance(value, types.ModuleType) else self.of(value)
        except RecursionError:
            raise
        except Exception:
            return _name(type(value))
        finally:
            self.is_in_code = was_in_code

    def _of_module(self, module, used):
        """The name of a module; of a user's, what code can mean by the names that it uses, too."""
        if _is_known_module(module.__name__) or id(module) in self.within:
            return module.__name__
        self.within.add(id(module))
        try:
            names = sorted(name for name in used if name in vars(module))
            return [module.__name__, [[name, self._around(vars(module)[name], used)] for name in names]]
        finally:
            self.within.remove(id(module))


def same_settings(network, other):
    """Whether two networks are alike but for their parameters and buffers."""
    one, another = (_sha256(_Description().settings(each)) for each in (network, other))
    return one == another


def _sha256(described):
    arrays = {}
    return sha256_of("", packed(described, arrays), arrays)


def _of_tensor(value):
    if is_lazy(value):
        return _name(type(value))
    try:
        value = value.detach().resolve_conj().resolve_neg()
        value = value.to_dense() if value.layout != torch.strided else value
        packed(value, {})
        return value
    except Exception:  # One without data, or whose data are not to be read.
        return [_name(type(value)), str(value.dtype), str(value.shape)]


def _name(value):
    owner = getattr(value, "__objclass__", value)
    return f"{getattr(owner, '__module__', None)}.{value.__qualname__}"


def _is_known(code):
    """Whether the name of a function or class tells its code."""
    is_function = isinstance(code, types.FunctionType)  # What wraps another function takes over the name of its module.
    module = code.__globals__.get("__name__") if is_function else getattr(code, "__module__", None)
    return _is_known_module(module if isinstance(module, str) else "")


def _is_known_module(name):
    root = name.partition(".")[0]
    return root in _KNOWN or root in sys.stdlib_module_names or _is_installed(root)


@functools.cache
def _is_installed(root):
    place = getattr(sys.modules.get(root), "__file__", None)
    return root != "__main__" and place is not None and not _INSTALLED.isdisjoint(PurePath(place).parts)


def _has_own_state(kind):
    """Whether objects say themselves what is kept of them."""
    return any(
        getattr(kind, name, None) is not getattr(object, name, None)
        for name in ("__getstate__", "__reduce__", "__reduce_ex__")
    )


def _within(value):
    """The function that one of a known decorator is made of."""
    if not (_is_known(value) if isinstance(value, types.FunctionType) else _is_known(type(value))):
        return None
    own, of_kind = getattr(value, "__dict__", {}), vars(type(value))
    inner = (own.get(name) or (getattr(value, name, None) if name in of_kind else None) for name in _WITHIN)
    return next((each for each in inner if isinstance(each, types.FunctionType)), None)


def _is_kept(part):
    """Whether an attribute of a class keeps its answers in its objects."""
    return isinstance(part, functools.cached_property)


def _is_about(name):
    """Whether Python itself writes an attribute into a class's body, about it."""
    return name in ("__doc__", "__module__", "__dict__", "__weakref__", "__annotations__", "__slots__") or (
        name.startswith(("__static_", "__firstlineno", "__abstractmethods", "_abc_", "__annotate", "__dataclass"))
    )


def _codes(code):
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _codes(part)


def _loaded(codes, *operations):
    """Names that code has operations on."""
    return {step.argval for code in codes for step in dis.get_instructions(code) if step.opname in operations}


def _of_code(code):
    consts = [_of_code(part) if isinstance(part, types.CodeType) else _const(part) for part in code.co_consts]
    names = [list(part) for part in (code.co_names, code.co_varnames, code.co_freevars)]
    return [hashlib.sha256(code.co_code).hexdigest(), consts, names]


def _const(value):
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)
