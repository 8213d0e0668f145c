"""MT4 trade records saved as JSON: arrays of what mt4manager or the CPlugin Web API returned."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from commission.events import Deal
from ingest.counts import Counts, counted
from ingest.formats.json_text import MAX_JSON_BYTES, RepeatedKeys, read_json
from ingest.mt4.dialects import Dialect, known_fields, to_record
from ingest.mt4.partial_closes import reopened_volumes
from ingest.mt4.record import ARCHIVED, Mt4Record, to_deals
from ingest.server_time import RepeatedHour
from ingest.source_items import Item
from ingest.sources import (
    DeadLetterWriter,
    RowRejected,
    ServerProfile,
    UnreadableSource,
    check_platform,
    check_size,
)

KIND = "mt4-json"
MAX_KEPT_CHARS = 255
"""Characters kept of one value of a record that is buried."""
RATES = 2
"""Numbers in `convRates`, the only list of a record that is read."""

_SIGNS: Mapping[Dialect, tuple[tuple[bytes, ...], ...]] = {
    "mt4manager": ((b'"cmd"', b'"openTime"', b'"id"'),),
    "cplugin": ((b'"tradeCommand"', b'"order"'), (b'"trade_command"', b'"order"')),
}


def dialect_of_json(head: bytes) -> Dialect | None:
    """Tell by its start which dialect of MT4 a JSON text is in; None for anything else."""
    found = [
        dialect
        for dialect, spellings in _SIGNS.items()
        if any(all(sign in head for sign in signs) for signs in spellings)
    ]
    return found[0] if len(found) == 1 else None


def read(
    path: Path, profile: ServerProfile, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield the dead letters of a file, then its deals in order of time, then ticket.

    Raise `UnreadableSource` at once for a file that is not whole, or tells of no MT4 trades.
    """
    check_size(path, MAX_JSON_BYTES)
    raw = path.read_bytes()
    dialect = dialect_of_json(raw)
    if dialect is None:
        raise UnreadableSource(f"{path.name} has no trades as mt4manager or the CPlugin Web API spells them")
    check_platform(profile, "mt4", path)
    records = read_json(raw, path.name)
    if isinstance(records, Mapping):
        records = [records]
    if not isinstance(records, list):
        raise UnreadableSource(f"{path.name} holds neither a list of trades nor one trade")
    tells_currency = any(isinstance(one, Mapping) and "currency" in one for one in records)
    if records and not profile.currency and not tells_currency:
        raise UnreadableSource(f"{path.name}: MT4 trades do not say their currency; name it in the profile")
    tally = counts if counts is not None else Counts()
    graveyard = DeadLetterWriter(f"{KIND} {path.name}", received_at, profile.server)
    items = _Reader(dialect, profile, graveyard, tally).read(records)
    return iter(items) if counts is None else counted(items, counts)


class _Reader:
    """Makes the deals of one file's records."""

    def __init__(
        self, dialect: Dialect, profile: ServerProfile, graveyard: DeadLetterWriter, counts: Counts
    ) -> None:
        self._dialect, self._profile = dialect, profile
        self._graveyard, self._counts = graveyard, counts
        self._rejected: list[Item] = []

    def read(self, records: list[object]) -> list[Item]:
        """Read in the order of tickets, which tells the passes of a repeated hour apart."""
        # Places are numbered from 1, as a person would count the records of the file.
        numbered = sorted(enumerate(records, start=1), key=lambda one: (self._ticket(one[1]), one[0]))
        passes = RepeatedHour(self._profile.clock)
        found: list[tuple[Mt4Record, int, object]] = []
        for place, raw in numbered:
            self._counts.rows += 1
            try:
                record = self._record(raw, place, passes)
            except RowRejected as bad:
                self._to_dead_letter(raw, place, bad)
                continue
            if record is None:
                self._counts.skipped["pending_order"] += 1
            else:
                found.append((record, place, raw))
        deals = list(self._deals(found))
        deals.sort(key=lambda one: (one[0].occurred_at, *one[1:]))
        return [*self._rejected, *(deal for deal, *_ in deals)]

    def _record(self, raw: object, place: int, passes: RepeatedHour) -> Mt4Record | None:
        if not isinstance(raw, Mapping):
            raise RowRejected("not_a_record", "not a JSON object with the fields of a trade")
        if isinstance(raw, RepeatedKeys):
            raise RowRejected(
                "repeated_field", "the record says a field twice, and nobody knows which counts"
            )
        source = f"{self._graveyard.source}:{place}"
        return to_record(raw, self._profile, self._dialect, source, to_utc=passes.to_utc)

    def _deals(self, found: list[tuple[Mt4Record, int, object]]) -> Iterator[tuple[Deal, int, int]]:
        """The deals of all records, each with its ticket and phase."""
        tickets = ((record.ticket, record.volume_e8, record.comment) for record, *_ in found)
        reopened = reopened_volumes(tickets) if self._profile.close_reopen else {}
        for told, place, raw in found:
            record = told
            if record.reopened_e8 is None:
                record = replace(record, reopened_e8=reopened.get(record.ticket))
            try:
                deals = to_deals(record, self._profile)
            except RowRejected as bad:
                self._to_dead_letter(raw, place, bad)
                continue
            if not deals:
                self._counts.skipped[ARCHIVED] += 1
            yield from ((deal, record.ticket, phase) for phase, deal in enumerate(deals))

    def _to_dead_letter(self, raw: object, place: int, bad: RowRejected) -> None:
        """Keep the fields of a trade and none that may hold a name."""
        fields = known_fields(self._dialect)
        said = {"currency": self._profile.currency, "group": self._profile.group}
        # What was said of the file goes along, so that the record alone is the ticket it was in its file.
        named = (
            {**{name: text for name, text in said.items() if text}, **raw} if isinstance(raw, Mapping) else {}
        )
        kept = {
            key: _bounded(value) for key, value in named.items() if key.replace("_", "").lower() in fields
        }
        payload = json.dumps(kept, ensure_ascii=False).encode(errors="replace")
        self._rejected.append(self._graveyard.to_dead_letter(payload, f"record {place}", bad))

    def _ticket(self, raw: object) -> int:
        ticket = (
            raw.get("id" if self._dialect == "mt4manager" else "order") if isinstance(raw, Mapping) else 0
        )
        return ticket if isinstance(ticket, int) else 0


def _bounded(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | int | Decimal):
        return str(value)[:MAX_KEPT_CHARS]
    if isinstance(value, list) and len(value) == RATES:
        return [None if isinstance(one, list | dict) else _bounded(one) for one in value]
    return f"({type(value).__name__})"
