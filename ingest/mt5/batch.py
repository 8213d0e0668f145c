"""Many MT5 records at once to deals in order of time, then number: a file, a page, a poll.

Only deals that come together let the two passes of a repeated hour be told apart.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from ingest.counts import Counts
from ingest.formats.json_text import RepeatedKeys
from ingest.mt5.dialects import Dialect, Raw, deal_number, hand_edits, server_time, to_record
from ingest.mt5.record import to_deals
from ingest.server_time import RepeatedHour
from ingest.source_items import Item
from ingest.sources import DeadLetterWriter, RowRejected, ServerProfile

MAX_KEPT_CHARS = 255
"""Characters kept of one value of a record that is buried."""


class SourceRecord(NamedTuple):
    """One record, where it was found (`record 3`), and the profile of its account."""

    raw: object
    position: str
    profile: ServerProfile


class _Timed(NamedTuple):
    at: datetime
    deal: int
    raw: Raw
    found: SourceRecord


@dataclass(frozen=True, slots=True)
class Mt5Batch:
    """Reads the records of one source, all of one server, in one dialect."""

    dialect: Dialect
    graveyard: DeadLetterWriter
    contract_sizes: Mapping[str, Decimal] = field(default_factory=dict)
    counts: Counts | None = None

    def items(self, records: Iterable[SourceRecord]) -> Iterator[Item]:
        """Yield dead letters for what has no number or time, then the deals in order."""
        timed: list[_Timed] = []
        for found in records:
            if self.counts is not None:
                self.counts.rows += 1
            try:
                timed.append(self._timed(found))
            except RowRejected as bad:
                yield self._rejected(found, bad)
        in_utc = [
            (at, one.deal, place) for place, (at, one) in enumerate(zip(_in_utc(timed), timed, strict=True))
        ]
        for at, _, place in sorted(in_utc):
            yield from self._deals(timed[place], at)

    def _timed(self, found: SourceRecord) -> _Timed:
        raw = found.raw
        if not isinstance(raw, Mapping):
            raise RowRejected("not_a_record", "not a JSON object with the fields of a deal")
        if isinstance(raw, RepeatedKeys):
            raise RowRejected(
                "repeated_field", "the record says a field twice, and nobody knows which counts"
            )
        return _Timed(server_time(raw, self.dialect), deal_number(raw, self.dialect), raw, found)

    def _deals(self, one: _Timed, at: datetime) -> Iterator[Item]:
        profile, position = one.found.profile, one.found.position
        if self.counts is not None:
            self.counts.hand_edits.update(hand_edits(one.raw))
        try:
            record = to_record(
                one.raw,
                profile,
                self.dialect,
                f"{self.graveyard.source}:{position}",
                to_utc=lambda *_: at,
                contract_sizes=self.contract_sizes,
            )
            yield from to_deals(record, profile)
        except RowRejected as bad:
            yield self._rejected(one.found, bad)

    def _rejected(self, found: SourceRecord, bad: RowRejected) -> Item:
        payload = kept(found.raw, self.dialect, self._said(found))
        return self.graveyard.to_dead_letter(payload, found.position, bad)

    def _said(self, found: SourceRecord) -> dict[str, object]:
        """What is known of a record beside it, so that alone it is the deal it was in its file."""
        dialect, profile = self.dialect, found.profile
        symbol = found.raw.get(dialect.symbol) if isinstance(found.raw, Mapping) else None
        size = self.contract_sizes.get(symbol) if isinstance(symbol, str) else None
        return {
            dialect.login: profile.login,
            dialect.currency: profile.currency,
            dialect.group: profile.group,
            dialect.contract_size: size,
        }


def kept(raw: object, dialect: Dialect, said: Mapping[str, object]) -> bytes:
    """What a dead letter keeps of a record: the fields of a deal and none that may hold a name."""
    if not isinstance(raw, Mapping):
        return b""
    told = {name: value for name, value in said.items() if value} | dict(raw)
    known = {name: _bounded(told[name]) for name in dialect.fields if name in told}
    return json.dumps(known, ensure_ascii=False).encode(errors="replace")


def _bounded(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | int | float | Decimal | datetime):
        return str(value)[:MAX_KEPT_CHARS]
    return f"({type(value).__name__})"


def _in_utc(timed: list[_Timed]) -> list[datetime]:
    """The times of a batch in UTC; deals of repeated hours are placed in the order of their numbers."""
    if not timed:
        return []
    clock = timed[0].found.profile.clock
    in_utc = [clock.to_utc(one.at) for one in timed]
    passes = RepeatedHour(clock)
    repeated = sorted((one.deal, place) for place, one in enumerate(timed) if clock.is_repeated(one.at))
    for deal, place in repeated:
        in_utc[place] = passes.to_utc(timed[place].at, deal)
    return in_utc
