"""The structure holds: which room may know which, names in the pages' tables, what editors and type checkers see."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skdeepsc
from skdeepsc._params import estimator
from tests.estimators import DEEP, ESTIMATORS, FEATURES, SHALLOW

ROOT = Path(skdeepsc.__file__).parent
PAGES = sorted((ROOT.parent / "docs").glob("*.md"))
# Rooms by floor, the lowest first; a room knows those below it and, without a circle, those beside it.
FLOORS = [
    [
        *("_arrays", "_compat", "_container", "_eigenpairs", "_explanation", "_kmeans", "_labels", "_mapped"),
        *("_memory", "_noise", "_ridge", "_scale", "_self_training", "_split_merge", "_threads", "_version", "_warn"),
    ],
    ["_params"],
    ["_input", "_random", "_row_keys"],
    ["affinity", "segmentation", "losses", "nn", "datasets", "model_selection"],
    ["metrics", "_base", "_dimension", "training"],
    ["features", "_view_search"],
    ["inspection", "deep", "shallow", "report", "_subspace_clustering"],
    ["_files"],
    ["__main__"],
]


def functions_of(module):
    """Public functions of a module, and how its displays are drawn."""
    for name in module.__all__:
        found = getattr(module, name)
        if inspect.isfunction(found):
            yield name, found
        elif hasattr(found, "plot"):
            yield f"{name}.plot", found.plot


def imported_by(path):
    """Names of the modules that a file imports anywhere; the package's own as paths below it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module
        elif isinstance(node, ast.ImportFrom):
            above = path.parents[node.level - 1].relative_to(ROOT.parent).parts
            module = [*above, *(node.module or "").split(".")]
            yield from (
                ".".join(filter(None, [*module, *(() if node.module else [alias.name])])) for alias in node.names
            )


def test_imports_run_downward_without_a_circle():
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    known = {}
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if room != "__init__":
            own = {module.split(".")[1] for module in imported_by(path) if module.startswith("skdeepsc.")}
            known.setdefault(room, set()).update(own - {room})
    assert set(known) == set(floor)
    for room, others in known.items():
        assert all(floor[other] <= floor[room] for other in others), (room, others)
    while known:  # Rooms that know no room that is left are taken away, one after the other.
        done = {room for room, others in known.items() if not others & set(known)}
        assert done, f"a circle among {sorted(known)}"
        known = {room: others for room, others in known.items() if room not in done}


