"""Days and IBs of transfers, by their ids and causes: the key of `transfers` begins with these two."""

from datetime import date

from api.ledger import Ledger
from api.queries.periods import DAY, OF_DAYS

MAX_PLACES = 1_000
"""Days, each with an IB, that are looked at for one explanation."""
Places = frozenset[tuple[date, str]]
"""Days, each with an IB."""

HASH = "toUInt32(cityHash64({}))"
"""Of an id or a cause; a transfer has that of its cause as `cause_key`, which is read faster than text."""
# Hashes of constants are found in the key at half of what a set of a query's costs; an order costs a third.
_OF = f"SELECT DISTINCT day, ib_id FROM transfer_keys WHERE key = {HASH.format('{id:String}')}"  # noqa: S608
_ANY = f"{_OF} LIMIT {{limit:UInt32}}"
_OF_IB = f"{_OF} AND ib_id = {{ib:String}} LIMIT {{limit:UInt32}}"
NEAR = f"{OF_DAYS} AND ib_id IN {{ibs:Array(String)}}"
"""The condition that a row is of some days and IBs; it may let others pass."""


def near(ids: str) -> str:
    """The same for ids or causes that a query gives: no row of theirs is left out, others may pass."""
    return f"""({DAY}, ib_id) IN (
        SELECT day, ib_id FROM transfer_keys WHERE key IN (SELECT {HASH.format("id")} FROM ({ids}))
    )"""  # noqa: S608  - our own constants


def near_one(parameter: str) -> str:
    """The same for one id or cause, a parameter of the query."""
    return f"""({DAY}, ib_id) IN (
        SELECT day, ib_id FROM transfer_keys WHERE key = {HASH.format(f"{{{parameter}:String}}")}
    )"""  # noqa: S608  - our own constants


def places(ledger: Ledger, of: str, ib: str = "") -> Places:
    """Of a transfer and what takes it back, or of all that a cause made, by its id: of one IB, or of any."""
    rows = ledger.rows(_OF_IB if ib else _ANY, id=of, ib=ib, limit=MAX_PLACES)
    return frozenset((row["day"], row["ib_id"]) for row in rows)


def near_values(found: Places) -> dict[str, object]:
    """The values of `NEAR`."""
    return {"days": sorted({day for day, _ in found}), "ibs": sorted({ib for _, ib in found})}
