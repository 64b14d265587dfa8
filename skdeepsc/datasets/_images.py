"""Pictures from files: a folder, or a list of paths, becomes one array of images of a common size."""

import errno
import os
import re
import secrets
import stat
import tempfile
import warnings
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import Bunch

from .._container import replacing
from .._input import channels_are_last, row_blocks
from .._params import NonNegative, Positive, Threads, checked
from .._threads import Shared
from .._warn import warn_user

# Modes of Pillow without colour, and those with more than 8 bits.
_GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
_DEEP_MODES = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
# What Pillow names but cannot show without a further library.
_NO_PIXELS = {"BUFR", "GRIB", "HDF5", "MPEG"}
# Tags of a TIFF, and where a PNG has what others have in their EXIF data.
_ORIENTATION, _SIDES = 0x0112, (0x0100, 0x0101)
_EXIF_OF_PNG = ("exif", "Raw profile type exif")
# The longer side, at most, of a size that was not given; and of any.
_LONGER_SIDE, _LONGEST_SIDE = 64, 65_535
# Pictures that are looked at, where not all need be; channels that differ by this much or less have no colour.
_LOOKED_AT, _COLORLESS = 100, 8
# Whites of pictures of 8 to 16 bits.
_WHITES = 2.0 ** np.array([8, 10, 12, 14, 16]) - 1
_FILES_PER_TASK = 32
_NAMED = 5


@checked
def load_images(
    folder_or_paths: Any,
    size: Any = None,
    *,
    color: Literal["auto", "grey", "rgb"] = "auto",
    fit: Literal["crop", "pad", "stretch"] = "crop",
    background: Any = "white",
    white: Positive | None = None,
    out: str | os.PathLike | None = None,
    max_bytes: NonNegative = 2**30,
    n_jobs: Threads | None = None,
    progress: bool = False,
) -> Bunch:
    """Read pictures of any format that Pillow knows as an array that every estimator takes.

    Pictures are turned as their EXIF orientation says; transparent ones lie on `background`; of moving ones the first
    frame is taken. Files that cannot be read are left out, and one warning names them.

    Parameters
    ----------
    folder_or_paths : str, Path, or list of str, Path or PIL.Image.Image
        A folder, all of whose pictures are read, those of its sub-folders as well, in natural order ("2.png" before
        "10.png"); or the pictures in your own order. In a folder, hidden files are passed over, those whose
        extension is no picture's, and what :mod:`skdeepsc.report` has written.
    size : int, (int, int) or None, default=None
        ``(height, width)`` of the images, one number for squares. ``None``: the size of the pictures, if all have the
        same and no side is longer than 64; else their median shape, with 64 as its longer side at most.
    color : {"auto", "grey", "rgb"}, default="auto"
        ``"auto"``: "grey" if no picture has colour; of files that could have, 100 at most are looked at.
    fit : {"crop", "pad", "stretch"}, default="crop"
        How a picture of another shape gets there: cut at its longer sides, put between bars of `background`, or pulled.
    background : str or tuple, default="white"
        A colour as Pillow takes it, such as "black" or "#808080".
    white : float or None, default=None
        The value that becomes 255 in pictures of more than 8 bits. ``None``: one for all pictures, the smallest of 255,
        1023, 4095, 16383 and 65535 that none of 100 exceeds; where values are fractions, 1 or the largest.
    out : str, Path or None, default=None
        A file "….npy" to which images are written, and from which they are memory-mapped.
    max_bytes : int, default=2**30
        Larger results are memory-mapped from a temporary file, which goes with the array, if there is no `out`.
    n_jobs : int or None, default=None
        Threads, as in :class:`joblib.Parallel`.
    progress : bool, default=False
        Whether to show a bar; needs rich.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        ``images`` : ndarray or read-only memmap of shape (n, height, width) or (n, 3, height, width), uint8
            Grey images, or images with colour.
        ``filenames`` : ndarray of shape (n,), str
            Where each was read.
        ``target`` : ndarray of shape (n,), int64, or None
            The sub-folder of each, for scoring only; ``None`` if all are in one folder, or are given as a list.
        ``target_names`` : list of str
            Sub-folders, relative to the folder.
        ``broken`` : dict of str
            Files that were left out, and why.
        ``blank`` : list of str
            Files whose images have one colour throughout, in which nothing tells where they belong.
        ``reading`` : dict
            Keywords with which other pictures become images of the same kind: ``load_images(others, **bunch.reading)``.
            Without pictures of more than 8 bits, `white` is open.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder.
    ValueError
        If there are no pictures in it; if no path leads to one.
    ImportError
        If Pillow is missing: ``pip install 'skdeepsc[images]'``.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from skdeepsc.datasets import load_images
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ("10.png", "2.png"):
    ...     Image.new("L", (40, 30)).save(f"{folder.name}/{name}")
    >>> pictures = load_images(folder.name)
    >>> pictures.images.shape, [name[-5:] for name in pictures.filenames.tolist()]
    ((2, 30, 40), ['2.png', '0.png'])
    >>> load_images(folder.name, 16).images.shape
    (2, 16, 16)
    >>> folder.cleanup()
    """
    require_pillow("load_images")
    _check_choices(size, background, out)
    folder, sources = _sources(folder_or_paths)
    with _QUIET():
        heads = _each(_head, sources, n_jobs, "Looking at pictures", progress)
        readable = [number for number, head in enumerate(heads) if isinstance(head, _Head)]
        reader = _reader(
            [sources[n] for n in readable], [heads[n] for n in readable], size, color, fit, background, white
        )
        images, failed, blank = _read_all(reader, [sources[n] for n in readable], out, max_bytes, n_jobs, progress)
    errors = {number: head for number, head in enumerate(heads) if not isinstance(head, _Head)}
    errors |= {readable[row]: error for row, error in failed.items()}
    names = [_name(source, number) for number, source in enumerate(sources)]
    broken = {names[number]: _reason(errors[number]) for number in sorted(errors)}
    reasons = [f"{name} ({reason})" for name, reason in broken.items()]
    if len(errors) == len(sources):
        raise ValueError(f"None of {len(sources)} files is a picture that can be read: {listed(reasons)}.")
    if broken:
        are = "is" if len(errors) == 1 else "are"
        warn_user(f"{len(errors)} of {len(sources)} files cannot be read and {are} left out: {listed(reasons)}.")
    kept = [name for number, name in enumerate(names) if number not in errors]
    target, target_names = _folders(folder, kept)
    return Bunch(
        images=images,
        filenames=np.array(kept),
        target=target,
        target_names=target_names,
        broken=broken,
        blank=[names[readable[row]] for row in blank],
        reading=reader.settings,
    )


