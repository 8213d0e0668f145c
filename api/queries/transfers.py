"""Transfers: the list, one row, and everything that touched it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.queries.days import MAX_DAYS, all_days
from api.queries.periods import ALWAYS, DAY, END, SETTLED_INSIDE, Interval
from api.queries.transfer_keys import NEAR, days_and_ibs, near_one
from api.scope import Scope, sees, sees_client
from commission.accounts import is_held
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

_COUNT = "SELECT count() AS found FROM transfers FINAL WHERE {inside}{conditions}"
_DAY = """
SELECT {columns} FROM transfers FINAL WHERE {inside}{conditions} ORDER BY occurred_at, transfer_id
"""

# Few rows, found by their ids: the newest of each is taken here, at less cost than merging what is around.
_BY_ID = f"""
FROM transfers PREWHERE {near_one("id")} AND transfer_id = {{id:String}} WHERE {sees("ib_id")}
ORDER BY _offset DESC LIMIT 1
"""
_ONE = f"SELECT {COLUMNS} {_BY_ID}"
_LINKS = f"SELECT code, caused_by, reverses, ib_id, component, plan_id, plan_version, path {_BY_ID}"
"""Each column that is read costs a third of a millisecond, whatever is in it."""
# In one level, and `PREWHERE`: another level costs as much to plan as the rows cost to read. What is masked
# and left out for whoever sees a part is planned for them alone.
_CHAIN_ROWS = f"""
FROM transfers PREWHERE {NEAR}
  AND (transfer_id IN {{ids:Array(String)}} OR reverses IN {{ids:Array(String)}}
   OR ({{caused_by:String}} != '' AND caused_by = {{caused_by:String}} AND ib_id = {{ib:String}}
       AND (component = {{component:String}} OR code = 'hold')))
"""
_CHAIN_LAST = "ORDER BY _offset DESC LIMIT 1 BY transfer_id LIMIT {limit:UInt32}"
_PLACE = "stored_at, _offset"
_CHAIN = f"SELECT {', '.join(TRANSFER_COLUMNS)}, {_PLACE} {_CHAIN_ROWS} {_CHAIN_LAST}"
_CHAIN_SEEN = f"SELECT {COLUMNS}, {_PLACE} {_CHAIN_ROWS} WHERE {sees('ib_id')} {_CHAIN_LAST}"

_RELEASES = f"""
SELECT {COLUMNS} FROM (
SELECT * FROM transfers
WHERE code = 'release' AND ib_id = {{ib:String}} AND client_id = {{client:String}}
  AND component = {{component:String}} AND currency = {{currency:String}}
  AND occurred_at >= {{since:DateTime64(6, 'UTC')}} AND {sees("ib_id")}
ORDER BY _offset DESC LIMIT 1 BY transfer_id)
ORDER BY occurred_at LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters


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
    conditions = _conditions(wanted)
    rows: list[Row] = []
    for days in [[]] if wanted.deal else _newest_days(ledger, wanted.interval, before_us):
        of_days = f" AND {DAY} IN {{days:Array(Date32)}}" if days else ""
        rows += ledger.rows(
            _LIST.format(columns=COLUMNS, inside=SETTLED_INSIDE, conditions=conditions + of_days),
            days=days,
            **values,
        )
        if len(rows) > limit:
            break
    result = page(rows[: limit + 1], limit, key=lambda row: (row["at_us"], row["transfer_id"]))
    for row in result["items"]:
        del row["at_us"]
    return result


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
    start = 0
    for count in _WINDOWS:
        if found := days[start : start + count]:
            yield found
        start += count


def transfer(ledger: Ledger, scope: Scope, transfer_id: str) -> Row | None:
    """One transfer by its id, or None."""
    found = ledger.rows(_ONE, id=transfer_id, **scope.parameters)
    return found[0] if found else None


def links(ledger: Ledger, scope: Scope, transfer_id: str) -> Row | None:
    """What a transfer names: its cause, what it takes back, its IB, component, plan and way up; or None.

    The way up is as it is stored, with IBs that the scope does not see.
    """
    found = ledger.rows(_LINKS, id=transfer_id, **scope.parameters)
    return found[0] if found else None


def chain(ledger: Ledger, scope: Scope, transfer_id: str, of: Row) -> list[Row]:
    """A transfer, all others of its cause and component for the IB, and the reversals between them.

    `of` are the transfer's links. In the order in which they were stored; of too many the newest.
    """
    ids = transfer_id, of["reverses"] or transfer_id
    cause = "" if of["code"] in ("statement", "rounding") else of["caused_by"]
    rows = ledger.rows(
        _CHAIN if scope.is_whole else _CHAIN_SEEN,
        ids=list(ids),
        caused_by=cause,
        ib=of["ib_id"],
        component=of["component"],
        limit=MAX_CHAIN,
        **days_and_ibs(ledger, ids, cause, of["ib_id"]),
        **scope.parameters,
    )
    rows.sort(key=lambda row: (row["stored_at"], row["_offset"], row["transfer_id"]))
    return [{name: row[name] for name in TRANSFER_COLUMNS} for row in rows]


def releases(ledger: Ledger, scope: Scope, row: Row) -> list[Row]:
    """The releases that could have moved a held accrual: of its IB, client, component and currency."""
    if not is_held(row["credit"]):
        return []
    return ledger.rows(
        _RELEASES,
        ib=row["ib_id"],
        client=row["client_id"],
        component=row["component"],
        currency=row["currency"],
        since=row["occurred_at"],
        limit=MAX_CHAIN,
        **scope.parameters,
    )


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
