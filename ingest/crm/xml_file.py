"""A CRM's batch as XML: `<crm>` with `<record>` elements, whose children are the fields of `records`.

A field may also be an attribute of its record, and a click parameter `<click name="subId">`. UTF-8, no DTD,
no entities. The file is parsed twice in pieces: what is not well-formed is refused before the first event.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from ingest.counts import Counts, counted
from ingest.crm.fields import CLICK, FIELDS, MAX_CLICKS, is_field
from ingest.crm.records import to_event
from ingest.formats.cells import shown
from ingest.source_items import Item
from ingest.sources import DeadLetterWriter, RowRejected, ServerProfile, UnreadableSource, check_size

KIND = "crm-xml"
ROOT, RECORD = "crm", "record"
MAX_BYTES = 256_000_000
MAX_RECORDS = 1_000_000
MAX_RECORD_BYTES = 16_384
MAX_TOKEN_BYTES = 262_144
"""Bytes that the parser may hold back: of one tag, comment or section."""
MAX_DEPTH = 16
MAX_FIELDS = len(FIELDS) + MAX_CLICKS + 1
MAX_KEPT_CHARS = 1_024
"""Of each field, in the dead letter of a record that holds more than fields."""
CHUNK_BYTES = 65_536

_IS_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--.{0,2000}?-->\s*)?<(!DOCTYPE )?crm\b",
    re.DOTALL,
)
_END = re.compile(rb"</(?:[^\s:>]+:)?record\s*>")
_ENCODINGS = ("utf-8", "utf8", "us-ascii", "ascii")
_IN_ROOT, _IN_RECORD, _IN_FIELD = 1, 2, 3


def read(
    path: Path, profile: ServerProfile | None, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield the events of a file in its order, bad records as dead letters; the profile is not needed.

    Raise `UnreadableSource` at once for a file that is not ours, or not well-formed to its end.
    """
    del profile  # every source has the same signature; a CRM event names its server itself
    check_size(path, MAX_BYTES)
    for number, _ in enumerate(_records(path), 1):
        if number > MAX_RECORDS:
            raise UnreadableSource(f"{path.name} has over {MAX_RECORDS:,} records; export a shorter period")
    tally = counts if counts is not None else Counts()
    items = _read(path, DeadLetterWriter(f"{KIND} {path.name}", received_at), tally)
    return items if counts is None else counted(items, counts)


def is_batch(head: bytes) -> bool:
    """Tell by its beginning whether a file is a batch of ours, perhaps with something forbidden in it."""
    return _IS_ROOT.match(head) is not None


def _read(path: Path, graveyard: DeadLetterWriter, counts: Counts) -> Iterator[Item]:
    for record in _records(path):
        counts.rows += 1
        try:
            if record.bad is not None:
                raise record.bad
            yield to_event(record.fields, f"{KIND} {path.name}:{record.line}")
        except RowRejected as bad:
            yield graveyard.to_dead_letter(
                record.raw, f"line {record.line}", bad, is_blanked=record.is_blanked
            )


class _Record(NamedTuple):
    """One `<record>`: its fields, its bytes, and what is wrong with its form."""

    line: int
    fields: dict[str, str]
    raw: bytes
    is_blanked: bool
    bad: RowRejected | None


def _records(path: Path) -> Iterator[_Record]:
    batch = _Batch(path.name)
    parser: Any = DefusedXMLParser(target=batch, forbid_dtd=True)
    batch.expat = parser.parser
    batch.expat.XmlDeclHandler = batch.declare
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            batch.window += chunk
            with _refused(path):
                parser.feed(chunk)
            yield from batch.take()
    with _refused(path):
        parser.close()


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        raise UnreadableSource(
            f"{path.name} is not well-formed XML: {error}; nothing of it was read. Export it again"
        ) from None
    except DefusedXmlException:
        raise UnreadableSource(
            f"{path.name} has a DTD or declares entities, which are not read; export it without"
        ) from None


