"""A map and a curve, as elements of SVG."""

from html import escape

import numpy as np

from ..inspection._map import middles_of, with_room
from ..inspection._number import nearly_as_good
from ..inspection._style import COLORS, called, color_of

_WIDTH, _HEIGHT, _MARGIN, _PICTURE, _PICTURES = 1000, 760, 40, 44, 150
# Height of a line of text beside the curve.
_LINE = 13
# Clusters up to which each is named at the median of its points, where there are no pictures: they are named.
_NAMED = 20
# Outlines of a point, by the colour's turn: circle, square, triangle, diamond, cross.
_POINTS = (
    "m-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
    "m-3.5,-3.5h7v7h-7z",
    "m0,-5l4.5,8h-9z",
    "m0,-5l5,5l-5,5l-5,-5z",
    "m-1.3,-4.5h2.6v3.2h3.2v2.6h-3.2v3.2h-2.6v-3.2h-3.2v-2.6h3.2z",
)


def samples_map(findings, source=None):
    """All samples as points, pictures where they find room, and the numbers of the clusters.

    Parameters
    ----------
    findings : Findings
    source : callable or None, default=None
        Of the number of a sample its picture, as the address of an image; ``None``: there are none.

    Returns
    -------
    svg : str
    """
    low, high = findings.points.min(axis=0), findings.points.max(axis=0)
    inside = np.array([_WIDTH, _HEIGHT]) - 2 * _MARGIN
    places = _MARGIN + (findings.points - low) / np.maximum(high - low, 1e-12) * inside
    places[:, 1] = _HEIGHT - places[:, 1]
    clusters = findings.cluster
    parts = [f'<svg class="map{"" if source is None else " pictured"}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">']
    parts.append("<title>Map of the samples</title>")
    for cluster in np.unique(clusters).tolist():
        outline = _POINTS[cluster % len(_POINTS)] if cluster >= 0 else _POINTS[0]
        dots = "".join(f"M{x:.0f},{y:.0f}{outline}" for x, y in places[clusters == cluster])
        parts.append(f'<path fill="{color_of(cluster)}" fill-opacity=".55" d="{dots}"/>')
    shown = () if source is None else with_room(places, (_PICTURE + 6, _PICTURE + 18), _PICTURES)
    for number in map(int, shown):
        x, y = places[number] - _PICTURE / 2
        cluster, size = int(clusters[number]), f'width="{_PICTURE}" height="{_PICTURE}"'
        name = cluster if cluster >= 0 else "noise"
        parts.append(
            f"<g><title>{escape(findings.names[number])}, {called(cluster)}</title>"
            f'<rect x="{x:.0f}" y="{y:.0f}" {size} fill="#fff" stroke="{color_of(cluster)}" stroke-width="4"/>'
            f'<image x="{x:.0f}" y="{y:.0f}" {size} href="{source(number)}"/>'
            f'<text x="{x + _PICTURE / 2:.0f}" y="{y + _PICTURE + 13:.0f}">{name}</text></g>'
        )
    if source is None and len(findings.members) <= _NAMED:
        for cluster, (x, y) in middles_of(places, clusters).items():
            parts.append(f'<text x="{x:.0f}" y="{y + 8:.0f}">{cluster}</text>')
    return "\n".join([*parts, "</svg>"])


def curve(scores, chosen, tolerance=0.05):
    """What each number of clusters saves, the chosen one and those that are nearly as good.

    Parameters
    ----------
    scores : dict of int to float
    chosen : int
    tolerance : float, default=0.05
        Nearly as good is what saves at least 1 - `tolerance` of the most.

    Returns
    -------
    svg : str
    """
    width, height, left, margin = 560, 240, 48, 30
    numbers = sorted(scores)
    low, high = min(0.0, *scores.values()), max(0.0, *scores.values())
    nearly, span = nearly_as_good(scores, chosen, tolerance), (high - low) or 1.0

    def place(number):
        x = left + (number - numbers[0]) / max(numbers[-1] - numbers[0], 1) * (width - left - margin)
        return x, height - margin - (scores[number] - low) / span * (height - 2 * margin)

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, numbers))
    base = height - margin - (0 - low) / span * (height - 2 * margin)
    parts = [f'<svg class="curve" viewBox="0 0 {width} {height}" role="img"><title>Number of clusters</title>']
    parts.append(f'<path d="M{left},{base:.1f}H{width - margin}" stroke="#999"/>')
    for value in (low, high) if low < 0 else (high,):
        y = height - margin - (value - low) / span * (height - 2 * margin)
        if abs(y - base) > _LINE:  # Else it would be written over the zero.
            parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    parts.append(f'<text x="{left - 6}" y="{base + 4:.1f}" text-anchor="end">0</text>')
    parts.append(f'<polyline points="{line}" fill="none" stroke="#666"/>')
    for number in numbers:
        x, y = place(number)
        if number == chosen:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{COLORS[0]}"/>')
            parts.append(f'<text x="{x:.1f}" y="{y - 12:.1f}" text-anchor="middle" font-weight="bold">{number}</text>')
        elif number in nearly:
            parts.append(f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{COLORS[1]}"/>')
        else:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="#666"/>')
    last = -99.0
    for number in numbers:
        if place(number)[0] - last >= 24:
            last = place(number)[0]
            parts.append(f'<text x="{last:.1f}" y="{height - 8}" text-anchor="middle">{number}</text>')
    parts.append("</svg>")
    others = ", ".join(map(str, nearly))
    also = f" Nearly as good, within {tolerance:.0%} (squares): {others}." if nearly else ""
    return "".join(parts) + f"<p>Chosen: {chosen} (large dot).{also}</p>"
