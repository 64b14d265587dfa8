"""Data sets: synthetic unions of subspaces."""

from ._synthetic import make_union_of_subspaces

__all__ = ["make_union_of_subspaces"]
