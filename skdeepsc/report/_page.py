"""The page: one file of HTML with everything in it."""

from base64 import b64encode
from html import escape
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

from .._params import checked
from ..inspection._pictures import Thumbnails, first_and_last, short
from ._findings import Findings
from ._sheets import said

# Small pictures of all clusters together, and of one at least and at most.
_SHOWN, _FEWEST, _MOST = 1200, 10, 60
_DOUBTFUL = 24

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em; color: #222; }}
h2 {{ margin: 1.6em 0 .4em; font-size: 1.15em; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .1em .9em .1em 0; text-align: right; }}
td:last-child {{ width: 22em; }}
.bar {{ background: #4a7ab5; height: .75em; }}
.sheet {{ display: flex; flex-wrap: wrap; gap: 8px; }}
figure {{ margin: 0; width: 112px; font-size: 11px; line-height: 1.3; overflow-wrap: anywhere; }}
figure img {{ display: block; max-width: 112px; margin: 0 auto 2px; }}
figure.pair {{ width: 230px; }}
figure.pair div {{ display: flex; gap: 5px; align-items: end; }}
figure.pair img {{ margin: 0; }}
figure.pair img + img {{ max-width: 54px; }}
figcaption span {{ color: #777; }}
pre {{ background: #f4f4f4; padding: .8em 1em; overflow-x: auto; }}
.note {{ background: #fff4d6; padding: .4em 1em; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{choice}</p>
{notes}
<h2>Clusters</h2>
<p>The numbers below pictures are what speaks for the cluster, and for the next best: the mean of the predicted
probability and of the share that a cluster has in what the sample is linked to. Doubtful are those where the next best
has at least a third of that.</p>
<table>
<tr><th>cluster</th><th>samples</th><th>share</th><th>doubtful</th><th></th></tr>
{sizes}
</table>
{clusters}
{doubtful}
<h2>The same in Python</h2>
<pre>{code}</pre>
</body>
</html>
"""


@checked
def write_page(findings: Findings, path: str | PathLike, title: str = "Clusters") -> Any:
    """Write a page of HTML that needs no other file and no network.

    Parameters
    ----------
    findings : Findings
    path : str or Path
        A .html file.
    title : str, default="Clusters"
    """
    pictures = None if findings.pictures is None else _Inlined(findings)
    page = _PAGE.format(
        title=escape(title),
        choice=escape(findings.choice),
        notes="\n".join(f'<p class="note">{escape(note)}</p>' for note in findings.notes),
        sizes="\n".join(_sizes(findings)),
        clusters="" if pictures is None else "\n".join(_clusters(findings, pictures)),
        doubtful="\n".join(_doubtful(findings, pictures)),
        code=escape(findings.code),
    )
    Path(path).write_text(page, encoding="utf-8")


def _sizes(findings):
    """A line of the table for each cluster; doubtful is where another one has at least a third of the support."""
    doubtful = findings.second_support >= findings.support / 3
    largest = max(len(members) for members in findings.members)
    for cluster, members in enumerate(findings.members):
        share, width = len(members) / len(findings.names), 100 * len(members) / largest
        yield (
            f"<tr><td>{cluster}</td><td>{len(members):,}</td><td>{share:.1%}</td><td>{doubtful[members].sum():,}</td>"
            f'<td><div class="bar" style="width:{width:.0f}%"></div></td></tr>'
        )


def _clusters(findings, pictures):
    """A contact sheet for each cluster."""
    n_shown = min(_MOST, max(_FEWEST, _SHOWN // len(findings.members)))
    for cluster, members in enumerate(findings.members):
        shown = first_and_last(members, n_shown)
        left_out = "" if len(shown) == len(members) else f"; {len(members) - len(shown):,} between are left out"
        yield f"<h2>Cluster {cluster}: {len(members):,} samples, typical first, doubtful last{left_out}</h2>"
        yield '<div class="sheet">'
        for number in shown.tolist():
            yield f"<figure>{pictures.of(number)}<figcaption>{_caption(findings, number)}</figcaption></figure>"
        yield "</div>"


def _doubtful(findings, pictures):
    """The samples that could belong elsewhere, beside a typical one of either cluster."""
    rows = findings.doubtful(_DOUBTFUL).tolist()
    yield "<h2>Most doubtful</h2>"
    if not rows:
        yield "<p>For no sample does anything speak for another cluster.</p>"
        return
    typical = "" if pictures is None else ", then a typical sample of each"
    yield f'<p>Each with its cluster and the next best{typical}.</p><div class="sheet">'
    for number in rows:
        both = findings.cluster[number], findings.second[number]
        shown = () if pictures is None else (number, *(int(findings.members[cluster][0]) for cluster in both))
        name = findings.names[number]
        yield (
            f'<figure class="pair"><div>{"".join(map(pictures.of, shown)) if shown else ""}</div><figcaption>'
            f'<b title="{escape(name)}">{escape(short(name, 36))}</b><br>cluster {both[0]}: '
            f"{escape(said(findings, number))}</figcaption></figure>"
        )
    yield "</div>"


def _caption(findings, number):
    name = findings.names[number]
    return f'<b title="{escape(name)}">{escape(short(name))}</b><br><span>{escape(said(findings, number))}</span>'


class _Inlined:
    """Small pictures as elements of HTML."""

    def __init__(self, findings):
        self.thumbnails = Thumbnails(findings.pictures)

    def of(self, number):
        """An element with the picture in it."""
        kind = "PNG" if self.thumbnails.is_drawn(number) else "JPEG"
        buffer = BytesIO()
        self.thumbnails.of(number).save(buffer, kind, quality=80)
        return f'<img alt="" src="data:image/{kind.lower()};base64,{b64encode(buffer.getvalue()).decode()}">'
