"""Measure the structure of the package: sizes, parameters, how far one call of `fit_predict` wanders.

    python tools/house.py [--repo FOLDER]

Prints one figure a line, to be compared before and after a change. `--repo` names another checkout, of which `skdeepsc`
is imported then. What the figures mean:

- *Code lines* are neither blank nor a comment nor part of a docstring.
- The *body* of a function goes from its first statement after the docstring to the end of its last. Functions within
  functions count by themselves too; lambdas do not.
- A *parameter* is one of a public estimator's constructor. It is *told* in each place that has an entry
  ``name : type`` (or ``a, b : type``) for it: the "Parameters" section in the source of a docstring, of an estimator or
  of its base classes in the package. A name alone on its line adds to an inherited entry and is not another place.
- The *trace* is of ``PSSC.fit_predict`` on 60 images, all in one batch, with two epochs of pre-training and two of the
  joint phase, after a first fit that is not traced. Only frames of the package in the calling thread are seen.
  Functions differ by file and qualified name. A *move* is a change of the file of the innermost frame, by a call or a
  return; a generator is entered and left at each item. A file *touches data* if a function entered in it has, among its
  local variables at its start or end, an array or tensor of 60 rows, or an object of a class `Outputs` or `Rows`. From
  Python 3.12 on, list comprehensions are no functions, and a few fewer are found.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np

PAPERS = tuple(f"deep/_{name}.py" for name in ("dscnet", "pssc", "s2convscn", "dscsc", "ncsc"))
N_ROWS = 60
EPOCHS, MORE_EPOCHS = 2, 6
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DOCUMENTED = (ast.Module, ast.ClassDef, *FUNCTIONS)
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n---|\Z)", flags=re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"^(\w+(?:, \w+)*) : ", flags=re.MULTILINE)


class Source:
    """A file of the package: its name, module, syntax tree, and the numbers of its lines."""

    def __init__(self, path, package):
        self.name = path.relative_to(package).as_posix()
        self.module = ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        self.tree = ast.parse(text)
        self.lines = set(range(1, len(lines) + 1))
        documented = [node for node in self.walk(DOCUMENTED) if ast.get_docstring(node) is not None]
        self.bare = self.lines - _covered((node.body[0].lineno, node.body[0].end_lineno) for node in documented)
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        code = _covered((token.start[0], token.end[0]) for token in tokens if token.type not in LAYOUT)
        self.code = {line for line in code & self.bare if lines[line - 1].strip()}

    def walk(self, kinds):
        """The nodes of some kinds in the syntax tree."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))


def _covered(spans):
    """Numbers of the lines from the first to the last of each span."""
    return {line for first, last in spans for line in range(first, last + 1)}


def sizes(sources):
    """Rows of the table on lines, files, functions, and the files of the papers' methods."""
    yield "lines", sum(len(source.lines) for source in sources)
    yield "code lines", sum(len(source.code) for source in sources)
    files = [(len(source.lines), source.name) for source in sources]
    functions = []
    for source in sources:
        for node in source.walk(FUNCTIONS):
            body = node.body if ast.get_docstring(node) is None else node.body[1:]
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            functions.append((length, f"{node.name}, {source.name}:{node.lineno}"))
    for kind, measured in (("file", files), ("function body", functions)):
        lengths = [length for length, _ in measured]
        yield f"number, {kind}", len(measured)
        yield f"lines of a {kind}, median", np.median(lengths)
        yield f"lines of a {kind}, 90th percentile", np.percentile(lengths, 90)
        yield f"lines of a {kind}, longest", *max(measured)
    papers = [source for source in sources if source.name in PAPERS]
    for source in papers:
        yield f"lines, {source.name}", len(source.lines), f"{len(source.bare)} without docstrings"
    bare = sum(len(source.bare) for source in papers)
    yield f"lines, these {len(papers)}", sum(len(source.lines) for source in papers), f"{bare} without docstrings"


def sections(sources, bases):
    """Lists of parameters in the sources, as ``(place, text)``, of the classes `bases`."""
    for source in sources:
        for node in source.walk(ast.ClassDef):
            found = SECTION.search(ast.get_docstring(node) or "")
            if found and (source.module, node.name) in bases:
                yield node.name, found[1]


