"""Tiers reached in a period, and what they measure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from commission.money import EXACT
from commission.partner.buckets import PeriodTotals, Sums, with_added
from commission.rating.values import ZERO, Factors
from commission.terms.catalog import Terms
from commission.terms.rates import Band, Tiers


def tier_weights(tiers: Tiers | None, bucket: PeriodTotals, factors: Factors) -> dict[int, Decimal]:
    """How much of the period counts at each band: all at the reached one, or graduated shares."""
    if tiers is None or tiers.mode == "level":
        return {0: Decimal(1)}
    total = measure(tiers, [bucket])
    factors["measure"] = total
    if tiers.mode == "slab":
        band = reached(tiers.bands, total)
        factors["band"] = str(band)
        return {band: Decimal(1)}
    if total <= 0:
        return {0: Decimal(1)}
    starts = [ZERO, *(band.start for band in tiers.bands)]
    ends = [*starts[1:], None]
    weights: dict[int, Decimal] = {}
    for band, (start, end) in enumerate(zip(starts, ends, strict=True)):
        inside = (total if end is None else min(total, end)) - start
        if inside > 0:
            weights[band] = EXACT.divide(inside, total)
            factors[f"band_{band}"] = inside
    return weights


def reached(bands: Iterable[Band], total: Decimal) -> int:
    """The highest band whose start is reached; 0 is the component's own rates."""
    return sum(1 for band in bands if total >= band.start)


def measure(tiers: Tiers, buckets: Iterable[PeriodTotals]) -> Decimal:
    """The tier's measure over some periods."""
    window = list(buckets)
    match tiers.by:
        case "lots":
            return sum((b.sums.lots for b in window), ZERO)
        case "notional":
            return sum((b.sums.notional for b in window), ZERO)
        case "count":
            return Decimal(sum(b.sums.count for b in window))
        case "amount":
            return sum((b.sums.at(0) for b in window), ZERO)
        case _:  # active clients
            lots: dict[str, Decimal] = {}
            for bucket in window:
                for client_id, sums in bucket.clients.items():
                    lots[client_id] = lots.get(client_id, ZERO) + sums.lots
            return Decimal(sum(1 for total in lots.values() if total >= max(tiers.active_min_lots, LEAST)))


LEAST = Decimal("0.00000001")
"""An active client has traded something."""


def tier_levels(
    tiers: Tiers, buckets: Mapping[str, PeriodTotals], terms: Terms
) -> dict[tuple[str, str], int]:
    """The level in force on each day that has a tally."""
    names = [period.period for period in terms.periods if min(buckets) <= period.period <= max(buckets)]
    level, below, at_end = 0, 0, 0
    outside = [name for name in buckets if name not in names]
    found = {(name, day): level for name in outside for day in ("", *buckets[name].days)}
    for number, name in enumerate(names):
        window = [buckets[n] for n in names[max(0, number - tiers.lookback_periods) : number] if n in buckets]
        before, at_start = level, reached(tiers.bands, measure(tiers, window))
        if at_start < level and at_end <= level:
            below += 1
            if below > tiers.grace_periods:
                level, below = (max(at_start, level - tiers.step) if tiers.step else at_start), 0
        else:
            level, below = _promoted(tiers, level, max(at_start, at_end)), 0
        bucket = buckets.get(name) or PeriodTotals()
        found[name, ""] = level
        level = _through_days(tiers, name, bucket, window, min(before, level), level, found)
        if tiers.promote == "next_period":
            at_end = reached(tiers.bands, measure(tiers, [*window, bucket]))
    return found


def _promoted(tiers: Tiers, level: int, reached_band: int) -> int:
    return max(level, min(reached_band, level + tiers.step) if tiers.step else reached_band)


def _through_days(
    tiers: Tiers,
    name: str,
    bucket: PeriodTotals,
    window: list[PeriodTotals],
    lowest: int,
    level: int,
    found: dict[tuple[str, str], int],
) -> int:
    """Day by day: what was reached by the end of a day counts from the next on, if promotions may.

    Steps are counted from `lowest`: a promotion on the first day is one of the period.
    """
    so_far = PeriodTotals()
    for day in sorted(bucket.days):
        found[name, day] = level
        if tiers.promote == "next_day":
            clients = _with_lots(so_far.clients, bucket.day_clients.get(day) or {})
            so_far = PeriodTotals(sums=_sum(so_far.sums, bucket.days[day]), clients=clients)
            band = reached(tiers.bands, measure(tiers, [*window, so_far]))
            level = max(level, _promoted(tiers, lowest, band))
    return level


def _with_lots(known: Mapping[str, Sums], lots: Mapping[str, Decimal]) -> dict[str, Sums]:
    nothing = Sums()
    added = {client: Sums(lots=known.get(client, nothing).lots + more) for client, more in lots.items()}
    return {**known, **added}


def _sum(one: Sums, other: Sums) -> Sums:
    return Sums(
        amounts=with_added(one.amounts, other.amounts),
        lots=one.lots + other.lots,
        notional=one.notional + other.notional,
        count=one.count + other.count,
    )
