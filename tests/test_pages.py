"""README and the pages: their code runs, on few images; their links and their addresses hold."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

import skdeepsc
from skdeepsc.__main__ import main
from skdeepsc.training import Phase

ROOT = Path(skdeepsc.__file__).parent.parent
BUILT = ("_build", "auto_examples", "generated")
PAGES = [ROOT / "README.md"]
PAGES += [page for page in sorted((ROOT / "docs").rglob("*.md")) if not set(BUILT) & set(page.parts)]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Sketches of a class, and code for a cluster of machines; tests/test_dask.py and tests/test_accelerate.py run the like
# on this one.
NOT_RUN = {"architecture.md", "distributed.md"}
N_IMAGES = 80
N_ROWS = 1500
N_EPOCHS = 3

URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page):
    """Code of a page, and commands as the arguments of skdeepsc, in their order."""
    for language, code in BLOCK.findall(page.read_text()):
        if language == "python":
            yield code
        elif not language:
            calls = re.findall(r"^(?:python -m )?skdeepsc (.*?)(?:  +#.*)?$", code, re.MULTILINE)
            yield from (shlex.split(call) for call in calls)


WITH_CODE = [page for page in PAGES if page.name not in NOT_RUN and any(blocks(page))]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in, with folders of pictures, where digits and rows are few and phases short."""
    pillow = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib").use("Agg")
    digits = sklearn.datasets.load_digits()

    def few_digits(*args, **kwargs):
        return sklearn.utils.Bunch(**{name: digits[name][:N_IMAGES] for name in ("data", "images", "target")})

    monkeypatch.setattr(sklearn.datasets, "load_digits", few_digits)
    drawn = skdeepsc.datasets.make_union_of_subspaces

    def few_rows(n_samples, *args, **kwargs):
        return drawn(min(n_samples, N_ROWS), *args, **kwargs)

    monkeypatch.setattr(skdeepsc.datasets, "make_union_of_subspaces", few_rows)
    made = Phase.__init__

    def make_short(self, name, costs, epochs, *args, **kwargs):
        made(self, name, costs, min(epochs, N_EPOCHS), *args, **kwargs)

    monkeypatch.setattr(Phase, "__init__", make_short)
    monkeypatch.chdir(tmp_path)
    for folder, some in (("photos", digits.images[:40]), ("more", digits.images[40:50])):
        Path(folder).mkdir()
        for number, image in enumerate(some):
            pillow.fromarray((image * 15).astype(np.uint8)).resize((32, 32)).save(f"{folder}/{number}.png")
    return tmp_path


