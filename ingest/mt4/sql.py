"""MT4's report-server database (`mt4_trades`) as a live source: the tickets that changed since a cursor.

A row is a ticket that mutates: open it is one deal, closed it is two. The cursor is the newest `TIMESTAMP`
read (seconds of the last change), or `MODIFY_TIME` where a replica has no TIMESTAMP.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, or_, select

from commission.events import Deal
from ingest.mt4.dialects import to_record
from ingest.mt4.partial_closes import remainder_of
from ingest.mt4.record import to_deals
from ingest.mt4.sql_row import AMOUNTS, FAMILIES, NEEDED, TABLE, to_raw
from ingest.server_time import ServerClock
from ingest.source_items import Item
from ingest.sources import DeadLetterWriter, Page, RowRejected, ServerProfile, UnreadableSource
from ingest.sql.cells import number_readers
from ingest.sql.database import Database, Now, Row
from ingest.sql.keyset import Walk, accounts_of, check_stamps, cursor_of, joined, places_of, walk

KIND = "mt4-sql"
OVERLAP = timedelta(minutes=10)
"""How far before its cursor the table is read again: rows become visible later than their stamp says."""
MAX_AHEAD = timedelta(hours=24)
"""No clock that stamps rows is further from UTC."""
WINDOW_MARGIN = timedelta(hours=2)
"""Server times this far around a window are read; what lies outside it in UTC is left out."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a server's wall clock has no zone
_SECOND, _MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)


class Mt4Sql:
    """The tickets of one MT4 server, read from its report server's database."""

    def __init__(self, database: Database, profile: ServerProfile) -> None:
        self._database = database
        self._profile = profile

    def poll(self, cursor: str) -> Iterator[Page]:
        """Yield what changed since `cursor`."""
        trades = _Trades(self._database)
        place = places_of(cursor).get(TABLE, 0)
        # A stamp ahead of every clock must not carry the cursor over what is still to come.
        newest = trades.newest(self._database.now(), self._profile.clock)
        reader = _Reader(self._profile, trades)
        since = trades.since(max(place - OVERLAP // trades.unit, 0))
        for rows in trades.by_stamp.pages(self._database, since):
            place = max(place, min(trades.place_of(rows[-1]), newest))
            yield Page(reader.items(rows, trades.remainders(rows)), cursor_of({TABLE: place}))

    def window(self, since: datetime, until: datetime) -> Iterator[Item]:
        """Yield every deal with `since <= occurred_at < until`, and what cannot be read near it."""
        trades = _Trades(self._database)
        reader = _Reader(self._profile, trades)
        clock = self._profile.clock
        first = str(clock.to_server_time(since) - WINDOW_MARGIN)
        end = str(clock.to_server_time(until) + WINDOW_MARGIN)
        for by_time in (trades.opened(), trades.closed_only(first, end)):
            for rows in by_time.pages(self._database, first, end):
                for item in reader.items(rows, trades.remainders(rows)):
                    if not isinstance(item, Deal) or since <= item.occurred_at < until:
                        yield item

    def cursor_at(self, moment: datetime) -> str:
        """The cursor from which everything changed since `moment` is read, whatever clock stamps it."""
        trades = _Trades(self._database)
        sure = (moment - MAX_AHEAD).astimezone(UTC).replace(tzinfo=None)
        return cursor_of({TABLE: (sure - _EPOCH) // trades.unit})


class _Trades:
    """The table of tickets, and the orders to read it in."""

    def __init__(self, database: Database) -> None:
        known = database.tables("mt4_")
        if TABLE not in known:
            raise UnreadableSource(
                f"the database has no table {TABLE}; name the one that the report server fills"
            )
        table = known[TABLE]
        table.check(FAMILIES, NEEDED)
        stamp = next((name for name in ("TIMESTAMP", "MODIFY_TIME") if table.has(name)), None)
        if stamp is None:
            raise UnreadableSource(
                f"table {TABLE} has neither column TIMESTAMP nor MODIFY_TIME, without which nobody knows"
                " what changed"
            )
        self._database = database
        self._clause = table.clause(FAMILIES)
        if stamp.lower() in table.nullable:
            check_stamps(database, self._clause, stamp)
        accounts = accounts_of(known.get("mt4_users"), ("LOGIN", "GROUP", "CURRENCY"))
        picked, source = joined(self._clause, "LOGIN", accounts)
        self._statement = select(*picked).select_from(source)
        self._is_time = stamp == "MODIFY_TIME"
        self.numbers = number_readers(table.types, AMOUNTS)
        self.columns = tuple(str(column.key) for column in picked)
        self.unit = _MICROSECOND if self._is_time else _SECOND
        self.by_stamp = self._walk(self._statement, stamp, is_time=self._is_time)

    def remainders(self, rows: Sequence[Row]) -> dict[int, str]:
        """The volumes of the tickets that partial closes in these rows opened (`to #12`), by number."""
        comment_at = self.columns.index("COMMENT")
        links = [remainder_of(row[comment_at] or "") for row in rows]
        if not (numbers := [link for link in links if link is not None]):
            return {}
        ticket, volume = self._clause.c["TICKET"], self._clause.c["VOLUME"]
        found = self._database.all(select(ticket, volume).where(ticket.in_(numbers)))
        return {int(str(number)): str(hundredths) for number, hundredths in found}

    def opened(self) -> Walk:
        """In the order of openings and cash operations."""
        return self._walk(self._statement, "OPEN_TIME", is_time=True)

    def closed_only(self, first: str, end: str) -> Walk:
        """In the order of closings, without what was also opened in the window."""
        opened = self._clause.c["OPEN_TIME"]
        return self._walk(
            self._statement.where(or_(opened < first, opened >= end)), "CLOSE_TIME", is_time=True
        )

    def since(self, place: int) -> int | str:
        """A place as the database compares it."""
        return str(_EPOCH + place * self.unit) if self._is_time else place

    def place_of(self, row: Row) -> int:
        """The place of a row."""
        stamp = str(row[self.by_stamp.by_at])
        return (datetime.fromisoformat(stamp) - _EPOCH) // self.unit if self._is_time else int(stamp)

    def newest(self, now: Now, clock: ServerClock) -> int:
        """The newest stamp that can be right, whichever of the clocks it is of."""
        utc = now.utc.replace(tzinfo=None)
        ahead = max(utc, now.local if self._is_time else clock.to_server_time(now.utc))
        return (ahead - _EPOCH) // self.unit

    def _walk(self, statement: Select[Any], by: str, *, is_time: bool) -> Walk:
        return walk(statement, self.columns, self._clause.c[by], self._clause.c["TICKET"], is_time=is_time)


class _Reader:
    """Makes items of one server's rows."""

    def __init__(self, profile: ServerProfile, trades: _Trades) -> None:
        self._profile = profile
        self._columns, self._numbers = trades.columns, trades.numbers
        self._graveyard = DeadLetterWriter(f"{KIND} {profile.server}", datetime.now(UTC))

    def items(self, rows: Sequence[Row], remainders: Mapping[int, str]) -> list[Item]:
        """Read rows, each to its deals or to one dead letter; pending orders are none."""
        found: list[Item] = []
        for row in rows:
            cells = dict(zip(self._columns, row, strict=True))
            place = f"{TABLE}:{cells['TICKET']}"
            try:
                raw = to_raw(cells, self._numbers, remainders)
                record = to_record(raw, self._profile, "mt4manager", f"{KIND} {place}")
                found += () if record is None else to_deals(record, self._profile)
            except RowRejected as bad:
                found.append(self._graveyard.to_dead_letter(json.dumps(cells).encode(), place, bad))
        return found
