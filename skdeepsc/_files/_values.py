"""Estimators and all that they hold as JSON and named arrays, and back; what is not listed here is refused.

A number, text, None or list is itself in JSON, anything else an object of one entry, ``{kind: content}``. Nothing of a
file is looked up by a name that it gives, but in the lists of this package.
"""

import inspect
import math
from functools import partial
from importlib import import_module

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.fixes import parse_version

import skdeepsc

from .._params import Estimator

# Where estimators live that are not public names of the package itself.
_PARTS = {"RidgeSolver": "skdeepsc.deep", "TrainedSolver": "skdeepsc.deep"}
_SCIKIT_LEARN = {
    cls.__name__: cls
    for cls in (ColumnTransformer, FeatureUnion, FrozenEstimator, FunctionTransformer, Pipeline, TruncatedSVD)
}
# Other classes of the package in fitted attributes, where they live, and the arguments that make them.
_MADE_OF = {
    "RowAtoms": ("skdeepsc.shallow._elastic_net", ("atoms",)),
    "KernelAtoms": ("skdeepsc.shallow._elastic_net", ("kernel",)),
    "Centering": ("skdeepsc._view_search", ("mean", "floor", "affine", "turn", "former")),
    "Scaling": ("skdeepsc.shallow._base", ("normalization", "dtype", "exponent", "mean")),
}
# Auto-encoders that may be a parameter.
_NETWORKS = ("ConvAutoEncoder", "DenseAutoEncoder", "ResidualAutoEncoder")
_SPARSE = {cls.__name__: cls for cls in (sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.csc_matrix)}
# What watches or keeps a training: code of the user's, and folders, one of pickles that a later fit would open.
LEFT_OUT = ("callbacks", "memory", "checkpoint")
_WATCHES = "_skl_callbacks"
_DTYPES = {"bool", "float16", "float32", "float64", "complex64"}
_DTYPES |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_PLAIN = (type(None), bool, int, str)


