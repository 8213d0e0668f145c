"""What was posted last, by the time of its posting: a correction of an old deal is new."""

from datetime import datetime

from api.ledger import Ledger, Row
from api.queries.periods import DAY, SETTLED_INSIDE, Interval
from api.queries.transfer_keys import NEAR
from api.scope import Scope, sees
from schemas.columns import TRANSFER_COLUMNS

MAX_DAYS_LOOKED_AT = 8
"""Days written last: what is posted at one time may be of many."""

# Rows are kept by their own time. Marks tell which days were written last, so that few days are read.
_DAYS = """
SELECT day FROM day_marks FINAL WHERE day BETWEEN {first:Date32} AND {last:Date32}
ORDER BY mark DESC, day DESC LIMIT {limit:UInt32}
"""
# Which rows those are is told by a few columns; then they alone are read whole.
_NEWEST = f"""
SELECT transfer_id, {DAY} AS day, ib_id FROM transfers
WHERE {DAY} IN {{days:Array(Date32)}} AND {SETTLED_INSIDE} AND {sees("ib_id")}
  AND ({{currency:String}} = '' OR currency = {{currency:String}})
  AND stored_at > {{after:DateTime64(3, 'UTC')}}
ORDER BY stored_at DESC, _offset DESC, transfer_id LIMIT 1 BY transfer_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - the parts are constants; values are parameters
_WHOLE = f"""
SELECT {", ".join(TRANSFER_COLUMNS)}, stored_at FROM (
    SELECT * FROM transfers WHERE {NEAR} AND transfer_id IN {{ids:Array(String)}}
    ORDER BY stored_at DESC, _offset DESC LIMIT 1 BY transfer_id
)
ORDER BY stored_at DESC, _offset DESC, transfer_id
"""  # noqa: S608  - as above
_UNREAD = """
SELECT count() AS days, toUnixTimestamp64Nano(now64(9)) AS now FROM (
    SELECT mark FROM day_marks FINAL ORDER BY mark DESC, day DESC
    LIMIT {most:UInt32} OFFSET {looked_at:UInt32}
) WHERE mark > {after:UInt64}
"""
MAX_MARKS = 110_000
"""All the days that ClickHouse's times can hold."""
_EVER = datetime(1970, 1, 1)  # noqa: DTZ001  - a value of a column in UTC


def newest(
    ledger: Ledger, scope: Scope, span: Interval, currency: str, limit: int, after: datetime | None = None
) -> list[Row]:
    """Transfers of an interval by when they were posted, newest first, each with `stored_at`.

    `after`: only those posted after it.
    """
    first, last = span.starts_at.date(), span.ends_at.date()
    days = [row["day"] for row in ledger.rows(_DAYS, first=first, last=last, limit=MAX_DAYS_LOOKED_AT)]
    if not days:
        return []
    wanted = {"days": days, "currency": currency, "after": after or _EVER, **span.settled_parameters}
    wanted |= scope.parameters
    found = ledger.rows(_NEWEST, limit=limit, **wanted)
    near = {"days": list({row["day"] for row in found}), "ibs": list({row["ib_id"] for row in found})}
    ids = [row["transfer_id"] for row in found]
    return ledger.rows(_WHOLE, ids=ids, **near) if ids else []


def unread(ledger: Ledger, after: int) -> tuple[bool, int]:
    """Whether something may have been posted after a time into days that `newest` does not look at.

    Times are nanoseconds since the epoch, by the database's clock; the other one is now.
    """
    found = ledger.row(_UNREAD, most=MAX_MARKS, looked_at=MAX_DAYS_LOOKED_AT, after=after)
    return found["days"] > 0, int(found["now"])
