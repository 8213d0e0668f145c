"""What is long over: each period in a key of its own, and an opening that keeps what they leave to the rest.

The opening follows from the totals of the folded periods, so folding loses nothing: a tally of one of them
is settled over all periods again where they go by each other, else over that period alone.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import islice, takewhile

from msgspec import field
from msgspec.structs import replace

from commission.draft import Draft
from commission.partner.buckets import KEPT, ComponentPeriods, LevelState, Opening, PeriodTotals
from commission.partner.settlement import Version, Versions, due, kind_of, net_of, with_carry
from commission.partner.tiers import tier_levels
from commission.terms.calendar import PeriodDefined
from commission.terms.catalog import BEGINNING, Terms
from commission.terms.components import DepositShare, RevenueShare
from commission.value import Value


class Unfolded(Value):
    """A component's periods, as far as a tally needs them."""

    periods: ComponentPeriods
    pages: dict[str, PeriodTotals] = field(default_factory=dict)
    """Those of them that are folded, as they are stored."""
    is_alone: bool = False
    """The tally is of a folded period, and no other period goes by that: the rest is not looked at."""


def unfolded(
    draft: Draft,
    key: str,
    periods: ComponentPeriods,
    period: PeriodDefined,
    versions: Collection[Version],
    terms: Terms,
) -> Unfolded:
    """What a tally of `period` needs, under all versions of its plan: what the key holds, if none is folded.

    Folded periods are read for a tally of one of them, and where a level looks further back than any did
    when they were folded.
    """
    opening = periods.opening
    if opening is None:
        return Unfolded(periods=periods)
    is_late = period.starts_at < opening.until
    if not is_late and _reach(versions) <= opening.reach:
        return Unfolded(periods=periods)
    is_alone = is_late and not any(_goes_by_others(version) for version in versions)
    wanted = (period,) if is_alone else (one for one in terms.periods if one.starts_at < opening.until)
    pages = {one.period: page for one in wanted if (page := _page(draft, key, one)) is not None}
    buckets = pages if is_alone else {**pages, **periods.buckets}
    return Unfolded(periods=replace(periods, buckets=buckets, opening=None), pages=pages, is_alone=is_alone)


def keep(
    draft: Draft, key: str, known: Unfolded, periods: ComponentPeriods, versions: Versions, terms: Terms
) -> None:
    """Store what has become of the periods that were `known`: what is too old in keys of its own."""
    folding = periods.buckets
    if not known.is_alone:
        folding, periods = _folded(periods, versions, terms)
        draft.put(key, periods)
    for name, bucket in folding.items():
        if known.pages.get(name) != bucket:
            draft.put(_page_key(key, name), replace(bucket, starts_at=BEGINNING))
    for name in known.pages:
        if name not in folding:  # it has come to wait for a rate
            draft.put(_page_key(key, name), None)


def _page_key(key: str, period: str) -> str:
    return f"f{key[1:]}:{period}"


def _page(draft: Draft, key: str, period: PeriodDefined) -> PeriodTotals | None:
    page: PeriodTotals | None = draft.get(_page_key(key, period.period))
    return None if page is None else replace(page, starts_at=period.starts_at)


def _goes_by_others(version: Version) -> bool:
    tiers = version.tiers
    is_level = tiers is not None and tiers.mode == "level"
    return is_level or isinstance(version.component, RevenueShare | DepositShare)


def _reach(versions: Iterable[Version]) -> int:
    return max((v.tiers.lookback_periods for v in versions if v.tiers is not None), default=0)


def _folded(
    periods: ComponentPeriods, versions: Versions, terms: Terms
) -> tuple[dict[str, PeriodTotals], ComponentPeriods]:
    """The periods that are too old, and the rest; one that waits for a rate stays, and those after it."""
    newest = max(bucket.starts_at for bucket in periods.buckets.values())
    old = [*takewhile(lambda name: _is_old(name, newest, terms), periods.buckets)]
    if old:
        worths = due(periods, versions, terms)
        old = [*takewhile(lambda name: worths[name] is not None, old)]
    if not old:
        return {}, periods
    past = replace(periods, buckets={name: periods.buckets[name] for name in old})
    kept = dict(islice(periods.buckets.items(), len(old), None))
    return past.buckets, replace(periods, buckets=kept, opening=_opening(periods, past, versions, terms))


def _is_old(name: str, newest: datetime, terms: Terms) -> bool:
    known = terms.period(name)
    return known is not None and known.ends_at + KEPT <= newest


def _opening(periods: ComponentPeriods, past: ComponentPeriods, versions: Versions, terms: Terms) -> Opening:
    last = terms.period(next(reversed(past.buckets)))
    assert last is not None, "what has no period is not old"
    of_kind: dict[str, set[int]] = {}
    for number, version in versions.items():
        of_kind.setdefault(kind_of(version), set()).add(number)
    revenue = past.of(of_kind.get(RevenueShare.__name__, ()))
    carried, apart = with_carry(revenue, versions, terms)[1]
    reach = _reach(versions.values())
    before = [period.period for period in terms.periods if period.starts_at < last.ends_at]
    known = {**(periods.opening.recent if periods.opening is not None else {}), **past.buckets}
    return Opening(
        until=last.ends_at,
        carried={place: loss for place, loss in carried.items() if loss},
        apart=tuple(sorted(apart)),
        net=net_of(past.of(of_kind.get(DepositShare.__name__, ())))[1],
        levels={
            kind: state
            for kind, numbers in of_kind.items()
            if (state := _level(periods.of(numbers), past.of(numbers), kind, versions, terms, last))
        },
        recent={
            name: replace(known[name], day_clients={})
            for name in before[len(before) - min(reach, len(before)) :]
            if name in known
        },
        reach=reach,
    )


def _level(
    periods: ComponentPeriods,
    past: ComponentPeriods,
    kind: str,
    versions: Versions,
    terms: Terms,
    last: PeriodDefined,
) -> LevelState | None:
    """The level of one kind after the last folded period; None if none of its periods are folded."""
    before = periods.opening.levels.get(kind) if periods.opening is not None else None
    tiers_of = {number: version.tiers for number, version in versions.items() if kind_of(version) == kind}
    if not any(tiers is not None for tiers in tiers_of.values()) or not (past.buckets or before):
        return None
    _, after = tier_levels(periods, tiers_of, terms, before, last.ends_at)
    newest = next(reversed(past.buckets.values())).version if past.buckets else after.version
    return replace(after, version=newest)
