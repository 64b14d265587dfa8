"""Finding or making matplotlib axes."""


def pyplot():
    """matplotlib.pyplot, or an error that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Displays need matplotlib: pip install 'skdeepsc[plot]'.") from error
    return plt


def axes_or_new(ax, **figure_params):
    """The given axes, or those of a new figure."""
    return ax if ax is not None else pyplot().subplots(layout="constrained", **figure_params)[1]
