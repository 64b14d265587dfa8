"""Data sets: pictures from files, pixels of scenes, and synthetic unions of subspaces."""

from ._images import load_images
from ._pixels import PixelMap, pixels_of
from ._synthetic import make_union_of_subspaces

__all__ = ["PixelMap", "load_images", "make_union_of_subspaces", "pixels_of"]