def test_networks_and_equations_know_no_scikit_learn_and_the_skeleton_no_torch():
    below = {"nn", "losses", "_eigenpairs", "_ridge", "_threads"}
    for path in [*(ROOT / "nn").glob("*.py"), *(ROOT / "losses").glob("*.py")]:
        own = [module for module in imported_by(path) if module.startswith("skdeepsc.")]
        assert all(module.split(".")[1] in below for module in own), path
        assert not any(module.split(".")[0] in ("sklearn", "skorch") for module in imported_by(path)), path
    code = (
        "import sys; from skdeepsc import SSC; SSC(2).fit([[0, 1], [1, 0], [1, 1]]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_public_names_are_listed_once_more_for_type_checkers():
    listed = ast.parse((ROOT / "__init__.py").read_text()).body
    (block,) = (node for node in listed if isinstance(node, ast.If))
    names = [alias.name for node in block.body for alias in node.names]
    assert sorted(names) == sorted(skdeepsc.__all__)
    classes = {name for name in skdeepsc.__all__ if isinstance(getattr(skdeepsc, name), type)}
    assert classes == {cls.__name__ for cls in ESTIMATORS}
    assert {*SHALLOW, *DEEP, *FEATURES} <= set(ESTIMATORS)


# Pages


def known_names():
    """Parameters, fitted attributes, and what the files define."""
    names = {
        node.name for path in ROOT.rglob("*.py") for node in ast.parse(path.read_text()).body if hasattr(node, "name")
    }
    names |= {name for name in vars(skdeepsc.nn.network.Outputs) if not name.startswith("_")}
    parts = [skdeepsc.deep.RidgeSolver, skdeepsc.deep.TrainedSolver]
    for cls in (*ESTIMATORS, *parts):
        names |= set(cls().get_params(deep=False)) | set(re.findall(r"^    (\w+_) : ", cls.__doc__, re.MULTILINE))
        names |= {name for name in dir(cls) if not name.startswith("_")}
    for function in vars(skdeepsc.affinity).values():
        names |= set(inspect.signature(function).parameters) if inspect.isfunction(function) else set()
    return names | set(inspect.signature(skdeepsc.training.Phase).parameters)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_in_tables_of_symbols_exist(page):
    names, in_table = known_names(), False
    for line in page.read_text().splitlines():
        in_table = line.startswith("|") and (in_table or line.startswith("| symbol"))
        if not in_table:
            continue
        for token in re.findall(r"`([^`]+)`", line.split("|", 2)[2]):
            name = re.match(r"[\w./]*", token)[0]
            if token.endswith(".py"):
                assert (ROOT / token).exists(), token
            elif "." in name and name.split(".")[0] in names:
                owner, attribute = name.split(".")
                owners = (skdeepsc, skdeepsc.nn, skdeepsc.training)
                assert any(hasattr(getattr(home, owner, None), attribute) for home in owners), token
            elif name and not name[0].isdigit():
                assert name in names, token


# Docstrings and signatures


def test_a_signature_has_the_papers_symbols_first():
    names = list(inspect.signature(skdeepsc.PSSC).parameters)
    assert names[:5] == ["n_clusters", "gamma_expression", "gamma_graph", "gamma_label", "gamma_locality"]
    assert names == re.findall(r"^    (\w+) : .*default=", skdeepsc.PSSC.__doc__, re.MULTILINE)
    assert inspect.signature(skdeepsc.PSSC).parameters["gamma_graph"].annotation is float


def test_bases_hand_their_documentation_down():
    doc = skdeepsc.PSSC.__doc__
    assert "    n_clusters : int, default=8\n        Number of clusters.\n" in doc
    assert "ridge is divided by it.\n        :math:`\\gamma_1`.\n" in doc
    assert doc.index("Parameters\n") < doc.index("Attributes\n") < doc.index("See Also\n") < doc.index("Examples\n")

    @estimator
    class Own(skdeepsc.PSSC):
        """Own.

        Parameters
        ----------
        width : float
            In pixels.
        lr
            Larger.
        """

        width: float = 2.0
        lr: float = 0.5

    assert "    width : float, default=2.0\n        In pixels.\n" in Own.__doc__
    assert re.search(r"    lr : float, default=0.5\n        Adam's .*\n        Larger.\n", Own.__doc__)
    assert Own(3, width=1.0).get_params()["width"] == 1.0
    assert "gamma_graph : float" in Own.__doc__


# Editors; what type checkers see is in tests/typed.py


def test_an_editor_shows_signature_and_help(tmp_path):
    jedi = pytest.importorskip("jedi")
    script = jedi.Script("from skdeepsc import PSSC\nPSSC(", path=tmp_path / "user.py")
    (signature,) = script.get_signatures()
    assert {"n_clusters", "gamma_graph", "autoencoder", "random_state"} <= {part.name for part in signature.params}
    (name,) = jedi.Script("from skdeepsc import PSSC\nPSSC", path=tmp_path / "user.py").help(2, 1)
    assert "Pseudo-supervised deep subspace clustering" in name.docstring()


@pytest.mark.parametrize("module", skdeepsc._MODULES)
def test_parameters_of_public_functions_are_documented(module):
    for name, function in functions_of(importlib.import_module(f"skdeepsc.{module}")):
        taken = [param for param in inspect.signature(function).parameters if param != "self"]
        sections = re.split(r"^ *(Parameters|Returns|Yields)\n *-+\n", function.__doc__, flags=re.MULTILINE)
        entries = sections[sections.index("Parameters") + 1] if "Parameters" in sections else ""
        told = re.findall(r"^ *((?:\*{0,2}\w+, )*\*{0,2}\w+)(?: :|$)", entries, re.MULTILINE)
        assert set(taken) <= {each.strip("*") for heads in told for each in heads.split(", ")}, name
