"""Colours and markers of clusters and lines: told apart by those who see few colours, and in grey by their markers."""

# Okabe and Ito, "Color universal design", 2008, without their yellow.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
# As many again and one more, so that no two of the first hundred clusters have both in common.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d", "H", "8")
LINES = ("-", "--", "-.", ":")
NOISE_COLOR, NOISE_MARKER = "#999999", "."
_GREY = "#666666"
# Names may hold a $, which says nothing of formulas.
PLAIN = {"parse_math": False}
QUIET = {"color": _GREY, "fontsize": "small", **PLAIN}


def color_of(cluster):
    """The colour of a cluster; -1 is noise."""
    return COLORS[cluster % len(COLORS)] if cluster >= 0 else NOISE_COLOR


def marker_of(cluster):
    """The marker of a cluster; -1 is noise."""
    return MARKERS[cluster % len(MARKERS)] if cluster >= 0 else NOISE_MARKER


def line_of(number):
    """Colour, marker and dashes of a line, as arguments of ``Axes.plot``."""
    return {"color": color_of(number), "marker": marker_of(number), "linestyle": LINES[number % len(LINES)]}


def called(cluster):
    """A cluster in words."""
    return f"cluster {cluster}" if cluster >= 0 else "noise"
