"""What is too old to change: folded into an opening that keeps what it leaves to the periods after it."""

from collections.abc import Collection
from datetime import datetime
from itertools import takewhile

from msgspec.structs import replace

from commission.partner.buckets import KEPT, ComponentPeriods, Opening, PeriodTotals
from commission.partner.settlement import Versions, net_of, with_carry
from commission.partner.tiers import tier_levels
from commission.terms.catalog import Terms
from commission.terms.components import Component, DepositShare, RevenueShare


def folded(
    settling: ComponentPeriods, versions: Versions, terms: Terms, settled: Collection[str]
) -> ComponentPeriods:
    """The same without its oldest periods, as far as they are settled: the opening keeps what they leave."""
    names = tuple(takewhile(lambda name: is_old(settling, name, terms) and name in settled, settling.buckets))
    if not names:
        return settling
    kept = {name: bucket for name, bucket in settling.buckets.items() if name not in names}
    past = replace(settling, buckets={name: settling.buckets[name] for name in names})
    last = terms.period(names[-1])
    assert last is not None, "what has no period is not old"
    until = last.ends_at
    tiers_of = {number: version.tiers for number, version in versions.items()}
    level, below, at_end = tier_levels(settling, tiers_of, terms, until)[1]
    carried, apart = with_carry(past.of(_of(RevenueShare, versions)), versions, terms)[1]
    opening = Opening(
        until=until,
        carried={place: loss for place, loss in carried.items() if loss},
        apart=tuple(sorted(apart)),
        net=net_of(past.of(_of(DepositShare, versions)))[1],
        level=level,
        below=below,
        at_end=at_end,
        recent=_recent(settling, past, versions, until, terms),
    )
    return replace(settling, buckets=kept, opening=opening)


def is_old(settling: ComponentPeriods, name: str, terms: Terms) -> bool:
    """Whether the period ended so long before the newest one that it is not kept open."""
    newest = max(bucket.starts_at for bucket in settling.buckets.values())
    known = terms.period(name)
    return known is not None and known.ends_at + KEPT <= newest


def _of(kind: type[Component], versions: Versions) -> set[int]:
    return {number for number, version in versions.items() if isinstance(version.component, kind)}


def _recent(
    settling: ComponentPeriods, past: ComponentPeriods, versions: Versions, until: datetime, terms: Terms
) -> dict[str, PeriodTotals]:
    """The folded periods at which a level may look back from the first that is not folded."""
    reach = max((v.tiers.lookback_periods for v in versions.values() if v.tiers is not None), default=0)
    before = [period.period for period in terms.periods if period.starts_at < until]
    known = {**(settling.opening.recent if settling.opening is not None else {}), **past.buckets}
    seen = before[len(before) - min(reach, len(before)) :]
    return {name: replace(known[name], day_clients={}) for name in seen if name in known}
