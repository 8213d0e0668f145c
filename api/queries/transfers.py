"""Transfers: the list, one row by its id, and the deal that one names."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.queries.days import MAX_DAYS, all_days
from api.queries.periods import ALWAYS, DAY, END, OF_DAYS, SETTLED_INSIDE, Interval
from api.queries.transfer_keys import MAX_PLACES, NEAR, Places, near_one, near_values, places
from api.scope import Scope, sees, sees_client
from schemas.columns import TRANSFER_COLUMNS

# Of the way up the tree only the part that is seen, and of all IBs together nothing.
_SHOWN = {
    "path": f"arrayFilter(one -> {sees('one')}, path) AS path",
    "factors": "mapFilter((name, _) -> {sees_all:UInt8} OR name != 'all_ibs', factors) AS factors",
}
COLUMNS = ", ".join(_SHOWN.get(name, name) for name in TRANSFER_COLUMNS)
MAX_CHAIN = 200
"""Rows of one explanation; a deal pays a few IBs a few components."""

_LIST = """
SELECT {columns}, toUnixTimestamp64Micro(occurred_at) AS at_us
FROM transfers FINAL
WHERE {inside}{conditions}
  AND (toUnixTimestamp64Micro(occurred_at), transfer_id) < ({{before_us:Int64}}, {{before_id:String}})
ORDER BY occurred_at DESC, transfer_id DESC
LIMIT {{limit:UInt32}}
"""

# Those of a deal are few, and found by its key: copies are left out at less cost than rows around are merged.
_OF_DEAL = """
SELECT {columns}, toUnixTimestamp64Micro(occurred_at) AS at_us
FROM transfers PREWHERE {near} AND caused_by = {{deal:String}}
WHERE {inside}{conditions}
  AND (toUnixTimestamp64Micro(occurred_at), transfer_id) < ({{before_us:Int64}}, {{before_id:String}})
