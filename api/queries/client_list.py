"""The list of clients: when each registered, and how far it has come.

A page is found in two steps: places of clients by their time, cheap to look through, which may name one
twice, or where it no longer is; then all about these few, found by their ids.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.scope import Scope, sees, sees_client

Place = tuple[int, str]
"""A time in microseconds, and a client."""
FAR_US = 2**62
"""After every time."""
State = Literal["", "registered", "deposited", "qualified", "lost"]
STATES: tuple[State, ...] = get_args(State)
Sort = Literal["registered", "deposited", "qualified", "lost"]
SORTS: tuple[Sort, ...] = get_args(Sort)
Order = Literal["newest", "oldest"]
ORDERS: tuple[Order, ...] = get_args(Order)
MORE = 4
"""So many times as many places are looked at next where those before had too few clients."""
MAX_LOOKED_AT = 20_000

_KINDS = {"deposited": "ftd", "qualified": "cpa.qualified", "lost": "cpa.clawback"}
_REACHED = f"client_id IN (SELECT client_id FROM client_milestones WHERE kind IN {{}} AND {sees('ib_id')})"  # noqa: S608
_BEFORE, _OF = _REACHED.split("{}")
_OF_STATE = {
    "": "",
    "registered": f" AND NOT {_BEFORE}{tuple(_KINDS.values())}{_OF}",
    "deposited": f" AND {_BEFORE}('ftd'){_OF} AND NOT {_BEFORE}('cpa.qualified'){_OF}",
    "qualified": f" AND {_BEFORE}('cpa.qualified'){_OF}",
    "lost": f" AND {_BEFORE}('cpa.clawback'){_OF}",
}
"""Who may be in a state; whether they are is looked at one by one."""
_OF_IB = """ AND client_id IN (
    SELECT client_id FROM clients WHERE ib_id = {ib:String}
    UNION ALL SELECT client_id FROM client_milestones WHERE is_by_click AND ib_id = {ib:String}
)"""
_NAMED = " AND positionCaseInsensitiveUTF8(client_id, {find:String}) > 0"
_REACHED_AT = ", ".join(
    f"maxIf(toUnixTimestamp64Micro(occurred_at), kind = '{_KINDS[of]}' AND {sees('ib_id')}) AS {name}_us"
    for of, name in (("deposited", "deposited"), ("qualified", "granted"), ("lost", "lost"))
)
_COUNTED = ", ".join(
    f"countIf(kind = '{_KINDS[of]}' AND {sees('ib_id')}) AS {name}"
    for of, name in (("qualified", "granted"), ("lost", "taken"))
)
"""A clawback takes back one of what qualified, and has the time of its cause, which may be an older one."""
_GRANTS = f"""
groupArrayIf((milestone_id, toUnixTimestamp64Micro(occurred_at)),
    kind = 'cpa.qualified' AND {sees("ib_id")}) AS grants,
groupArrayIf(takes_back, kind = 'cpa.clawback') AS taken_ids
"""
_STANDING_US = "arrayMax(arrayMap(one -> one.2, arrayFilter(one -> NOT has(taken_ids, one.1), grants)))"
"""When the newest qualified that no clawback took back; 0 if none stands."""
_ABOUT = f"""
SELECT client_id, occurred_at, if(by_click != '', by_click, told) AS ib_id, country, kyc,
    multiIf(lost_us > 0 AND taken >= granted, 'lost', granted_us > 0, 'qualified',
        deposited_us > 0, 'deposited', 'registered') AS state,
    toUnixTimestamp64Micro(occurred_at) AS registered_us, deposited_us, lost_us,
    if({_STANDING_US} > 0, {_STANDING_US}, granted_us) AS qualified_us
