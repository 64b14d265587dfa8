"""Parameters of estimators, told once: a field says name, type, range and default, the docstring of its class the rest.

.. code-block:: python

    @estimator
    class Blurring(Estimator):
        '''Blur.

        Parameters
        ----------
        width : float
            In pixels.
        '''

        width: Positive = 1.0

The class becomes a dataclass, whose constructor takes the fields of its bases, too; scikit-learn's constraints follow
from the annotations; and the docstring gets the defaults, and what the bases tell of their own parameters and
attributes. An entry without a type, a name alone, adds a sentence to what a base tells.
"""

import functools
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, fields
from importlib.metadata import PackageNotFoundError, metadata
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, TypeVar, Union, cast, dataclass_transform, get_args, get_origin

import numpy as np
from numpy.typing import ArrayLike

from ._compat import BaseEstimator, Interval, Options, StrOptions, fit_context, validate_parameter_constraints
from ._version import __version__
from ._warn import OtherVersionWarning, warn_user

# Words for the ranges of parameters.
Positive = Annotated[float, Interval(Real, 0, None, closed="neither")]
NonNegative = Annotated[float, Interval(Real, 0, None, closed="left")]
Probability = Annotated[float, Interval(Real, 0, 1, closed="both")]
AnyReal = Annotated[float, Interval(Real, None, None, closed="neither")]
Count = Annotated[int, Interval(Integral, 1, None, closed="left")]
CountOrZero = Annotated[int, Interval(Integral, 0, None, closed="left")]
Epochs = CountOrZero
# As many threads, or all cores but so many.
Threads = Annotated[int, Interval(Integral, 1, None, closed="left"), Interval(Integral, None, -1, closed="right")]
_Seed = Interval(Integral, 0, 2**32 - 1, closed="both")
RandomState = Annotated[int | np.random.RandomState | None, _Seed, np.random.RandomState, None]

# Parameters that change how an answer is computed, and not the answer.
HOW_NOT_WHAT = {"n_jobs", "block_size", "verbose"}
# Parameters that nothing but a fit asks for; they may hold the user's own code.
_OF_THE_FIT_ALONE = {"callbacks", "memory", "checkpoint", "network", "init"}

Method = TypeVar("Method", bound=Callable)

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
_ENTRY = re.compile(r"^(\w+)(.*)$", re.MULTILINE)
_TOLD = ("Parameters", "Attributes")
# Where the state of an estimator says which version of the package it is from.
_VERSION_KEY = "_skdeepsc_version"


class Estimator(BaseEstimator):
    """Base of all that has parameters, each class of which is decorated by :func:`estimator`."""

    # For the "?" in the HTML representation.
    _doc_link_module = __name__.partition(".")[0]

    @property
    def _doc_link_template(self):
        address = _address_of_the_documentation()
        return address and address + "/reference/generated/{page}.html"

    def _doc_link_url_param_generator(self):
        module, name = type(self).__module__.partition("._")[0], type(self).__name__
        package = sys.modules[self._doc_link_module]
        return {"page": f"{self._doc_link_module if name in package.__all__ else module}.{name}"}

    def __getstate__(self):
        state = super().__getstate__()
        if "_fitted_params" in state:  # Those that have been changed since: the others are in the state anyway.
            changed = {name: value for name, value in state["_fitted_params"].items() if value is not state[name]}
            state = {**state, "_fitted_params": changed}
        return {**state, _VERSION_KEY: __version__}

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop(_VERSION_KEY, "unknown")
        if version != __version__:
            warn_user(OtherVersionWarning(type(self).__name__, __version__, version))
        super().__setstate__(state)
        if "_fitted_params" in state:
            self._fitted_params = self._params_to_keep() | state["_fitted_params"]

    def set_params(self, **params) -> Self:
        for name in params:
            part = name.split("__")[0]
            value = params.get(part, getattr(self, part, None))
            if part != name and part in self._parameter_constraints and not hasattr(value, "set_params"):
                raise TypeError(f"{part} has no parameters, so that {name} cannot be set; it is {value!r}.")
        return super().set_params(**params)

    def _params_to_keep(self):
        """Parameters under which a fitted estimator answers."""
        params = self.get_params(deep=False)
        return {name: value for name, value in params.items() if name not in HOW_NOT_WHAT | _OF_THE_FIT_ALONE}

    def _settings(self):
        """A context of usual settings, for a fit and an answer, whatever the process has set."""
        return _usual_errors()

    def _keeping(self, samples):
        """A context in which a fit of some samples keeps what it has done."""
        return nullcontext()


