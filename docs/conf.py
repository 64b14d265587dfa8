"""Configuration of the documentation: python -m sphinx docs docs/_build"""

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
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
numpydoc_show_class_members = False
sphinx_gallery_conf = {"examples_dirs": "../examples", "gallery_dirs": "auto_examples", "filename_pattern": "/plot_"}
sphinx_gallery_conf["ignore_pattern"] = r"(reproduce|speed)\.py"
