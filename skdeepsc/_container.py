"""The file: arrays as safetensors, beside them a JSON text, versions and a checksum; written whole or not at all."""

import hashlib
import json
import os
import secrets
import stat
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ._version import __version__

_FORMAT_VERSION = 1
# What a file holds, by the format that its header names.
_FORMATS = {
    "skdeepsc": "an estimator that skdeepsc.save wrote",
    "skdeepsc checkpoint": "a part of a checkpoint",
    "skdeepsc network": "a pre-trained network",
}
# Where a safetensors file has the brace of its header; its length stands before it.
_HEADER_AT = 8
# How files begin that are opened by mistake, or by somebody's intent.
_STRANGERS = {
    b"\x80": "a pickle",
    b"\x1f\x8b": "a compressed file, perhaps a pickle of joblib",
    b"\x78": "a compressed file, perhaps a pickle of joblib",
    b"BZh": "a compressed file, perhaps a pickle of joblib",
    b"\xfd7zXZ": "a compressed file, perhaps a pickle of joblib",
    b"PK": "an archive, perhaps of skops, torch or NumPy",
}


@contextmanager
def replacing(path):
    """A path beside `path` to write to; what lies there in the end takes its place, or, after an error, nothing."""
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(f"path={str(path)!r} is a folder: give the name of a file in it.")
    if path.exists() and not path.is_file():
        raise OSError(f"path={str(path)!r} is a device or a pipe, which a file would take the place of.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to save {path.name} in.")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        draft.touch(exist_ok=False)
        mode = (path if path.exists() else draft).stat().st_mode
        yield draft
        with open(draft, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(draft, stat.S_IMODE(mode))  # Writers with drafts of their own make them for their user alone.
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write(path, text, arrays, form="skdeepsc"):
    """Write a text and named arrays, which are contiguous and in C order, in one of the known formats."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    metadata = {
        "format": form,
        "format_version": str(_FORMAT_VERSION),
        "skdeepsc_version": __version__,
        "content": text,
    }
    with replacing(path) as draft:
        try:
            save_file(arrays, draft, metadata={**metadata, "sha256": _checksum(metadata, arrays)})
            _sort_header(draft)
        except SafetensorError as error:  # Such as a disk that is full.
            raise OSError(f"{path} cannot be written: {error}") from error


def _sort_header(path):
    """Bring the metadata, which safetensors writes in any order, in theirs, so that equal content is an equal file."""
    with open(path, "rb+") as file:
        length = int.from_bytes(file.read(_HEADER_AT), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) <= length:
            file.seek(_HEADER_AT)
            file.write(text.ljust(length))


def read(path, form="skdeepsc"):
    """Text, arrays, and the version of the package that wrote them in this format; all else is refused.

    Returns
    -------
    text : str
    arrays : dict of str to ndarray
        They can be written to.
    version : str
    """
    from safetensors import SafetensorError, safe_open

    path = os.fspath(path)
    _check_start(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = _checked(file.metadata() or {}, path, form)
            arrays = {name: np.require(file.get_tensor(name), requirements="W") for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError, AttributeError) as error:  # The latter for types that NumPy does not know.
        raise ValueError(f"{path} is cut off or damaged ({error}): get another copy, or save it again.") from error
    expected = metadata.pop("sha256")
    if _checksum(metadata, arrays) != expected:
        raise ValueError(
            f"{path} is damaged: its checksum does not belong to what it holds. It was written by skdeepsc "
            f"{metadata['skdeepsc_version']}; get another copy, or save it again."
        )
    return metadata["content"], arrays, metadata["skdeepsc_version"]


def _check_start(path):
    """Refuse what is no safetensors file, or not all of its header."""
    with open(path, "rb") as file:
        start = file.read(_HEADER_AT + 1)
        size = os.fstat(file.fileno()).st_size
    if len(start) <= _HEADER_AT or start[_HEADER_AT:] != b"{":
        found = next((name for first, name in _STRANGERS.items() if start.startswith(first)), "something else")
        raise ValueError(
            f"{path} is not a file of skdeepsc.save, but {found}. It was not opened: a pickle can run any code. If you "
            "trust who wrote it, open it with what wrote it."
        )
    if _HEADER_AT + int.from_bytes(start[:_HEADER_AT], "little") > size:
        raise ValueError(f"{path} is cut off within its header: get another copy, or save it again.")


def _checked(metadata, path, form):
    """The metadata of a file of this package and of a format that is known."""
    if metadata.get("format") != form:
        raise ValueError(f"{path} holds safetensors, but not {_FORMATS[form]}.")
    version, writer = metadata.get("format_version", ""), metadata.get("skdeepsc_version", "of an unknown version")
    if version.isdecimal() and int(version) > _FORMAT_VERSION:
        raise ValueError(
            f"{path} was written by skdeepsc {writer} in format {version}; this is skdeepsc {__version__}, which reads "
            f"formats up to {_FORMAT_VERSION}. Install skdeepsc {writer} or a newer one to open it."
        )
    known = {"format", "format_version", "skdeepsc_version", "content", "sha256"}
    if version != str(_FORMAT_VERSION) or set(metadata) != known:
        raise ValueError(f"{path}, by skdeepsc {writer}, lacks a part of format {_FORMAT_VERSION}, or has one more.")
    return metadata


def _checksum(metadata, arrays):
    """SHA-256 of all that a file holds."""
    digest = hashlib.sha256(json.dumps(sorted(metadata.items())).encode())
    for name, array in sorted(arrays.items()):
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.reshape(-1).view(np.uint8))
    return digest.hexdigest()