class Writer:
    """Turns values into JSON, and collects their arrays.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Contiguous and in C order, by the path of the attribute where they were met first.
    leaves_out : list of str
        Callbacks that are not written.
    """

    def __init__(self):
        self.arrays, self.leaves_out = {}, []
        self._known = {}

    def write(self, value, path=""):
        """The JSON form of a value; `path` says where it was found."""
        kind = type(value)
        if kind in _PLAIN or (kind is float and math.isfinite(value)):
            return value
        if kind is list:
            return [self.write(part, f"{path}[{number}]") for number, part in enumerate(value)]
        for is_one, name in _FORMS:
            if is_one(value):
                return {name: getattr(self, f"_{name}")(value, path)}
        raise TypeError(_refusal(value, path))

    # Plain Python

    def _float(self, value, path):
        return repr(value)

    def _tuple(self, value, path):
        return self.write(list(value), path)

    def _frozenset(self, value, path):
        return sorted(self.write(list(value), path))

    def _slice(self, value, path):
        return self.write([value.start, value.stop, value.step], path)

    def _dict(self, value, path):
        return [[self.write(key, path), self.write(part, _join(path, key))] for key, part in value.items()]

    # Arrays

    def _array(self, value, path):
        value = np.asarray(value)
        if value.dtype.kind == "U" or (value.dtype.kind == "O" and all(type(part) is str for part in value.flat)):
            return {"strings": [value.dtype.str[1:], list(value.shape), value.ravel().tolist()]}
        value = value.astype(value.dtype.newbyteorder("="), copy=False)
        if value.dtype.name not in _DTYPES:
            raise TypeError(f"{path} is an array of {value.dtype}, which no file of skdeepsc.save can hold.")
        axes = sorted(range(value.ndim), key=lambda axis: -abs(value.strides[axis]))
        place = value.__array_interface__
        key = place["data"][0], place["typestr"], value.shape, value.strides
        if key not in self._known:
            turned = value.transpose(axes)
            stored = np.ascontiguousarray(turned).reshape(turned.shape)
            self._known[key] = self._add(stored, path), value  # As long as it is kept, nothing else is at its place.
        return [self._known[key][0], axes]

    def _add(self, stored, path):
        name = path
        while name in self.arrays:
            name += "'"
        self.arrays[name] = stored
        return name

    def _dtype(self, value, path):
        return value.name

    def _scalar(self, value, path):
        return self._array(np.asarray(value), path)

    def _sparse(self, value, path):
        parts = [self._array(getattr(value, part), _join(path, part)) for part in ("data", "indices", "indptr")]
        return [type(value).__name__, list(map(int, value.shape)), *parts]

    def _random_state(self, value, path):
        name, keys, *rest = value.get_state()
        if name != "MT19937":
            raise TypeError(f"{path} has a generator of the kind {name}; give an int, or a plain RandomState.")
        return [self._array(keys, _join(path, "keys")), *rest]

    # Estimators

    def _estimator(self, value, path):
        state = value.__getstate__()
        names = value._get_param_names()
        if isinstance(value, Pipeline):
            state = {**state, "steps": [tuple(step) for step in value.steps]}
        params, fitted = {}, {}
        for name, part in state.items():
            here = _join(path, name)
            if name in LEFT_OUT or name.startswith(_WATCHES):
                self.leaves_out += [here] if part is not None and name not in ("memory", "checkpoint") else []
            elif name not in ("_skdeepsc_version", "_sklearn_version"):
                (params if name in names else fitted)[name] = self.write(part, here)
        return [type(value).__name__, params, fitted]

    def _made(self, value, path):
        kind = type(value).__name__
        return [kind, *(self.write(getattr(value, name), _join(path, name)) for name in _MADE_OF[kind][1])]

    def _skops(self, value, path):
        skops = _skops(f"{path} is a {type(value).__name__}, which is written")
        try:
            data = skops.dumps(value)
        except MemoryError:
            raise
        except Exception as error:  # Whatever it meets in what it does not know.
            raise TypeError(
                f"{path} is a {type(value).__name__} that skops cannot write ({error}). Keep it with pickle."
            ) from error
        unknown = skops.get_untrusted_types(data=data)
        if unknown:
            raise TypeError(
                f"{path} is a {type(value).__name__} that holds what skops does not trust by itself: "
                f"{', '.join(unknown)}. Keep it with pickle, or with skops and your own list of trusted types."
            )
        return self._array(np.frombuffer(data, np.uint8), path)

    # Networks

    def _builder(self, value, path):
        cls, keywords = (value.func, value.keywords) if isinstance(value, partial) else (value, {})
        return [cls.__name__, {name: self.write(part, _join(path, name)) for name, part in keywords.items()}]

    def _device(self, value, path):
        return str(value)

    def _network(self, value, path):
        from ._networks import described

        module, weights = described(value, path, self.write)
        return [module, {name: self._array(weight, _join(path, name)) for name, weight in weights.items()}]


