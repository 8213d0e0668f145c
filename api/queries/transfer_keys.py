"""Days and IBs of transfers, by their ids and causes: the key of `transfers` begins with these two."""

from collections.abc import Iterable

from api.ledger import Ledger
from api.queries.periods import DAY, OF_DAYS

MAX_PAIRS = 1_000
"""Days, each with an IB, that are looked at for one explanation."""

HASH = "toUInt32(cityHash64({}))"
"""Of an id or a cause; a transfer has that of its cause as `cause_key`, which is read faster than text."""
# Hashes of constants are found in the key at half of what a set of a query's costs.
_OF = f"""
SELECT DISTINCT day, ib_id FROM transfer_keys
WHERE key IN ({HASH.format("{id:String}")}, {HASH.format("{other:String}")})
    OR (key = {HASH.format("{cause:String}")} AND ib_id = {{ib:String}})
ORDER BY day, ib_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - our own constants
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


def days_and_ibs(ledger: Ledger, ids: tuple[str, str], cause: str, ib: str) -> dict[str, object]:
    """Of two transfers, of what takes them back, and of what a cause made for an IB: values for `NEAR`."""
    rows = ledger.rows(_OF, id=ids[0], other=ids[1], cause=cause, ib=ib, limit=MAX_PAIRS)
    return {"days": _once(row["day"] for row in rows), "ibs": _once(row["ib_id"] for row in rows)}


def _once(found: Iterable[object]) -> list[object]:
    return list(dict.fromkeys(found))
