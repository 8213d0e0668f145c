"""Delimited text by lines: one row a line, bounded, with its place in the file.

A CSV parser that reads across lines lets one stray quote swallow its neighbours and drops ragged
rows without a word. Here a damaged row stays one row, and becomes one dead letter.
"""

import csv
import io
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ingest.sources import RowRejected, UnreadableSource, check_size

MAX_ROW_BYTES = 16_384
"""A real deal is 150 bytes; our own format with 30 click parameters at most 10,000."""
MAX_LINE_BYTES = MAX_ROW_BYTES + 2
"""A row and its line end."""
MAX_COLUMNS = 256
BOM = b"\xef\xbb\xbf"

_DELIMITERS = ",;\t"
_SPACES = re.compile(r"\s+")
_SECRET = re.compile(r"[^\W\d_]|[^\x00-\x7f]")


class Row(NamedTuple):
    """One line: its number from 1, its place in the file, its bytes without the line's end."""

    line: int
    offset: int
    raw: bytes
    is_ended: bool


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file: names without case and spaces, each with its index."""

    delimiter: str
    columns: dict[str, int]
    offset: int
    """Where the first row after the header starts."""
    cells: tuple[str, ...]

    @property
    def width(self) -> int:
        """Cells of every row."""
        return len(self.cells)

    @property
    def line(self) -> str:
        """The header as a line of its own, to read one row by again."""
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter, lineterminator="").writerow(self.cells)
        return text.getvalue()

    def index(self, *names: str) -> int | None:
        """The column called by one of `names`, or None."""
        return next((self.columns[name] for name in names if name in self.columns), None)


def read_header(path: Path) -> Header:
    """Read the first line as a header, finding the delimiter; raise `UnreadableSource` if it is none."""
    check_size(path)
    with path.open("rb") as file:
        raw = file.readline(MAX_ROW_BYTES + 1)
    if len(raw) > MAX_ROW_BYTES:
        raise UnreadableSource(
            f"{path.name}: the first line is longer than {MAX_ROW_BYTES:,} bytes; no header"
        )
    try:
        text = raw.removeprefix(BOM).decode()
    except UnicodeDecodeError:
        raise UnreadableSource(f"{path.name} is not UTF-8; export it as UTF-8 text") from None
    delimiter = max(_DELIMITERS, key=text.count)
    try:
        cells = split(text.rstrip("\r\n"), delimiter)
    except RowRejected as bad:
        raise UnreadableSource(f"{path.name}, line 1: {bad.reason}") from None
    return Header(delimiter, _columns(cells, path), len(raw), tuple(cells))


def column_name(cell: str) -> str:
    """Name a column without case and spaces: `S / L` is `s/l`."""
    return _SPACES.sub("", cell).lower()


def rows(path: Path, offset: int) -> Iterator[Row]:
    """Yield every line from `offset` on, one row each; of an over-long line no more than the limit."""
    line = 2
    with path.open("rb") as file:
        file.seek(offset)
        while raw := file.readline(MAX_LINE_BYTES):
            length, is_ended = len(raw), raw.endswith(b"\n")
            while not is_ended and (rest := file.readline(MAX_LINE_BYTES)):
                length += len(rest)
                is_ended = rest.endswith(b"\n")
            yield to_row(line, offset, raw.removesuffix(b"\n"), is_ended=is_ended)
            offset += length
            line += 1


def to_row(line: int, offset: int, raw: bytes, *, is_ended: bool) -> Row:
    """Make the row of a line without its `\\n`; of an over-long one `raw` needs only the start."""
    # Cut before stripping: else a line whose limit falls on a carriage return would pass for a whole row.
    kept = raw.rstrip(b"\r") if len(raw) < MAX_LINE_BYTES else raw[: MAX_ROW_BYTES + 1]
    return Row(line, offset, kept, is_ended)


def map_file(path: Path) -> mmap.mmap:
    """Map a file for reading rows by their place."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def cells_of(raw: bytes, delimiter: str) -> list[str]:
    """Split one row into cells; raise `RowRejected` for wrong bytes or quotes."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise RowRejected(
            "not_utf8", f"byte {error.start + 1} of the row is not UTF-8; export the file as UTF-8"
        ) from None
    return split(text, delimiter)


def split(text: str, delimiter: str) -> list[str]:
    """Split one line into cells, with double quotes around cells that need them."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        raise RowRejected(
            "bad_quotes", "the row's double quotes do not pair up; a cell cannot go on in the next line"
        ) from None


def check_row(row: Row, cells: int, header: Header) -> None:
    """Raise `RowRejected` for a row that is too long, cut off, or has another number of cells."""
    if len(row.raw) > MAX_ROW_BYTES:
        raise RowRejected(
            "row_too_long", f"the row is longer than {MAX_ROW_BYTES:,} bytes; only its start is kept"
        )
    if cells == header.width:
        return
    if not row.is_ended:
        raise RowRejected(
            "truncated_row",
            f"the file ends inside this row, after {cells} of {header.width} cells; export it again",
        )
    raise RowRejected(
        "wrong_cells",
        f"the row has {cells} cells, the header {header.width}; a cell with `{header.delimiter}` inside"
        " needs quotes",
    )


def without_cell(raw: bytes, header: Header, index: int | None, reach: int = 0) -> bytes:
    """Blank the cell that holds personal data, and where cells are out of place also its neighbours.

    A row with cells missing or too many may have the cell elsewhere: then every cell near it that
    has a letter is blanked. `reach` says how far the cell may be astray in a row of the right
    width. What is left is for finding the row, not for reading it again.
    """
    if index is None:
        return raw
    spans = _spans(raw, header.delimiter)
    astray = len(spans) - header.width
    first, last = index + min(astray, -reach), index + max(astray, reach)
    kept = bytearray(raw)
    # From the last to the first, so that the places before stay true; every other byte stays as it was.
    for place in range(min(last, len(spans) - 1), max(first, 0) - 1, -1):
        cell = slice(*spans[place])
        if (place == index and not astray) or _SECRET.search(raw[cell].decode(errors="replace")):
            del kept[cell]
    return bytes(kept)


def _spans(raw: bytes, delimiter: str) -> list[tuple[int, int]]:
    """Where each cell of a row stands in its bytes, quotes included; where quotes do not pair up they
    are as other characters."""
    mark = re.escape(delimiter.encode())
    cell = re.compile(rb'(?:"(?:[^"]|"")*"(?=%s|\Z)|[^%s]*)' % (mark, mark), re.DOTALL)
    try:
        count = len(split(raw.decode(errors="replace"), delimiter))
    except RowRejected:
        count = 0
    spans = list(_walk(cell, raw))
    return spans if len(spans) == count else list(_walk(re.compile(rb"[^%s]*" % mark), raw))


def _walk(cell: re.Pattern[bytes], raw: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while found := cell.match(raw, at):
        yield found.span()
        at = found.end() + 1
        if at > len(raw):
            return


def _columns(cells: list[str], path: Path) -> dict[str, int]:
    if len(cells) > MAX_COLUMNS:
        raise UnreadableSource(
            f"{path.name}: the header has {len(cells)} columns; the limit is {MAX_COLUMNS}"
        )
    columns: dict[str, int] = {}
    for index, cell in enumerate(cells):
        name = column_name(cell)
        if name in columns and name:
            raise UnreadableSource(f"{path.name}: the header has the column `{cell.strip()[:40]}` twice")
        columns[name] = index
    return columns