class Reader:
    """Turns JSON back into values, and refuses what is not of this package's making.

    Parameters
    ----------
    arrays : dict of str to ndarray

    Attributes
    ----------
    unread : set of str
        Arrays that were not asked for.
    """

    def __init__(self, arrays):
        self.arrays, self.unread = arrays, set(arrays)

    def read(self, form):
        """The value of a JSON form."""
        if isinstance(form, (*_PLAIN, float)):
            return form
        if isinstance(form, list):
            return [self.read(part) for part in form]
        ((name, content),) = form.items()
        if name not in {known for _, known in _FORMS}:
            raise ValueError(f"it has a value of the kind {name!r}, which is not known")
        return getattr(self, f"_{name}")(content)

    # Plain Python

    def _float(self, content):
        return float(content)

    def _tuple(self, content):
        return tuple(self.read(content))

    def _frozenset(self, content):
        return frozenset(self.read(content))

    def _slice(self, content):
        return slice(*map(self.read, content))

    def _dict(self, content):
        return {self.read(key): self.read(part) for key, part in content}

    # Arrays

    def _array(self, content):
        if isinstance(content, dict):
            dtype, shape, values = content["strings"]
            if not (dtype == "O" or dtype.startswith("U")) or not all(type(part) is str for part in values):
                raise ValueError(f"it has strings of the kind {dtype!r}")
            return np.array(values, dtype=dtype).reshape(shape)
        name, axes = content
        self.unread.discard(name)
        return self.arrays[name].transpose(np.argsort(axes).tolist())

    def _dtype(self, content):
        if content not in _DTYPES:
            raise ValueError(f"it has a dtype {content!r}")
        return np.dtype(content)

    def _scalar(self, content):
        return self._array(content)[()]

    def _sparse(self, content):
        kind, shape, *parts = content
        data, indices, indptr = map(self._array, parts)
        matrix = _SPARSE[kind]((data, indices, indptr), shape=tuple(shape))
        matrix.check_format(full_check=True)  # Else an index out of range would be followed into foreign memory.
        matrix.indices, matrix.indptr = indices, indptr  # The constructor may have narrowed them.
        return matrix

    def _random_state(self, content):
        keys, (position, has_gauss, gauss) = self._array(content[0]), content[1:]
        if keys.shape != (624,) or keys.dtype != np.uint32 or not 0 <= position <= 624:
            raise ValueError("it has a random state that is none")
        generator = np.random.RandomState(0)
        generator.set_state(("MT19937", keys, position, has_gauss, gauss))
        return generator

    # Estimators

    def _estimator(self, content):
        name, params, fitted = content
        cls = _class_of(name)
        if set(params) - set(cls._get_param_names()) or set(params) & set(LEFT_OUT):
            unknown = sorted(set(params) - set(cls._get_param_names())) or sorted(set(params) & set(LEFT_OUT))
            raise ValueError(f"{name} has no parameter {', '.join(unknown)} that a file may set")
        odd = sorted(attribute for attribute in fitted if not _may_be_set(cls, attribute))
        if odd:
            raise ValueError(f"{name} has no attribute {', '.join(odd)} that a file may set")
        if cls is FunctionTransformer and any(params[part] is not None for part in ("func", "inverse_func")):
            raise ValueError("it has a function")
        estimator = cls(**{key: self.read(part) for key, part in params.items()})
        state = {key: self.read(part) for key, part in fitted.items()}
        if isinstance(estimator, Estimator):
            estimator.__setstate__({**estimator.__getstate__(), **state})
        else:
            vars(estimator).update(state)
        return estimator

    def _made(self, content):
        kind, *parts = content
        if kind not in _MADE_OF:
            raise ValueError(f"it has a part of the kind {kind!r}")
        return getattr(import_module(_MADE_OF[kind][0]), kind)(*map(self.read, parts))

    def _skops(self, content):
        skops = _skops("it has an estimator of scikit-learn's, which is read")
        return skops.loads(self._array(content).tobytes())

    # Networks

    def _builder(self, content):
        name, keywords = content
        if name not in _NETWORKS:
            raise ValueError(f"it has a network of the kind {name!r}")
        cls = getattr(skdeepsc.nn, name)
        return partial(cls, **{key: self.read(part) for key, part in keywords.items()}) if keywords else cls

    def _device(self, content):
        import torch

        return torch.device(content)

    def _network(self, content):
        from ._networks import rebuilt

        module, weights = content
        return rebuilt(module, {name: self._array(weight) for name, weight in weights.items()}, self.read)


# What is what


def _is_own_estimator(value):
    name = type(value).__name__
    if type(value) is FunctionTransformer:
        return value.func is None and value.inverse_func is None
    if name in _SCIKIT_LEARN:
        return type(value) is _SCIKIT_LEARN[name]
    return (name in _PARTS or name in skdeepsc.__all__) and type(value) is _class_of(name)


