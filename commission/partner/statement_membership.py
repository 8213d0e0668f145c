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
    it caused, and a period's end after both. Withdrawn statements are not among the closings: the book
    forgets such a closing, so its rows are where they would be without, and what it posted is on none.
    """
    booked = list(rows)
    withdrawn = {row.reverses for _, row in booked if row.code == "reopening"}
    kept = [
        (offset, row)
        for offset, row in booked
        if pending(row.ib_id) in (row.debit, row.credit)
        and row.code != "reopening"
        and row.transfer_id not in withdrawn
    ]
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
            open_[turnover_of(closed, what, terms), what.currency].append(what)
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


def turnover_of(closed: datetime | None, row: Transfer, terms: Terms) -> str:
    """The open turnover that a row adds to: its period's, or the next statement's if that is closed.

    Late rows name no period, so that they are of the closed one again if its end is taken back.
    """
    period = terms.period_at(row.matures_at or row.occurred_at)
    return "" if period is None or (closed is not None and period.starts_at <= closed) else period.period
