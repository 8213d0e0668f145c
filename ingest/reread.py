"""A dead letter read again by the reader that buried it: what it is now, or why it still is none.

A file's row is read as a file of one row under its old header. What is not known without the rest of its file
(which pass of a repeated hour, whose statement) is refused.
"""

import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from commission.events import AccountLinked, ClientEvent, Deal
from commission.terms import TermsRecord
from ingest import crm_csv, crm_xml, mt5_deals_csv
from ingest.crm_records import CrmEvent
from ingest.server_time import parse_server_time
from ingest.sources import BadRow, Item, ServerProfile, UnreadableSource
from schemas.dead_letters import DeadLetter
from schemas.topics import ACCOUNT_BOOK, CLIENT_BOOK, TERMS
from schemas.wire import InvalidRecord, decode

Reread = Deal | CrmEvent | TermsRecord
Reader = Callable[[DeadLetter, bytes, ServerProfile | None], Iterable[Item]]

_LINE = re.compile(r"line ([0-9]+)")


def needs_server(letter: DeadLetter) -> bool:
    """Tell whether a letter can only be read by a server's profile."""
    return kind_of(letter) == mt5_deals_csv.KIND


def kind_of(letter: DeadLetter) -> str:
    """The reader that buried a letter: the first word of its source."""
    return letter.source.partition(" ")[0]


def reread(letter: DeadLetter, profile: ServerProfile | None, payload: bytes | None = None) -> list[Reread]:
    """What a letter's bytes are, or `payload` in their place; raise `BadRow` if they are nothing yet."""
    given = letter.payload if payload is None else payload
    if payload is None and letter.is_blanked:
        raise BadRow(
            "blanked",
            "cells it needs were blanked, as a name may have been in them; edit it, or read its file",
        )
    if payload is None and letter.payload_bytes > len(given):
        raise BadRow(
            "cut", f"only {len(given):,} of its {letter.payload_bytes:,} bytes were kept; read its file"
        )
    if payload is None and letter.code == "truncated_row":
        raise BadRow("cut", "its file ended inside it, so a number may be cut off; edit it, or read its file")
    kind = kind_of(letter)
    if kind == "topic":
        return [_record(letter, given)]
    reader = READERS.get(kind)
    if reader is None:
        raise BadRow(
            "not_rereadable", f"a {kind} cannot be read row by row; correct it and read the whole file again"
        )
    return [_event(item, letter) for item in _read(reader, letter, given, profile)]


def _read(
    reader: Reader, letter: DeadLetter, payload: bytes, profile: ServerProfile | None
) -> Iterable[Item]:
    try:
        items = list(reader(letter, payload, profile))
    except UnreadableSource as error:
        raise BadRow("unreadable", str(error)) from None
    if not items:
        raise BadRow("nothing", "there is no row in it")
    return items


def _event(item: Item, letter: DeadLetter) -> Reread:
    if isinstance(item, DeadLetter):
        raise BadRow(item.code, item.reason)
    line = _LINE.match(letter.position)
    return replace(item, source=f"{letter.source}:{line[1]}" if line else letter.source)


def _row(letter: DeadLetter, payload: bytes, read: Callable[[Path], Iterable[Item]]) -> list[Item]:
    if b"\n" in payload.strip(b"\r\n"):
        raise BadRow("many_rows", "a row is one line")
    if not letter.header:
        raise BadRow("no_header", "its header was not kept; read its file again")
    return _file(b"%s\n%s\n" % (letter.header.encode(), payload.strip(b"\r\n")), read)


def _file(content: bytes, read: Callable[[Path], Iterable[Item]]) -> list[Item]:
    with tempfile.TemporaryDirectory(prefix="ibflow-") as folder:
        path = Path(folder) / "row"
        path.write_bytes(content)
        return list(read(path))


def _crm_csv(letter: DeadLetter, payload: bytes, _profile: ServerProfile | None) -> Iterable[Item]:
    return _row(letter, payload, lambda path: crm_csv.read(path, None, letter.received_at))


def _crm_xml(letter: DeadLetter, payload: bytes, _profile: ServerProfile | None) -> Iterable[Item]:
    items = _file(b"<crm>%s</crm>" % payload, lambda path: crm_xml.read(path, None, letter.received_at))
    if len(items) > 1:
        raise BadRow("many_rows", "a dead letter is one record")
    return items


def _mt5_deals_csv(letter: DeadLetter, payload: bytes, profile: ServerProfile | None) -> Iterable[Item]:
    if profile is None:
        raise BadRow(
            "no_server", f"it is of the server {letter.server}; name the folder of terms that has it"
        )
    items = _row(letter, payload, lambda path: mt5_deals_csv.read(path, profile, letter.received_at))
    for item in items:
        if isinstance(item, Deal) and profile.clock.is_repeated(_server_time(item)):
            raise BadRow(
                "repeated_hour",
                "the server's clock showed its time twice, and only the whole file tells which; correct the"
                " file and read it again",
            )
    return items


def _server_time(deal: Deal) -> datetime:
    return parse_server_time(deal.server_time)


READERS: dict[str, Reader] = {
    crm_csv.KIND: _crm_csv,
    crm_xml.KIND: _crm_xml,
    mt5_deals_csv.KIND: _mt5_deals_csv,
}
"""By kind; what is not here is read by its whole file."""


def _record(letter: DeadLetter, line: bytes) -> Reread:
    """A line of a topic: what is written from outside may be written again, what a stage sent may not."""
    if letter.code == "skipped":
        raise BadRow("skipped", "a named person left it out of the book for good")
    topic = letter.source.partition(" ")[2]
    try:
        record = decode(line)
    except InvalidRecord as error:
        raise BadRow("invalid_record", str(error)) from None
    if topic == ACCOUNT_BOOK and isinstance(record, Deal | AccountLinked):
        return record
    if topic == CLIENT_BOOK and isinstance(record, ClientEvent):
        return record
    if topic == TERMS and isinstance(record, TermsRecord):
        return record
    raise BadRow("not_from_outside", f"a {record.type} in {topic or 'no topic'} is not written from outside")
