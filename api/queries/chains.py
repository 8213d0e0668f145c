"""What belongs to one transfer: what it names, and everything that touched it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from api.ledger import Ledger, Row
from api.queries.transfer_keys import NEAR, Places, near_values, places
from api.queries.transfers import BY_ID, COLUMNS, MAX_CHAIN, by_id
from api.scope import Scope, sees
from commission.accounts import is_held
from schemas.columns import TRANSFER_COLUMNS

_NAMED = (
    "transfer_id",
    "code",
    "caused_by",
    "reverses",
    "ib_id",
    "component",
    "plan_id",
    "plan_version",
    "path",
)
_LINKS = f"SELECT {', '.join(_NAMED)} {BY_ID}"
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


@dataclass(frozen=True, slots=True)
class Links:
    """What a transfer names, and where it is; its way up has IBs that the scope does not see."""

    transfer_id: str
    code: str
    caused_by: str
    reverses: str | None
    ib_id: str
    component: str
    plan_id: str
    plan_version: int
    path: Sequence[str]
    near: Places = frozenset()
    """Of the transfer and of what takes it back."""


def links(ledger: Ledger, scope: Scope, transfer_id: str) -> Links | None:
    """The links of a transfer by its id, or None if the scope sees no such row."""
    near = places(ledger, transfer_id)
    row = by_id(ledger, scope, transfer_id, near, _LINKS)
    return None if row is None else to_links(row, near)


def to_links(row: Row, near: Places = frozenset()) -> Links:
    """The links that a row has."""
    return Links(**{name: row[name] for name in _NAMED}, near=near)


def chain(ledger: Ledger, scope: Scope, of: Links) -> list[Row]:
    """A transfer, all others of its cause and component for the IB, and the reversals between them.

    In the order in which they were stored; of too many the newest.
    """
    cause = "" if of.code in ("statement", "rounding") else of.caused_by
    values: dict[str, object] = {
        "ids": [of.transfer_id, of.reverses or of.transfer_id],
        "caused_by": cause,
        "ib": of.ib_id,
        "component": of.component,
        "limit": MAX_CHAIN,
        **scope.parameters,
    }
    sql = _CHAIN if scope.is_whole else _CHAIN_SEEN
    with ThreadPoolExecutor(1) as beside:  # most often all is where the transfer is, and is read meanwhile
        asked = beside.submit(_others, ledger, of, cause)
        rows = ledger.rows(sql, **near_values(of.near), **values)
        if not (others := asked.result()) <= of.near:
            rows = ledger.rows(sql, **near_values(others | of.near), **values)
    rows.sort(key=lambda row: (row["stored_at"], row["_offset"], row["transfer_id"]))
    return [{name: row[name] for name in TRANSFER_COLUMNS} for row in rows]


def _others(ledger: Ledger, of: Links, cause: str) -> Places:
    """Where what the cause made for the IB is, what the transfer takes back, and what else does so."""
    found = places(ledger, cause, of.ib_id) if cause else frozenset()
    return found | places(ledger, of.reverses) if of.reverses else found


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
