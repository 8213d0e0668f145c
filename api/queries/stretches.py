"""A day that is being written: sums of its rows below some offsets of the log, its stretch; the rows above.

A row has one place on the log however often it is stored, and what was stored below a position stays: so the
sums of a stretch hold for good, and with the rows above it are those of all rows. Money adds up. A deal
counts once, so one with a row above, or that was taken back above, counts anew: as it is, less as it was.
The next stretch is this one and what came since, counted just so: a part, beside the parts before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
_FROM = f"(NOT {OF_BOOK} OR _partition >= {{{{partitions:UInt32}}}} OR _offset >= {{{{{{}}:UInt64}}}})"
_RECENT = _FROM.format("least_end")
"""True of what is above, and of few else where partitions are about as long: an index goes by it."""
_SINCE = _FROM.format("lowest")
"""True of what is above, and of what follows the first row: few of the places that the table's key finds."""
_TAKEN_BELOW = (
    f"{TAKEN_BACK} WHERE {_SINCE} AND (NOT {OF_BOOK} OR _offset >= {{first:UInt64}}) AND {IS_BELOW}"
)
"""What takes a row of these days back follows it: the first of them."""
_TAKEN_ABOVE = f"{TAKEN_BACK} WHERE {_RECENT} AND {IS_ABOVE}"
MAX_TOUCHED = 5_000
"""Deals, and accruals taken back, that a question names; beyond that it looks for them itself."""


def rows_above(of_ibs: str = "", until: str = "1") -> str:
    """The rows above by an end of the log, of the IBs of a condition; of copies, which are equal, one."""
    return f"""(
        SELECT * FROM transfers PREWHERE {IS_ABOVE} AND {until}
        WHERE {_RECENT} AND {IN_STRETCH}{of_ibs} LIMIT 1 BY transfer_id
    )"""  # noqa: S608  - our own constants


FIRST_ABOVE = f"""
SELECT minOrNullIf(_offset, {OF_BOOK}) AS first FROM transfers
PREWHERE {IS_ABOVE} WHERE {_RECENT} AND {IN_STRETCH}
"""  # noqa: S608  - our own constants
"""Of the rows above, the first offset of the partner book's log: in a partition that is shorter than others
it may be below the stretch's first."""


def _touched(until: str = "1") -> str:
    """Keys of deals with a row above by an end of the log."""
    return f"""
        SELECT cause_key FROM transfers PREWHERE {IS_ABOVE} AND {until}
        WHERE {_RECENT} AND {IN_STRETCH} AND account_key != ''
    """  # noqa: S608  - our own constants


def _changed(taken: str) -> str:
    """Keys of those of which something was taken back, by the ids of what was."""
    ids = f"SELECT transfer_id AS id FROM ({taken})"  # noqa: S608  - our own constants
    return f"""
        SELECT cause_key FROM transfers WHERE {near(ids)} AND {IN_STRETCH} AND transfer_id IN ({ids})
    """  # noqa: S608  - as above


@dataclass(frozen=True, slots=True)
class Anew:
    """Deals that are counted anew, as parts of a question over their rows.

    Another deal of the same key is counted anew as well, and is what it was. Copies of a row need not be
    merged, for a deal is what its rows say of it, each once.
    """

    rows: str
    """What is read: their rows, and maybe others of the table."""
    sign: str
    """1 for a row as it stands by an end of the log, -1 for it as it stood in the stretch, or both."""
    standing: str = f" AND transfer_id NOT IN ({_TAKEN_BELOW})"
    """What was taken back before stood at neither time."""


def anew(until: str = "1") -> Anew:
    """Those that are touched by an end of the log, which the question looks for."""
    taken = f"{_TAKEN_ABOVE} AND {until}"
    return _anew(f"({_touched(until)} UNION ALL {_changed(taken)})", f"({taken})", until)


def _anew(touched: str, taken: str, until: str = "1") -> Anew:
    return Anew(
        f"transfers PREWHERE cause_key IN {touched}",
        f"""arrayJoin(arrayConcat(
            if({until} AND transfer_id NOT IN {taken}, [1], []), if({IS_BELOW}, [-1], [])
        ))""",
    )


ANEW = anew()
ANEW_AS_NAMED = _anew("{touched:Array(UInt32)}", "{taken:Array(String)}")
"""Those that were looked for once, for all questions that count them."""
_TAKEN = f"SELECT groupArray({MAX_TOUCHED + 1})(transfer_id) AS taken FROM ({_TAKEN_ABOVE})"  # noqa: S608 # constants
_TOUCHED = "SELECT groupUniqArray({limit})(cause_key) AS touched FROM ({deals})"
_IF_NONE_IS_TAKEN = _TOUCHED.format(limit=MAX_TOUCHED + 1, deals=_touched())
_IF_SOME_ARE = _TOUCHED.format(
    limit=MAX_TOUCHED + 1,
    deals=f"{_touched()} UNION ALL {_changed('SELECT arrayJoin({taken:Array(String)}) AS transfer_id')}",
)


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
    touched: tuple[int, ...] | None = None
    """Keys of the deals that are counted anew, and ids of what was taken back above; None if not known."""
    taken: tuple[str, ...] = ()

    @property
    def anew(self) -> Anew:
        """Those deals, for the source of deals."""
        return ANEW if self.touched is None else ANEW_AS_NAMED

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
            "least_end": min(self._of_book, default=0),
            "touched": list(self.touched or ()),
            "taken": list(self.taken),
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


def with_touched(ledger: Ledger, stretch: Stretch) -> Stretch:
    """The same with the deals that are counted anew, unless they are very many.

    A question with them is asked a little later: it has what came since of these deals, and of no others.
    """
    if not stretch.days:
        return stretch
    taken = ledger.row(_TAKEN, **stretch.parameters)["taken"]
    if len(taken) > MAX_TOUCHED:
        return stretch
    stretch = replace(stretch, taken=tuple(taken))
    touched = ledger.row(_IF_SOME_ARE if taken else _IF_NONE_IS_TAKEN, **stretch.parameters)["touched"]
    return stretch if len(touched) > MAX_TOUCHED else replace(stretch, touched=tuple(touched))


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
