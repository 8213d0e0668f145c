"""Periods, and the records of their ends."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from commission.value import TaggedValue, Text, Time


class PeriodDefined(TaggedValue, tag="period_defined"):
    """A statement period: [starts_at, ends_at) in UTC, cut at midnight in the broker's zone."""

    period: Text
    """Its name, such as `2026-09`. Periods are in the order of their time, whatever they are called."""
    starts_at: Time
    ends_at: Time
    days: tuple[datetime, ...] = ()
    """Where each of its days begins, in UTC; () counts days of UTC."""
    first_weekday: int = 0
    """Weekday of the first day, Monday 0: weeks begin on Mondays."""

    @property
    def last_instant(self) -> datetime:
        """What stood then counts for the period; what begins at its end has no say in it."""
        return self.ends_at - datetime.resolution


class PeriodEnded(TaggedValue, tag="period_ended"):
    """Time as a record: the period is over and its statements close at this point of the log."""

    period: Text
    at: Time | None = None
    """When a person ended it; None in records of earlier versions and of runners, which are not checked."""
    early: Text = ""
    """Why it may end before its time has passed."""


class PeriodReopened(TaggedValue, tag="period_reopened"):
    """Two people take the newest end back: its statements are withdrawn, and the period is open as before.

    Whoever writes it has made sure that nothing of the period was exported to be paid.
    """

    period: Text
    at: Time
    reason: Text
    proposal_id: Text
    created_by: Text
    approved_by: Text


def overlapping(periods: Iterable[PeriodDefined]) -> Iterator[tuple[PeriodDefined, str]]:
    """Periods that begin before the one before them has ended, each with a word about it."""
    for one, other in pairwise(sorted(periods, key=lambda period: (period.starts_at, period.ends_at))):
        if other.starts_at < one.ends_at:
            yield other, f"begins {other.starts_at:%Y-%m-%d %H:%M} UTC, inside {one.period}"
