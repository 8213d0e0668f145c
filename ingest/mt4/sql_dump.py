"""A dump of an MT4 report server's own table as CSV: the columns of `mt4_trades`, one ticket a line.

A row is read as the live source reads it, so a deal of a dump is the revision it is in the database.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from commission.events import Deal
from ingest.counts import Counts, counted
from ingest.formats.csv_rows import MAX_LINE_BYTES, Header, Row, read_header, rows
from ingest.mt4.dialects import HUNDREDTH_E8, to_record
from ingest.mt4.partial_closes import reopened_volumes
from ingest.mt4.record import ARCHIVED, Mt4Record, to_deals
from ingest.mt4.sql_row import AMOUNTS, FAMILIES, NEEDED, TABLE, to_raw
from ingest.server_time import MIN_YEAR, RepeatedHour
from ingest.source_items import Item
from ingest.sources import (
    DeadLetterWriter,
    MissingOptions,
    RowRejected,
    ServerProfile,
    UnreadableSource,
    check_platform,
)
from ingest.sql.cells import double, wall_clock
from ingest.sql.dump import MAX_ROWS, DumpRows, lacking_columns, to_line

KIND = "mt4-sql-csv"
COLUMNS = (*FAMILIES, "CURRENCY", "GROUP")
"""What is read; the last two are of other tables, and a dump may have joined them."""

_OWN = ("TICKET", "CMD", "OPEN_TIME", "CLOSE_TIME")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?")
_NUMBERS = dict.fromkeys(AMOUNTS, double)


def read(
    path: Path, profile: ServerProfile, received_at: datetime, counts: Counts | None = None
) -> Iterator[Item]:
    """Yield the rows that cannot be used, then the deals in order of time, then ticket.

    Raise `UnreadableSource` at once for a file that is not such a dump.
    """
    header = read_header(path)
    check_platform(profile, "mt4", path)
    check_header(header, path)
    if not profile.currency and "currency" not in header.columns:
        raise MissingOptions(f"{path.name}: {TABLE} does not have its accounts' currency", ("--currency",))
    reader = _Reader(path, header, profile, received_at, counts if counts is not None else Counts())
    return reader.read() if counts is None else counted(reader.read(), counts)


def is_header(header: Header) -> bool:
    """Tell whether a header is that of the server's table, perhaps with a column missing."""
    return all(name.lower() in header.columns for name in _OWN)


def check_header(header: Header, path: Path) -> None:
    """Raise `UnreadableSource`, naming what is missing."""
    if not is_header(header):
        raise UnreadableSource(
            f"{path.name} is not a dump of {TABLE}: its first line does not name its columns"
        )
    if missing := [name for name in NEEDED if name.lower() not in header.columns]:
        raise UnreadableSource(
            f"{path.name}: the column {', '.join(missing)} is missing; dump all columns of {TABLE}"
        )


class _Ticket(NamedTuple):
    """A row's ticket, and where the row is."""

    number: int
    line: int
    offset: int


class _Placed(NamedTuple):
    """When a deal happened, and the row it is made of again."""

    at: datetime
    number: int
    phase: int
    line: int
    offset: int
    opened_at: datetime


