"""MT5's own database (`mt5_deals` and its yearly copies) as a live source: what changed since a cursor.

The cursor is the newest `Timestamp` read of each table. That is a Windows FILETIME, the true UTC of a row's
last write: a late, edited or cancelled deal gets a new one, where deal numbers and times would not tell.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, TableClause, exists, not_, select

from commission.events import Deal
from ingest.mt5.record import Mt5Record, to_deals
from ingest.mt5.sql_row import EITHER, FAMILIES, FILETIME_PER_US, NEEDED, NUMBERS, row_record, to_filetime
from ingest.source_items import Item
from ingest.sources import DeadLetterWriter, Page, RowRejected, ServerProfile, UnreadableSource
from ingest.sql.cells import ToNumber, number_readers
from ingest.sql.database import Database, Row, Table
from ingest.sql.keyset import Walk, accounts_of, check_stamps, cursor_of, joined, places_of, walk

KIND = "mt5-sql"
OVERLAP = timedelta(minutes=10)
"""How far before its cursor a table is read again: rows become visible later than their stamp says."""
MAX_GROUPS = 100_000
WINDOW_MARGIN = timedelta(hours=2)
"""Server times this far around a window are read; what lies outside it in UTC is left out."""

_MICROSECOND = timedelta(microseconds=1)
_DEALS = re.compile(r"mt5_deals(_(19|20)[0-9]{2})?")


class _Deals(NamedTuple):
    """One table of deals, in the order of last writes and in the order of the server's clock."""

    name: str
    columns: tuple[str, ...]
    numbers: Mapping[str, ToNumber]
    by_stamp: Walk
    by_time: Walk


class Mt5Sql:
    """The deals of one MT5 server, read from its database."""

    def __init__(self, database: Database, profile: ServerProfile) -> None:
        self._database = database
        self._profile = profile

    def poll(self, cursor: str) -> Iterator[Page]:
        """Yield what was written since `cursor`, table by table, the years before the present."""
        places = places_of(cursor)
        tables = _tables_of(self._database)
        reader = _Reader(self._profile, _currencies(self._database))
        # A stamp ahead of the server's clock must not carry the cursor over what is still to come.
        newest = to_filetime(self._database.now().utc)
        for deals in tables:
            since = places.get(deals.name, 0) - OVERLAP // _MICROSECOND * FILETIME_PER_US
            for rows in deals.by_stamp.pages(self._database, max(since, 0)):
                reached = min(int(str(rows[-1][deals.by_stamp.by_at])), newest)
                places[deals.name] = max(places.get(deals.name, 0), reached)
                yield Page(reader.items(deals, rows), cursor_of(places))

    def window(self, since: datetime, until: datetime) -> Iterator[Item]:
        """Yield every deal with `since <= occurred_at < until`, and what cannot be read near it."""
        tables = _tables_of(self._database)
        reader = _Reader(self._profile, _currencies(self._database))
        clock = self._profile.clock
        first = clock.to_server_time(since) - WINDOW_MARGIN
        end = clock.to_server_time(until) + WINDOW_MARGIN
        for deals in tables:
            for rows in deals.by_time.pages(self._database, str(first), str(end)):
                for item in reader.items(deals, rows):
                    if not isinstance(item, Deal) or since <= item.occurred_at < until:
                        yield item

    def cursor_at(self, moment: datetime) -> str:
        """The cursor from which everything written since `moment` is read."""
        return cursor_of({deals.name: to_filetime(moment) for deals in _tables_of(self._database)})