def parameters(sources, package):
    """Rows of the table on the parameters of constructors."""
    from sklearn.base import BaseEstimator

    public = [getattr(package, name) for name in sorted(package.__all__)]
    estimators = [cls for cls in public if isinstance(cls, type) and issubclass(cls, BaseEstimator)]
    names = {cls.__name__: set(cls().get_params(deep=False)) for cls in estimators}
    for estimator, own in names.items():
        yield f"parameters, {estimator}", len(own)
    told = defaultdict(list)
    for place, text in sections(
        sources, {(base.__module__, base.__name__) for cls in estimators for base in cls.mro()}
    ):
        for name in {name for entry in ENTRY.findall(text) for name in entry.split(", ")} & set.union(*names.values()):
            told[name].append(place)
    repeated = {name: where for name, where in sorted(told.items()) if len(where) > 1}
    yield "parameters told", len(told)
    yield "parameters told more than once", len(repeated)
    for name, where in repeated.items():
        yield f"  {name}", len(where), ", ".join(where)


def build_pssc(max_epochs):
    """PSSC with full-batch phases; older checkouts have the pre-training's settings in PSSC itself."""
    from skdeepsc import PSSC, AutoEncoder

    if "pretrain_epochs" in PSSC().get_params():
        pretraining = {"pretrain_epochs": EPOCHS, "pretrain_batch_size": "all"}
    else:
        pretraining = {"autoencoder": AutoEncoder(max_epochs=EPOCHS, batch_size="all")}
    return PSSC(3, **pretraining, max_epochs=max_epochs, random_state=0)


class Trace:
    """What a call enters in the package, as a profile function."""

    def __init__(self, package, function, *args):
        self.prefix = f"{package}/"
        self.functions, self.data_files = set(), set()
        self.moves, self.stack, self.last = 0, [], None
        sys.setprofile(self._follow)
        try:
            function(*args)
        finally:
            sys.setprofile(None)

    def _follow(self, frame, event, arg):
        file = frame.f_code.co_filename
        if event not in ("call", "return") or not file.startswith(self.prefix):
            return
        if event == "call":
            self.functions.add((file, frame.f_code.co_qualname))
            self.stack.append(file)
        else:
            self.stack.pop()
        if self.stack and self.stack[-1] != self.last:
            self.moves += self.last is not None
            self.last = self.stack[-1]
        if file not in self.data_files and any(map(_is_data, frame.f_locals.values())):
            self.data_files.add(file)


def _is_data(value):
    import torch

    if isinstance(value, np.ndarray | torch.Tensor):
        return value.shape[:1] == (N_ROWS,)
    return type(value).__name__ in ("Outputs", "Rows")


def wandering(package):
    """Rows of the table on the trace of PSSC."""
    import torch
    from sklearn.datasets import load_digits

    torch.set_num_threads(1)
    images = load_digits().images[:N_ROWS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Such short training may warn that it has not converged.
        build_pssc(EPOCHS).fit_predict(images)  # Imports and lazy set-up are not to count.
        short, long = (Trace(package, build_pssc(epochs).fit_predict, images) for epochs in (EPOCHS, MORE_EPOCHS))
    yield "trace, files entered", len({file for file, _ in short.functions})
    yield "trace, functions", len(short.functions)
    yield "trace, moves between files", short.moves
    yield "trace, files that touch data", len(short.data_files)
    yield "trace, moves of a further epoch", (long.moves - short.moves) / (MORE_EPOCHS - EPOCHS)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repo", type=Path, default=Path(__file__).parent.parent, help="checkout to measure")
    folder = parser.parse_args().repo.resolve() / "skdeepsc"
    sys.path.insert(0, str(folder.parent))
    import skdeepsc

    if Path(skdeepsc.__file__).parent != folder:
        parser.error(f"skdeepsc was imported from {skdeepsc.__file__}, not from {folder}")
    sources = [Source(path, folder) for path in sorted(folder.rglob("*.py"))]
    for rows in (sizes(sources), parameters(sources, skdeepsc), wandering(folder)):
        for label, figure, *remarks in rows:
            print(f"{label:40}{figure:7g}  {' '.join(remarks)}".rstrip())


if __name__ == "__main__":
    main()
