"""Transfers: the list, one row, and everything that touched it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.queries.day_rows import DAY
from api.queries.days import MAX_DAYS, all_days
from api.queries.periods import ALWAYS, END, SETTLED_INSIDE, Interval
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

# Few rows, found by their ids: the newest of each is taken here, at less cost than merging what is around.
_ONE = f"""
SELECT {COLUMNS} FROM transfers WHERE transfer_id = {{id:String}} AND {sees("ib_id")}
ORDER BY _offset DESC LIMIT 1
"""  # noqa: S608  - the parts are constants of this file; values are parameters
_CHAIN = f"""
SELECT {COLUMNS} FROM (
SELECT * FROM transfers
WHERE {sees("ib_id")} AND (transfer_id IN {{ids:Array(String)}} OR reverses IN {{ids:Array(String)}}
   OR ({{caused_by:String}} != '' AND caused_by = {{caused_by:String}} AND ib_id = {{ib:String}}
       AND component = {{component:String}}))
ORDER BY _offset DESC LIMIT 1 BY transfer_id)
ORDER BY stored_at, _offset, transfer_id
LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_RELEASES = f"""
SELECT {COLUMNS} FROM (
SELECT * FROM transfers
WHERE code = 'release' AND ib_id = {{ib:String}} AND client_id = {{client:String}}
  AND component = {{component:String}} AND currency = {{currency:String}} AND {sees("ib_id")}
ORDER BY _offset DESC LIMIT 1 BY transfer_id)
ORDER BY occurred_at LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters


_CONDITIONS = {
    "ib": "ib_id = {ib:String}",
    "client": "client_id = {client:String}",
    "deal": "caused_by = {deal:String}",
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
    values: dict[str, object] = {name: getattr(wanted, name) for name in _CONDITIONS}
    values |= {"before_us": before_us, "before_id": before_id, "limit": limit + 1}
    values |= wanted.interval.settled_parameters | wanted.scope.parameters
    conditions = f" AND {sees('ib_id')}" + "".join(
        f" AND {text}" for name, text in _CONDITIONS.items() if getattr(wanted, name)
    )
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


def chain(ledger: Ledger, scope: Scope, row: Row) -> list[Row]:
    """Every transfer of the same cause and component for the IB, and the reversals between them."""
    ids = [row["transfer_id"], row["reverses"] or row["transfer_id"]]
    is_settlement = row["code"] in ("statement", "rounding")
    return ledger.rows(
        _CHAIN,
        ids=ids,
        caused_by="" if is_settlement else row["caused_by"],
        ib=row["ib_id"],
        component=row["component"],
        limit=MAX_CHAIN,
        **scope.parameters,
    )


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
        limit=MAX_CHAIN,
        **scope.parameters,
    )


_DEAL = f"""
SELECT * EXCEPT (_topic, _partition, _offset, stored_at) FROM deals
WHERE deal_key = {{key:String}} AND ({{sees_all:UInt8}} OR deal_key IN (
    SELECT caused_by FROM transfers WHERE caused_by = {{key:String}} AND {sees("ib_id")}
    UNION ALL
    SELECT deal_key FROM rejections WHERE deal_key = {{key:String}} AND {sees_client("client_id")}
)) ORDER BY _offset DESC LIMIT 1
"""  # noqa: S608  - the parts are constants; values are parameters


def deal(ledger: Ledger, scope: Scope, deal_key: str) -> Row | None:
    """The deal a transfer names as its cause, or None if the cause is no deal.

    It is seen by whoever sees an IB that earned of it, or its client.
    """
    found = ledger.rows(_DEAL, key=deal_key, **scope.parameters)
    return found[0] if found else None
