"""The one sheet of a workbook as rows of text: read as a stream, within bounds, never computed.

Numbers are kept as they are written, so no float touches money. Formulas, macros, links and styles
are not followed: a cell with a formula says only that it has one.
"""

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Context, Decimal, InvalidOperation
from pathlib import Path, PurePosixPath
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from defusedxml import DefusedXmlException
from defusedxml.sax import parse

from ingest.formats.grid import (
    MAX_CELL_CHARS,
    MAX_GRID_COLUMNS,
    MAX_TABLE_BYTES,
    MAX_TABLE_ROWS,
    GridRow,
    clean,
)
from ingest.sources import UnreadableSource, check_size

MAX_PARTS = 200
MAX_PART_BYTES = 128_000_000
MAX_UNPACKED_BYTES = 256_000_000
MAX_RATIO = 200
"""Unpacked to packed; a real sheet in UTF-16 comes to 15."""
RATIO_COUNTS_FROM_BYTES = 1_000_000
MAX_SHARED_STRINGS = 1_000_000
EXACT_DIGITS = 15
"""What a spreadsheet keeps of a number; saved again it may have 17, 1.12895 as 1.1289499999999999."""
FORMULA = "=formula"

_WORKBOOK, _STRINGS, _RELATIONS = "xl/workbook.xml", "xl/sharedStrings.xml", "xl/_rels/workbook.xml.rels"
_FOREIGN = ("vbaproject", "externallinks/", "activex", "embeddings/", "dialogsheets/", "macrosheets/")
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_COLUMN = re.compile(r"([A-Z]{1,3})[0-9]+")
_ROUNDED = Context(prec=EXACT_DIGITS)
_BROKEN = (
    BadZipFile, DefusedXmlException, EOFError, KeyError, NotImplementedError, OSError, RuntimeError,
    SAXException, ValueError, zlib.error,
)  # fmt: skip


def xlsx_rows(path: Path) -> list[GridRow]:
    """Read the rows of a workbook's only sheet; raise `UnreadableSource` for any other workbook."""
    check_size(path, MAX_TABLE_BYTES)
    with _told(path), ZipFile(path) as archive:
        _check_parts(archive.infolist(), path)
        sheet = _Sheet(_strings(archive), path)
        with archive.open(_only_sheet(archive, path)) as part:
            parse(part, sheet, forbid_dtd=True)
        return sheet.rows


def is_workbook(path: Path) -> bool:
    """Tell whether a file is an archive with a workbook in it."""
    with suppress(*_BROKEN), ZipFile(path) as archive:
        return _WORKBOOK in archive.namelist()
    return False


def counts_from_1904(path: Path) -> bool:
    """Tell whether a workbook counts its days from 1904, as old ones of a Mac do, and not from 1899."""
    settings = _Tags("workbookPr")
    with _told(path), ZipFile(path) as archive, archive.open(_WORKBOOK) as part:
        parse(part, settings, forbid_dtd=True)
    return any(one.get("date1904") in ("1", "true") for one in settings.found)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except UnreadableSource:
        raise
    except _BROKEN:
        raise UnreadableSource(
            f"{path.name} is not a complete workbook (.xlsx): it is cut off, damaged or locked by a password;"
            " save it again"
        ) from None


def _check_parts(parts: list[ZipInfo], path: Path) -> None:
    """Raise for an archive that is too large unpacked, or has parts that no report has."""
    packed, unpacked = sum(part.compress_size for part in parts), sum(part.file_size for part in parts)
    is_bomb = unpacked > max(MAX_RATIO * packed, RATIO_COUNTS_FROM_BYTES)
    if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED_BYTES or is_bomb:
        raise UnreadableSource(
            f"{path.name} unpacks to {unpacked:,} bytes in {len(parts):,} parts; no report does (limits"
            f" {MAX_UNPACKED_BYTES:,} bytes, {MAX_PARTS} parts, {MAX_RATIO} times its size)"
        )
    for part in parts:
        if any(word in part.filename.lower() for word in _FOREIGN):
            raise UnreadableSource(
                f"{path.name} has macros, links or objects in it ({PurePosixPath(part.filename).name[:40]});"
                " a report of MetaTrader has none, so save it again from the terminal"
            )
        if part.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or part.file_size > MAX_PART_BYTES:
            raise UnreadableSource(
                f"{path.name}: the part {PurePosixPath(part.filename).name[:40]} is packed unusually"
            )


