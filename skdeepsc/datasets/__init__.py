"""Data sets: pictures from files, pixels of scenes, sets of the papers, and synthetic unions of subspaces."""

from ._fetched import fetch_coil20, fetch_fashion_mnist, fetch_mnist, fetch_olivetti, fetch_umist, fetch_usps
from ._images import load_images
from ._papers import load_online_products, load_rcv1_words
from ._pixels import PixelMap, pixels_of
from ._synthetic import make_union_of_subspaces

__all__ = [
    "PixelMap",
    "fetch_coil20",
    "fetch_fashion_mnist",
    "fetch_mnist",
    "fetch_olivetti",
    "fetch_umist",
    "fetch_usps",
    "load_images",
    "load_online_products",
    "load_rcv1_words",
    "make_union_of_subspaces",
    "pixels_of",
]
