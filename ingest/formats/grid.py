"""Tables without a fixed header: rows of cells of an HTML, a workbook or delimited text, alike for all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.formats.csv_rows import split
from ingest.sources import RowRejected, UnreadableSource, check_size

MAX_TABLE_BYTES = 64_000_000
MAX_TABLE_ROWS = 500_000
"""One account's history of many years has 100,000."""
MAX_GRID_COLUMNS = 64
MAX_CELL_CHARS = 1_000
PIECE_ROWS = 1_000

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_DELIMITERS = ",;\t"
_HEAD_CHARS = 20_000
_ROW_END = re.compile(r"</tr\s*>", re.IGNORECASE)
_SPACES = re.compile(r"[\s\u00a0]+")


@dataclass(frozen=True, slots=True)
class GridRow:
    """One row: its place for people, and its cells; a cell over several columns is followed by empty ones."""

    place: str
    cells: tuple[str, ...]
    is_ragged: bool = False
    """True where empty cells at the end are left out, as workbooks do."""
    is_cut: bool = False
    """True for text whose last line has no end: its last cell may be half a number."""
    title: str = ""
    """What an HTML row's first cell says when pointed at: MT4 writes a ticket's comment there."""

    @property
    def filled(self) -> tuple[int, ...]:
        """The columns that hold something."""
        return tuple(index for index, cell in enumerate(self.cells) if cell)

    @property
    def payload(self) -> bytes:
        """The row for a dead letter: its cells with tabs between."""
        return "\t".join(self.cells).encode(errors="replace")


def decoded(raw: bytes) -> str:
    """Bytes as text by their byte order mark, else as UTF-8, else as cp1252; damage becomes U+FFFD."""
    for bom, encoding in _BOMS:
        if raw.startswith(bom):
            return raw[len(bom) :].decode(encoding, errors="replace")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def html_rows(path: Path) -> Iterator[GridRow]:
    """Yield the rows of an HTML file's tables; hidden cells stand in no column, so they are left out."""
    check_size(path, MAX_TABLE_BYTES)
    text = decoded(path.read_bytes())
    check_whole(text, path)
    yield from page_rows(text, path)


def page_rows(page: str, path: Path) -> Iterator[GridRow]:
    """Yield the rows of the tables of a page, or of the beginning of one, as `html_rows` does."""
    number = 0
    for piece in _pieces(page):
        for node in LexborHTMLParser(f"<table>{piece}").css("tr"):
            number += 1
            yield GridRow(f"row {_bounded(number, path)}", tuple(_html_cells(node)), title=_title(node))


def check_whole(page: str, path: Path) -> None:
    """Raise `UnreadableSource` for HTML without its end: rows may be missing, and a number may be half."""
    if "</html>" not in page[-_HEAD_CHARS:].lower():
        raise UnreadableSource(
            f"{path.name} ends without `</html>`: it was cut off, and deals may be missing; save it again"
        )


def text_rows(path: Path) -> Iterator[GridRow]:
    """Yield the lines of delimited text, as a spreadsheet saves it; a line is a row even if damaged."""
    check_size(path, MAX_TABLE_BYTES)
    text = decoded(path.read_bytes())
    delimiter = max(_DELIMITERS, key=text[:_HEAD_CHARS].count)
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        bare = line.rstrip("\r")
        try:
            cells = split(bare, delimiter)
        except RowRejected:
            cells = bare.split(delimiter)
        yield GridRow(
            f"line {_bounded(number, path)}",
            tuple(clean(cell) for cell in cells),
            is_cut=number == len(lines) and bool(bare),
        )


def clean(cell: str) -> str:
    """A cell without no-break spaces and spaces around; longer than any real one it is cut."""
    return _SPACES.sub(" ", cell[:MAX_CELL_CHARS]).strip()


def _pieces(text: str) -> Iterator[str]:
    """Part a page behind table rows: a parsed page takes ten times its text, so it is never whole."""
    start = 0
    for number, end in enumerate(_ROW_END.finditer(text), start=1):
        if number % PIECE_ROWS == 0:
            yield text[start : end.end()]
            start = end.end()
    yield text[start:]


def _html_cells(row: LexborNode) -> Iterator[str]:
    columns = 0
    for node in row.iter():
        if node.tag not in ("td", "th") or "hidden" in (node.attributes.get("class") or "").split():
            continue
        span = node.attributes.get("colspan") or ""
        width = int(span) if span.isdecimal() and len(span) < 4 else 1
        columns += max(width, 1)
        if columns > MAX_GRID_COLUMNS:
            return
        yield clean(node.text())
        yield from ("",) * (width - 1)


def _title(row: LexborNode) -> str:
    first = row.css_first("td")
    return clean(first.attributes.get("title") or "") if first is not None else ""


def _bounded(number: int, path: Path) -> int:
    if number > MAX_TABLE_ROWS:
        raise UnreadableSource(f"{path.name} has more than {MAX_TABLE_ROWS:,} rows; export a shorter period")
    return number