def image_files(folder):
    """Pictures in a folder and its sub-folders by extension, in natural order; those of a report are passed over.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    files : list of Path
    """
    folder, extensions = Path(folder), _extensions()
    found = []
    for parent, folders, files in _walk(folder):
        is_report = "clusters.csv" in files and ("report.html" in files or "sheets" in folders)
        if is_report:  # Of an earlier clustering of this folder, perhaps.
            folders.clear()
            continue
        found += [Path(parent, name) for name in files if not name.startswith(".")]
    pictures = [path for path in found if path.suffix.lower() in extensions]
    if not pictures:
        raise ValueError(
            f"There are no pictures in the folder {str(folder)!r}: of its {len(found)} files, none has an extension "
            "that Pillow reads, such as .png, .jpg or .tif."
        )
    return sorted(pictures, key=lambda path: (_natural(path.relative_to(folder).parts), str(path)))


def _walk(folder):
    """As :func:`os.walk`, without what is hidden; folders elsewhere that links lead to are read once, too."""
    top = folder.resolve()
    seen = {top}
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield parent, folders, files
        kept = []
        for name in folders:
            where = Path(parent, name).resolve()
            is_round = Path(parent, name).is_symlink() and (where.is_relative_to(top) or top.is_relative_to(where))
            if where not in seen and not is_round:
                kept.append(name)
                seen.add(where)
        folders[:] = kept


def thumbnail(source, side):
    """A picture of a file, or an image's array, as a small Pillow image of at most `side` pixels a side.

    Parameters
    ----------
    source : str, Path or ndarray of shape (height, width) or (channels, height, width), uint8
        Channels that plainly come last, as methods of rows take them, too.
    side : int

    Returns
    -------
    image : PIL.Image.Image
        Mode "RGB".
    """
    from PIL import Image

    if isinstance(source, np.ndarray):
        source = np.moveaxis(source, -1, 0) if channels_are_last(source.shape) else source
        source = source if source.ndim == 2 else source[0] if len(source) < 3 else np.moveaxis(source[:3], 0, -1)
        image = Image.fromarray(np.ascontiguousarray(source)).convert("RGB")
    else:
        with _QUIET():
            image = _upright(source, (side, side), "RGB", "white", _white([source], None))
    scale = max(1, side // max(image.size))  # Small ones are shown with their pixels.
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    image.thumbnail((side, side))
    return image


@contextmanager
def _quiet():
    """A context without Pillow's warnings of odd metadata; what cannot be read is told."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


_QUIET = Shared(_quiet)


# What is asked for


def require_pillow(who):
    """Refuse to go on without Pillow, and say how to get it."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{who} needs Pillow: pip install 'skdeepsc[images]'.") from error


