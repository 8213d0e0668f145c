"""What belongs to one transfer: everything that touched it."""

from concurrent.futures import ThreadPoolExecutor

from api.ledger import Ledger, Row
from api.queries.transfer_keys import HASH, NEAR, Places, near_values, places
from api.queries.transfers import COLUMNS, MAX_CHAIN, PLACE, Placed, columns
from api.scope import Scope, sees
from commission.accounts import is_held
from schemas.columns import TRANSFER_COLUMNS

# Most often there are no others, and to look for them costs half of what reading none of their columns does.
_LINKED = """
SELECT transfer_id, reverses, component, code FROM transfers
PREWHERE {near} AND (cause_key = {hash} OR reverses IN {{reversed:Array(String)}}{original})
LIMIT {{limit:UInt32}}
"""
_ORIGINAL = " OR transfer_id = {reverses:String}"
# In one level, and `PREWHERE`: another level costs as much to plan as the rows cost to read.
_OTHERS = """
SELECT {columns}, {place} FROM transfers PREWHERE {near} AND transfer_id != {{id:String}}
  AND (transfer_id = {{reverses:String}} OR reverses IN {{reversed:Array(String)}}
   OR ({{caused_by:String}} != '' AND caused_by = {{caused_by:String}} AND ib_id = {{ib:String}}
       AND (component = {{component:String}} OR code = 'hold')))
{seen} ORDER BY _offset DESC LIMIT 1 BY transfer_id LIMIT {{limit:UInt32}}
"""

_RELEASES = f"""
SELECT {COLUMNS} FROM (
SELECT * FROM transfers
WHERE code = 'release' AND ib_id = {{ib:String}} AND client_id = {{client:String}}
  AND component = {{component:String}} AND currency = {{currency:String}}
  AND occurred_at >= {{since:DateTime64(6, 'UTC')}} AND {sees("ib_id")}
ORDER BY _offset DESC LIMIT 1 BY transfer_id)
ORDER BY occurred_at LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters


def chain(ledger: Ledger, scope: Scope, of: Placed) -> list[Row]:
    """A transfer, all others of its cause and component for the IB, and the reversals between them.

    In the order in which they were stored; of too many others the newest.
    """
    row = of.row
    cause = "" if row["code"] in ("statement", "rounding") else row["caused_by"]
    values: dict[str, object] = {
        "id": row["transfer_id"],
        "reverses": row["reverses"] or "",
        "reversed": [one for one in (row["transfer_id"], row["reverses"]) if one],
        "caused_by": cause,
        "ib": row["ib_id"],
        "component": row["component"],
        "limit": MAX_CHAIN - 1,
        **scope.parameters,
    }
    with ThreadPoolExecutor(1) as beside:  # most often all is where the transfer is
        asked = beside.submit(_others, ledger, row, cause)
        has_others = _has_others(ledger, row, of.near, values)
        near = of.near | asked.result()
    rows: list[Row] = []
    if has_others or near != of.near:
        # Left out for whoever sees all: to plan it is a part of what the question costs.
        seen = "" if scope.is_whole else f"WHERE {sees('ib_id')}"
        sql = _OTHERS.format(columns=columns(scope), place=PLACE, near=NEAR, seen=seen)
        rows = ledger.rows(sql, **near_values(near), **values)
    rows.append(row | of.place)
    rows.sort(key=lambda row: (row["stored_at"], row["_offset"], row["transfer_id"]))
    return [{name: row[name] for name in TRANSFER_COLUMNS} for row in rows]


def _has_others(ledger: Ledger, row: Row, near: Places, values: dict[str, object]) -> bool:
    """Whether there may be others of its chain in the places where the transfer is."""
    original = _ORIGINAL if row["reverses"] else ""
    sql = _LINKED.format(near=NEAR, hash=HASH.format("{caused_by:String}"), original=original)
    found = ledger.rows(sql, **near_values(near), **values)
    return len(found) == values["limit"] or any(
        one["component"] == row["component"]
        or one["code"] == "hold"
        or one["reverses"]
        or one["transfer_id"] == row["reverses"]
        for one in found
        if one["transfer_id"] != row["transfer_id"]
    )


def _others(ledger: Ledger, row: Row, cause: str) -> Places:
    """Where what the cause made for the IB is, what the transfer takes back, and what else does so."""
    found = places(ledger, cause, row["ib_id"]) if cause else frozenset()
    return found | places(ledger, row["reverses"]) if row["reverses"] else found


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