FROM (
    SELECT client_id, occurred_at, coalesce(ib_id, '') AS told, country FROM clients FINAL
    WHERE client_id IN {{ids:Array(String)}}
) AS c
LEFT JOIN (
    SELECT client_id AS of, {_REACHED_AT}, {_COUNTED}, {_GRANTS}, anyIf(ib_id, is_by_click) AS by_click
    FROM client_milestones FINAL
    WHERE client_id IN {{ids:Array(String)}} GROUP BY of
) AS m ON m.of = c.client_id
LEFT JOIN (
    SELECT client_id AS about, argMax(status, occurred_at) AS kyc FROM client_events FINAL
    WHERE type = 'kyc_changed' AND client_id IN {{ids:Array(String)}} GROUP BY about
) AS k ON k.about = c.client_id
"""  # noqa: S608  - the parts are constants; values are parameters


_WAYS: dict[Order, tuple[str, str]] = {"newest": ("<", "DESC"), "oldest": (">", "ASC")}


@dataclass(frozen=True, slots=True)
class ClientFilter:
    """Which clients of those that the scope sees, and in which order."""

    scope: Scope
    ib: str = ""
    state: State = ""
    """The furthest it came: `lost` is to clawbacks, all that qualified."""
    sort: Sort = "registered"
    """By when it reached that; who did not is left out."""
    order: Order = "newest"
    find: str = ""
    """What its id has in it; nobody is found where clients are hidden, for that would confirm a guess."""


def listed(ledger: Ledger, wanted: ClientFilter, limit: int, cursor: str = "") -> dict[str, Any]:
    """One page of clients."""
    first = (FAR_US, "") if wanted.order == "newest" else (0, "")
    at: Place = first
    if cursor:
        at_us, client_id = decode_cursor(cursor, int, str)
        at = at_us, client_id
    found: list[Row] = []
    looked_at = limit + 1
    while len(found) <= limit:
        places = _places(ledger, wanted, at, looked_at)
        if not places:
            break
        last = places[-1]["at_us"], places[-1]["client_id"]
        found += _clients(ledger, wanted, [row["client_id"] for row in places], at, last)
        if len(places) < looked_at:
            break
        at, looked_at = last, min(looked_at * MORE, MAX_LOOKED_AT)
    result = page(found[: limit + 1], limit, key=lambda row: (row["at_us"], row["client_id"]))
    result["items"] = [_shown(row) for row in result["items"]]
    return result


def _places(ledger: Ledger, wanted: ClientFilter, at: Place, count: int) -> list[Row]:
    """So many places after one, in the order asked for."""
    after, order = _WAYS[wanted.order]
    kind = _KINDS.get(wanted.sort)
    rows = (
        "clients WHERE 1" if kind is None else f"client_milestones WHERE kind = '{kind}' AND {sees('ib_id')}"
    )
    of_ib = _OF_IB if wanted.ib else ""
    if wanted.find:
        of_ib += " AND 0" if ledger.hides_clients else _NAMED
    sql = f"""
        SELECT client_id, toUnixTimestamp64Micro(occurred_at) AS at_us FROM {rows}
        AND (at_us, client_id) {after} ({{from_us:Int64}}, {{from_id:String}})
        AND {sees_client("client_id")}{_OF_STATE[wanted.state]}{of_ib}
        ORDER BY at_us {order}, client_id {order} LIMIT {{looked_at:UInt32}}
    """  # noqa: S608  - as above
    return ledger.rows(
        sql,
        ib=wanted.ib,
        find=wanted.find,
        from_us=at[0],
        from_id=at[1],
        looked_at=count,
        **wanted.scope.parameters,
    )


def _clients(ledger: Ledger, wanted: ClientFilter, ids: list[str], at: Place, last: Place) -> list[Row]:
    """Of these clients those that are wanted, after one place and not after another."""
    after, order = _WAYS[wanted.order]
    sql = f"""
        SELECT *, {wanted.sort}_us AS at_us FROM ({_ABOUT})
        WHERE ({{state:String}} = '' OR state = {{state:String}})
        AND ({{ib:String}} = '' OR ib_id = {{ib:String}})
        AND (at_us, client_id) {after} ({{from_us:Int64}}, {{from_id:String}})
        AND NOT ((at_us, client_id) {after} ({{to_us:Int64}}, {{to_id:String}}))
        ORDER BY at_us {order}, client_id {order}
    """  # noqa: S608  - as above
    return ledger.rows(
        sql, ids=ids, state=wanted.state, ib=wanted.ib, from_us=at[0], from_id=at[1], to_us=last[0],
        to_id=last[1], **wanted.scope.parameters,
    )  # fmt: skip


def _shown(row: Row) -> Row:
    """Times as times; None of what it did not reach."""
    names = ("client_id", "occurred_at", "ib_id", "country", "state")
    reached = {"ftd_at": "deposited_us", "qualified_at": "qualified_us", "lost_at": "lost_us"}
    times = {
        name: _EPOCH + timedelta(microseconds=row[us]) if row[us] else None for name, us in reached.items()
    }
    missing = {"registered": "deposit", "deposited": "trading" if row["kyc"] == "approved" else "kyc"}
    return {
        **{name: row[name] for name in names},
        **times,
        "kyc": row["kyc"] or "open",
        "missing": missing.get(row["state"], ""),
    }


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