class _Reader:
    """Makes items of one server's rows."""

    def __init__(self, profile: ServerProfile, currencies: Mapping[str, str]) -> None:
        self._profile = profile
        self._currencies = currencies
        self._graveyard = DeadLetterWriter(f"{KIND} {profile.server}", datetime.now(UTC))

    def items(self, deals: _Deals, rows: list[Row]) -> list[Item]:
        """Read rows, each to its deals or to one dead letter."""
        found: list[Item] = []
        for row in rows:
            cells = dict(zip(deals.columns, row, strict=True))
            place = f"{deals.name}:{cells['Deal']}"
            try:
                found += to_deals(self._record(deals, cells, place), self._profile)
            except RowRejected as bad:
                found.append(self._graveyard.to_dead_letter(json.dumps(cells).encode(), place, bad))
        return found

    def _record(self, deals: _Deals, cells: Mapping[str, str | None], place: str) -> Mt5Record:
        currency = self._currencies.get((cells.get("Group") or "").casefold())
        told = {**cells, "Currency": currency}
        return row_record(told, deals.numbers, self._profile, f"{KIND} {place}")


def _tables_of(database: Database) -> list[_Deals]:
    """The tables of deals, years first; raise `UnreadableSource` if there is none or one cannot be used."""
    known = database.tables("mt5_")
    found = {name: table for name, table in known.items() if _DEALS.fullmatch(name)}
    if not found:
        raise UnreadableSource(
            "the database has no table mt5_deals; name the one that MT5 exports to, and let it export deals"
        )
    # `mt5_deals` last: of two equally new copies of a deal the present one speaks.
    ordered = sorted(found, key=lambda name: (name == "mt5_deals", name))
    clauses = [_clause(database, found[name]) for name in ordered]
    accounts = accounts_of(known.get("mt5_users"), ("Login", "Group"))
    numbers = [number_readers(found[name].types, NUMBERS) for name in ordered]
    return [
        _deals(clause, _superseded(clause, clauses), accounts, readers)
        for clause, readers in zip(clauses, numbers, strict=True)
    ]


def _clause(database: Database, table: Table) -> TableClause:
    """The table with the columns that are read; raise `UnreadableSource` if it cannot be read exactly."""
    table.check(FAMILIES, NEEDED)
    for names in EITHER:
        if not any(map(table.has, names)):
            raise UnreadableSource(f"table {table.name} has neither column {' nor '.join(names)}")
    clause = table.clause(FAMILIES)
    if "timestamp" in table.nullable:
        check_stamps(database, clause, "Timestamp")
    return clause


def _superseded(own: TableClause, clauses: Sequence[TableClause]) -> list[ColumnElement[bool]]:
    """Conditions that hold for a row whose deal has a newer copy in another table."""
    found: list[ColumnElement[bool]] = []
    is_later = False
    for other in clauses:
        if other is own:
            is_later = True
            continue
        mine, copy = own.c["Timestamp"], other.c["Timestamp"]
        newer = copy >= mine if is_later else copy > mine
        found.append(exists().where(other.c["Deal"] == own.c["Deal"], newer))
    return found


def _deals(
    clause: TableClause,
    superseded: Sequence[ColumnElement[bool]],
    accounts: TableClause | None,
    numbers: Mapping[str, ToNumber],
) -> _Deals:
    picked, source = joined(clause, "Login", accounts)
    statement = select(*picked).select_from(source).where(*(not_(condition) for condition in superseded))
    columns = tuple(str(column.key) for column in picked)
    time = "Time" if "Time" in clause.c else "TimeMsc"
    return _Deals(
        clause.name,
        columns,
        numbers,
        by_stamp=walk(statement, columns, clause.c["Timestamp"], clause.c["Deal"]),
        by_time=walk(statement, columns, clause.c[time], clause.c["Deal"], is_time=True),
    )


def _currencies(database: Database) -> dict[str, str]:
    """Deposit currencies by group, where the platform exports its groups; unclear ones are left out."""
    groups = accounts_of(database.tables("mt5_groups").get("mt5_groups"), ("Group", "Currency"))
    if groups is None:
        return {}
    told: dict[str, set[str]] = {}
    for group, currency in database.all(select(*groups.c).limit(MAX_GROUPS)):
        told.setdefault((group or "").casefold(), set()).add((currency or "").strip())
    return {group: currencies.pop() for group, currencies in told.items() if len(currencies) == 1}