class _Reader:
    """Reads one dump three times: its tickets, when their deals happened, and the deals in that order."""

    def __init__(
        self, path: Path, header: Header, profile: ServerProfile, received_at: datetime, counts: Counts
    ) -> None:
        self._path, self._header, self._profile, self._counts = path, header, profile, counts
        said = lacking_columns(header, {"CURRENCY": profile.currency, "GROUP": profile.group})
        line = to_line((*header.cells, *said), header.delimiter)
        graveyard = DeadLetterWriter(f"{KIND} {path.name}", received_at, profile.server, line)
        self._rows = DumpRows(header, COLUMNS, "COMMENT", said, graveyard)
        self._numbers = {name: read for name, read in _NUMBERS.items() if name in self._rows.at}
        self._reopened: dict[int, int] = {}

    def read(self) -> Iterator[Item]:
        """Yield dead letters as they come by, and the deals in order."""
        tickets: list[_Ticket] = []
        links: list[tuple[int, int, str]] = []
        for row in rows(self._path, self._header.offset):
            if not row.raw:
                self._counts.skipped["blank_line"] += 1
                continue
            self._counts.rows += 1
            if len(tickets) == MAX_ROWS:
                raise UnreadableSource(
                    f"{self._path.name} has more than {MAX_ROWS:,} rows; dump a shorter time"
                )
            try:
                record = self._checked(row)
            except RowRejected as bad:
                yield self._rows.to_dead_letter(row.raw, row.line, bad)
                continue
            if record is None:
                self._counts.skipped["pending_order"] += 1
                continue
            tickets.append(_Ticket(record.ticket, row.line, row.offset))
            if self._profile.close_reopen:
                links.append((record.ticket, record.volume_e8, record.comment))
        self._reopened = reopened_volumes(links)
        placed: list[_Placed] = []
        yield from self._place(sorted(tickets), placed)
        yield from self._in_order(sorted(placed))

    def _place(self, tickets: list[_Ticket], placed: list[_Placed]) -> Iterator[Item]:
        """Find out when deals happened, in the order of tickets: it tells repeated hours apart."""
        passes = RepeatedHour(self._profile.clock)
        with self._path.open("rb") as file:
            for ticket in tickets:
                file.seek(ticket.offset)
                raw = file.readline(MAX_LINE_BYTES).rstrip(b"\r\n")
                try:
                    record = self._record(self._rows.named(raw), ticket.line, passes)
                    deals = to_deals(record, self._profile) if record is not None else ()
                except RowRejected as bad:
                    yield self._rows.to_dead_letter(raw, ticket.line, bad)
                    continue
                if record is not None and not deals:
                    self._counts.skipped[ARCHIVED] += 1
                for phase, deal in enumerate(deals):
                    placed.append(
                        _Placed(deal.occurred_at, *ticket[:1], phase, *ticket[1:], deals[0].occurred_at)
                    )

    def _in_order(self, placed: list[_Placed]) -> Iterator[Deal]:
        with self._path.open("rb") as file:
            for one in placed:
                file.seek(one.offset)
                named = self._rows.named(file.readline(MAX_LINE_BYTES).rstrip(b"\r\n"))
                record = self._record(named, one.line, _Known(one.opened_at))
                if record is not None:
                    yield to_deals(record, self._profile)[one.phase]

    def _checked(self, row: Row) -> Mt4Record | None:
        return self._record(self._rows.checked(row), row.line)

    def _record(
        self, named: Mapping[str, str | None], line: int, passes: "RepeatedHour | _Known | None" = None
    ) -> Mt4Record | None:
        for name in ("OPEN_TIME", "CLOSE_TIME"):
            # A damaged closing time must not leave the ticket open.
            if (text := named[name]) is not None and not _is_time(text):
                raise RowRejected(
                    "bad_time", f"{name} is not a time such as 2025-03-13 00:36:37; dump it as such"
                )
        raw = to_raw(named, self._numbers, {})
        with suppress(KeyError, ValueError):
            raw["reopened_volume"] = self._reopened[int(named["TICKET"] or 0)] // HUNDREDTH_E8
        source = f"{KIND} {self._path.name}:{line}"
        return to_record(
            raw, self._profile, "mt4manager", source, to_utc=None if passes is None else passes.to_utc
        )


def _is_time(text: str) -> bool:
    if _TIME.fullmatch(text) is None:
        return False
    return text < str(MIN_YEAR) or wall_clock(text) is not None  # 1970 and 0000 are no time, rightly


class _Known(NamedTuple):
    """An opening whose pass of a repeated hour is known."""

    opened_at: datetime

    def to_utc(self, _server_time: datetime, _ticket: int) -> datetime:
        """The opening in UTC."""
        return self.opened_at
