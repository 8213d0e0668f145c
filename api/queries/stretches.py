"""A day that is being written: sums of its rows below some offsets of the log, its stretch; the rows above.

A row has one place on the log however often it is stored, and what was stored below a position stays: so the
sums of a stretch hold for good, and with the rows above it are those of all rows. Money adds up. A deal
counts once, so one with a row above, or that was taken back above, counts anew: as it is, less as it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from api.ledger import Ledger
from api.queries.periods import DAY
from api.queries.transfer_keys import near
from schemas import topics

TOPICS = (topics.PARTNER_BOOK, topics.SETTLEMENTS)
"""What transfers are stored from; a row of another is above every position."""
_PLACE = f"""multiIf({
    ", ".join(
        f"_topic = '{topic}', toUInt64(_partition) * {len(TOPICS)} + {number}"
        for number, topic in enumerate(TOPICS)
    )
}, {2**64 - 1})"""
IS_ABOVE = f"_offset >= transform({_PLACE}, {{places:Array(UInt64)}}, {{offsets:Array(UInt64)}}, toUInt64(0))"
"""The condition that a row is not in the stretch."""
IS_BELOW = f"NOT ({IS_ABOVE})"
TAKEN_BACK_BELOW = f"SELECT transfer_id FROM taken_back WHERE {IS_BELOW}"  # noqa: S608 # our own constants
"""The accruals of which nothing was left by the rows below."""
IN_STRETCH = f"{DAY} IN {{stretched:Array(Date32)}}"
_TAKEN_ABOVE = f"SELECT transfer_id AS id FROM taken_back WHERE {IS_ABOVE}"  # noqa: S608 # as above
TOUCHED = f"""
SELECT caused_by FROM transfers WHERE {IN_STRETCH} AND account_key != '' AND {IS_ABOVE}
UNION ALL
SELECT caused_by FROM transfers
WHERE {near(_TAKEN_ABOVE)} AND {IN_STRETCH} AND transfer_id IN ({_TAKEN_ABOVE})
"""  # noqa: S608 # as above
"""Deals that are counted anew."""

_NEWEST = """
SELECT day, build, places, offsets FROM day_stretches FINAL
WHERE day IN {days:Array(Date32)} AND build = (SELECT max(build) FROM day_stretches)
ORDER BY day LIMIT {limit:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days whose rows below the offsets have sums, all of one build."""

    days: tuple[date, ...] = ()
    build: int = 0
    places: tuple[int, ...] = ()
    offsets: tuple[int, ...] = ()

    @property
    def parameters(self) -> dict[str, object]:
        """For the conditions above."""
        return {
            "stretched": list(self.days),
            "stretch": self.build,
            "places": list(self.places),
            "offsets": list(self.offsets),
        }


def place_of(topic: str, partition: int) -> int:
    """The number of a partition of one of `TOPICS`."""
    return partition * len(TOPICS) + TOPICS.index(topic)


def stretch_of(ledger: Ledger, days: Iterable[date]) -> Stretch:
    """Those of the days that have one."""
    asked = list(days)
    rows = ledger.rows(_NEWEST, days=asked, limit=len(asked)) if asked else []
    if not rows:
        return Stretch()
    first = rows[0]
    return Stretch(
        tuple(row["day"] for row in rows), first["build"], tuple(first["places"]), tuple(first["offsets"])
    )
