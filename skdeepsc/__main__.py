"""The command: ``python -m skdeepsc FOLDER`` clusters the pictures in a folder, or the rows of a table."""

import argparse
import csv
import errno
import itertools
import os
import secrets
import shlex
import shutil
import sys
import unicodedata
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import skdeepsc

_TABLES = (".npy", ".npz", ".csv", ".parquet")
_ARRAYS = ("X", "images", "data", "features")
_METHODS = {
    name.lower(): name
    for home in ("_subspace_clustering", "deep", "shallow")
    for name in skdeepsc._HOMES[home]
    if name[0].isupper()
}
_EXAMPLES = """\
examples:
  skdeepsc photos -k 12                 writes photos-clusters/report.html and more
  skdeepsc photos -k 12 --copy          and copies the pictures, a folder for each cluster
  skdeepsc photos -k auto               chooses the number
  skdeepsc more --predict photos-clusters/model.skdeepsc
  skdeepsc features.npy -k 5 --method SSC --out found
"""
_REFUSED, _INTERRUPTED = 2, 130
# What lies in DIR beside the model.
_WRITTEN = ("clusters.csv", "report.html", "sheets", "clusters")
# Bytes of a name to which more is added; few file systems take more than 255.
_LONGEST_NAME = 240
# For bytes of a name that are no text, as Python holds them, the letters that they most often stand for.
_LETTERS = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}
# An attribute of a fitted model: how the pictures became images, as keywords of load_images.
_READING = "reading_"
# The same of the columns of a table, by their names.
_COLUMNS = "columns_"
# Columns of the table that say where a picture is now.
_SORTED = {"copy": "copied_to", "link": "linked_to", "move": "moved_to"}
# Options by their names: what a given model has settled, and what says how pictures become images.
_OF_THE_FIT = {"n_clusters": "-k"} | {name: f"--{name}" for name in ("method", "noise", "seed", "device", "model")}
_OF_PICTURES = {name: f"--{name}" for name in ("size", "color", "fit")}


def main(argv=None):
    """Cluster what the command line names and write what was found.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; ``None``: those of the command line.

    Returns
    -------
    status : int
        0; 2 if something was refused, in a sentence on stderr; 130 after Ctrl-C, which leaves what is done.
    """
    arguments = _parser().parse_args(argv)
    with _any_character():
        return _run(arguments, sys.argv[1:] if argv is None else argv)


def _run(arguments, argv):
    work = _Work(arguments, argv)
    try:
        work.run()
    except KeyboardInterrupt:
        print(f"\nInterrupted. {work.what_is_done()}", file=sys.stderr)
        return _INTERRUPTED
    except (ValueError, TypeError, OSError, ImportError, MemoryError, FloatingPointError) as error:
        print(f"skdeepsc: {str(error).partition(chr(10))[0]}", file=sys.stderr)  # More than a line is for developers.
        if work.done:
            print(work.what_is_done(), file=sys.stderr)
        return _REFUSED
    finally:
        work.remove_empty_folder()
    _say(work.what_is_done())
    return 0


