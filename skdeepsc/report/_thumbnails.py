"""Small pictures of the samples, each made once."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..datasets._images import thumbnail

SIDE = 112


class Thumbnails:
    """Small pictures by the numbers of the samples.

    Parameters
    ----------
    pictures : sequence of path or ndarray
    """

    def __init__(self, pictures):
        self.pictures = pictures
        self.of = lru_cache(maxsize=4000)(self._made)

    def _made(self, number):
        from PIL import Image

        try:
            return thumbnail(self.pictures[number], SIDE)
        except Exception:  # It could be read before, and may have gone since.
            return Image.new("RGB", (SIDE, SIDE), "lightgrey")

    def is_drawn(self, number):
        """Whether a picture is made of an array's pixels."""
        return isinstance(self.pictures[number], np.ndarray)


def short(name, length=18):
    """The end of a file's name, which differs most."""
    name = Path(name).name or name
    return name if len(name) <= length else ".." + name[2 - length :]


def first_and_last(members, n_shown):
    """Of the samples of a cluster those to be shown: three fifths typical ones, and the most doubtful."""
    n_first = n_shown - 2 * n_shown // 5
    return members if len(members) <= n_shown else np.concatenate([members[:n_first], members[n_first - n_shown :]])