@pytest.mark.filterwarnings("ignore::skdeepsc.segmentation.DegenerateAffinityWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_code_of_a_page_runs(page, place):
    plt = pytest.importorskip("matplotlib.pyplot")
    digits = sklearn.datasets.load_digits()
    # What pages that explain take for granted.
    names = {"images": digits.images, "new_images": digits.images[:5], "X": digits.data, "digits": digits}
    for block in blocks(page):
        if isinstance(block, list):
            if "--predict" not in block or Path("photos-clusters").exists():
                assert main(block) == 0
        elif "export_onnx" not in block or find_spec("onnxscript"):
            exec(compile(block, name_of(page), "exec"), names)
        plt.close("all")


# Addresses


def test_addresses_are_those_of_the_project():
    readme, source = (ROOT / "README.md").read_text(), URLS["Source"]
    addresses = dict(re.findall(r"^\[([^]]+)\]: (\S+)$", readme, re.MULTILINE))
    assert set(re.findall(r"\]\[([^]]+)\]", readme)) == set(addresses)
    assert not re.search(r"\]\(", readme), "links go to the list at the end"
    for address in addresses.values():
        kind, path = re.fullmatch(rf"{source}/(raw|blob)/main/([^#]+)(?:#.*)?", address).groups()
        assert kind == ("raw" if path.endswith(".png") else "blob"), address
        assert (ROOT / path).is_file(), address
    assert f'repository-code: "{source}"' in (ROOT / "CITATION.cff").read_text()
    assert URLS["Changes"] == f"{source}/blob/main/CHANGELOG.md"


@pytest.mark.parametrize("page", PAGES[1:], ids=name_of)
def test_links_between_pages_lead_somewhere(page):
    for link in re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", page.read_text()):
        target = Path(os.path.normpath(page.parent / link))
        if "auto_examples" in target.parts:
            target = ROOT / "examples" / f"{target.stem}.py"
        assert target.exists() or target.with_suffix(".rst").exists(), link


def test_the_citation_has_the_version():
    assert f"version: {skdeepsc.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {skdeepsc.__version__} " in (ROOT / "CHANGELOG.md").read_text()


def test_the_html_representation_links_to_the_page_of_the_class():
    pages = f"{URLS['Documentation']}/reference/generated"
    assert f'href="{pages}/skdeepsc.PSSC.html"' in skdeepsc.PSSC()._repr_html_()
    assert f'href="{pages}/skdeepsc.deep.RidgeSolver.html"' in skdeepsc.deep.RidgeSolver()._repr_html_()

    class Own(skdeepsc.SSC):
        """Not of the package."""

    assert Own()._get_doc_link() == ""


# Reference


def test_all_that_is_public_is_in_the_reference():
    pages = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.rst"))
    listed = set(re.findall(r"^   (?:skdeepsc\.)?([\w.]+)$", pages, re.MULTILINE))
    modules = {"deep", "features", "shallow"}  # Their classes are listed by name.
    assert set(skdeepsc.__all__) - modules <= listed
    assert {f"deep.{name}" for name in set(skdeepsc.deep.__all__) - set(skdeepsc.__all__)} <= listed


# Packages


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# A list of the reference as the theme makes it, and what a browser says of its width.
LISTED = """\
<style>.table.autosummary td:first-child{{white-space:nowrap}}</style><style>{style}</style>
<article class="bd-article"><table class="autosummary longtable table"><tbody>
<tr><td><p><a><code>LocalContrast</code></a>(*[,&nbsp;sigma,&nbsp;offset,&nbsp;image_shape,&nbsp;of_long_names])</p></td>
<td><p>Images from which the light is taken away: each pixel against its neighbourhood.</p></td></tr>
</tbody></table></article>
<script>
const list = document.querySelector("table");
document.title = `${{list.scrollWidth}} of ${{list.clientWidth}} in ${{innerWidth}}`;
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="needs the browser chromium on the path")
@pytest.mark.skipif(not (ROOT / "docs/_static").exists(), reason="needs the sources of the pages")
def test_lists_of_the_reference_are_read_on_a_telephone(tmp_path):
    style = (ROOT / "docs/_static/site.css").read_text()
    (tmp_path / "list.html").write_text(LISTED.format(style=style), encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--window-size=400,900", "--dump-dom", (tmp_path / "list.html").as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    whole, shown, window = map(int, re.search(r"<title>(\d+) of (\d+) in (\d+)</title>", run.stdout).groups())
    assert window <= 600
    assert 0 < whole <= shown < window


def test_the_conda_recipe_asks_for_what_pip_asks_for():
    recipe = (ROOT / "conda" / "meta.yaml").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [project["requires-python"].join(("python", "")), *project["dependencies"]]
    run = recipe.partition("  run:\n")[2].partition("\n\n")[0]
    told = [line.strip("- ").replace(" >=", ">=").replace("pytorch", "torch") for line in run.splitlines()]
    assert told == wanted
    assert f'set version = "{skdeepsc.__version__}"' in recipe
    assert f"home: {URLS['Source']}\n" in recipe
    assert f"doc_url: {URLS['Documentation']}\n" in recipe


def test_a_private_name_that_is_gone_is_named():
    code = "import sklearn.cluster._spectral as s; del s.discretize; import skdeepsc.shallow"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert re.search(r"ImportError: skdeepsc .* scikit-learn [\d.]+ has changed: .*'discretize'", said), said


# Figures


def table(page, title):
    """The first table of a page whose head holds a title: a dict of its columns for each row, by the first."""
    lines = page.read_text().splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("|") and title in line)
    columns = [cell.strip() for cell in lines[head].strip("|").split("|")]
    rows, name = {}, ""
    for line in lines[head + 2 :]:
        if not line.startswith("|"):
            return rows
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name = cells[0] or name
        rows[name, cells[1]] = dict(zip(columns, cells, strict=True))


def rounded(claims):
    """As the tables print them; halves of a thousandth are rounded up."""
    return " / ".join(NONE if claim is None else f"{claim + 1e-9:.3f}".lstrip("0") for claim in claims)


NONE = "\N{EN DASH}"
CLAIMS = json.loads((ROOT / "examples/papers/claims.json").read_text())["claims"]
SETS = {"ORL": "orl", "UMIST": "umist", "COIL-20": "coil20", "COIL-40": "coil40", "COIL-100": "coil100"}
SETS |= {"MNIST-1000": "mnist1000", "USPS": "usps", "MNIST": "mnist", "Fashion-MNIST": "fashion_mnist"}
SETS |= {"Extended Yale B (640": "yaleb10", "Extended Yale B (944": "yaleb15", "Extended Yale B (2414": "yaleb32"}
SETS |= {"Extended Yale B (1262": "yaleb20", "Extended Yale B (1582": "yaleb25", "Extended Yale B (1902": "yaleb30"}
SETS |= {"Extended Yale B (2222": "yaleb35"}


def set_of(row):
    return next((data for name, data in SETS.items() if row.startswith((f"{name} ", name + ","))), None)


def test_readme_has_the_figures_of_the_results():
    ours = {name: row for (name, _), row in table(ROOT / "docs/results.md", "| SubspaceClustering | NMI").items()}
    for (name, _), row in table(ROOT / "README.md", "best claim of the four papers").items():
        same = ours[re.sub(r", \d+ x \d+", "", name)]
        for column in ("k-means", "UMAP + k-means", "SubspaceClustering"):
            assert row[column] == same[column], name
        assert row["best claim of the four papers"] == same["best claim"], name
    papers = table(ROOT / "docs/results.md", "| last step | purity | claim ACC / NMI |")
    for (name, _), row in table(ROOT / "README.md", "claims: DSC-Net / PSSC").items():
        name = name.replace(", 10 subjects", "")
        for column, method in (("DSCNet", "dscnet"), ("PSSC", "pssc")):
            assert row[column] == papers[name, method]["ACC"], name


def test_claims_are_those_of_the_papers():
    own = ["s2convscn", "s2convscn, l1", "pssc", "pssc_l", "dscsc", "ncsc"]
    for (name, _), row in table(ROOT / "docs/results.md", "| SubspaceClustering | NMI").items():
        claims = [CLAIMS[method][data][0] for method in own if (data := set_of(name)) in CLAIMS[method]]
        assert row["best claim"].split(" (")[0] == rounded([max(claims, default=None)]), name
    for title in ("| last step | purity | claim ACC / NMI |", "ACC by the plain affinity"):
        for (name, method), row in table(ROOT / "docs/results.md", title).items():
            claims = CLAIMS.get(re.sub(", (l2|seeds .*)", "", method), {}).get(set_of(name))
            assert row["claim ACC / NMI"].split(" (")[0] == (rounded(claims) if claims else NONE), (name, method)
