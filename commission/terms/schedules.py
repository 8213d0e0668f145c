"""What follows from all schedules of the terms at once."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from commission.links.records import LinkSaved
from commission.terms.market import RatePublished
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from commission.terms.upline import Asked, asked_by


def breakpoints_of(
    partners: Iterable[PartnerDefined],
    plans: Iterable[tuple[PlanDefined, ...]],
    links: Iterable[LinkSaved],
) -> tuple[datetime, ...]:
    """Every time at which some schedule, parent or status changes."""
    times: set[datetime] = {v.since for versions in plans for v in versions if v.since}
    times.update(plan.since for link in links for plan in link.plans if plan.since)
    for partner in partners:
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
) -> Asked:
    """What some plan asks of deals; a plan that only a link names may be one that is not known yet."""
    asked = asked_by([plan for versions in plans.values() for plan in versions], partners)
    named = {one.plan_id for link in links.values() for one in link.plans if one.plan_id is not None}
    return asked._replace(is_partial=True) if named - plans.keys() else asked