@dataclass(slots=True)
class _Batch:
    """What the parser tells of a file, gathered record by record."""

    name: str
    expat: Any = None
    window: bytearray = field(default_factory=bytearray)
    """The bytes from `window_at` on: those of the record at hand."""
    window_at: int = 0
    seen_at: int = 0
    depth: int = 0
    done: list[_Record] = field(default_factory=list)
    record_at: int = 0
    line: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    field_name: str = ""
    text: list[str] = field(default_factory=list)
    bad: RowRejected | None = None
    is_plain: bool = True
    """The record is nothing but fields we know, so its bytes may be kept."""

    def take(self) -> list[_Record]:
        """The records that ended in what was fed; forget their bytes."""
        done, self.done = self.done, []
        if self.depth < _IN_RECORD:
            self._forget(self.seen_at)
        elif len(self.window) - (self.record_at - self.window_at) > MAX_RECORD_BYTES:
            self._complain("record_too_long", f"the record is longer than {MAX_RECORD_BYTES:,} bytes")
            self._forget(self.seen_at)
        if self.window_at + len(self.window) - self.seen_at > MAX_TOKEN_BYTES:
            raise UnreadableSource(
                f"{self.name}: a tag, comment or section is longer than {MAX_TOKEN_BYTES:,} bytes"
            )
        return done

    def declare(self, _version: str, encoding: str | None, _standalone: int) -> None:
        """Hear of the file's encoding."""
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise UnreadableSource(f"{self.name} is {shown(encoding)}, not UTF-8; export it as UTF-8")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Hear that an element begins."""
        self.seen_at = self.expat.CurrentByteIndex
        self.depth += 1
        name = _local(tag)
        if self.depth > MAX_DEPTH:
            raise UnreadableSource(f"{self.name} nests deeper than {MAX_DEPTH} elements; it is not a batch")
        if self.depth == _IN_ROOT and name != ROOT:
            raise UnreadableSource(f"{self.name} is XML, but its root is <{shown(name)}>, not <{ROOT}>")
        if self.depth == _IN_RECORD:
            self._begin(name, attributes)
        elif self.depth == _IN_FIELD:
            self._begin_field(name, attributes)
        elif self.depth > _IN_FIELD:
            self._complain("nested", f"<{shown(name)}> is inside a field; a field holds text only")

    def data(self, text: str) -> None:
        """Hear text."""
        self.seen_at = self.expat.CurrentByteIndex
        if self.depth == _IN_FIELD:
            if self.bad is None:
                self.text.append(text)
        elif text.strip():
            if self.depth == _IN_ROOT:
                line = self.expat.CurrentLineNumber
                raise UnreadableSource(f"{self.name}, line {line}: there is text outside of any <{RECORD}>")
            self._complain("stray_text", "there is text outside of any field")

    def comment(self, _text: str) -> None:
        """Hear a comment, which may say anything: the bytes around it are not kept."""
        self.seen_at = self.expat.CurrentByteIndex
        self.is_plain = False

    def end(self, _tag: str) -> None:
        """Hear that an element ends."""
        self.seen_at = self.expat.CurrentByteIndex
        if self.depth == _IN_FIELD:
            self._put(self.field_name, "".join(self.text).strip())
        elif self.depth == _IN_RECORD:
            self._finish()
        self.depth -= 1

    def close(self) -> None:
        """Hear that the file ends."""

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self.record_at, self.line = self.seen_at, self.expat.CurrentLineNumber
        self.fields, self.bad, self.is_plain = {}, None, True
        self._forget(self.record_at)
        if name != RECORD:
            self._complain("unknown_element", f"<{shown(name)}>: a batch holds <{RECORD}> elements only")
        for key, text in attributes.items():
            self._put(key, text)

    def _begin_field(self, name: str, attributes: dict[str, str]) -> None:
        self.text = []
        if name == CLICK and attributes.keys() == {"name"}:
            name = f"{CLICK}.{attributes['name']}"
        elif attributes:
            self._complain("unknown_field", f"<{shown(name)}> has attributes; a field holds text only")
        self.field_name = name

    def _put(self, name: str, text: str) -> None:
        if not is_field(name):
            self._complain(
                "unknown_field",
                f"the field `{shown(name)}` is unknown; known are {', '.join(FIELDS)} and click.<name>."
                " Leave out what is not needed, personal data above all",
            )
        elif name in self.fields:
            self._complain("repeated_field", f"the field {name} is there twice")
        elif len(self.fields) >= MAX_FIELDS:
            self._complain("too_many_fields", f"a record has at most {MAX_FIELDS} fields")
        else:
            self.fields[name] = text

    def _finish(self) -> None:
        start, end = self.record_at - self.window_at, self.expat.CurrentByteIndex - self.window_at
        if _END.match(self.window, end):  # of an empty element the parser tells where it ends instead
            end = self.window.index(b">", end) + 1
        if end - start > MAX_RECORD_BYTES:
            self._complain("record_too_long", f"the record is longer than {MAX_RECORD_BYTES:,} bytes")
        kept = bytes(self.window[start:end]) if self.is_plain else _fields_only(self.fields)
        self.done.append(_Record(self.line, self.fields, kept, not self.is_plain, self.bad))

    def _complain(self, code: str, reason: str) -> None:
        """Remember the first thing that is wrong with the record's form."""
        self.bad = self.bad or RowRejected(code, reason)
        self.is_plain = False

    def _forget(self, before: int) -> None:
        """Drop the bytes before a place in the file."""
        if before > self.window_at:
            del self.window[: before - self.window_at]
            self.window_at = before


def _fields_only(fields: dict[str, str]) -> bytes:
    """A record with what we know of it, without what it says besides: that may be about a person."""
    told = "".join(f"<{name}>{escape(text[:MAX_KEPT_CHARS])}</{name}>" for name, text in fields.items())
    return f"<{RECORD}>{told}</{RECORD}>".encode(errors="replace")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
