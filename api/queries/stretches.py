"""A day that is being written: sums of its rows below some offsets of the log, its stretch; the rows above.

A row has one place on the log however often it is stored, and what was stored below a position stays: so the
sums of a stretch hold for good, and with the rows above it are those of all rows. Money adds up. A deal
counts once, so one with a row above, or that was taken back above, counts anew: as it is, less as it was.
The next stretch is this one and what came since, counted just so: a part, beside the parts before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from api.ledger import Ledger, Row
from api.queries.money import OF_BOOK, TAKEN_BACK
from api.queries.periods import DAY
from api.queries.transfer_keys import near
from schemas import topics

TOPICS = (topics.PARTNER_BOOK, topics.SETTLEMENTS)
"""What transfers are stored from; a row of another is above every position."""
_PLACE = f"1 + _partition * {len(TOPICS)} + (_topic = '{topics.SETTLEMENTS}')"
"""Where in a list of ends that of a row's partition is; what is behind the list's last is 0."""
_LISTED = f"_topic IN {TOPICS}"


def _is_above(ends: str) -> str:
    return f"(NOT {_LISTED} OR _offset >= {{{ends}:Array(UInt64)}}[{_PLACE}])"


IS_ABOVE = _is_above("ends")
"""The condition that a row is not in the stretch."""
IS_BELOW = f"NOT ({IS_ABOVE})"
IS_BELOW_NEXT = f"NOT ({_is_above('next_ends')})"
"""The condition that a row is in the stretch that is to follow."""
IN_STRETCH = f"{DAY} IN {{stretched:Array(Date32)}}"
_NEAR = f"(NOT {OF_BOOK} OR _partition >= {{partitions:UInt32}} OR _offset >= {{lowest:UInt64}})"
"""True of what is above, and of what follows the first row: few of the places that the table's key finds."""
_TAKEN_BACK = f"{TAKEN_BACK} WHERE {_NEAR} AND (NOT {OF_BOOK} OR _offset >= {{first:UInt64}} OR {IS_ABOVE})"
"""What takes a row of these days back follows it: the first of them, or one that is above."""


def touched(until: str = "1") -> str:
    """Deals that are counted anew: with a row, or taken back, above the stretch and by an end of the log."""
    change = f"{IS_ABOVE} AND {until}"
    taken = f"SELECT transfer_id AS id FROM taken_back WHERE {_NEAR} AND {change}"  # noqa: S608 # our own constants
    return f"""
        SELECT caused_by FROM transfers WHERE {IN_STRETCH} AND account_key != '' AND {change}
        UNION ALL
        SELECT caused_by FROM transfers WHERE {near(taken)} AND {IN_STRETCH} AND transfer_id IN ({taken})
    """  # noqa: S608 # as above


def anew(until: str = "1") -> str:
    """A row of such a deal counts as it stands by that end, and no longer as it stood in the stretch."""
    return f"""arrayJoin(arrayConcat(
        if({until} AND transfer_id NOT IN ({_TAKEN_BACK} AND {until}), [1], []),
        if({IS_BELOW} AND transfer_id NOT IN ({_TAKEN_BACK} AND {IS_BELOW}), [-1], [])
    ))"""


NEWEST = """
SELECT day, builds, first, ends FROM day_stretches FINAL
WHERE day IN {days:Array(Date32)} AND build = (SELECT max(build) FROM day_stretches)
ORDER BY day LIMIT {limit:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days whose rows below the offsets have sums: of each day those of some builds, which add up."""

    days: tuple[date, ...] = ()
    builds: tuple[tuple[int, ...], ...] = ()
    first: int = 0
    """No row of these days is below this offset of the partner book's log."""
    ends: tuple[int, ...] = ()
    """The offsets, one for each partition, as `ends_of` puts them."""

    @property
    def parts(self) -> list[tuple[date, int]]:
        """Days, each with one of its builds."""
        return [(day, build) for day, of in zip(self.days, self.builds, strict=True) for build in of]

    @property
    def _of_book(self) -> tuple[int, ...]:
        """The ends of the partner book's partitions."""
        return self.ends[TOPICS.index(topics.PARTNER_BOOK) :: len(TOPICS)]

    @property
    def parameters(self) -> dict[str, object]:
        """For the conditions above."""
        return {
            "stretched": list(self.days),
            "part_days": [day for day, _ in self.parts],
            "part_builds": [build for _, build in self.parts],
            "first": self.first,
            "ends": list(self.ends),
            "partitions": len(self._of_book),
            "lowest": min(self.first, *self._of_book) if self._of_book else 0,
        }


def ends_of(positions: Iterable[tuple[str, int, int]]) -> list[int]:
    """The ends of partitions, each with its topic, in the order that conditions find them in."""
    found = {partition * len(TOPICS) + TOPICS.index(topic): end for topic, partition, end in positions}
    return [found.get(place, 0) for place in range(max(found, default=-1) + 1)]


def stretch_of(ledger: Ledger, days: Iterable[date]) -> Stretch:
    """Those of the days that have one."""
    asked = list(days)
    rows = ledger.rows(NEWEST, days=asked, limit=len(asked)) if asked else []
    return named(rows)


def named(rows: Sequence[Row]) -> Stretch:
    """The stretch that rows of `NEWEST` name."""
    if not rows:
        return Stretch()
    return Stretch(
        tuple(row["day"] for row in rows),
        tuple(tuple(row["builds"]) for row in rows),
        min(row["first"] for row in rows),
        tuple(rows[0]["ends"]),
    )
