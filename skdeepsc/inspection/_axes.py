"""Finding or making matplotlib axes."""

import numpy as np


def pyplot():
    """matplotlib.pyplot, or an error that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Displays need matplotlib: pip install 'skdeepsc[plot]'.") from error
    return plt


def axes_or_new(ax, **figure_params):
    """The given axes, or those of a new figure."""
    if ax is None:
        return pyplot().subplots(layout="constrained", **figure_params)[1]
    return all_axes("ax", [ax])[0]


def inches_of(text, size=10.0):
    """About how long a line of text is, in a font of `size` points."""
    return 0.6 * len(text) * size / 72


def all_axes(name, axes):
    """Some axes, as an array."""
    axes = np.ravel(axes)
    if not len(axes) or not all(hasattr(ax, "figure") for ax in axes):
        raise TypeError(f"{name} must be matplotlib Axes; got {axes.tolist()!r}.")
    return axes
