"""Small pictures in rows, drawn as one image."""

import numpy as np

from ._style import QUIET, color_of

# Of a picture's side: the space between two, and that of a line of text below.
GAP, LINE = 0.08, 0.26
# How far beyond a picture the middle of its frame lies, on both sides together.
_FRAME = 0.04


class Tiles:
    """Axes that are laid out in pictures: one unit is the side of a picture, y goes down.

    Parameters
    ----------
    ax : matplotlib Axes
    thumbnails : Thumbnails
    width, height : float
        Of the whole.
    """

    def __init__(self, ax, thumbnails, width, height):
        self.ax, self.thumbnails = ax, thumbnails
        side = thumbnails.side
        self.canvas = np.full((round(height * side), round(width * side), 3), 255, dtype=np.uint8)
        self.width, self.height = width, height

    def put(self, number, left, top, cluster=None):
        """Put the picture of a sample at a place, in a frame of its cluster's colour if there is one."""
        self.put_image(self.thumbnails.of(int(number)), left, top, cluster)

    def put_image(self, image, left, top, cluster=None):
        """The same with a picture of no sample."""
        side, image = self.thumbnails.side, np.asarray(image)
        height, width = image.shape[:2]
        y, x = round(top * side) + (side - height) // 2, round(left * side) + (side - width) // 2
        shown = self.canvas[y : y + height, x : x + width]
        shown[:] = image[: shown.shape[0], : shown.shape[1]]
        if cluster is not None:
            from matplotlib.patches import Rectangle

            edge = _FRAME  # Around the picture, of which it hides nothing.
            place = (x / side - edge / 2, y / side - edge / 2), width / side + edge, height / side + edge
            how = {"fill": False, "edgecolor": color_of(cluster), "linewidth": 2, "zorder": 3, "clip_on": False}
            self.ax.add_patch(Rectangle(*place, **how))

    def say(self, text, left, top, **params):
        """Write in the middle below or above a place."""
        self.ax.text(left, top, text, **{**QUIET, "ha": "center", "va": "top", "clip_on": False, **params})

    def show(self, **imshow_params):
        """Draw all that was put."""
        self.ax.imshow(
            self.canvas, **{"extent": (0, self.width, self.height, 0), "interpolation": "nearest", **imshow_params}
        )
        self.ax.set(xlim=(0, self.width), ylim=(self.height, 0), aspect="equal", xticks=[], yticks=[])
        self.ax.spines[:].set_visible(False)