@functools.cache
def _address_of_the_documentation():
    """What the metadata of the package say; nothing if it is not installed, but found on the path."""
    try:
        told = metadata(__name__.partition(".")[0]).get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    return dict(address.split(", ", 1) for address in told).get("Documentation", "")


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def estimator(cls):
    """Make constructor, constraints and docstring of a class from its annotated fields and its bases."""
    head, sections = _sections(inspect.cleandoc(cls.__doc__ or ""))  # Python -OO leaves docstrings out.
    cls._told = {title: _entries(sections.pop(title, "")) for title in _TOLD}
    cls = dataclass(cls, repr=False, eq=False, kw_only=True)
    names = _names_in_order(cls)
    cls._parameter_constraints = _constraints(cls)
    cls.__init__.__signature__ = _signature(cls.__init__, names)
    cls.__doc__ = _docstring(cls, head, sections, names)
    return cls


def fits(method: Method) -> Method:
    """A method that learns: it validates the parameters, works on a copy, and hands over all it learnt at its end.

    One that fails or is interrupted leaves the estimator as it was. `fit` begins without what was learnt before;
    ``partial_fit`` begins with it, and must not change it in place.
    """
    learn = fit_context(prefer_skip_nested_validation=True)(method)

    @functools.wraps(method)
    def fit(self, *args, **kwargs):
        former = vars(self).get("_learnt", frozenset())
        keeps = method.__name__ == "partial_fit"
        draft = twin(self)
        for name in () if keeps else former:
            vars(draft).pop(name, None)  # A user may have deleted it.
        begun = set(vars(draft)) - former
        of_numpy = take_plain_numbers(draft)
        with draft._settings():
            answer = learn(draft, *args, **kwargs)
        draft._fitted_params = draft._params_to_keep()
        vars(draft).update(of_numpy)
        draft._learnt = frozenset(vars(draft)) - begun | {"_learnt"}
        self.__dict__ = vars(draft)
        return self if answer is draft else answer

    return cast(Method, fit)


def as_fitted(estimator):
    """A twin of a fitted estimator under the parameters of the fit, whatever they are now."""
    fitted = twin(estimator)
    vars(fitted).update(vars(estimator).get("_fitted_params", {}))
    return fitted


def answers(method: Method) -> Method:
    """A method that answers from what was learnt: under the parameters of the fit, whatever they are now."""

    @functools.wraps(method)
    def answer(self, *args, **kwargs):
        fitted = as_fitted(self)
        try:
            with fitted._settings():
                return method(fitted, *args, **kwargs)
        except AttributeError as error:
            if error.obj is not fitted or not error.name.startswith("_"):
                raise
            raise ValueError(
                f"This {type(self).__name__} lacks {error.name!r}, which a fit of this version sets: it comes from "
                "another version of the package. Fit again."
            ) from error

    return cast(Method, answer)


# Integers beyond the first are too large for torch, beyond the second for a float.
_MOST_INTEGER, _MOST_FLOAT = 2**63 - 1, 2**1023


def _usual_errors():
    """A context in which NumPy says what it says by default, but for numbers that vanish."""
    return np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


def take_plain_numbers(estimator):
    """Make numbers of Python of an estimator's parameters that are NumPy's, and give those.

    Integers that torch cannot hold become floats where those are taken.
    """
    params, allowed = estimator.get_params(deep=False), estimator._parameter_constraints
    plain = {name: _plain(value) for name, value in params.items()}
    large = {name for name, value in plain.items() if type(value) is int and _MOST_INTEGER < abs(value) < _MOST_FLOAT}
    plain |= {name: float(plain[name]) for name in large if any(_takes_floats(part) for part in allowed.get(name, ()))}
    changed = {name: value for name, value in params.items() if plain[name] is not value}
    vars(estimator).update({name: plain[name] for name in changed})
    return changed


def _takes_floats(constraint):
    return getattr(constraint, "type", None) is Real


def _plain(value):
    """A number of Python for one of NumPy, whose products stay within its bytes: 12 * np.uint8(30) is 104.

    A float for a fraction, which neither NumPy nor torch knows.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Real) and not isinstance(value, bool | int | float):
        with suppress(OverflowError):
            return int(value) if isinstance(value, Integral) else float(value)
    return value


def twin(estimator):
    """Another estimator with the same attributes, which are not copied."""
    other = object.__new__(type(estimator))
    vars(other).update(vars(estimator))
    return other


def checked(function: Method) -> Method:
    """A function whose arguments are checked by their annotations, as the parameters of estimators are."""
    signature = inspect.signature(function)
    hints = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    is_open = len(hints) < len(signature.parameters)
    constraints = {name: _allowed(hint) for name, hint in hints.items() if not _is_open(hint)}

    def check(arguments, given=()):
        """Refuse names that the function does not have, or is given already, and values that it does not take."""
        free = ", ".join(name for name in hints if name not in given) or "nothing else"
        for name in arguments:
            if name in given:
                raise TypeError(f"{function.__name__} gets its {name!r} already, and takes {free}.")
            if name not in hints and not is_open:
                raise TypeError(f"{function.__name__} has no parameter {name!r}; it takes {free}.")
        given = {name: value for name, value in arguments.items() if name in constraints}
        validate_parameter_constraints(constraints, given, function.__name__)

    @functools.wraps(function)
    def call(*args, **kwargs):
        args, kwargs = tuple(map(_plain, args)), {name: _plain(value) for name, value in kwargs.items()}
        check({**dict(zip(hints, args, strict=False)), **kwargs})
        with _usual_errors():
            return function(*args, **kwargs)

    vars(call)["check_arguments"] = check
    return cast(Method, call)


def require_call(name, function, takes, *args, **kwargs):
    """Refuse a user's function that cannot be called with what it is called with.

    Parameters
    ----------
    name : str
        The parameter that it is given as.
    function : callable
    takes : str
        What it must take, for the message.
    *args, **kwargs
        What it is called with.
    """
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name} must take {takes}: {error}.") from error
    except ValueError:  # No signature is known.
        pass


def call_given(name, function, takes, *args, **kwargs):
    """What a user's function gives, with parameters as of :func:`require_call`; an error of its own says whose."""
    require_call(name, function, takes, *args, **kwargs)
    try:
        return function(*args, **kwargs)
    except Exception as error:
        error.add_note(f"It was raised by the function that is given as {name}.")
        raise


