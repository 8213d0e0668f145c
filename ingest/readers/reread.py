"""A dead letter read again by the reader that buried it: what it is now, or why it still is none.

A file's row is read as a file of one row under its old header. What is not known without the rest of its file
(which pass of a repeated hour, whose statement) is refused.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from commission.events import AccountLinked, ClientEvent, Deal
from commission.terms.records import TermsRecord
from ingest.crm import csv_file as crm_csv
from ingest.crm import xml_file as crm_xml
from ingest.crm.records import CrmEvent
from ingest.formats.json_text import RepeatedKeys, read_json
from ingest.mt4 import dialects as mt4_json
from ingest.mt4 import json_file as mt4_json_file
from ingest.mt4 import record as mt4_record
from ingest.mt4 import sql_dump as mt4_sql_csv
from ingest.mt5 import deals_csv as mt5_deals_csv
from ingest.mt5 import dialects as mt5_json
from ingest.mt5 import sql_dump as mt5_sql_csv
from ingest.mt5 import terminal_csv as mt5_terminal_csv
from ingest.mt5.dialects import TERMINAL
from ingest.mt5.json_file import DIALECTS
from ingest.mt5.record import to_deals
from ingest.push.body import JSON_LINES, to_rows
from ingest.push.problems import Refused
from ingest.push.rows import DEAL_DIALECTS, client_events_of, deals_of, read_row
from ingest.server_time import parse_server_time
from ingest.source_items import Item
from ingest.sources import RowRejected, ServerProfile, UnreadableSource
from schemas.dead_letters import DeadLetter
from schemas.topics import ACCOUNT_BOOK, CLIENT_BOOK, TERMS
from schemas.wire import InvalidRecord, decode

Reread = Deal | CrmEvent | TermsRecord
Reader = Callable[[DeadLetter, bytes, ServerProfile | None], Iterable[Item]]

PUSH = "push"
LIVE = ("mt5-sql", "mt4-sql", "mt5-web-api")
"""Servers that were asked, and can be asked again."""

_PLACE = re.compile(r"line ([0-9]+)|(record [0-9]+)")


def needs_server(letter: DeadLetter) -> bool:
    """Tell whether a letter can only be read by a server's profile."""
    kind = kind_of(letter)
    return bool(letter.server) if kind == PUSH else kind in _OF_A_SERVER


def kind_of(letter: DeadLetter) -> str:
    """The reader that buried a letter: the first word of its source."""
    return letter.source.partition(" ")[0]


def reread(letter: DeadLetter, profile: ServerProfile | None, payload: bytes | None = None) -> list[Reread]:
    """What a letter's bytes are, or `payload` in their place; raise `RowRejected` if they are nothing yet."""
    given = letter.payload if payload is None else payload
    if payload is None and letter.is_blanked:
        raise RowRejected(
            "blanked",
            "cells it needs were blanked, as a name may have been in them; edit it, or read its file",
        )
    if payload is None and letter.payload_bytes > len(given):
        raise RowRejected(
            "cut", f"only {len(given):,} of its {letter.payload_bytes:,} bytes were kept; read its file"
        )
    if payload is None and letter.code == "truncated_row":
        raise RowRejected(
            "cut", "its file ended inside it, so a number may be cut off; edit it, or read its file"
        )
    kind = kind_of(letter)
    if kind == "topic":
        return [_record(letter, given)]
    reader = READERS.get(kind)
    if kind in LIVE:
        raise RowRejected("not_rereadable", "ask the server again: `ibflow reconcile` over the time it is of")
    if reader is None:
        raise RowRejected(
            "not_rereadable", f"a {kind} cannot be read row by row; correct it and read the whole file again"
        )
    return [_event(item, letter) for item in _read(reader, letter, given, profile)]


def _read(
    reader: Reader, letter: DeadLetter, payload: bytes, profile: ServerProfile | None
) -> Iterable[Item]:
    try:
        items = list(reader(letter, payload, profile))
    except UnreadableSource as error:
        raise RowRejected("unreadable", str(error)) from None
    if not items:
        raise RowRejected("nothing", "there is no row in it")
    return items


def _event(item: Item, letter: DeadLetter) -> Reread:
    if isinstance(item, DeadLetter):
        raise RowRejected(item.code, item.reason)
    place = _PLACE.match(letter.position)
    return replace(item, source=f"{letter.source}:{place[1] or place[2]}" if place else letter.source)


def _row(letter: DeadLetter, payload: bytes, read: Callable[[Path], Iterable[Item]]) -> list[Item]:
    if b"\n" in payload.strip(b"\r\n"):
        raise RowRejected("many_rows", "a row is one line")
    if not letter.header:
        raise RowRejected("no_header", "its header was not kept; read its file again")
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
        raise RowRejected("many_rows", "a dead letter is one record")
    return items


def _mt5_deals_csv(letter: DeadLetter, payload: bytes, profile: ServerProfile | None) -> Iterable[Item]:
    known = _known(letter, profile)
    items = _row(letter, payload, lambda path: mt5_deals_csv.read(path, known, letter.received_at))
    return _sure_of_time(items, known)


def _mt5_sql_csv(letter: DeadLetter, payload: bytes, profile: ServerProfile | None) -> Iterable[Item]:
    known = _known(letter, profile)
    return _row(letter, payload, lambda path: mt5_sql_csv.read(path, known, letter.received_at))


def _mt4_sql_csv(letter: DeadLetter, payload: bytes, profile: ServerProfile | None) -> Iterable[Item]:
    known = _known(letter, profile)
    items = _row(letter, payload, lambda path: mt4_sql_csv.read(path, known, letter.received_at))
    return _lasting(_sure_of_time(items, known), known)


