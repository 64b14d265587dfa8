"""The page: one file of HTML with everything in it."""

import os
from base64 import b64encode
from datetime import UTC, datetime
from html import escape
from io import BytesIO
from os import PathLike
from typing import Any

from .._container import replacing
from .._params import checked
from .._version import __version__
from ..inspection._pictures import Thumbnails, first_and_last, short
from ..inspection._style import called, color_of
from ._drawings import curve, samples_map
from ._findings import N_DOUBTFUL, Findings
from ._sheets import said, slug_of, title_of

# Small pictures of all clusters together, and of one at least and at most.
_SHOWN, _FEWEST, _MOST = 1200, 10, 60
# The most letters of a name, which may take several lines.
_LETTERS = 40

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em; color: #222; }}
h1 {{ overflow-wrap: anywhere; line-height: 1.2; }}
h2 {{ margin: 1.6em 0 .4em; font-size: 1.15em; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .1em .9em .1em 0; text-align: right; }}
.sizes {{ width: 100%; max-width: 46em; }}
.sizes td:last-child {{ width: 50%; }}
.bar {{ background: #4a7ab5; height: .75em; }}
.wide {{ overflow-x: auto; }}
.high {{ max-height: 36em; overflow-y: auto; }}
@media print {{ .high {{ max-height: none; }} }}
.sizes a {{ color: inherit; }}
.doubtful td, .doubtful th {{ text-align: left; vertical-align: top; padding: .5em .9em .3em 0; }}
.doubtful tbody tr {{ border-top: 1px solid #ddd; }}
.doubtful th button {{ font: inherit; font-weight: bold; border: 0; background: none; padding: 0; cursor: pointer;
  white-space: nowrap; }}
th button::after {{ content: " \\2195"; color: #999; }}
th[aria-sort=ascending] button::after {{ content: " \\2191"; color: #222; }}
th[aria-sort=descending] button::after {{ content: " \\2193"; color: #222; }}
.sheet, .terms {{ display: flex; flex-wrap: wrap; gap: 8px; }}
.terms {{ flex-wrap: nowrap; gap: 4px; margin-bottom: 6px; align-items: start; }}
.terms > span {{ align-self: start; line-height: 56px; }}
figure {{ margin: 0; width: 112px; font-size: 11px; line-height: 1.3; overflow-wrap: anywhere; }}
figure img {{ display: block; max-width: 112px; margin: 0 auto 2px; }}
.doubtful td:first-child img {{ max-width: 84px; margin: 0; }}
.doubtful td:first-child figure {{ width: 96px; }}
.small figure {{ width: 64px; text-align: center; }}
.small img {{ max-width: 56px; max-height: 56px; border: 3px solid var(--cluster, transparent); }}
figcaption span {{ color: #666; }}
.map {{ width: 100%; height: auto; max-width: 900px; border: 1px solid #ddd; }}
.map text {{ font: bold 22px system-ui, sans-serif; text-anchor: middle; paint-order: stroke; stroke: #fff;
  stroke-width: 5px; }}
.map.pictured text {{ font-size: 12px; stroke-width: 3px; }}
.curve {{ width: 100%; height: auto; max-width: 560px; font: 12px system-ui, sans-serif; }}
.key {{ display: inline-block; width: .8em; height: .8em; background: var(--cluster); margin-right: .4em; }}
pre {{ background: #f4f4f4; padding: .8em 1em; overflow-x: auto; }}
.made {{ color: #666; font-size: 12px; }}
.note {{ background: #fff4d6; padding: .4em 1em; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{choice}</p>
{notes}
{number}
<h2>Clusters</h2>
<p>The numbers below samples are what speaks for the cluster, and for the next best: {support}. Doubtful are those
where the next best has at least a third of that.</p>
<div class="wide high" tabindex="0"><table class="sizes">
<tr><th>cluster</th><th>samples</th><th>share</th><th>doubtful</th><th></th></tr>
{sizes}
</table></div>
{map}
{doubtful}
{explained}
{clusters}
<h2>The same in Python</h2>
<pre>{code}</pre>
<p class="made">skdeepsc {version}, {date}</p>
{script}
</body>
</html>
"""

# What speaks for a cluster of samples that were clustered.
_SUPPORT = "the mean of the predicted probability and of the share that a cluster has in what the sample is linked to"

# A click on a head sorts the rows by what their cells say of their order.
_SCRIPT = """\
<script>
for (const head of document.querySelectorAll(".doubtful th")) {
  const button = head.querySelector("button");
  if (button) button.addEventListener("click", () => {
    const body = head.closest("table").tBodies[0], column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down > 0 ? "ascending" : "descending");
    const key = row => row.cells[column].dataset.key;
    const compare = (a, b) => isNaN(a - b) ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
    body.append(...[...body.rows].sort((a, b) => down * compare(key(a), key(b))));
  });
}
</script>"""


@checked
def write_page(findings: Findings, path: str | PathLike, title: str = "Clusters") -> Any:
    """Write a page of HTML that needs no other file and no network.

    It takes the place of `path` when it is complete.

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
        number="\n".join(_number(findings)),
        sizes="\n".join(_sizes(findings)),
        map="\n".join(_map(findings, pictures)),
        doubtful="\n".join(_doubtful(findings, pictures)),
        explained="" if pictures is None else "\n".join(_explained(findings, pictures)),
        clusters="" if pictures is None else "\n".join(_clusters(findings, pictures)),
        code=escape(findings.code),
        support=_SUPPORT if findings.is_fitted else "the predicted probability",
        version=__version__,
        date=f"{_now():%Y-%m-%d %H:%M %Z}",
        script=_SCRIPT,
    )
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8", errors="backslashreplace")  # Names of files need not be text.


def _now():
    """The time, or that of SOURCE_DATE_EPOCH, by which builds are made the same again."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(told), UTC) if told.isdecimal() else datetime.now().astimezone()


def _number(findings):
    """How the number of clusters was chosen, if it was."""
    if findings.n_clusters_scores:
        yield "<h2>Number of clusters</h2>"
        yield "<p>What each number of clusters saves in the description of the links, in nats a sample.</p>"
        yield curve(findings.n_clusters_scores, len(findings.members))


def _map(findings, pictures):
    """All samples as points, and the pictures that find room."""
    if findings.points is not None and len(findings.points) > 2:
        yield "<h2>Map</h2>"
        yield (
            "<p>The two principal components of the samples as they were represented; pictures are drawn at random, "
            "with the colours and numbers of their clusters. Two dimensions cannot keep many clusters apart: those "
            "that lie on each other here need not be close.</p>"
        )
        yield samples_map(findings, None if pictures is None else pictures.source)


def _sizes(findings):
    """A line of the table for each cluster; doubtful is where another one has at least a third of the support."""
    doubtful = findings.second_support >= findings.support / 3
    doubtful &= findings.cluster >= 0
    largest = max(len(members) for _, members in findings.groups)
    for cluster, members in findings.groups:
        share, width = len(members) / len(findings.names), 100 * len(members) / largest
        name = cluster if cluster >= 0 else called(cluster)
        link = name if findings.pictures is None else f'<a href="#{slug_of(cluster)}">{name}</a>'
        yield f'<tr><td><i class="key" {_style(cluster)}></i>{link}</td><td>{len(members):,}</td><td>{share:.1%}</td>'
        yield f'<td>{doubtful[members].sum():,}</td><td><div class="bar" style="width:{width:.0f}%"></div></td></tr>'


def _clusters(findings, pictures):
    """A contact sheet for each cluster, and for noise."""
    n_shown = min(_MOST, max(_FEWEST, _SHOWN // len(findings.members)))
    for cluster, members in findings.groups:
        shown = first_and_last(members, n_shown)
        left_out = "" if len(shown) == len(members) else f"; {len(members) - len(shown):,} between are left out"
        yield f'<h2 id="{slug_of(cluster)}">{title_of(cluster, len(members))}{left_out}</h2>'
        yield '<div class="sheet">'
        for number in shown.tolist():
            yield f"<figure>{pictures.of(number)}<figcaption>{_caption(findings, number)}</figcaption></figure>"
        yield "</div>"


def _doubtful(findings, pictures):
    """A table of the samples that could belong elsewhere, which sorts by a click on its heads."""
    rows = findings.doubtful(N_DOUBTFUL).tolist()
    yield "<h2>Most doubtful</h2>"
    if not rows:
        yield "<p>For no sample does anything speak for another cluster.</p>"
        return
    yield (
        "<p>What speaks for the clusters of a sample leaves its own label out, so that the next best may be ahead: "
        "look first where the difference is below 0.</p>"
        if findings.is_fitted
        else "<p>Look first where the difference is small.</p>"
    )
    heads = ["sample", "its cluster", "for it", "next best", "for that", "difference"]
    explains = pictures is not None and any(number in findings.explanations for number in rows)
    yield '<div class="wide"><table class="doubtful"><thead><tr>'
    yield "".join(f'<th scope="col"><button type="button">{head}</button></th>' for head in heads)
    yield '<th scope="col">is made of</th></tr></thead><tbody>' if explains else "</tr></thead><tbody>"
    for number in rows:
        both = int(findings.cluster[number]), int(findings.second[number])
        support = float(findings.support[number]), float(findings.second_support[number])
        name, label = findings.names[number], _label(findings, number)
        first = label if pictures is None else f"<figure>{pictures.of(number)}<figcaption>{label}</figcaption></figure>"
        of_both = [_cell(cluster, _typical(findings, pictures, cluster, number)) for cluster in both]
        for_both = [_cell(round(share, 4), f"{share:.2f}") for share in support]
        difference = support[0] - support[1]
        cells = [_cell(name, first), of_both[0], for_both[0], of_both[1], for_both[1]]
        cells.append(_cell(round(difference, 4), f"{difference:.2f}".replace("-0.00", "0.00")))
        if explains:
            cells.append(f"<td>{_terms(findings, pictures, number)}</td>")
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _explained(findings, pictures):
    """The most typical sample of each cluster, as the sum of those that express it."""
    typical = [int(members[0]) for members in findings.members if len(members)]
    rows = [number for number in typical if number in findings.explanations]
    if not rows:
        return
    yield "<h2>What the typical are made of</h2>"
    yield "<p>These pictures, with these weights, make the first one, as far as samples are represented.</p>"
    for number in rows:
        cluster = int(findings.cluster[number])
        yield f'<div class="wide small"><div class="terms">{_small(findings, pictures, number, called(cluster))}'
        yield f"<span>&asymp;</span>{_terms(findings, pictures, number)}</div></div>"


def _terms(findings, pictures, number):
    """Small pictures of the samples that express one, with their weights, in frames of their clusters."""
    found = findings.explanations.get(number)
    if found is None or not len(found.indices):
        return "nothing expresses it"
    terms = zip(found.indices.tolist(), found.weights.tolist(), found.labels.tolist(), strict=True)
    shown = [_small(findings, pictures, *_said_of(term)) for term in terms]
    more = f"<span>+&nbsp;{found.n_left_out:,}&nbsp;more</span>" if found.n_left_out else ""
    return f'<div class="terms small">{"".join(shown)}{more}</div>'


def _said_of(term):
    index, weight, cluster = term
    return index, f"{weight:+.2f}, {called(cluster)}"


def _small(findings, pictures, number, said):
    cluster = int(findings.cluster[number])
    title = escape(findings.names[number])
    return f'<figure title="{title}" {_style(cluster)}>{pictures.of(number)}<figcaption>{said}</figcaption></figure>'


def _typical(findings, pictures, cluster, number):
    """A cluster by its number, and a typical sample of it."""
    members = findings.members[cluster][:2].tolist() if cluster >= 0 else []
    shown = [member for member in members if member != number][:1]
    drawn = "" if pictures is None else "".join(_small(findings, pictures, member, "") for member in shown)
    return f'{called(cluster)}<div class="small">{drawn}</div>'


def _cell(key, shown):
    return f'<td data-key="{escape(str(key))}">{shown}</td>'


def _style(cluster):
    return f'style="--cluster:{color_of(cluster)}"'


def _caption(findings, number):
    return f"{_label(findings, number)}<br><span>{escape(said(findings, number))}</span>"


def _label(findings, number):
    return f'<b title="{escape(findings.names[number])}">{escape(short(findings.captions[number], _LETTERS))}</b>'


class _Inlined:
    """Small pictures as elements of HTML."""

    def __init__(self, findings):
        self.thumbnails = Thumbnails(findings.pictures)

    def source(self, number):
        """What stands for the address of the picture, and holds all of it."""
        kind = "PNG" if self.thumbnails.is_drawn(number) else "JPEG"
        buffer = BytesIO()
        self.thumbnails.of(number).save(buffer, kind, quality=80)
        return f"data:image/{kind.lower()};base64,{b64encode(buffer.getvalue()).decode()}"

    def of(self, number):
        """An element with the picture in it."""
        return f'<img alt="" src="{self.source(number)}">'
