"""States in files: nested plain values, arrays and tensors, as JSON and arrays of bytes, with what they belong to."""

import hashlib
import json
import secrets
from contextlib import suppress

import numpy as np
import torch

from .._container import read, write
from .._version import __version__
from .._warn import warn_user

PLAIN = (type(None), bool, int, str)


class StateFile:
    """A state in a file, with the versions and whatever else it belongs to.

    Parameters
    ----------
    path : Path
    form : str
        One of the formats of `_container`.
    aside : Path
        What a file that cannot be used is renamed to; something is added to it.
    said : str
        What is said then: what the user calls it, and what happens in its place.
    **belongs_to
        What must be the same where the state is read.
    """

    def __init__(self, path, form, aside, said, **belongs_to):
        self.path, self.form, self.aside, self.said = path, form, aside, said
        self.head = {**belongs_to, "skdeepsc": __version__, "torch": torch.__version__}

    def read(self):
        """The state; None where there is no file, or none that can be used, which is told and put aside."""
        try:
            if not self.path.exists():
                return None
            text, arrays, _ = read(self.path, self.form)
            head, content = json.loads(text)
            self._check(head)
            return _unpacked(content, arrays)
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
        aside = self.aside.with_name(f"{self.aside.name}.{secrets.token_hex(2)}.damaged")
        try:
            with suppress(FileNotFoundError):  # Another process has done so.
                self.path.replace(aside)
            where = f"was put aside as {aside}"
        except OSError as error:
            where = f"stays where it is ({error})"
        warn_user(f"{self.said}: {reason}. The file {where}.")

    def write(self, state):
        """Write a state, whole or not at all.

        Raises
        ------
        OSError
            If it cannot be written.
        TypeError, ValueError
            If it holds something else than plain values, arrays and tensors.
        """
        self.path.parent.mkdir(exist_ok=True)
        arrays = {}
        write(self.path, json.dumps([self.head, packed(state, arrays)], allow_nan=False), arrays, self.form)


# Their form


def packed(value, arrays):
    """A JSON form of nested plain values, arrays and tensors; their bytes are added to `arrays`."""
    if isinstance(value, np.generic):
        value = np.asarray(value)
        return {"scalar": packed(value, arrays)}
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided:
            raise TypeError(f"tensors of the layout {value.layout} are not kept")
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
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, list):
        return [packed(part, arrays) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [packed(part, arrays) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[packed(key, arrays), packed(part, arrays)] for key, part in value.items()]}
    raise TypeError(f"values of the kind {type(value).__name__} are not kept")


def _added(values, arrays):
    name = str(len(arrays))
    arrays[name] = values
    return name


def _unpacked(form, arrays):
    """The value of a JSON form."""
    if isinstance(form, PLAIN):
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


def sha256_of(start, form, arrays):
    """A digest of a JSON form and its arrays."""
    sha = hashlib.sha256(json.dumps([start, form]).encode())
    for values in arrays.values():
        sha.update(values)
    return sha.hexdigest()
