"""What dumps of a platform's tables as CSV share: no value, a line, and what a dead letter keeps of a row."""

import csv
import io
import re
from collections.abc import Iterable

from ingest.formats.csv_rows import Header, split
from ingest.sources import BadRow

NULLS = ("", "NULL", "\\N")
MAX_ROWS = 2_000_000
"""Rows whose time and place are held in memory to put them in order."""

_NUMERIC = re.compile(r"[0-9 .:+-]*")


def kept_cells(raw: bytes, header: Header, read_at: frozenset[int]) -> tuple[list[str], bool]:
    """What a dead letter keeps of a row, and whether cells it needs were blanked.

    A dump may have joined other tables, so a cell that is not read may be a client's name. Where cells are
    out of place, any with a letter may be one.
    """
    text = raw.decode(errors="replace")
    try:
        cells = split(text, header.delimiter)
    except BadRow:
        cells = text.split(header.delimiter)
    is_whole = len(cells) == header.width
    kept = [
        cell if (place in read_at if is_whole else _NUMERIC.fullmatch(cell)) else ""
        for place, cell in enumerate(cells)
    ]
    return kept, not is_whole


def to_line(cells: Iterable[str], delimiter: str) -> str:
    """Cells as a line of CSV, without its end."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(cells)
    return text.getvalue()
