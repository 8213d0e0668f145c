"""What dumps of a platform's tables as CSV share: no value, a line, and what a dead letter keeps of a row."""

import csv
import io
import re
from collections.abc import Iterable, Mapping

from ingest.formats.csv_rows import Header, Row, cells_of, check_row, split
from ingest.sources import DeadLetterWriter, RowRejected
from schemas.dead_letters import DeadLetter

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
    except RowRejected:
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


class DumpRows:
    """Rows of one dump by the names of their columns, and the dead letters of those that cannot be used.

    `said` is what a person said of the file by columns that it lacks: it goes along with a dead letter, so
    that the row alone is what it was in its file.
    """

    def __init__(
        self,
        header: Header,
        columns: Iterable[str],
        comment: str,
        said: Mapping[str, str],
        graveyard: DeadLetterWriter,
    ) -> None:
        self.at = {name: header.columns[name.lower()] for name in columns if name.lower() in header.columns}
        self._header, self._said, self._graveyard = header, said, graveyard
        # The last cell of a file that was cut off may be half a number; half a comment does no harm.
        self._may_end_open = header.width - 1 not in (at for name, at in self.at.items() if name != comment)

    def checked(self, row: Row) -> dict[str, str | None]:
        """The cells of a row as it is first read; raise `RowRejected` if it is damaged or cut off."""
        cells = cells_of(row.raw, self._header.delimiter)
        check_row(row, len(cells), self._header)
        if not row.is_ended and not self._may_end_open:
            raise RowRejected(
                "truncated_row", "the file ends in this row without a line end, so a number may be cut off"
            )
        return self._named(cells)

    def named(self, raw: bytes) -> dict[str, str | None]:
        """The cells of a row that is read again."""
        return self._named(cells_of(raw, self._header.delimiter))

    def to_dead_letter(self, raw: bytes, line: int, bad: RowRejected) -> DeadLetter:
        """The dead letter of a row."""
        cells, is_blanked = kept_cells(raw, self._header, frozenset(self.at.values()))
        payload = to_line((*cells, *self._said.values()), self._header.delimiter).encode()
        return self._graveyard.to_dead_letter(payload, f"line {line}", bad, is_blanked=is_blanked)

    def _named(self, cells: list[str]) -> dict[str, str | None]:
        return {name: None if cells[at] in NULLS else cells[at] for name, at in self.at.items()}


def lacking_columns(header: Header, said: Mapping[str, str]) -> dict[str, str]:
    """What was said of a file, of the columns it does not have."""
    return {name: text for name, text in said.items() if name.lower() not in header.columns}
