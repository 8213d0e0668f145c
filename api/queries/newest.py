"""What was posted last, by the time of its posting: a correction of an old deal is new."""

from datetime import datetime

from api.ledger import Ledger, Row
from api.queries.periods import DAY, OF_DAYS, SETTLED_INSIDE, Interval
from api.queries.transfer_keys import NEAR
from api.scope import Scope, sees
from schemas.columns import TRANSFER_COLUMNS

MAX_DAYS_LOOKED_AT = 8
"""Days written last: what is posted at one time may be of many."""

COPIES = 4
"""So many times the rows that are wanted are looked at, for some may be there more than once."""

# Rows are kept by their own time. Marks tell which days were written last, so that few days are read.
_DAYS = """
SELECT day FROM day_marks FINAL WHERE day BETWEEN {first:Date32} AND {last:Date32}
ORDER BY mark DESC, day DESC LIMIT {limit:UInt32}
"""
_WANTED = f"""
{OF_DAYS} AND {SETTLED_INSIDE} AND {sees("ib_id")}
  AND ({{currency:String}} = '' OR currency = {{currency:String}})
"""
# A time above which enough rows were posted is found by times alone, which sort fast; ids are read of those
# rows, and then they alone are read whole, in one level: another costs as much to plan as they to read.
_TIMES = f"""
SELECT count() AS count, min(at) AS first FROM (
    SELECT stored_at AS at FROM transfers WHERE {_WANTED} AND stored_at > {{after:DateTime64(3, 'UTC')}}
    ORDER BY at DESC LIMIT {{limit:UInt32}}
)
"""  # noqa: S608  - the parts are constants; values are parameters
_NEWEST = f"""
SELECT transfer_id, {DAY} AS day, ib_id FROM transfers
WHERE {_WANTED} AND stored_at >= {{first:DateTime64(3, 'UTC')}}
ORDER BY stored_at DESC, _offset DESC, transfer_id LIMIT 1 BY transfer_id LIMIT {{limit:UInt32}}
"""  # noqa: S608  - as above
_WHOLE = f"""
SELECT {", ".join(TRANSFER_COLUMNS)}, stored_at
FROM transfers PREWHERE {NEAR} AND transfer_id IN {{ids:Array(String)}}
ORDER BY stored_at DESC, _offset DESC, transfer_id LIMIT 1 BY transfer_id
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
    wanted = {"days": days, "currency": currency, **span.settled_parameters, **scope.parameters}
    found = _found(ledger, wanted, limit, after or _EVER)
    near = {"days": list({row["day"] for row in found}), "ibs": list({row["ib_id"] for row in found})}
    ids = [row["transfer_id"] for row in found]
    return ledger.rows(_WHOLE, ids=ids, **near) if ids else []


def _found(ledger: Ledger, wanted: dict[str, object], limit: int, after: datetime) -> list[Row]:
    """Ids, days and IBs; rows that were stored several times may be all of those above a time."""
    looked_at = COPIES * limit
    while True:
        times = ledger.row(_TIMES, limit=looked_at, after=after, **wanted)
        found = ledger.rows(_NEWEST, limit=limit, first=times["first"], **wanted) if times["count"] else []
        if len(found) == limit or times["count"] < looked_at:
            return found
        looked_at *= COPIES


def unread(ledger: Ledger, after: int) -> tuple[bool, int]:
    """Whether something may have been posted after a time into days that `newest` does not look at.

    Times are nanoseconds since the epoch, by the database's clock; the other one is now.
    """
    found = ledger.row(_UNREAD, most=MAX_MARKS, looked_at=MAX_DAYS_LOOKED_AT, after=after)
    return found["days"] > 0, int(found["now"])