def _check_choices(size, background, out):
    sides = np.asarray(1 if size is None else size)
    is_of_numbers = sides.shape in ((), (2,)) and sides.dtype.kind in "iuf"
    if not is_of_numbers or not ((sides > 0) & (sides <= _LONGEST_SIDE) & (sides % 1 == 0)).all():
        raise ValueError(f"size={size!r} must be a number of pixels, at most {_LONGEST_SIDE:,}, or (height, width).")
    try:
        _color(background, "RGB")
    except (TypeError, ValueError) as error:
        raise ValueError(f"background={background!r} is no colour that Pillow knows: {error}.") from error
    if out is not None and Path(out).suffix != ".npy":
        raise ValueError(f"out={str(out)!r} must be the name of a .npy file.")


def _sources(folder_or_paths):
    """The folder, if it is one, and what is to be read."""
    if isinstance(folder_or_paths, str | os.PathLike):
        folder = Path(folder_or_paths)
        if not os.fspath(folder_or_paths):
            raise ValueError("The name of the folder is empty; the working folder is '.'.")
        if not folder.exists():
            raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
        if not folder.is_dir():
            raise NotADirectoryError(f"{str(folder)!r} is a file: give a folder of pictures, or a list of paths.")
        return folder, image_files(folder)
    if not np.iterable(folder_or_paths):
        raise TypeError(f"load_images takes a folder, or a list of paths or of PIL images; got {folder_or_paths!r}.")
    sources = list(folder_or_paths)
    if not sources:
        raise ValueError("The list of paths is empty: there are no pictures to load.")
    for number, source in enumerate(sources):
        if not isinstance(source, str | os.PathLike) and not _is_open(source):
            raise TypeError(
                f"load_images takes a folder, or a list of paths or of PIL images; item {number} of the list is of "
                f"type {type(source).__name__}."
            )
    return None, sources


def _extensions():
    from PIL import Image

    formats = Image.registered_extensions()
    return {suffix for suffix, name in formats.items() if name in Image.OPEN and name not in _NO_PIXELS}


def _natural(parts):
    """What sorts paths as a reader does, numbers by their value."""
    return [[int(run) if run.isdecimal() else run.casefold() for run in re.split(r"(\d+)", part)] for part in parts]


def _folders(folder, names):
    """Labels by sub-folders, and these."""
    if folder is None:
        return None, []
    parents = [Path(name).relative_to(folder).parent.as_posix() for name in names]
    found = sorted(set(parents), key=lambda parent: _natural(parent.split("/")))
    if len(found) < 2:
        return None, found
    numbers = {parent: number for number, parent in enumerate(found)}
    return np.array([numbers[parent] for parent in parents], dtype=np.int64), found


# What is found


@dataclass
class _Head:
    """What a file says of its picture before it is decoded."""

    height: int
    width: int
    mode: str


def _head(source, number):
    with _opened(source) as image:
        width, height = image.size
        if hasattr(image, "tag_v2"):  # Of a TIFF, Pillow may have turned them.
            width, height = (image.tag_v2.get(tag, side) for tag, side in zip(_SIDES, image.size, strict=True))
        is_told = image.format != "PNG" or any(name in image.info for name in _EXIF_OF_PNG)  # Else Pillow decodes all.
        turned = is_told and image.getexif().get(_ORIENTATION, 1) >= 5
        return _Head(*((width, height) if turned else (height, width)), image.mode)


