"""Contact sheets: one picture a cluster, with the typical samples first and the doubtful ones last."""

from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

from .._container import replacing
from .._params import checked
from ..inspection._pictures import SIDE, Thumbnails, first_and_last, short
from ..inspection._style import called
from ._findings import Findings

_COLUMNS, _GAP, _HEAD, _TEXT = 10, 10, 40, 34
_SHOWN = 100
# Of a name, the most that can stand below a picture, however narrow they are.
_LETTERS = 40


@checked
def write_sheets(findings: Findings, folder: str | PathLike) -> Any:
    """Write a contact sheet for each cluster, ``cluster-0.png`` and so on, and ``noise.png`` if there is any.

    Each is in its place when it is complete.

    Parameters
    ----------
    findings : Findings
        With pictures.
    folder : str or Path
        Is made if it is not there.

    Returns
    -------
    paths : list of Path
    """
    folder, thumbnails, paths = Path(folder), Thumbnails(findings.pictures), []
    folder.mkdir(parents=True, exist_ok=True)
    for cluster, members in findings.groups:
        paths.append(folder / f"{slug_of(cluster)}.png")
        sheet = _sheet(findings, cluster, members, thumbnails)
        with replacing(paths[-1]) as draft:
            sheet.save(draft, "PNG")
    return paths


def _sheet(findings, cluster, members, thumbnails):
    """The contact sheet of one cluster."""
    from PIL import Image, ImageDraw

    shown = first_and_last(members, _SHOWN)
    width, height = SIDE + _GAP, SIDE + _TEXT + _GAP
    n_columns = min(_COLUMNS, max(5, len(shown)))
    n_rows = -(-len(shown) // n_columns)
    sheet = Image.new("RGB", (n_columns * width + _GAP, n_rows * height + _HEAD + _GAP), "white")
    draw, large, small = ImageDraw.Draw(sheet), _font(17), _font(10)
    left_out = "" if len(shown) == len(members) else f" ({len(shown)} shown, those between left out)"
    draw.text((_GAP, _GAP), title_of(cluster, len(members)) + left_out, "black", large)
    for place, number in enumerate(shown.tolist()):
        left, top = _GAP + place % n_columns * width, _HEAD + place // n_columns * height
        image = thumbnails.of(number)
        sheet.paste(image, (left + (SIDE - image.width) // 2, top + (SIDE - image.height) // 2))
        draw.text((left, top + SIDE + 2), _fitting(findings.captions[number], draw, small), "black", small)
        draw.text((left, top + SIDE + 16), said(findings, number), "dimgrey", small)
    return sheet


def _font(size):
    """A font with the letters of many languages, matplotlib's own or of the machine; without one, that of Pillow."""
    from PIL import ImageFont

    found = find_spec("matplotlib")
    folders = found.submodule_search_locations if found is not None else ()
    for path in (*(f"{folder}/mpl-data/fonts/ttf/DejaVuSans.ttf" for folder in folders), "DejaVuSans.ttf", "Arial.ttf"):
        try:
            return ImageFont.truetype(path, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _fitting(name, draw, font):
    """As much of the end of a name as stands below a picture."""
    length = min(len(name), _LETTERS)
    while length > 3 and draw.textlength(short(name, length), font) > SIDE:
        length -= 1
    return short(name, length)


def slug_of(cluster):
    """A cluster, or noise, in names of files and in links."""
    return called(cluster).replace(" ", "-")


def title_of(cluster, n_members):
    """What stands above the samples of a cluster, or above noise, and in which order they are."""
    order = "typical first, doubtful last" if cluster >= 0 else "those that come nearest to a cluster first"
    return f"{called(cluster).capitalize()}: {n_members:,} sample{'s' * (n_members != 1)}, {order}"


def said(findings, number):
    """What speaks for the clusters of a sample, in a few letters."""
    own, other = findings.support[number], findings.second_support[number]
    if findings.cluster[number] < 0:
        return f"next to {findings.second[number]}" if findings.second[number] >= 0 else ""
    return f"{own:.2f}" + (f", or {findings.second[number]}: {other:.2f}" if round(other, 2) > 0 else "")
