"""What reports are made of: sums that are kept, and sums of rows, under the same names; `at` is when."""

from dataclasses import dataclass, replace

from api.queries.day_rows import ACCOUNTS, DEALS, REFUSALS, ROWS, STANDING, SUM_KEYS, SUMS
from api.queries.days import Days
from api.queries.money import first_of
from api.queries.periods import DAY, INSIDE, OF_DAYS
from api.queries.stretches import IN_STRETCH, Stretch, rows_above

_KEPT = "(day, build) IN (SELECT arrayJoin(arrayZip({kept_days:Array(Date32)}, {kept_builds:Array(UInt64)})))"
_PARTS = (
    "(day, build) IN (SELECT arrayJoin(arrayZip({part_days:Array(Date32)}, {part_builds:Array(UInt64)})))"
)
_ROWS = f"{OF_DAYS} AND {INSIDE}"
_LOWEST = "if(_partition >= {partitions:UInt32}, 0, {lowest:UInt64})"
"""No row of a day with a stretch is below it, in the stretch or above; of a new partition any may be."""
_UNSUMMED = f"{DAY} IN {{unsummed:Array(Date32)}} AND {INSIDE}"


@dataclass(frozen=True, slots=True)
class When:
    """What of its time a sum is told by, for a row and for a day that nothing divides."""

    of_row: str = "''"
    of_day: str = "''"


WHENEVER = When()
BY_DAY = When(DAY, "day")


def sums(read: Days, when: When = WHENEVER, of_ibs: str = "") -> str:
    """Money by IB and what it was earned with; of the IBs of a condition, which is of `ib_id`."""
    columns = f"{SUM_KEYS}, accrued, reversed, held, pending, payable"
    return _added_up(read, "day_sums", columns, SUMS, when, of_ibs)


def deals(read: Days, when: When = WHENEVER, of_ibs: str = "", of_shapes: str = "") -> str:
    """Deals and their lots by shape; of the IBs of a condition, and of others where shapes are kept.

    `of_shapes` is a condition of `shape` that may let others pass.
    """
    parts = _kept(read, "day_deals", "server, symbol, shape, toInt64(deals) AS deals, lots", when, of_shapes)
    if read.by_rows:
        parts.append(
            DEALS.format(
                when=when.of_row, read=ROWS, rows=f"{_ROWS} AND {read.known}{of_ibs}", sign="1",
                standing=STANDING.format(taken_back=read.taken_back(OF_DAYS)),
            )
        )  # fmt: skip
    if read.stretch.days:
        anew = read.stretch.anew
        parts.append(
            DEALS.format(
                when=when.of_row, read=anew.rows, rows=f"{IN_STRETCH}{of_ibs}", sign=anew.sign,
                standing=anew.standing,
            )
        )  # fmt: skip
    return " UNION ALL ".join(parts)


def accounts(read: Days, when: When = WHENEVER) -> str:
    """Debits and credits of accounts."""
    return _added_up(read, "day_accounts", "account, currency, debit, credit", ACCOUNTS, when)


def refusals(read: Days, when: When = WHENEVER) -> str:
    """Deals that pay nothing, or nothing yet, by why; a day with a stretch is read by its rows."""
    whole = replace(read, stretch=Stretch())
    parts = _kept(whole, "day_refusals", "status, code, deals", when)
    if read.by_rows or read.stretch.days:
        days = "{unsummed:Array(Date32)}"
        first = first_of(f"{DAY} IN {days}") if read.by_rows else _LOWEST
        rows = f"{_UNSUMMED} AND {read.known}"
        parts.append(REFUSALS.format(when=when.of_row, rows=rows, days=days, first=first))
    return " UNION ALL ".join(parts)


def _added_up(read: Days, table: str, columns: str, rows: str, when: When, of_ibs: str = "") -> str:
    """Of sums to which each row adds, whatever other rows there are."""
    parts = _kept(read, table, columns, when, of_ibs)
    if read.by_rows:
        which = f"{_ROWS} AND {read.known}{of_ibs}"
        parts.append(rows.format(when=when.of_row, read=ROWS, rows=which))
    if read.stretch.days:
        parts.append(rows.format(when=when.of_row, read=rows_above(of_ibs), rows="1"))
    return " UNION ALL ".join(parts)


def _kept(read: Days, table: str, columns: str, when: When, only: str = "") -> list[str]:
    """Only what there is: a part that has no day costs ClickHouse as much to plan as one that has."""
    which = [_KEPT] if read.kept or not read.unsummed else []
    if read.stretch.days:
        which.append(_PARTS)
    if not which:
        return []
    return [f"SELECT {when.of_day} AS at, {columns} FROM {table} WHERE ({' OR '.join(which)}){only}"]  # noqa: S608 # constants
