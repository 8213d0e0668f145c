"""Which records may become known: none that would break the tree of IBs or overlap in the calendar.

A broken tree stops every book, and an overlap would settle some days in two periods.

Terms that are published are checked as a whole before; what a CRM changes comes one by one, on top of them.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from commission.terms.calendar import PeriodDefined, PeriodEnded, PeriodReopened, overlapping
from commission.terms.catalog import Terms
from commission.terms.partner_tree import PartnerTree
from commission.terms.partners import PartnerChanged, PartnerDefined
from commission.terms.period_ends import why_no_end, why_not_reopened
from commission.terms.records import TermsRecord


class Refused(NamedTuple):
    """A record that must not become known, and why."""

    record: PartnerDefined | PartnerChanged | PeriodDefined | PeriodEnded | PeriodReopened
    why: str


def sort_out(terms: Terms, news: Iterable[TermsRecord]) -> Iterator[Refused]:
    """Tell which of `news` must not be learned: whole records count together, changes one by one.

    Whole records are only looked at where something was changed: alone they have been checked.
    """
    records = list(news)
    yield from _overlaps(terms, [record for record in records if isinstance(record, PeriodDefined)])
    yield from _ends(terms, records)
    whole = [record for record in records if isinstance(record, PartnerDefined)]
    told = [record for record in records if isinstance(record, PartnerChanged)]
    if not told and not terms.changes:
        return
    tree = PartnerTree({**terms.published, **{record.ib_id: record for record in whole}}, dict(terms.changes))
    for record in whole:
        if why := tree.why_broken(record.ib_id):
            yield Refused(record, why)
            tree.publish(record.ib_id, terms.published.get(record.ib_id))
    for change in told:
        if why := tree.learn(change):
            yield Refused(change, why)


def _overlaps(terms: Terms, told: list[PeriodDefined]) -> Iterator[Refused]:
    """Periods that overlap others; a period told again takes its own place."""
    known = {period.period: period for period in terms.periods}
    for period in told if any(overlapping((known | {p.period: p for p in told}).values())) else ():
        others = [other for name, other in known.items() if name != period.period]
        crossed = [p for p in others if p.starts_at < period.ends_at and period.starts_at < p.ends_at]
        if crossed:
            yield Refused(
                period,
                f"the period {period.period} overlaps {crossed[0].period}, which is known: statements of both"
                f" would take the same days; begin it at {crossed[0].ends_at:%Y-%m-%d %H:%M} UTC or later",
            )
        else:
            known[period.period] = period


def _ends(terms: Terms, records: list[TermsRecord]) -> Iterator[Refused]:
    """Ends that are unknown, too soon or out of turn, and those that cannot be taken back."""
    known, ends = {period.period: period for period in terms.periods}, terms.ended
    for record in records:
        if isinstance(record, PeriodDefined):
            known[record.period] = record
        elif isinstance(record, PeriodEnded | PeriodReopened):
            if isinstance(record, PeriodEnded):
                why = why_no_end(record, known, ends)
            else:
                why = why_not_reopened(record, known, ends)
            if why:
                yield Refused(record, why)
            else:
                ends = ends.after(record, known)
