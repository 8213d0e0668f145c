"""Transfers: the list, one row, and everything that touched it."""

from dataclasses import dataclass
from typing import Any

from api.ledger import Ledger, Row
from api.paging import decode_cursor, page
from api.queries.periods import ALWAYS, SETTLED_INSIDE, Interval
from commission.accounts import is_held
from schemas.columns import TRANSFER_COLUMNS

COLUMNS = ", ".join(TRANSFER_COLUMNS)
MAX_CHAIN = 200
"""Rows of one explanation; a deal pays a few IBs a few components."""

_LIST = f"""
SELECT {COLUMNS}, toUnixTimestamp64Micro(occurred_at) AS at_us
FROM transfers FINAL
WHERE {SETTLED_INSIDE}
  AND ({{ib:String}} = '' OR ib_id = {{ib:String}})
  AND ({{client:String}} = '' OR client_id = {{client:String}})
  AND ({{deal:String}} = '' OR caused_by = {{deal:String}})
  AND ({{currency:String}} = '' OR currency = {{currency:String}})
  AND (toUnixTimestamp64Micro(occurred_at), transfer_id) < ({{before_us:Int64}}, {{before_id:String}})
ORDER BY occurred_at DESC, transfer_id DESC
LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_CHAIN = f"""
SELECT {COLUMNS} FROM transfers FINAL
WHERE transfer_id IN {{ids:Array(String)}} OR reverses IN {{ids:Array(String)}}
   OR ({{caused_by:String}} != '' AND caused_by = {{caused_by:String}} AND ib_id = {{ib:String}}
       AND component = {{component:String}})
ORDER BY stored_at, _offset, transfer_id
LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters

_RELEASES = f"""
SELECT {COLUMNS} FROM transfers FINAL
WHERE code = 'release' AND ib_id = {{ib:String}} AND client_id = {{client:String}}
  AND component = {{component:String}} AND currency = {{currency:String}}
ORDER BY occurred_at LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants of this file; values are parameters


@dataclass(frozen=True, slots=True)
class TransferFilter:
    """Which transfers; an empty text means all."""

    ib: str = ""
    client: str = ""
    deal: str = ""
    currency: str = ""
    interval: Interval = ALWAYS


def transfers(ledger: Ledger, wanted: TransferFilter, limit: int, cursor: str = "") -> dict[str, Any]:
    """One page of transfers, newest first."""
    before_us, before_id = decode_cursor(cursor, int, str) if cursor else (2**62, "")
    rows = ledger.rows(
        _LIST,
        ib=wanted.ib,
        client=wanted.client,
        deal=wanted.deal,
        currency=wanted.currency,
        before_us=before_us,
        before_id=before_id,
        limit=limit + 1,
        **wanted.interval.settled_parameters,
    )
    result = page(rows, limit, key=lambda row: (row["at_us"], row["transfer_id"]))
    for row in result["items"]:
        del row["at_us"]
    return result


def transfer(ledger: Ledger, transfer_id: str) -> Row | None:
    """One transfer by its id, or None."""
    found = ledger.rows(
        f"SELECT {COLUMNS} FROM transfers FINAL WHERE transfer_id = {{id:String}}",  # noqa: S608  - constant
        id=transfer_id,
    )
    return found[0] if found else None


def chain(ledger: Ledger, row: Row) -> list[Row]:
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
    )


def releases(ledger: Ledger, row: Row) -> list[Row]:
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
    )


def deal(ledger: Ledger, deal_key: str) -> Row | None:
    """The deal a transfer names as its cause, or None if the cause is no deal."""
    found = ledger.rows(
        "SELECT * EXCEPT (_topic, _partition, _offset, stored_at) FROM deals FINAL "
        "WHERE deal_key = {key:String}",
        key=deal_key,
    )
    return found[0] if found else None
