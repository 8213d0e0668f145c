"""What follows from all schedules of the terms at once."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from commission.links.records import LinkSaved
from commission.terms.market import RatePublished
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from commission.terms.upline import Asked, asked_by


def breakpoints_of(
    partners: Mapping[str, PartnerDefined],
    plans: Mapping[str, tuple[PlanDefined, ...]],
    links: Mapping[str, LinkSaved],
    known: Iterable[datetime],
) -> tuple[datetime, ...]:
    """Every time at which some schedule, parent or status changes; those of other partners are `known`.

    Of many IBs that come in many messages only the new ones are looked through each time.
    """
    times = {*known, *(v.since for versions in plans.values() for v in versions if v.since)}
    times.update(plan.since for link in links.values() for plan in link.plans if plan.since)
    for partner in partners.values():
        for entries in (partner.parents, partner.schedule, partner.statuses):
            times.update(entry.since for entry in entries if entry.since)
    return tuple(sorted(times))


def newest_per_time(series: Iterable[RatePublished]) -> tuple[RatePublished, ...]:
    """Sorted by time; of two rates for one time the later published stands."""
    by_time = {rate.as_of: rate for rate in series}
    return tuple(by_time[at] for at in sorted(by_time))


def asked_of(
    plans: Mapping[str, tuple[PlanDefined, ...]],
    partners: Mapping[str, PartnerDefined],
    links: Mapping[str, LinkSaved],
    doubtful: Mapping[str, PartnerDefined],
) -> Asked:
    """What some plan asks of deals; a plan that only a link names may be one that is not known yet.

    Of partners that are not `doubtful` all that they name is known.
    """
    asked = asked_by([plan for versions in plans.values() for plan in versions])
    named = {one.plan_id for link in links.values() for one in link.plans if one.plan_id is not None}
    is_partial = bool(named - plans.keys()) or any(
        any(held.plan_id is not None and held.plan_id not in plans for held in partner.schedule)
        or any(parent.ib_id is not None and parent.ib_id not in partners for parent in partner.parents)
        for partner in doubtful.values()
    )
    return asked._replace(is_partial=is_partial)