def _only_sheet(archive: ZipFile, path: Path) -> str:
    book, relations = _Tags("sheet"), _Tags("Relationship")
    for name, tags in ((_WORKBOOK, book), (_RELATIONS, relations)):
        with archive.open(name) as part:
            parse(part, tags, forbid_dtd=True)
    if len(book.found) != 1:
        raise UnreadableSource(
            f"{path.name} has {len(book.found)} sheets, a report one; save each as a workbook of its own"
        )
    target = {relation["Id"]: relation["Target"] for relation in relations.found}[book.found[0]["r:id"]]
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _strings(archive: ZipFile) -> list[str]:
    if _STRINGS not in archive.namelist():
        return []
    shared = _SharedStrings()
    with archive.open(_STRINGS) as part:
        parse(part, shared, forbid_dtd=True)
    return shared.strings


def plain_number(text: str) -> str:
    """Spell a number without exponent, and without the noise a spreadsheet adds after 15 digits.

    Whole numbers are kept: of a ticket with more than 15 digits no digit may be invented.
    """
    if _WHOLE.fullmatch(text):
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or not -EXACT_DIGITS <= number.adjusted() < EXACT_DIGITS:
        return text
    if len(number.as_tuple().digits) > EXACT_DIGITS:
        number = _ROUNDED.plus(number).normalize()
    return f"{number:f}"


class _Tags(ContentHandler):
    """Gathers the attributes of one kind of element."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []
        self._tag = tag

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the parser's name
        if name.rpartition(":")[2] == self._tag and len(self.found) < MAX_PARTS:
            self.found.append(dict(attrs.items()))


class _Text(ContentHandler):
    """Gathers the text of the elements it is told to listen to, up to a cell's length."""

    def __init__(self) -> None:
        super().__init__()
        self._heard: list[str] = []
        self._length = 0
        self._listens = False

    def listen(self, name: str) -> None:
        self._listens = name in ("t", "v")

    def characters(self, content: str) -> None:
        if self._listens and self._length <= MAX_CELL_CHARS:
            self._heard.append(content)
            self._length += len(content)

    def take(self) -> str:
        """What was heard since the last time."""
        text = "".join(self._heard)
        self._heard.clear()
        self._length = 0
        return text[:MAX_CELL_CHARS]


class _SharedStrings(_Text):
    """The texts that cells point to; how a text is to be pronounced is not part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.strings: list[str] = []
        self._pronounced = False

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: ARG002, N802 - the parser's
        tag = name.rpartition(":")[2]
        self._pronounced = self._pronounced or tag == "rPh"
        self.listen("" if self._pronounced else tag)

    def endElement(self, name: str) -> None:  # noqa: N802 - the parser's name
        tag = name.rpartition(":")[2]
        self.listen("")
        if tag == "rPh":
            self._pronounced = False
        elif tag == "si":
            if len(self.strings) >= MAX_SHARED_STRINGS:
                raise ValueError("too many strings")
            self.strings.append(clean(self.take()))


class _Sheet(_Text):
    """Makes rows of the sheet's cells, each in its column."""

    def __init__(self, strings: list[str], path: Path) -> None:
        super().__init__()
        self.rows: list[GridRow] = []
        self._strings, self._path = strings, path
        self._cells: list[str] = []
        self._number = 0
        self._column, self._type, self._has_formula = 0, "", False

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the parser's name
        tag = name.rpartition(":")[2]
        self.listen(tag)
        if tag == "row":
            self._cells = []
            number = attrs.get("r", "")
            self._number = int(number) if number.isdecimal() and len(number) < 8 else self._number + 1
        elif tag == "c":
            self.take()
            self._type, self._has_formula = attrs.get("t", "n"), False
            self._column = _column_of(attrs.get("r", ""), len(self._cells))
        elif tag == "f":
            self._has_formula = True

    def endElement(self, name: str) -> None:  # noqa: N802 - the parser's name
        tag = name.rpartition(":")[2]
        self.listen("")
        if tag == "c":
            self._end_cell()
        elif tag == "row":
            self._end_row()

    def _end_cell(self) -> None:
        text = self._value()
        if not text or self._column >= MAX_GRID_COLUMNS:
            return
        self._cells += [""] * (self._column + 1 - len(self._cells))
        self._cells[self._column] = text

    def _value(self) -> str:
        text = self.take().strip()
        if self._has_formula:
            return FORMULA
        if self._type == "s":
            is_known = text.isdecimal() and len(text) < 10 and int(text) < len(self._strings)
            return self._strings[int(text)] if is_known else "#unknown string"
        return plain_number(text) if self._type == "n" else clean(text)

    def _end_row(self) -> None:
        if len(self.rows) >= MAX_TABLE_ROWS:
            raise UnreadableSource(f"{self._path.name} has more than {MAX_TABLE_ROWS:,} rows")
        self.rows.append(GridRow(f"row {self._number}", tuple(self._cells), is_ragged=True))


def _column_of(reference: str, following: int) -> int:
    """The column of a cell such as `AB12`, from 0; a cell without a reference follows the last one."""
    letters = _COLUMN.fullmatch(reference)
    if letters is None:
        return following
    column = 0
    for letter in letters[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1