def _mt5_json(letter: DeadLetter, payload: bytes, profile: ServerProfile | None) -> Iterable[Item]:
    known, raw = _known(letter, profile), _json_record(letter, payload)
    dialect = TERMINAL if kind_of(letter) == mt5_terminal_csv.KIND else DIALECTS[kind_of(letter)]  # type: ignore[index]
    _check_currency(raw, dialect.currency)
    return _sure_of_time(to_deals(mt5_json.to_record(raw, known, dialect, letter.source), known), known)


def _mt4_json(letter: DeadLetter, payload: bytes, profile: ServerProfile | None) -> Iterable[Item]:
    known, raw = _known(letter, profile), _json_record(letter, payload)
    dialect = mt4_json_file.dialect_of_json(payload)
    if dialect is None:
        raise RowRejected("not_a_record", "it has no fields of a trade as mt4manager or CPlugin spells them")
    _check_currency(raw, "currency")
    record = mt4_json.to_record(raw, known, dialect, letter.source)
    return [] if record is None else _lasting(_sure_of_time(mt4_record.to_deals(record, known), known), known)


def _pushed(letter: DeadLetter, payload: bytes, profile: ServerProfile | None) -> Iterable[Item]:
    """A row as it was sent: alone, as every pushed row is read."""
    dialect, _, sender = letter.source.removeprefix(f"{PUSH} ").partition(" ")
    if dialect == "crm":
        reading = client_events_of(sender)
    elif dialect in DEAL_DIALECTS:
        reading = deals_of(dialect, _known(letter, profile), sender)  # type: ignore[arg-type]
    else:
        raise RowRejected("not_rereadable", f"nobody knows a dialect {dialect[:40]}")
    try:
        rows = to_rows(payload, JSON_LINES)
    except Refused as refused:
        raise RowRejected("nothing", str(refused)) from None
    if len(rows) > 1:
        raise RowRejected("many_rows", "a dead letter is one row")
    items = read_row(rows[0], reading, letter.received_at).items
    return _lasting(items, profile) if dialect.startswith("mt4") and profile is not None else items


def _known(letter: DeadLetter, profile: ServerProfile | None) -> ServerProfile:
    if profile is None:
        raise RowRejected(
            "no_server", f"it is of the server {letter.server}; name the folder of terms that has it"
        )
    return profile


def _json_record(letter: DeadLetter, payload: bytes) -> Mapping[str, object]:
    if letter.code == "repeated_field" and payload == letter.payload:
        raise RowRejected(
            "repeated_field", "of a field given twice only one was kept; edit it, or read its file"
        )
    raw = read_json(payload, "the record")
    if not isinstance(raw, Mapping) or isinstance(raw, RepeatedKeys):
        raise RowRejected("not_a_record", "it is not one JSON object with each field once")
    return raw


def _check_currency(raw: Mapping[str, object], name: str) -> None:
    """What was said of its file is in the letter; the server's usual currency may be another."""
    if not raw.get(name):
        raise RowRejected("no_currency", f"it does not say its currency; edit it, with a field {name}")


def _sure_of_time(items: Iterable[Item], profile: ServerProfile) -> list[Item]:
    found = list(items)
    for item in found:
        if isinstance(item, Deal) and profile.clock.is_repeated(_server_time(item)):
            raise RowRejected(
                "repeated_hour",
                "the server's clock showed its time twice, and only the whole file shows which; correct the"
                " file and read it again",
            )
    return found


def _lasting(items: Iterable[Item], profile: ServerProfile) -> list[Item]:
    """What cannot have changed since: a ticket that was open then may be known as closed now."""
    found = list(items)
    deals = [item for item in found if isinstance(item, Deal)]
    if deals and deals[-1].kind == "trade" and deals[-1].entry == "in":
        raise RowRejected(
            "still_open", "its ticket was open then, and a newer state of it may be known; read the newer one"
        )
    if deals and profile.close_reopen:
        raise RowRejected(
            "reopened", "groups of its server reopen tickets, and only its whole file shows which"
        )
    return found


def _server_time(deal: Deal) -> datetime:
    return parse_server_time(deal.server_time)


READERS: dict[str, Reader] = {
    crm_csv.KIND: _crm_csv,
    crm_xml.KIND: _crm_xml,
    mt5_deals_csv.KIND: _mt5_deals_csv,
    mt5_sql_csv.KIND: _mt5_sql_csv,
    mt4_sql_csv.KIND: _mt4_sql_csv,
    mt4_json_file.KIND: _mt4_json,
    **dict.fromkeys((*DIALECTS, mt5_terminal_csv.KIND), _mt5_json),
    PUSH: _pushed,
}
"""By kind; what is not here is read by its whole file."""
_OF_A_SERVER = READERS.keys() - {crm_csv.KIND, crm_xml.KIND, PUSH}


def _record(letter: DeadLetter, line: bytes) -> Reread:
    """A line of a topic: what is written from outside may be written again, what a stage sent may not."""
    if letter.code == "skipped":
        raise RowRejected("skipped", "a named person left it out of the book for good")
    topic = letter.source.partition(" ")[2]
    try:
        record = decode(line)
    except InvalidRecord as error:
        raise RowRejected("invalid_record", str(error)) from None
    if topic == ACCOUNT_BOOK and isinstance(record, Deal | AccountLinked):
        return record
    if topic == CLIENT_BOOK and isinstance(record, ClientEvent):
        return record
    if topic == TERMS and isinstance(record, TermsRecord):
        return record
    raise RowRejected(
        "not_from_outside", f"a {record.type} in {topic or 'no topic'} is not written from outside"
    )
