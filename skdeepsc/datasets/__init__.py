"""Data sets: pictures from files, and synthetic unions of subspaces."""

from ._images import load_images
from ._synthetic import make_union_of_subspaces

__all__ = ["load_images", "make_union_of_subspaces"]