@dataclass
class _Reader:
    """How a picture becomes an image."""

    size: tuple
    color: str
    fit: str
    background: object
    white: float | None

    @property
    def settings(self):
        """Keywords of :func:`load_images`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def shape(self):
        return self.size if self.color == "grey" else (3, *self.size)

    def read(self, source):
        """The image of a picture, an array of this shape."""
        from PIL import Image, ImageOps

        wanted, mode = self.size[::-1], "L" if self.color == "grey" else "RGB"
        image = _upright(source, wanted, mode, self.background, self.white)
        if self.fit == "stretch":
            image = image.resize(wanted, Image.Resampling.BICUBIC, reducing_gap=3.0)
        elif self.fit == "crop":
            image = ImageOps.fit(image, wanted, Image.Resampling.BICUBIC)
        else:
            image = ImageOps.pad(image, wanted, Image.Resampling.BICUBIC, color=_color(self.background, mode))
        return np.asarray(image) if mode == "L" else np.moveaxis(np.asarray(image), -1, 0)


def _reader(sources, heads, size, color, fit, background, white):
    """How pictures are read, where that follows from all of them."""
    if color == "auto":
        color = (
            "rgb"
            if _any_color([s for s, head in zip(sources, heads, strict=True) if _may_have_color(head)])
            else "grey"
        )
    deep = [source for source, head in zip(sources, heads, strict=True) if head.mode in _DEEP_MODES]
    size = _common_size(heads) if size is None else tuple(int(side) for side in np.broadcast_to(size, 2))
    return _Reader(size, color, fit, background, _white(deep, white) if deep else white)


def _common_size(heads):
    """The size of all pictures, or one like most of them that is not too large."""
    if not heads:
        return 1, 1
    sizes = np.array([(head.height, head.width) for head in heads], dtype=float)
    typical = np.median(sizes, axis=0)
    if np.ptp(sizes, axis=0).any() or typical.max() > _LONGER_SIDE:
        ratio = np.exp(np.median(np.log(sizes[:, 0] / sizes[:, 1])))  # Upright and lying pictures mix to squares.
        longer = min(_LONGER_SIDE, typical.max())
        typical = np.array([longer * min(1, ratio), longer / max(1, ratio)])
    return tuple(int(side) for side in np.maximum(1, np.rint(typical)))


def _may_have_color(head):
    return head.mode not in _GREY_MODES


def _some(sources):
    """A hundred of them at most, evenly spaced."""
    return [sources[number] for number in np.unique(np.linspace(0, len(sources) - 1, _LOOKED_AT).astype(int))]


@contextmanager
def _if_readable():
    """A context that leaves out a file that cannot be read, which is told by who reads all."""
    try:
        yield
    except MemoryError:  # Not the file's fault.
        raise
    except Exception:
        pass


def _any_color(sources):
    """Whether there is colour in any of some pictures."""
    for source in _some(sources) if sources else ():
        with _if_readable():
            pixels = np.asarray(_upright(source, (_LONGER_SIDE, _LONGER_SIDE), "RGB", "white", 255), dtype=np.int16)
            if np.ptp(pixels, axis=-1).max() > _COLORLESS:
                return True
    return False


def _white(sources, white):
    """The value of white in pictures of more than 8 bits."""
    if white is not None:
        return float(white)
    largest, whole = 0.0, True
    for source in _some(sources) if sources else ():
        with _if_readable(), _opened(source) as image:
            if image.mode in _DEEP_MODES:
                values = np.asarray(image)
                largest = max(largest, float(values[np.isfinite(values)].max(initial=0)))
                whole = whole and image.mode != "F"
    whites = _WHITES if whole else np.array([1.0])
    return float(next((limit for limit in whites if largest <= limit), largest))


# From a file to an image


@contextmanager
def _opened(source):
    """A context with a Pillow image, decoded when it is first used."""
    from PIL import Image

    if _is_open(source):
        yield source
        return
    # Of a path, Pillow maps a TIFF into memory, and mixes its pixels up where it is to be turned.
    with open(source, "rb") as file, Image.open(file) as image:
        yield image


def _is_open(source):
    """Whether something is a Pillow image, without the import of Pillow."""
    return any(cls.__module__ == "PIL.Image" and cls.__name__ == "Image" for cls in type(source).__mro__)


def _upright(source, wanted, mode, background, white):
    """A decoded picture of 8 bits, turned as its metadata says and without transparency."""
    from PIL import Image, ImageOps

    with _opened(source) as opened:
        if opened.format == "JPEG" and not _is_open(source):
            # Decoded at a fraction of its size, where that suffices.
            opened.draft(None, (2 * max(wanted), 2 * max(wanted)))
        image = ImageOps.exif_transpose(opened)
    if image.mode in _DEEP_MODES:
        with np.errstate(over="ignore"):
            values = np.nan_to_num(np.asarray(image, np.float32), posinf=white, neginf=0) * np.float32(255 / white)
        image = Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _color(background, "RGBA")), image)
    return image.convert(mode)


def _color(color, mode):
    from PIL import ImageColor

    if isinstance(color, str):
        return ImageColor.getcolor(color, mode)
    color = tuple(np.broadcast_to(color, 3).tolist())
    return ImageColor.getcolor("#{:02x}{:02x}{:02x}".format(*color), mode)


# All of them


def _read_all(reader, sources, out, max_bytes, n_jobs, progress):
    """The images of those that can be read, the errors of the others by their number, and the numbers of blank ones."""
    shape = (len(sources), *reader.shape)
    on_disk = out is not None or np.prod(shape, dtype=float) > max_bytes
    path = _draft_path(out) if on_disk else None
    try:
        images = np.lib.format.open_memmap(path, "w+", np.uint8, shape) if path else np.empty(shape, np.uint8)
        if path:
            _reserve(path, out)

        def read(source, number):
            images[number] = image = reader.read(source)
            return bool((image == image[..., :1, :1]).all())

        answers = _each(read, sources, n_jobs, "Reading pictures", progress)
        failed = {number: error for number, error in enumerate(answers) if isinstance(error, Exception)}
        blank = [number for number, is_blank in enumerate(answers) if is_blank is True]
        if failed and len(failed) < len(sources):
            images = _without(images, failed, path)
        return (_kept_on_disk(images, path, out) if path and len(failed) < len(sources) else images), failed, blank
    finally:
        if path:
            _forget(path)


def _each(function, sources, n_jobs, description, progress):
    """What a function returns for each source and its number, or the error that it raised."""

    def answers(block):
        return [_answer(function, sources[number], number) for number in range(block.start, block.stop)]

    blocks = list(row_blocks(len(sources), _FILES_PER_TASK))
    run = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    done = run(delayed(answers)(block) for block in blocks)
    return [answer for group in _tracked(done, len(blocks), description, progress) for answer in group]


def _answer(function, source, number):
    try:
        return function(source, number)
    except MemoryError:  # Not the file's fault.
        raise
    except Exception as error:  # Whatever a decoder raises, the file is no picture.
        return error


def _tracked(groups, total, description, progress):
    """The same, with a bar if there is to be one."""
    if not progress:
        return groups
    try:
        from rich.console import Console
        from rich.progress import track
    except ImportError as error:
        raise ImportError("A progress bar needs rich: pip install 'skdeepsc[progress]'.") from error
    return track(groups, description, total, console=Console(stderr=True))


def _draft_path(out):
    """An empty file beside the one that is wanted, which is not there until it is complete."""
    if out is None:
        handle, path = tempfile.mkstemp(suffix=".npy", prefix="images-")
        os.close(handle)
        return Path(path)
    final = Path(out)
    final.parent.mkdir(parents=True, exist_ok=True)
    path = final.parent / f"images-{secrets.token_hex(8)}.npy"
    path.touch(exist_ok=False)
    if final.exists():
        path.chmod(stat.S_IMODE(final.stat().st_mode))
    return path


def _reserve(path, out):
    """Take the room of a file on its disk; written through a map, one that finds none ends the process."""
    size = path.stat().st_size
    try:
        with open(path, "rb+") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except AttributeError:  # Not on macOS and Windows.
        pass
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # Such as that the disk knows no such thing.
            return
        another = "a larger max_bytes, or out= on another disk" if out is None else "another out="
        raise OSError(
            error.errno,
            f"The images need {size / 1e9:.1f} GB, for which there is no room in {path.parent}: give {another}",
        ) from error


def _without(images, failed, path):
    """The images without the rows that could not be read."""
    kept = np.setdiff1d(np.arange(len(images)), list(failed))
    if path is None:
        return images[kept]
    for block in row_blocks(len(kept)):  # Rows move up, so that none is overwritten before it has moved.
        images[block] = images[kept[block]]
    return images[: len(kept)]


def _kept_on_disk(images, path, out):
    """The images as a memory map of their file, which is given its name, or goes with the array."""
    if out is None:
        final = _draft_path(None)
        weakref.finalize(mapped := _saved(images, path, final), _forget, final)
        return mapped
    return _saved(images, path, Path(out))


def _saved(images, path, final):
    """A read-only memory map of a file with these images, the first rows of those in the file of a path."""
    images.flush()
    with suppress(PermissionError):  # Windows gives no other name to what is mapped.
        if len(images) == len(np.load(path, mmap_mode="r")):
            os.replace(path, final)
            return np.load(final, mmap_mode="r")
    with replacing(final) as draft, open(draft, "wb") as file:  # Another array may read what lies there.
        np.save(file, images)
    return np.load(final, mmap_mode="r")


def _forget(path):
    with suppress(OSError):
        path.unlink()


# What is told of those that cannot be read


def _name(source, number):
    """Where a picture was read."""
    if _is_open(source):
        return str(getattr(source, "filename", "") or f"image {number}")
    return os.fspath(source)


def _reason(error):
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder"
    name = type(error).__name__
    return "not a picture" if name == "UnidentifiedImageError" else " ".join(str(error).split()) or name


def listed(names):
    """A few of some names, in words.

    Parameters
    ----------
    names : list of str

    Returns
    -------
    named : str
    """
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
