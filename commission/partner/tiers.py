"""Tiers reached in a period, and what they measure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from commission.money import EXACT
from commission.partner.buckets import ComponentPeriods, LevelState, PeriodTotals, VersionTotals
from commission.rating.values import ZERO, Factors
from commission.sums import NOTHING, Sums, total
from commission.terms.calendar import PeriodDefined
from commission.terms.catalog import Terms
from commission.terms.rates import Band, Tiers


def tier_weights(tiers: Tiers | None, bucket: PeriodTotals, factors: Factors) -> dict[int, Decimal]:
    """How much of the period counts at each band: all at the reached one, or graduated shares."""
    if tiers is None or tiers.mode == "level":
        return {0: Decimal(1)}
    reached_now = measure(tiers, [bucket])
    factors["measure"] = reached_now
    if tiers.mode == "slab":
        band = reached(tiers.bands, reached_now)
        factors["band"] = str(band)
        return {band: Decimal(1)}
    if reached_now <= 0:
        return {0: Decimal(1)}
    starts = [ZERO, *(band.start for band in tiers.bands)]
    ends = [*starts[1:], None]
    weights: dict[int, Decimal] = {}
    for band, (start, end) in enumerate(zip(starts, ends, strict=True)):
        inside = (reached_now if end is None else min(reached_now, end)) - start
        if inside > 0:
            weights[band] = EXACT.divide(inside, reached_now)
            factors[f"band_{band}"] = inside
    return weights


def graduated_days(tiers: Tiers | None, bucket: PeriodTotals, version: int) -> dict[str, dict[int, Decimal]]:
    """By day of a version, how much of it counts at each band: versions and days fill the bands in turn.

    Within a day all deals are divided alike. Active clients belong to no day: the period is divided alike.
    """
    if tiers is None or tiers.mode != "graduated" or tiers.by == "active_clients":
        return {}
    before = sum((_measured(tiers, one.sums) for n, one in bucket.versions.items() if n < version), ZERO)
    own, found = bucket.versions[version], dict[str, dict[int, Decimal]]()
    for day, sums in [("", own.sums - total(own.days.values())), *sorted(own.days.items())]:
        after = before + _measured(tiers, sums)
        found[day] = _shares(tiers.bands, before, after)
        before = after
    return found


def _shares(bands: tuple[Band, ...], before: Decimal, after: Decimal) -> dict[int, Decimal]:
    """Of what leads from one sum of the period to another, the share of each band."""
    if before == after:
        return {reached(bands, before): Decimal(1)}
    starts = [band.start for band in bands]
    shares: dict[int, Decimal] = {}
    for band, (start, end) in enumerate(zip([None, *starts], [*starts, None], strict=True)):
        low, high = (
            (at if end is None else min(at, end)) if start is None or at > start else start
            for at in (before, after)
        )
        if low != high:
            shares[band] = EXACT.divide(high - low, after - before)
    return shares


def reached(bands: Iterable[Band], measured: Decimal) -> int:
    """The highest band whose start is reached; 0 is the component's own rates."""
    return sum(1 for band in bands if measured >= band.start)


def measure(tiers: Tiers, buckets: Iterable[PeriodTotals]) -> Decimal:
    """The tier's measure over some periods."""
    if tiers.by != "active_clients":
        return sum((_measured(tiers, bucket.sums) for bucket in buckets), ZERO)
    lots: dict[str, Decimal] = {}
    for bucket in buckets:
        for client_id, sums in bucket.clients.items():
            lots[client_id] = lots.get(client_id, ZERO) + sums.lots
    return Decimal(sum(1 for of_one in lots.values() if of_one >= max(tiers.active_min_lots, LEAST)))


def _measured(tiers: Tiers, sums: Sums) -> Decimal:
    match tiers.by:
        case "lots":
            return sums.lots
        case "notional":
            return sums.notional
        case "count":
            return Decimal(sums.count)
        case _:  # the component's own amount
            return sums.at(0)


LEAST = Decimal("0.00000001")
"""An active client has traded something."""


# Levels


Levels = dict[tuple[str, str, int], int]
"""Period, day and version of the plan → the level in force."""


