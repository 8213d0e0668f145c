"""Where transfers are, by their ids and causes: the key of `transfers` begins with the day and the IB."""

from collections.abc import Iterable, Sequence

from api.ledger import Ledger
from api.queries.periods import DAY

MAX_PLACES = 1_000
"""Days and IBs looked at for one explanation."""

_OF = """
SELECT DISTINCT day, ib_id FROM transfer_keys
WHERE key IN (SELECT toUInt32(cityHash64(arrayJoin({ids:Array(String)}))))
    OR (key = toUInt32(cityHash64({cause:String})) AND ib_id = {ib:String})
ORDER BY day, ib_id LIMIT {limit:UInt32}
"""
NEAR = f"{DAY} IN {{days:Array(Date32)}} AND ib_id IN {{ibs:Array(String)}}"
"""The condition that a row is at one of some places; it may let others pass."""


def near(ids: str) -> str:
    """The same for ids or causes that a query gives: no row of theirs is elsewhere, others may be there."""
    return f"""({DAY}, ib_id) IN (
        SELECT day, ib_id FROM transfer_keys WHERE key IN (SELECT toUInt32(cityHash64(id)) FROM ({ids}))
    )"""  # noqa: S608  - our own constants


def places(ledger: Ledger, ids: Sequence[str], cause: str, ib: str) -> dict[str, object]:
    """Where these transfers are, what takes them back, and what a cause made for an IB: values for `NEAR`."""
    rows = ledger.rows(_OF, ids=ids, cause=cause, ib=ib, limit=MAX_PLACES)
    return {"days": _once(row["day"] for row in rows), "ibs": _once(row["ib_id"] for row in rows)}


def _once(found: Iterable[object]) -> list[object]:
    return list(dict.fromkeys(found))
