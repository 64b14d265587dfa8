"""Configuration of the documentation: make docs, or python -m sphinx -W docs docs/_build.

Links to the pages of other projects need their inventories, which are fetched from the network if
SKDEEPSC_INTERSPHINX=1.
"""

import inspect
import os
import sys
import tomllib
from pathlib import Path

import matplotlib

import skdeepsc
from skdeepsc.__main__ import _parser

matplotlib.use("Agg")

HERE = Path(__file__).parent
URLS = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["urls"]

project = "skdeepsc"
author = "The skdeepsc developers"
copyright = author
release = version = skdeepsc.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.linkcode",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
# sphinx-gallery keeps a function in its settings, which Sphinx cannot compare with those of the build before.
suppress_warnings = ["config.cache"]

# Pages
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# Reference
autodoc_typehints = "none"  # The docstrings tell the types.
autosummary_ignore_module_all = False
autosummary_imported_members = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
LONGEST_SIGNATURE = 6

INVENTORIES = {
    "python": "https://docs.python.org/3",
    "numpy": "https://numpy.org/doc/stable",
    "scipy": "https://docs.scipy.org/doc/scipy",
    "sklearn": "https://scikit-learn.org/stable",
    "skorch": "https://skorch.readthedocs.io/en/stable",
    "torch": "https://docs.pytorch.org/docs/stable",
    "matplotlib": "https://matplotlib.org/stable",
}
wanted = os.environ.get("SKDEEPSC_INTERSPHINX") == "1"
intersphinx_mapping = {name: (address, None) for name, address in INVENTORIES.items()} if wanted else {}

# Gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(benchmarks|distributed|papers)/|(demo|folder_of_pictures)\.py",
    "within_subsection_order": "ExampleTitleSortKey",
    "backreferences_dir": "reference/generated/backreferences",
    "doc_module": ("skdeepsc",),
    "reference_url": {"skdeepsc": None},
    "parallel": 2,
    "abort_on_example_error": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 1,
    "download_all_examples": False,
}

# Look
toc_object_entries_show_parents = "hide"  # Names with their class are wider than the column.
html_theme = "pydata_sphinx_theme"
html_title = "skdeepsc"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_sidebars = {"index": [], "changes": [], "tutorial/index": []}
html_theme_options = {
    "logo": {"text": "skdeepsc"},
    "icon_links": [{"name": "Source", "url": URLS["Source"], "icon": "fa-solid fa-code"}],
    "header_links_before_dropdown": 5,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# What classes of the package have from scikit-learn and a reader looks for.
INHERITED = {"fit_predict", "fit_transform"}


def skip_member(app, what, name, obj, skip, options):
    """Leave out what other packages' classes bring along, and what a docstring tells under "Attributes" already."""
    if inspect.isdatadescriptor(obj):
        return True
    if inspect.isfunction(obj) and not obj.__module__.startswith("skdeepsc.") and name not in INHERITED:
        return True
    return None


def shorten_signature(app, what, name, obj, options, signature, returns):
    """Of a long signature its beginning: the section "Parameters" has them all, with their defaults."""
    if what != "class" or not signature:
        return None
    try:
        parameters = list(inspect.signature(obj).parameters.values())
    except (TypeError, ValueError):
        return None
    if len(parameters) <= LONGEST_SIGNATURE:
        return None
    first = [str(each.replace(annotation=each.empty)) for each in parameters if each.kind != each.KEYWORD_ONLY]
    return f"({', '.join([*first, '*', '...'])})", returns


def linkcode_resolve(domain, info):
    """The lines of the source that define an object."""
    if domain != "py" or not info["module"]:
        return None
    try:
        found = sys.modules[info["module"]]
        for part in info["fullname"].split("."):
            found = getattr(found, part)
        found = inspect.unwrap(found)
        path = Path(inspect.getsourcefile(found)).relative_to(HERE.parent)
        lines, first = inspect.getsourcelines(found)
    except (AttributeError, OSError, TypeError, ValueError):
        return None
    return f"{URLS['Source']}/blob/main/{path}#L{first}-L{first + len(lines) - 1}"


def write_command(app):
    """What the command says of itself."""
    os.environ["COLUMNS"] = "100"
    path = HERE / "reference" / "generated" / "command.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(_parser().format_help())


def setup(app):
    """Connect the above with what Sphinx does."""
    app.connect("builder-inited", write_command)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-signature", shorten_signature)