def tier_levels(
    settling: ComponentPeriods,
    tiers_of: Mapping[int, Tiers | None],
    terms: Terms,
    before: LevelState | None = None,
    until: datetime | None = None,
) -> tuple[Levels, LevelState]:
    """The level in force on each day that has a tally, and the state after the last period before `until`.

    Each period goes by the versions of the plan that counted in it, one without a tally by the version
    before; of several in one period the newest leads on to the next. `before` is what the folded periods
    left, if one counted.
    """
    found: Levels = {}
    if not any(tiers is not None and tiers.mode == "level" for tiers in tiers_of.values()):
        return found, before or LevelState()
    opening = settling.opening
    buckets = settling.buckets if opening is None else {**opening.recent, **settling.buckets}
    first = next(iter(settling.buckets.values()), PeriodTotals()).starts_at
    state, versions = before or LevelState(), [before.version if before is not None else 0]
    if opening is not None and before is not None:
        first = opening.until
    last = max((bucket.starts_at for bucket in settling.buckets.values()), default=first)
    for number, period in enumerate(terms.periods):
        if period.starts_at < first or (
            period.starts_at > last if until is None else period.starts_at >= until
        ):
            continue
        bucket = buckets.get(period.period)
        versions = sorted(bucket.versions) if bucket is not None else versions[-1:]
        after = state
        for version in versions:
            tiers = tiers_of[version]
            if tiers is not None and tiers.mode == "level":
                past = terms.periods[max(0, number - tiers.lookback_periods) : number]
                window = [buckets[p.period] for p in past if p.period in buckets]
                after = _through_period(tiers, version, period, bucket, window, state, found)
        state = after
    return found, replace(state, version=versions[-1])


def _through_period(
    tiers: Tiers,
    version: int,
    period: PeriodDefined,
    bucket: PeriodTotals | None,
    window: list[PeriodTotals],
    state: LevelState,
    found: Levels,
) -> LevelState:
    before, below, at_end = min(state.level, len(tiers.bands)), state.below, state.at_end
    level, at_start = before, reached(tiers.bands, measure(tiers, window))
    if at_start < level and at_end <= level:
        below += 1
        if below > tiers.grace_periods:
            level, below = (max(at_start, level - tiers.step) if tiers.step else at_start), 0
    else:
        level, below = _promoted(tiers, level, max(at_start, min(at_end, len(tiers.bands)))), 0
    bucket = bucket or PeriodTotals(starts_at=period.starts_at)
    days = dict.fromkeys(["", *sorted(bucket.days)], level)
    level = _through_days(tiers, bucket, window, min(before, level), days)
    found |= {(period.period, day, version): reached_then for day, reached_then in days.items()}
    if tiers.promote == "next_period":
        at_end = reached(tiers.bands, measure(tiers, [*window, bucket]))
    return LevelState(level=level, below=below, at_end=at_end)


def _promoted(tiers: Tiers, level: int, reached_band: int) -> int:
    return max(level, min(reached_band, level + tiers.step) if tiers.step else reached_band)


def _through_days(
    tiers: Tiers, bucket: PeriodTotals, window: list[PeriodTotals], lowest: int, days: dict[str, int]
) -> int:
    """Day by day: what was reached by the end of a day counts from the next on, if promotions may.

    Steps are counted from `lowest`: a promotion on the first day is one of the period.
    """
    level, sums, clients, of_days = days[""], NOTHING, dict[str, Sums](), bucket.days
    for day in sorted(of_days):
        days[day] = level
        if tiers.promote == "next_day":
            sums, clients = sums + of_days[day], _with_lots(clients, bucket.day_clients.get(day) or {})
            so_far = PeriodTotals(
                starts_at=bucket.starts_at, versions={0: VersionTotals(sums=sums)}, clients=clients
            )
            band = reached(tiers.bands, measure(tiers, [*window, so_far]))
            level = max(level, _promoted(tiers, lowest, band))
    return level


def _with_lots(known: Mapping[str, Sums], lots: Mapping[str, Decimal]) -> dict[str, Sums]:
    added = {client: Sums(lots=known.get(client, NOTHING).lots + more) for client, more in lots.items()}
    return {**known, **added}