# From annotations to constraints


def _is_open(hint):
    """Whether a function checks an argument by itself: anything, and arrays, also where None is one of the choices."""
    return hint in (Any, inspect.Parameter.empty) or _choices(ArrayLike) <= _choices(hint)


def _choices(hint):
    """What a union is of, or an annotation itself; an alias by Python 3.12's statement has it as its value."""
    hint = getattr(hint, "__value__", hint)
    return set().union(*map(_choices, get_args(hint))) if get_origin(hint) in (Union, UnionType) else {hint}


def _constraints(cls):
    hints = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Estimator):
            hints |= inspect.get_annotations(base)
    return {field.name: _allowed(hints[field.name]) for field in fields(cls)}


def _allowed(hint):
    """What scikit-learn's validation calls the values that an annotation allows."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return [constraint for part in arguments for constraint in _allowed(part)]
    if origin is Annotated:
        return list(hint.__metadata__)
    if origin is Literal:
        is_word = isinstance(arguments[0], str)
        return [StrOptions(set(arguments)) if is_word else Options(Integral, set(arguments))]
    known = {None: [None], NoneType: [None], bool: ["boolean"], int: [Integral], float: [Real], Any: [object]}
    known |= {Sequence: [tuple, list], Callable: [callable]}
    return known.get(origin or hint, [origin or hint])


# The constructor's order: what is positional, a class's own, its bases' own


def _names_in_order(cls):
    by_name = {field.name: field for field in fields(cls)}
    positional = [name for name, field in by_name.items() if not field.kw_only]
    own = [name for base in cls.__mro__ for name in inspect.get_annotations(base) if name in by_name]
    return list(dict.fromkeys(positional + own))


def _signature(init, names):
    parameters = inspect.signature(init).parameters
    ordered = (parameters[name] for name in ("self", *names))
    return inspect.Signature([part.replace(annotation=_without_range(part.annotation)) for part in ordered])


def _without_range(hint):
    """An annotation as a reader of a signature wants it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _without_range(arguments[0])
    return Union[tuple(map(_without_range, arguments))] if origin in (Union, UnionType) else hint  # noqa: UP007


# The docstring


def _sections(doc):
    """Text above the first section, and the sections by title."""
    head, *rest = _SECTION.split(doc)
    return head, dict(zip(rest[::2], rest[1::2], strict=True))


def _entries(body):
    """Entries of a section: what follows the name in its line, and the lines below it, by name."""
    starts = [*_ENTRY.finditer(body)]
    ends = [*(match.start() for match in starts), len(body)][1:]
    return {
        match[1]: (match[2], body[match.end() : end].strip("\n")) for match, end in zip(starts, ends, strict=bool(body))
    }


def _docstring(cls, head, sections, names):
    """The docstring of a class with what it and its bases tell of its parameters and attributes."""
    told = [vars(base)["_told"] for base in cls.__mro__ if "_told" in vars(base)]
    defaults = {field.name: field.default for field in fields(cls)}
    parameters = [_entry(name, [part["Parameters"] for part in told], defaults[name]) for name in names]
    known = dict.fromkeys(name for part in told for name in part["Attributes"])
    attributes = [_entry(name, [part["Attributes"] for part in told]) for name in known]
    parts = {"Parameters": "".join(parameters), "Attributes": "".join(attributes), **sections}
    text = head.rstrip() + "\n\n" + "\n".join(_section(title, body) for title, body in parts.items() if body)
    return textwrap.indent(text, "    ").strip() + "\n    "


def _section(title, body):
    return f"{title}\n{'-' * len(title)}\n{body.rstrip()}\n"


def _entry(name, told, *default):
    """One entry: the nearest class that gives a type has the word, nearer ones add to it."""
    texts = []
    for part in told:
        if name in part:
            header, text = part[name]
            texts.insert(0, text)
            if header:
                ends = [f", default={value!r}".replace("'", '"') for value in default]
                return "\n".join([name + header + "".join(ends), *texts]) + "\n"
    return ""
