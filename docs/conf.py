"""Configuration of the documentation: python -m sphinx docs docs/_build"""

import inspect

import skdeepsc

project = "skdeepsc"
author = "The skdeepsc developers"
release = version = skdeepsc.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
autodoc_typehints = "none"  # The docstrings tell the types.
myst_heading_anchors = 2
numpydoc_show_class_members = False
sphinx_gallery_conf = {"examples_dirs": "../examples", "gallery_dirs": "auto_examples", "filename_pattern": "/plot_"}
sphinx_gallery_conf["ignore_pattern"] = r"(reproduce|speed)\.py"

# What classes of the package have from scikit-learn and a reader looks for.
INHERITED = {"fit_predict", "fit_transform"}


def skip_member(app, what, name, obj, skip, options):
    """Leave out what other packages' classes bring along, and what a docstring tells under "Attributes" already."""
    if inspect.isdatadescriptor(obj):
        return True
    if inspect.isfunction(obj) and not obj.__module__.startswith("skdeepsc.") and name not in INHERITED:
        return True
    return None


def setup(app):
    """Choose the members of classes."""
    app.connect("autodoc-skip-member", skip_member)
