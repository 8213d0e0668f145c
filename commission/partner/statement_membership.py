"""Which statement each transfer of an IB belongs to, told afterwards from positions in the partner book."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from commission.accounts import pending
from commission.outputs import Transfer
from commission.terms.calendar import PeriodDefined
from commission.terms.catalog import Terms

Place = tuple[str, str]
"""Period and currency of a statement; the period is "" for what no statement has taken up yet."""


class Booked(NamedTuple):
    """A row and the offset of the partner book's message that it is in, or that caused it."""

    offset: int
    row: Transfer


def by_statement(
    rows: Iterable[Booked], periods: Iterable[tuple[int, PeriodDefined]], closings: Mapping[str, int]
) -> dict[Place, list[Transfer]]:
    """Sort one IB's rows by statement, as its fold did.

    `periods` are the definitions with the offsets at which the book learned them; `closings` are the
    IB's statements, each with the offset at which it closed. What one message taught comes before what
    it caused, and a period's end after both.
    """
    kept = [(offset, row) for offset, row in rows if pending(row.ib_id) in (row.debit, row.credit)]
    found: dict[Place, list[Transfer]] = defaultdict(list)
    open_: dict[Place, list[Transfer]] = defaultdict(list)
    closed: datetime | None = None
    terms = Terms()
    for what in _in_order(kept, periods, closings):
        if isinstance(what, PeriodDefined):
            terms = terms.learn([what])
        elif isinstance(what, str):
            period = terms.period(what)
            assert period is not None, "a period is defined before it ends"
            closed = period.starts_at if closed is None else max(closed, period.starts_at)
            for name, currency in [place for place in open_ if _is_up_to(place[0], period, terms)]:
                found[what, currency] += open_.pop((name, currency))
        elif what.code in ("statement", "rounding"):
            found[what.period, what.currency].append(what)
        else:
            open_[open_period(closed, what, terms), what.currency].append(what)
    for (_, currency), left in open_.items():
        found["", currency] += left
    return dict(found)


def _in_order(
    rows: Iterable[tuple[int, Transfer]],
    periods: Iterable[tuple[int, PeriodDefined]],
    closings: Mapping[str, int],
) -> Iterator[PeriodDefined | Transfer | str]:
    learned = ((offset, 0, "", period) for offset, period in periods)
    booked = ((offset, 1, row.transfer_id, row) for offset, row in rows)
    ended = ((offset, 2, period, period) for period, offset in closings.items())
    events: list[tuple[int, int, str, PeriodDefined | Transfer | str]] = [*learned, *booked, *ended]
    for *_, what in sorted(events, key=lambda event: event[:3]):
        yield what


def _is_up_to(name: str, period: PeriodDefined, terms: Terms) -> bool:
    known = terms.period(name)
    return known is None or known.starts_at <= period.starts_at


def open_period(closed: datetime | None, row: Transfer, terms: Terms) -> str:
    """The period of an IB's row; late rows belong to the next after the newest that is closed.

    `closed` is when that began. So each row belongs to exactly one statement: the first that closes at
    or after this period.
    """
    period = terms.period_at(row.matures_at or row.occurred_at)
    if period is None:
        return ""
    if closed is None or period.starts_at > closed:
        return period.period
    return next((p.period for p in terms.periods if p.starts_at > closed), "")
