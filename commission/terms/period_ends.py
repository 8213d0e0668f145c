"""What of the calendar has ended, and which ends of periods count: in turn, in time, and once."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from commission.terms.calendar import PeriodDefined, PeriodEnded, PeriodReopened
from commission.two_people import are_two_people


class Ends(NamedTuple):
    """What of the calendar has ended."""

    newest: datetime | None = None
    """When the newest period that has ended began."""
    before: datetime | None = None
    """The same without the newest end."""
    last: str = ""
    """The period of the newest end, while that can be taken back."""
    reopened: PeriodReopened | None = None
    """How an end was taken back last: neither that end nor this, published again, does anything."""

    def after(self, record: PeriodEnded | PeriodReopened, known: Mapping[str, PeriodDefined]) -> "Ends":
        """With one more end, which may be told again, or without the newest."""
        period = known.get(record.period)
        if isinstance(record, PeriodReopened):
            return Ends(self.before, self.before, "", record)
        if period is None or (self.newest is not None and period.starts_at <= self.newest):
            return self
        return Ends(period.starts_at, self.newest, period.period, self.reopened)


def why_not_reopened(record: PeriodReopened, known: Mapping[str, PeriodDefined], ends: Ends) -> str:
    """Why the end of a period must not be taken back; "" if it may."""
    name = record.period
    if name not in known:
        return f"no period is called {name}, so nothing was reopened; name it as the calendar does"
    if not are_two_people(record.created_by, record.approved_by) or not record.reason.strip():
        return f"the end of {name} is taken back by two people, with a reason: nothing was reopened"
    if ends.reopened is not None and record.proposal_id == ends.reopened.proposal_id:
        return f"proposal {record.proposal_id} has taken back the end of {name} before: nothing was reopened"
    if name == ends.last:
        return ""
    if ends.newest is None or known[name].starts_at > ends.newest:
        return f"the period {name} has not ended, so nothing was reopened"
    return (
        f"only the newest end can be taken back, once, and that of {name} is not: nothing was reopened;"
        " what is of it and came late is on the next statement"
    )


def why_no_end(ended: PeriodEnded, known: Mapping[str, PeriodDefined], ends: Ends) -> str:
    """Why `ended` must not close the statements of the period it names; "" if it may.

    The newest end may be told again, which closes nothing.
    """
    if ended.at is None:
        return ""
    period = known.get(ended.period)
    if period is None:
        return f"no period is called {ended.period}, so nothing was closed; name it as the calendar does"
    if period.starts_at > ended.at:
        return f"the period {ended.period} has not begun at {ended.at:%Y-%m-%d %H:%M} UTC: nothing was closed"
    if period.ends_at > ended.at and not ended.early.strip():
        return (
            f"the period {ended.period} lasts until {period.ends_at:%Y-%m-%d %H:%M} UTC and was ended at"
            f" {ended.at:%Y-%m-%d %H:%M}: nothing was closed; end it after that, or early with a reason"
        )
    back = ends.reopened
    if back is not None and back.period == ended.period and ended.at <= back.at:
        return (
            f"the end of {ended.period} at {ended.at:%Y-%m-%d %H:%M:%S} UTC was taken back at"
            f" {back.at:%Y-%m-%d %H:%M:%S}: nothing was closed; end it once more"
        )
    return "" if ends.newest is None else _why_out_of_turn(period, known, ends.newest)


def _why_out_of_turn(period: PeriodDefined, known: Mapping[str, PeriodDefined], newest: datetime) -> str:
    if period.starts_at < newest:
        return (
            f"the period {period.period} is before the last one that has ended: nothing was closed; what"
            " is of it and came late is on the next statement"
        )
    between = [one for one in known.values() if newest < one.starts_at < period.starts_at]
    if not between:
        return ""
    first = min(between, key=lambda one: one.starts_at).period
    name = period.period
    return f"the period {name} is out of turn, {first} has not ended: nothing was closed; end {first} first"
