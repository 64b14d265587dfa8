"""What was found, for people: a table, contact sheets and a page, as ``python -m skdeepsc FOLDER`` writes them."""

from ._findings import Findings, find
from ._page import write_page
from ._sheets import write_sheets
from ._table import write_table

__all__ = ["Findings", "find", "write_page", "write_sheets", "write_table"]