def _is_torch(value, name):
    """Whether a value is of a class of torch, told without importing it."""
    return any(cls.__name__ == name and cls.__module__.split(".")[0] == "torch" for cls in type(value).__mro__)


def _is_builder(value):
    cls = value.func if type(value) is partial and not value.args else value
    return getattr(cls, "__module__", "").startswith("skdeepsc.nn.") and getattr(cls, "__name__", "") in _NETWORKS


def _is_network(value):
    home, name = type(value).__module__, type(value).__name__
    return home.startswith("skdeepsc.nn.") and name in ("SubspaceNetwork", "ScatteringNetwork")


# Values by kind, in the order in which they are asked; the methods of writer and reader have these names.
_FORMS = (
    (lambda value: type(value) is float, "float"),
    (lambda value: type(value) is tuple, "tuple"),
    (lambda value: type(value) is frozenset, "frozenset"),
    (lambda value: type(value) is slice, "slice"),
    (lambda value: type(value) is dict, "dict"),
    (lambda value: type(value) in (np.ndarray, np.memmap), "array"),
    (lambda value: isinstance(value, np.generic), "scalar"),
    (lambda value: type(value) in _SPARSE.values(), "sparse"),
    (lambda value: type(value) is np.random.RandomState, "random_state"),
    (_is_own_estimator, "estimator"),
    (lambda value: type(value).__module__ == _MADE_OF.get(type(value).__name__, "-")[0], "made"),
    (lambda value: isinstance(value, np.dtype), "dtype"),
    (lambda value: hasattr(value, "get_params") and type(value).__module__.startswith("sklearn."), "skops"),
    (lambda value: _is_torch(value, "device"), "device"),
    (_is_builder, "builder"),
    (
        lambda value: type(value).__name__ in ("SubspaceNetwork", "ScatteringNetwork") and _is_torch(value, "Module"),
        "network",
    ),
)


def _class_of(name):
    """A class that a file may name."""
    if name in _SCIKIT_LEARN:
        return _SCIKIT_LEARN[name]
    home = import_module(_PARTS[name]) if name in _PARTS else skdeepsc
    cls = getattr(home, name, None) if name in _PARTS or name in skdeepsc.__all__ else None
    if not (isinstance(cls, type) and issubclass(cls, Estimator)):
        raise ValueError(f"it has a {name!r}, which is no estimator of skdeepsc")
    return cls


def _may_be_set(cls, attribute):
    """Whether an attribute holds what was learnt, and neither is a parameter nor hides what a class can do."""
    is_other = attribute in cls._get_param_names() or attribute.startswith(("__", _WATCHES))
    return not is_other and not hasattr(inspect.getattr_static(cls, attribute, None), "__get__")


def _skops(what):
    try:
        import skops
        import skops.io
    except ImportError as error:
        raise ImportError(f'{what} by skops, which is not installed: pip install "skdeepsc[files]".') from error
    if parse_version(skops.__version__) < parse_version("0.13"):
        raise ImportError(f"{what} by skops 0.13 or newer; {skops.__version__} is installed.")
    return skops.io


def _join(path, name):
    return f"{path}.{name}" if path else str(name)


def _refusal(value, path):
    """Why a value is not written, and what to do."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if _is_torch(value, "Module"):
        what = f"a torch module of your own, {kind}"
    elif callable(value):
        what = f"code of your own, {getattr(value, '__qualname__', kind)}"
    elif isinstance(value, Estimator):
        what = f"an estimator of your own, {kind}"
    elif hasattr(value, "get_params"):
        what = f"an estimator of another package, {kind}"
    else:
        what = f"a {kind}"
    return (
        f"{path or 'The estimator'} is {what}. A file of skdeepsc.save holds no code, and needs none but the "
        "package's. Keep the estimator with pickle, or with skops and a list of the types that you trust."
    )