@contextmanager
def _any_character():
    """A context in which the standard streams take every text, also characters that they have no bytes for."""
    former = {stream: stream.errors for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")}
    for stream in former:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in former.items():
            stream.reconfigure(errors=errors)


def _parser():
    parser = argparse.ArgumentParser(
        prog="skdeepsc",
        description="Cluster the pictures in a folder, or the rows of a table, and write what was found:\n"
        "clusters.csv, a contact sheet for each cluster, and report.html.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=skdeepsc.__version__)
    parser.add_argument(
        "source", metavar="FOLDER_OR_TABLE", type=_path, help=f"a folder of pictures, or {', '.join(_TABLES)}"
    )
    parser.add_argument(
        "-k", "--n-clusters", metavar="N", type=_number, default=8, help='number of clusters, or "auto" (8)'
    )
    parser.add_argument(
        "--predict", metavar="MODEL", type=_path, help="label by a model.skdeepsc of another run instead"
    )
    parser.add_argument(
        "--method", default="SubspaceClustering", type=_method, help=f"one of {', '.join(_METHODS.values())}"
    )
    parser.add_argument("--out", metavar="DIR", type=_path, help="a new or empty folder (NAME-clusters, here)")
    parser.add_argument(
        "--model", metavar="FILE", type=_path, help="a new file for the fitted model (model.skdeepsc in DIR)"
    )
    parser.add_argument(
        "--noise", metavar="SHARE", type=_noise, help='samples that no cluster explains are apart: "auto", or a share'
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="random state (0)")
    parser.add_argument("--device", help="cpu, cuda, mps (what there is)")
    parser.add_argument("--size", metavar="H[xW]", type=_size, help="of the images, or (h, w) of the rows of a table")
    parser.add_argument("--color", choices=("auto", "grey", "rgb"), help="images with or without colour (auto)")
    parser.add_argument(
        "--fit", choices=("crop", "pad", "stretch"), help="how pictures of another shape get to the size (crop)"
    )
    sorting = parser.add_mutually_exclusive_group()
    for how, text in (("copy", "copy"), ("link", "link"), ("move", "move, at the very end,")):
        sorting.add_argument(
            f"--{how}",
            dest="sorting",
            action="store_const",
            const=how,
            help=f"{text} each picture to a folder of its cluster",
        )
    return parser


def _path(text):
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; the working folder is '.'")
    return Path(text)


def _method(name):
    if name.lower() not in _METHODS:
        raise argparse.ArgumentTypeError(f"there is no method {name!r}; there are {', '.join(_METHODS.values())}")
    return _METHODS[name.lower()]


def _number(text):
    if text == "auto":
        return text
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f'{text!r} is no number of clusters; write 12, or "auto"')
    return int(text)


def _noise(text):
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no share of noise; write 0.05, or "auto"') from None


def _size(text):
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 64, or 48x64 for height and width")
    return (int(sides[0]), int(sides[-1]))


class _Work:
    """What the command does, step by step, and what of it is done."""

    def __init__(self, arguments, argv):
        self.arguments, self.argv = arguments, argv
        self.out = arguments.out or _free_folder(arguments.source)
        self.was_there = _is_there(self.out)
        self.done, self.notes, self.under_way, self.columns = [], [], None, None

    def run(self):
        """All steps."""
        self._check()
        with self._noted():
            model = self._model()
            clusterer = self._new_clusterer() if model is None else model
            samples = self._pictures(model) if self.arguments.source.is_dir() else self._table(model)
            if model is None:
                self._fit(clusterer, samples)
            findings = self._found(clusterer, samples)
        self._write(findings, clusterer)
        if self.arguments.sorting:
            self._sort(findings)

    def what_is_done(self):
        """Where to find what, a sentence."""
        done = self.done + ([self.under_way()] if self.under_way else [])
        return f"Written to {self.out}: {', '.join(done)}." if done else "Nothing was written."

    def remove_empty_folder(self):
        """Leave no folder in which there is nothing."""
        if not self.was_there and _is_there(self.out) and self.out.is_dir() and not any(self.out.iterdir()):
            self.out.rmdir()

    # The steps

    def _check(self):
        source = self.arguments.source
        if not source.exists():
            raise FileNotFoundError(f"There is no folder or file {str(source)!r}.")
        if source.is_file() and source.suffix.lower() not in _TABLES:
            raise ValueError(f"{str(source)!r} is neither a folder nor a table ({', '.join(_TABLES)}).")
        for_folders = [f"--{self.arguments.sorting}"] if self.arguments.sorting else []
        for_folders += [flag for flag in self._given(_OF_PICTURES) if flag != "--size"]
        if source.is_file() and for_folders:
            raise ValueError(f"{for_folders[0]} is for folders of pictures; {str(source)!r} is a table.")
        _check_writable(self.out, "Choose another --out", with_links=self.arguments.sorting == "link")
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise FileExistsError(f"{str(self.out)!r} is not an empty folder: choose another --out.")
        model = self.arguments.model
        if model is not None:
            _check_writable(model, "Choose another --model")
            if model.exists():
                raise FileExistsError(f"{str(model)!r} is there already: choose another --model.")
            written = (self.out / name for name in _WRITTEN)
            is_taken = any(model.resolve().is_relative_to(path.resolve()) for path in written)
            if is_taken or self.out.resolve().is_relative_to(model.resolve()):
                raise ValueError(f"{str(model)!r} is a name for what else is written: choose another --model.")
        if self.arguments.predict is not None and (given := self._given(_OF_THE_FIT)):
            raise ValueError(f"--predict labels by a model that is fitted already: leave out {', '.join(given)}.")

    def _given(self, options):
        """Those of some options that are not what they are by default."""
        default = _parser().get_default
        return [flag for name, flag in options.items() if getattr(self.arguments, name) != default(name)]

    def _model(self):
        """The model that labels, if it is given."""
        path = self.arguments.predict
        if path is None:
            return None
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {str(path)!r} to --predict by.")
        model = skdeepsc.load(path)
        last = model.steps[-1][1] if hasattr(model, "steps") else model  # Of a Pipeline, the clusterer.
        if not hasattr(last, "labels_") or not hasattr(last, "predict_proba"):
            raise ValueError(f"{str(path)!r} holds a {type(last).__name__}, which labels nothing.")
        _say(f"Labels are those of {path}, {type(last).__name__} of {len(last.labels_):,} samples.")
        return model

    def _pictures(self, model):
        from skdeepsc.datasets import load_images
        from skdeepsc.datasets._images import listed

        wanted = self.arguments
        bunch = load_images(wanted.source, **self._reading(model), n_jobs=-1, progress=_shows_bars(sys.stderr))
        self.reading, names = bunch.reading, bunch.filenames.tolist()
        height, width = self.reading["size"]
        kind = "grey" if self.reading["color"] == "grey" else "colour"
        _say(f"Read {_counted(len(names), 'picture')} as {kind} images of {height} x {width}.")
        if bunch.blank:
            have = f"{_counted(len(bunch.blank), 'picture')} {'has' if len(bunch.blank) == 1 else 'have'}"
            told = "one colour throughout, which tells nothing of where it belongs"
            self._tell(f"{have} {told}: {listed(bunch.blank)}.")
        for folder in sorted({Path(name).parent for name in names}) if wanted.sorting == "move" else ():
            if self._is_own(folder):
                _check_writable(folder, "--copy the pictures, or --link them")
        if len(names) == 1 and model is None:
            raise ValueError(f"There is but one picture in {str(wanted.source)!r}: there is nothing to tell apart.")
        as_usual = {"fit": "crop", "background": "white", "white": None}
        said = [f"{name}={value!r}" for name, value in self.reading.items() if value != as_usual.get(name)]
        code = ["from skdeepsc.datasets import load_images", ""]
        where = repr(str(wanted.source))
        if wanted.sorting == "move":
            code = [
                "import csv",
                *code,
                f"with open({str(self.out / 'clusters.csv')!r}, newline='', encoding='utf-8') as file:",
                f"    moved = [line[{_SORTED['move']!r}] for line in csv.DictReader(file)]",
            ]
            where = "moved"
        code += [f"X = load_images({', '.join([where, *said])}).images"]
        return _Samples(bunch.images, names, names, code)

    def _reading(self, model):
        """How pictures become images: as those that the model has seen, or as is wanted."""
        wanted = {name: getattr(self.arguments, name) for name in _OF_PICTURES}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        settled = dict(getattr(model, _READING, {}))
        if not settled and hasattr(model, "image_shape_"):
            n_channels, *size = model.image_shape_
            if not size:
                raise ValueError("The model was fitted on rows of numbers, not on pictures: give a table of such rows.")
            settled = {"size": tuple(size), "color": "grey" if n_channels == 1 else "rgb"}
        if model is not None and not settled and "size" not in wanted:
            raise ValueError(
                f"The model was fitted on rows of {model.n_features_in_:,} numbers, and does not say how pictures "
                "become such rows: give a table of rows, or --size and --color."
            )
        given = [_OF_PICTURES[name] for name in wanted if name in settled]
        if given:
            raise ValueError(f"The model says how pictures become images: leave out {', '.join(given)}.")
        return wanted | settled

    def _table(self, model):
        X, names, code, self.columns = _read_table(self.arguments.source)
        _say(f"Read {_counted(len(X), 'sample')} of shape {X.shape[1:]}.")
        if self.columns is not None:
            _say(f"Columns: {_some(self.columns)}.")
        if X.ndim > 2 or self.arguments.size:
            from skdeepsc.datasets._images import require_pillow

            require_pillow("A page of images")
        known = getattr(model, _COLUMNS, None)
        if known is not None and self.columns is not None and list(known) != self.columns:
            raise ValueError(
                f"The model was fitted on the columns {_some(known)}, and these are {_some(self.columns)}: give the "
                "same ones, in their order."
            )
        return _Samples(X, names, None, code)

    def _params(self):
        """Parameters of the clusterer, but for the number of clusters."""
        wanted = self.arguments
        optional = {"device": wanted.device, "noise": wanted.noise}
        optional["image_shape"] = wanted.size if wanted.source.is_file() else None
        return {"random_state": wanted.seed} | {name: value for name, value in optional.items() if value is not None}

    def _new_clusterer(self):
        """The clusterer that is to be fitted, its parameters checked before anything is read."""
        wanted, params = self.arguments, self._params()
        method = getattr(skdeepsc, wanted.method)
        unknown = sorted(set(params) - set(method().get_params(deep=False)))
        if unknown:
            flags = ", ".join("--size" if name == "image_shape" else f"--{name}" for name in unknown)
            raise ValueError(f"{wanted.method} has no {' and no '.join(unknown)}: leave out {flags}.")
        if wanted.n_clusters == "auto" and method is not skdeepsc.SubspaceClustering:
            raise ValueError(f"-k auto is for SubspaceClustering; give {wanted.method} a number.")
        clusterer = method(wanted.n_clusters, **params)
        clusterer._validate_params()
        if wanted.device is not None:
            clusterer._find_device()
        return clusterer

    def _fit(self, clusterer, samples):
        wanted = self.arguments
        if wanted.n_clusters != "auto" and wanted.n_clusters > len(samples.X):
            raise ValueError(
                f"There are {_counted(len(samples.X), 'sample')}, fewer than {_in_words(wanted.n_clusters)}: give "
                "a smaller -k."
            )
        if _shows_bars(sys.stdout) and hasattr(clusterer, "set_callbacks"):  # scikit-learn 1.9
            from sklearn.callback import ProgressBar

            clusterer.set_callbacks(ProgressBar())
        given = "".join(f", {name}={value!r}" for name, value in self._params().items())
        samples.code[:0] = [f"from skdeepsc import {wanted.method}, load"]
        samples.code += [
            f"clusterer = {wanted.method}({wanted.n_clusters!r}{given}).fit(X)",
            "clusterer.labels_, clusterer.predict_proba(X)",
            f"clusterer = load({str(self._model_file())!r})  # The same, as it was kept.",
        ]
        _say(f"Clustering by {wanted.method} into {_in_words(wanted.n_clusters)} ...")
        clusterer.fit(samples.X)
        if samples.pictures is not None:
            setattr(clusterer, _READING, self.reading)  # Kept with the model, for --predict.
        elif self.columns is not None:
            setattr(clusterer, _COLUMNS, self.columns)
        if hasattr(clusterer, "set_callbacks"):
            clusterer.set_callbacks()  # A bar is none of the model.

    def _found(self, clusterer, samples):
        from skdeepsc.report import find

        if self.arguments.predict is not None:
            path = str(self.arguments.predict)
            samples.code[:0] = ["import skdeepsc"]
            samples.code += [f"skdeepsc.load({path!r}).predict_proba(X)"]
        code = "\n".join([f"# {shlex.join(['skdeepsc', *self.argv])}", *samples.code])
        is_fitted = self.arguments.predict is None
        return find(clusterer, samples.X, samples.names, samples.pictures, is_fitted=is_fitted, code=code)

    def _write(self, findings, clusterer):
        from skdeepsc.report import write_page, write_sheets, write_table

        findings.notes = self.notes
        self.out.mkdir(parents=True, exist_ok=True)
        if self.arguments.predict is None:
            path = self._model_file()
            path.parent.mkdir(parents=True, exist_ok=True)
            skdeepsc.save(clusterer, path)  # What took the time comes first.
            self.done.append(path.name if path.parent == self.out else str(path))
        _say(findings.choice)
        if self.arguments.sorting:
            findings.columns[_SORTED[self.arguments.sorting]] = list(map(str, self._targets(findings)))
        write_table(findings, self.out / "clusters.csv")
        self.done.append("clusters.csv")
        if findings.pictures is not None:
            with self._step("sheets/", len(findings.groups), lambda: len(list((self.out / "sheets").glob("[!.]*")))):
                write_sheets(findings, self.out / "sheets")
        write_page(findings, self.out / "report.html", f"{self.arguments.source.resolve().name}, by cluster")
        self.done.append("report.html")

    @contextmanager
    def _step(self, name, n_parts, n_done):
        """A context in which what is done is done in part."""
        self.under_way = lambda: f"{name} ({n_done():,} of {n_parts:,})"
        yield
        self.under_way = None
        self.done.append(name)

    def _model_file(self):
        return self.arguments.model or self.out / "model.skdeepsc"

    def _targets(self, findings):
        """Where each picture is sorted to: a folder of its cluster, and there its path below the source, as text.

        Of names that are one to a disk which knows no case, or no two ways to write an accent, the others get a number.
        """
        taken: set[str] = set()
        for name, cluster in zip(findings.names, findings.cluster.tolist(), strict=True):
            folder = str(cluster) if cluster >= 0 else "noise"
            parts = Path(name).relative_to(self.arguments.source).parts
            path = Path(self.out, "clusters", folder, *map(_as_text, parts))
            numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
            free = next(each for each in itertools.chain([path], numbered) if _on_any_disk(each) not in taken)
            taken.add(_on_any_disk(free))
            yield free

    def _is_own(self, folder):
        """Whether a folder lies below the source, and not where a link leads."""
        return folder.resolve().is_relative_to(self.arguments.source.resolve())

    def _sort(self, findings):
        """Bring each picture to the folder of its cluster."""
        ways, how = {"copy": _copy, "link": _link, "move": _move}, self.arguments.sorting
        pairs = list(zip(findings.names, self._targets(findings), strict=True))
        there: list = []
        with self._step("clusters/", len(pairs), lambda: len(there)):
            # Links first, before what they lead to has moved.
            for name, target in sorted(pairs, key=lambda pair: not Path(pair[0]).is_symlink()):
                target.parent.mkdir(parents=True, exist_ok=True)
                # What lies in another folder, to which a link leads, is not moved away from there.
                stays = how == "move" and not self._is_own(Path(name).parent)
                ways["copy" if stays else how](name, target)
                there.append(target)

    @contextmanager
    def _noted(self):
        """A context whose warnings are told in a line each, and kept for the page."""
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = self._note
            yield

    def _note(self, message, category, *_, **__):
        if issubclass(category, UserWarning):
            self._tell(str(message))

    def _tell(self, note):
        self.notes.append(note)
        print(f"Note: {note}", file=sys.stderr)


def _say(text):
    """Print a line; where nobody reads any more, the work goes on."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_there(path):
    """Whether there is something of a name; of one that no file can have, there is nothing."""
    try:
        return path.exists()
    except OSError:
        return False


def _check_writable(path, cure, with_links=False):
    """Refuse what cannot be written rather now than after the fit."""
    path = path.absolute()
    candidates = path.parents if _is_there(path) and path.is_file() else (path, *path.parents)
    there = next((folder for folder in candidates if _is_there(folder)), None)
    if there is None:
        raise FileNotFoundError(f"{str(path)!r} cannot be written: there is no such drive. {cure}.")
    try:
        if path.is_symlink() and not path.exists():
            raise FileNotFoundError(errno.ENOENT, "it is a link to nothing")
        with TemporaryDirectory(dir=there) as folder:
            (folder / path.relative_to(there)).mkdir(parents=True, exist_ok=True)  # No file may have such a name.
            if with_links:
                _check_links(Path(folder), path)
    except OSError as error:
        raise OSError(f"{str(path)!r} cannot be written: {error.strerror}. {cure}.") from error


def _check_links(folder, path):
    try:
        (folder / "link").symlink_to(folder)
    except OSError as error:
        raise ValueError(f"{str(path)!r} can have no links: {error.strerror}. --copy the pictures.") from error


def _counted(number, what):
    return f"{number:,} {what}{'s' * (number != 1)}"


def _in_words(n_clusters):
    if n_clusters == "auto":
        return "as many clusters as it finds"
    return _counted(n_clusters, "cluster")


class _Samples:
    """What is clustered."""

    def __init__(self, X, names, pictures, code):
        self.X, self.names, self.pictures, self.code = X, names, pictures, code


def _free_folder(source):
    """A folder here, named after the source, that is not there yet."""
    name = source.resolve().stem if _is_there(source) and source.is_file() else source.resolve().name
    name = name.translate(_LETTERS)
    while len(os.fsencode(name)) > _LONGEST_NAME:
        name = name[:-1]
    name = f"{name}-clusters"
    tried = [Path(name), *(Path(f"{name}-{number}") for number in range(2, 1000))]
    return next((folder for folder in tried if not _is_there(folder)), tried[-1])


def _as_text(name):
    """The name of a file whose bytes need not be text, as text, which tables hold and every disk takes."""
    stem, suffix = os.path.splitext(name.translate(_LETTERS))
    while stem and stem + suffix != name and len(os.fsencode(stem + suffix)) > _LONGEST_NAME:
        stem = stem[:-1]
    return stem + suffix


def _on_any_disk(path):
    """What two paths have in common that are one file on some disk."""
    return unicodedata.normalize("NFC", str(path).casefold())


def _link(name, target):
    target.symlink_to(Path(name).resolve())


def _copy(name, target):
    """Copy a picture, which gets its name when it is whole."""
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        shutil.copy2(name, draft)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _move(name, target):
    """Move a picture; in the place of a link, which may be relative, comes a copy of what it leads to."""
    with suppress(OSError):  # Such as that the target is on another disk.
        if not Path(name).is_symlink():
            os.rename(name, target)
            return
    _copy(name, target)
    try:
        Path(name).unlink(missing_ok=True)
    except OSError:
        if os.path.lexists(name):
            target.unlink()
        raise


def _shows_bars(stream):
    """Whether somebody looks, and rich is there to draw."""
    from importlib.util import find_spec

    return stream is not None and stream.isatty() and find_spec("rich") is not None


# Tables


def _read_table(path) -> tuple[Any, list[str] | None, list[str], list[str] | None]:
    """Samples, their names if there are any, how to read them in Python, and their columns' names, if they have any.

    Or what is wrong with the file.
    """
    kind = path.suffix.lower()
    read = {".csv": _read_csv, ".parquet": _read_parquet}.get(kind, _read_array)
    try:
        return read(path)
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{str(path)!r} cannot be read as a {kind} file: {error}") from error


def _read_array(path):
    """The array of a file, or the first of several that is called as samples are, or is no vector."""
    import numpy as np

    code = ["import numpy as np", "", f"X = np.load({str(path)!r})"]
    found = np.load(path, mmap_mode="r" if path.suffix.lower() == ".npy" else None)
    if path.suffix.lower() == ".npz":
        known = [name for name in _ARRAYS if name in found.files]
        names = known or [name for name in found.files if found[name].ndim > 1]
        if not names:
            raise ValueError(f"it has no array of samples, only {', '.join(found.files)}.")
        code[-1] += f"[{names[0]!r}]"
        found = found[names[0]]
    if found.dtype.kind not in "biuf":
        raise ValueError(f"its array is of {found.dtype}, and samples are numbers.")
    if found.ndim < 2:
        raise ValueError(f"its array has the shape {found.shape}, and samples are rows, or images.")
    return found, None, code, None


def _read_csv(path):
    """Columns of numbers; a first column of words, or without a name, has names, a first line of words the columns'.

    So has one of a word and numbers that rise or fall all along, wavelengths or years, if those of no sample do, and
    one that numbers four columns or more from 0, as pandas does.
    """
    import numpy as np

    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        numbered = [(reader.line_num, line) for line in reader if line]
    lines = [line for _, line in numbered]
    if not lines:
        raise ValueError("it is empty.")
    is_index = not lines[0][0].strip() and len(lines[0]) > 1  # As pandas writes it, whatever its columns are called.
    has_head = is_index or not any(map(_is_number, lines[0]))
    has_head = has_head or (_are_steps(lines[0]) and not any(map(_are_steps, lines[1:])))
    has_head = has_head or (len(lines[0]) > 3 and lines[0] == list(map(str, range(len(lines[0])))))
    rows = lines[1:] if has_head else lines
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("its lines do not have the same number of columns.")
    first = int(is_index or not _is_number(rows[0][0]))
    if len(rows[0]) == first:
        raise ValueError("it has no column of numbers; commas stand between columns.")
    try:
        X = np.array([[value.strip() or "nan" for value in row[first:]] for row in rows], dtype=float)
    except ValueError as error:
        raise ValueError(f"it must hold numbers, but for names in its first column: {error}.") from error
    names = lines[0][first:] if has_head else None
    _require_values(X, names)
    skipped, columns = numbered[0][0] if has_head else 0, f"range({first}, {len(rows[0])})"
    how = f"delimiter=',', quotechar='\"', comments=None, skiprows={skipped}, usecols={columns}, ndmin=2"
    code = ["import numpy as np", "", f"X = np.loadtxt({str(path)!r}, {how}, encoding='utf-8-sig')"]
    return X, [row[0] for row in rows] if first else None, code, names


def _require_values(X, columns):
    """Refuse a table in which values are missing, and say where the first one is."""
    import numpy as np

    missing = np.argwhere(np.isnan(X))
    if len(missing):
        row, column = missing[0].tolist()
        where = column + 1 if columns is None else repr(columns[column])
        raise ValueError(
            f"{_counted(len(missing), 'value')} {'is' if len(missing) == 1 else 'are'} missing, the first in column "
            f"{where} of sample {row}: fill them, or leave out these samples or columns."
        )


def _are_steps(line):
    """Whether a word and at least three numbers stand in a line, the latter in their order."""
    if _is_number(line[0]) or len(line) < 4 or not all(map(_is_number, line[1:])):
        return False
    numbers = list(map(float, line[1:]))
    return all(a < b for a, b in itertools.pairwise(numbers)) or all(a > b for a, b in itertools.pairwise(numbers))


def _read_parquet(path):
    """Columns of numbers; a first column of anything else has names."""
    import numpy as np

    try:
        import pandas as pd

        frame = pd.read_parquet(path)
    except ImportError as error:
        raise ImportError(f"{str(path)!r} is read by pandas and pyarrow: pip install pandas pyarrow.") from error
    has_words = [not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
    first = int(has_words[:1] == [True])
    if any(has_words[first:]):
        words = ", ".join(map(str, frame.columns[first:][has_words[first:]]))
        raise ValueError(f"it must hold numbers, but for names in its first column; these columns do not: {words}.")
    code = ["import pandas as pd", "", f"X = pd.read_parquet({str(path)!r}).iloc[:, {first}:].to_numpy(float)"]
    X, columns = frame.iloc[:, first:].to_numpy(float, na_value=np.nan), list(map(str, frame.columns[first:]))
    _require_values(X, columns)
    has_names = first or not isinstance(frame.index, pd.RangeIndex)
    names = frame.iloc[:, 0] if first else frame.index
    return X, names.astype(str).tolist() if has_names else None, code, columns


def _some(names):
    names = list(names)
    return ", ".join(names if len(names) < 9 else [*names[:3], "...", names[-1]])


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