ORDER BY occurred_at DESC, transfer_id DESC LIMIT 1 BY transfer_id LIMIT {{limit:UInt32}}
"""
_COUNT = "SELECT count() AS found FROM transfers FINAL WHERE {inside}{conditions}"
_DAY = """
SELECT {columns} FROM transfers FINAL WHERE {inside}{conditions} ORDER BY occurred_at, transfer_id
"""

PLACE = "stored_at, _offset"
# Few rows, found by their ids; copies of a row are equal.
_ONE = """
SELECT {columns}, {place} FROM transfers PREWHERE {near} AND transfer_id = {{id:String}} WHERE {seen} LIMIT 1
"""
_CONDITIONS = {
    "ib": "ib_id = {ib:String}",
    "client": "client_id = {client:String}",
    "deal": f"caused_by = {{deal:String}} AND {near_one('deal')}",
    "currency": "currency = {currency:String}",
}
_WINDOWS = (1, 7, 56, MAX_DAYS)
"""Days looked at for a page: rows of the newest are most often enough."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US = (END - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """Which of the transfers that the scope sees; an empty text means all."""

    scope: Scope
    ib: str = ""
    client: str = ""
    deal: str = ""
    currency: str = ""
    interval: Interval = ALWAYS


def transfers(ledger: Ledger, wanted: TransferFilter, limit: int, cursor: str = "") -> dict[str, Any]:
    """One page of transfers, newest first."""
    before_us, before_id = decode_cursor(cursor, int, str) if cursor else (2**62, "")
    values = {"before_us": before_us, "before_id": before_id, "limit": limit + 1, **_values(wanted)}
    rows: list[Row] = []
    if wanted.deal:
        rows = _of_deal(ledger, wanted, values)
    else:
        sql = _LIST.format(
            columns=columns(wanted.scope),
            inside=SETTLED_INSIDE,
            conditions=_conditions(wanted) + f" AND {OF_DAYS}",
        )
        for days in _newest_days(ledger, wanted.interval, before_us):
            rows += ledger.rows(sql, days=days, **values)
            if len(rows) > limit:
                break
    result = page(rows[: limit + 1], limit, key=lambda row: (row["at_us"], row["transfer_id"]))
    for row in result["items"]:
        del row["at_us"]
    return result


def _of_deal(ledger: Ledger, wanted: TransferFilter, values: dict[str, object]) -> list[Row]:
    found = places(ledger, wanted.deal, wanted.ib)
    if not found:
        return []
    parts = {"columns": columns(wanted.scope), "inside": SETTLED_INSIDE}
    if len(found) == MAX_PLACES:  # what has caused so much is no deal, and may be in other places
        return ledger.rows(_LIST.format(conditions=_conditions(wanted), **parts), **values)
    sql = _OF_DEAL.format(near=NEAR, conditions=_conditions(replace(wanted, deal="")), **parts)
    return ledger.rows(sql, **near_values(found), **values)


def columns(scope: Scope) -> str:
    """Of a transfer; not masked for whoever sees all: masks cost more to plan than columns to read."""
    return ", ".join(TRANSFER_COLUMNS) if scope.is_whole else COLUMNS


def count(ledger: Ledger, wanted: TransferFilter) -> int:
    """How many transfers there are."""
    sql = _COUNT.format(inside=SETTLED_INSIDE, conditions=_conditions(wanted))
    (block,) = ledger.long_blocks(sql, **_values(wanted))
    return int(block[0]["found"])


def blocks(ledger: Ledger, wanted: TransferFilter) -> Iterator[list[Row]]:
    """All transfers, some thousands at a time, the oldest first; each day as it is when its turn comes."""
    spans = (wanted.interval, wanted.interval.closing) if wanted.interval.period else (wanted.interval,)
    of_day = f" AND {DAY} = {{day:Date32}}"
    sql = _DAY.format(columns=COLUMNS, inside=SETTLED_INSIDE, conditions=_conditions(wanted) + of_day)
    for day in sorted({day for span in spans for day in all_days(ledger, span)}):
        yield from ledger.long_blocks(sql, day=day, **_values(wanted))


def _conditions(wanted: TransferFilter) -> str:
    asked = (text for name, text in _CONDITIONS.items() if getattr(wanted, name))
    return "".join(f" AND {text}" for text in (sees("ib_id"), *asked))


def _values(wanted: TransferFilter) -> dict[str, object]:
    """Of those conditions, and of the interval."""
    values: dict[str, object] = {name: getattr(wanted, name) for name in _CONDITIONS}
    return values | wanted.interval.settled_parameters | wanted.scope.parameters


def _newest_days(ledger: Ledger, interval: Interval, before_us: int) -> Iterator[list[date]]:
    """The days that a page may have rows of, the newest first, a few and then more at a time."""
    spans = (interval, interval.closing) if interval.period else (interval,)
    last = END.date() if before_us >= _LAST_US else (_EPOCH + timedelta(microseconds=before_us)).date()
    days = sorted({day for span in spans for day in all_days(ledger, span) if day <= last}, reverse=True)
    start, of_closing = 0, sum(day >= interval.ends_at.date() for day in days) if interval.period else 0
    for count in (of_closing + _WINDOWS[0], *_WINDOWS[1:]):  # a closing has few rows
        if found := days[start : start + count]:
            yield found
        start += count


@dataclass(frozen=True, slots=True)
class Placed:
    """One transfer, and where it is."""

    row: Row
    place: Row
    """`stored_at` and `_offset`."""
    near: Places
    """Of the transfer and of what takes it back."""


def placed(ledger: Ledger, scope: Scope, transfer_id: str) -> Placed | None:
    """One transfer by its id with its places, or None if the scope sees no such row."""
    near = places(ledger, transfer_id)
    sql = _ONE.format(columns=columns(scope), place=PLACE, near=NEAR, seen=sees("ib_id"))
    found = ledger.rows(sql, id=transfer_id, **near_values(near), **scope.parameters) if near else []
    if not found:
        return None
    row = found[0]
    place = {name: row.pop(name) for name in ("stored_at", "_offset")}
    return Placed(row, place, near)


def transfer(ledger: Ledger, scope: Scope, transfer_id: str) -> Row | None:
    """One transfer by its id, or None."""
    found = placed(ledger, scope, transfer_id)
    return None if found is None else found.row


_DEAL = """
SELECT * EXCEPT (_topic, _partition, _offset, stored_at) FROM deals
PREWHERE deal_key = {{key:String}} {seen} ORDER BY _offset DESC LIMIT 1
"""
# Left out for whoever sees all: to plan it is a third of what the question costs.
_DEAL_SEEN = f"""WHERE deal_key IN (
    SELECT caused_by FROM transfers
    WHERE {near_one("key")} AND caused_by = {{key:String}} AND {sees("ib_id")}
    UNION ALL
    SELECT deal_key FROM rejections WHERE deal_key = {{key:String}} AND {sees_client("client_id")}
)"""  # noqa: S608  - the parts are constants; values are parameters


def deal(ledger: Ledger, scope: Scope, deal_key: str) -> Row | None:
    """The deal a transfer names as its cause, or None if the cause is no deal.

    It is seen by whoever sees an IB that earned of it, or its client.
    """
    sql = _DEAL.format(seen="" if scope.is_whole else _DEAL_SEEN)
    found = ledger.rows(sql, key=deal_key, **scope.parameters)
    return found[0] if found else None
