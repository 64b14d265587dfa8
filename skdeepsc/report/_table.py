"""The table: a line for each sample."""

import csv
from os import PathLike
from typing import Any

from .._container import replacing
from .._params import checked
from ._findings import Findings

_COLUMNS = {
    "file": "names",
    "cluster": "cluster",
    "probability": "probability",
    "confidence": "confidence",
    "second_cluster": "second",
    "second_probability": "second_probability",
    "support": "support",
    "second_support": "second_support",
}


@checked
def write_table(findings: Findings, path: str | PathLike) -> Any:
    """Write a line for each sample: its name, cluster and next best cluster, and what speaks for either.

    The columns are the same for all clusterers; that of the confidence is empty where there is none. The file takes the
    place of `path` when it is complete.

    Parameters
    ----------
    findings : Findings
    path : str or Path
        A .csv file.
    """
    found = {title: getattr(findings, attribute) for title, attribute in _COLUMNS.items()} | findings.columns
    found = {title: [""] * len(findings.names) if column is None else column for title, column in found.items()}
    columns = [column if isinstance(column, list) else column.round(4).tolist() for column in found.values()]
    with (
        replacing(path) as draft,
        open(draft, "w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(found)
        writer.writerows(zip(*columns, strict=True))
