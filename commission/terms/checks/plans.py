"""Checks of plans and of their components, each by itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from commission.terms.checks.conditions import check_both_lists, check_least, check_when
from commission.terms.checks.published import (
    Published,
    Subject,
    TermsProblem,
    check_currency,
    check_order,
    is_positive,
    is_share,
    numbered,
    some,
)
from commission.terms.checks.rates import (
    check_averages,
    check_countries,
    check_match,
    check_rates,
    covers,
)
from commission.terms.checks.sharing import check_override
from commission.terms.components import (
    AnyDealComponent,
    CohortBonus,
    CommissionShare,
    Component,
    Cpa,
    CpaAmount,
    Cpl,
    DealComponent,
    DepositShare,
    Pips,
    ProfitShare,
    Rebate,
    RevenueShare,
    SpreadShare,
    SwapShare,
)
from commission.terms.market import SymbolDefined
from commission.terms.plans import PlanDefined
from commission.terms.rates import ONE, Band, Caps, Rate, Tiers, When

SHARES = (SpreadShare, CommissionShare, SwapShare, ProfitShare, RevenueShare)
"""Components whose rates are shares, of at most 1."""


def check_plans(terms: Published) -> Iterator[TermsProblem]:
    """Find plans that would pay wrongly, or not at all."""
    for subject, plan in terms.plans:
        yield from check_currency((*subject, "currency"), plan.currency)
        yield from _check_plan(subject, plan, terms)
        for name, component in zip(numbered(c.name for c in plan.components), plan.components, strict=True):
            place = (*subject, "component", name)
            if name != component.name:
                text = f"{plan.plan_id} has two components named {component.name}; explanations need one each"
                yield TermsProblem(place, "duplicate_component", text)
            yield from _check_component(place, component, plan, terms)
        yield from _check_coverage(subject, plan, terms)
    yield from _check_versions(terms)


def _check_versions(terms: Published) -> Iterator[TermsProblem]:
    for plan_id, versions in terms.versions_of.items():
        for before, plan in pairwise(versions):
            if plan.version == before.version:
                continue  # told as the same id twice
            for problem in check_order((), (before.since, plan.since)):
                text = (
                    f"version {plan.version} of {plan_id} does not begin after version {before.version}; "
                    "give it a later `since`"
                )
                subject = ("plan", plan_id, str(plan.version), "since")
                yield replace(problem, subject=subject, text=text)


def _check_plan(subject: Subject, plan: PlanDefined, terms: Published) -> Iterator[TermsProblem]:
    if not plan.components:
        text = f"{plan.plan_id} has no components, so it pays nothing; add one, or let the IB hold no plan"
        yield TermsProblem((*subject, "components"), "no_components", text)
    yield from check_when((*subject, "when"), plan.when)
    least = {"version": 1, "hold_days": 0, "kyc_forfeit_days": 0, "min_payout": 0}
    yield from check_least(subject, "bad_plan", ((key, getattr(plan, key), n) for key, n in least.items()))
    yield from check_least(
        (*subject, "clawback"), "bad_plan", [("window_days", plan.clawback.window_days, 0)]
    )
    yield from _check_budget(subject, plan)
    for name, factor in zip(numbered(f.match for f in plan.lot_factors), plan.lot_factors, strict=True):
        place = (*subject, "lot_factors", name)
        yield from check_match(place, factor.match, terms)
        if not factor.factor.is_finite() or factor.factor < 0:
            text = f"the lot factor for {factor.match} is {factor.factor}; it must be 0 or more"
            yield TermsProblem(place, "bad_factor", text)
    as_rates = [Rate(value=f.factor, match=f.match, group=f.group) for f in plan.lot_factors]
    for problem in check_rates((*subject, "lot_factors"), as_rates, terms):
        if problem.code in ("ambiguous_rate", "bad_group"):
            yield problem
    yield from _check_clawback(subject, plan)


def _check_budget(subject: Subject, plan: PlanDefined) -> Iterator[TermsProblem]:
    if plan.budget is None:
        return
    place = (*subject, "budget")
    if not is_share(plan.budget.share) or not plan.budget.share:
        text = f"the budget is {plan.budget.share} of the revenue; write a share above 0, 60 % as 0.6"
        yield TermsProblem(place, "bad_budget", text)
    if not plan.budget.revenue or len(set(plan.budget.revenue)) < len(plan.budget.revenue):
        text = "the budget's revenue names a term twice or none at all; name each term once"
        yield TermsProblem(place, "bad_budget", text)


def _check_clawback(subject: Subject, plan: PlanDefined) -> Iterator[TermsProblem]:
    """Money that can no longer be taken back should not still be waiting to be paid."""
    rule, hold = plan.clawback, plan.hold_days
    scopes = (
        rule.chargeback,
        rule.refund,
        rule.deposit_reversal,
        rule.kyc_revoked,
        rule.bonus_removed,
        rule.fraud,
    )
    if set(scopes) != {"none"} and 0 <= rule.window_days < hold:
        text = (
            f"accruals are held for {hold} days, but taken back only for {rule.window_days}; "
            "make clawback.window_days at least hold_days"
        )
        yield TermsProblem((*subject, "clawback"), "clawback_shorter_than_hold", text)
    for component in plan.components:
        if isinstance(component, Cpa) and 0 <= component.clawback_days < hold:
            text = (
                f"the CPA is held for {hold} days, but taken back only for {component.clawback_days}; "
                "make clawback_days at least hold_days"
            )
            place = (*subject, "component", component.name, "clawback_days")
            yield TermsProblem(place, "clawback_shorter_than_hold", text)


def _check_coverage(subject: Subject, plan: PlanDefined, terms: Published) -> Iterator[TermsProblem]:
    """Warn once of the symbols that nothing in the plan pays for."""
    paying = [c for c in plan.components if isinstance(c, DealComponent) and not isinstance(c, Rebate)]
    without = sorted(
        {s.canonical for s in terms.canonicals if not any(covers(_all_rates(c), s) for c in paying)}
    )
    if paying and without:
        text = f"{plan.plan_id} pays nothing for deals in {some(without)}; if that is meant, rate them 0"
        yield TermsProblem(subject, "uncovered_symbol", text, "warning")


def _all_rates(component: DealComponent) -> Iterator[Rate]:
    yield from component.rates
    for rank in component.override.ranks:
        yield from rank.rates


# Conditions


def _check_positive(
    place: Subject, code: str, numbers: Iterable[tuple[str, Decimal | None]]
) -> Iterator[TermsProblem]:
    for key, number in numbers:
        if number is not None and not is_positive(number):
            text = f"{key} is {number}; it must be above 0, or leave it out"
            yield TermsProblem((*place, key), code, text)


# Components that pay for deals


def _check_component(
    place: Subject, component: Component, plan: PlanDefined, terms: Published
) -> Iterator[TermsProblem]:
    match component:
        case Cpa():
            yield from _check_cpa(place, component, terms)
        case Cpl():
            yield from _check_cpl(place, component)
        case DepositShare():
            yield from _check_deposit_share(place, component)
        case CohortBonus():
            yield from _check_cohort(place, component)
        case _:
            yield from _check_deal_component(place, component, plan, terms)


def _check_deal_component(
    place: Subject, component: AnyDealComponent, plan: PlanDefined, terms: Published
) -> Iterator[TermsProblem]:
    is_share_of = isinstance(component, SHARES) or (
        isinstance(component, Rebate) and component.unit == "share"
    )
    most = ONE if is_share_of else None
    if not component.rates and not component.override.ranks:
        text = "rates is empty; name at least one symbol, class or *"
        yield TermsProblem((*place, "rates"), "no_rates", text)
    yield from check_rates((*place, "rates"), component.rates, terms, most=most)
    yield from check_when((*place, "when"), component.when)
    yield from _check_sides(place, component, plan)
    yield from check_override(place, component, terms, most=most)
    if component.caps is not None:
        yield from _check_caps((*place, "caps"), component.caps)
    if component.tiers is not None:
        yield from _check_tiers(place, component.tiers, component.rates, terms, most)
        if component.override.mode == "rank":
            text = (
                "under override mode rank an IB is paid by its rank, and tiers count for nothing; "
                "leave tiers out and list a higher rank for more volume, or write another override mode"
            )
            yield TermsProblem((*place, "tiers"), "tiers_under_rank", text)
    match component:
        case SpreadShare():
            yield from _check_spread(place, component, terms)
        case Pips(unit="point"):
            yield from _check_digits(place, component, terms)
        case RevenueShare():
            yield from _check_revenue(place, component)


def _check_sides(place: Subject, component: AnyDealComponent, plan: PlanDefined) -> Iterator[TermsProblem]:
    """Conditions on closed slices need `out`; an account's hedged volume is that it opened."""
    asked = [name for when in (plan.when, component.when) for name in _slice_conditions(when)]
    if isinstance(component, SpreadShare) and component.basis in ("open", "average"):
        asked.append(f"basis {component.basis}")
    if asked and component.entry != "out":
        says = "it pays nothing" if component.entry == "in" else "what it pays on opening is not asked for it"
        text = f"{asked[0]} looks at closed volume, and with entry {component.entry} {says}; write entry: out"
        severity = "error" if component.entry == "in" else "warning"
        yield TermsProblem((*place, "entry"), "condition_needs_out", text, severity)  # type: ignore[arg-type] # one of the two
    if asked and component.close_by != "each_leg":
        text = f"{asked[0]} looks at each leg, and the first pays for the close-by; write close_by: each_leg"
        yield TermsProblem((*place, "close_by"), "condition_needs_each_leg", text)
    if component.hedged and component.entry != "in":
        text = f"hedged counts opened volume, but entry is {component.entry}; write entry: in"
        yield TermsProblem((*place, "hedged"), "hedged_needs_in", text)


def _slice_conditions(when: When) -> list[str]:
    asked = {
        "min_holding_s": bool(when.min_holding_s),
        "min_pips": bool(when.min_pips),
        "same_price": not when.same_price,
    }
    return [name for name, is_asked in asked.items() if is_asked]


def _check_spread(place: Subject, component: SpreadShare, terms: Published) -> Iterator[TermsProblem]:
    yield from check_averages((*place, "average_pips"), component.average_pips, terms)
    yield from check_averages((*place, "markup_pips"), component.markup_pips, terms)
    yield from _check_positive(place, "bad_cap", [("cap_pips", component.cap_pips)])
    yield from check_least(place, "bad_spread", [("plus_pips", component.plus_pips, 0)])
    paid = [s for s in terms.canonicals if covers(component.rates, s)]
    if component.basis == "markup":
        if without := _without(paid, lambda s: covers(component.markup_pips, s)):
            text = f"no markup_pips for {some(without)}, whose spread it is; add them"
            yield TermsProblem((*place, "markup_pips"), "no_markup", text)
    elif without := _without(paid, lambda s: s.average_pips is not None or covers(component.average_pips, s)):
        yield _no_average((*place, "average_pips"), component, without)


def _no_average(place: Subject, component: SpreadShare, without: Sequence[str]) -> TermsProblem:
    if component.basis == "table":
        text = f"no average_pips for {some(without)}, whose spread it is; add them here or to the symbols"
        return TermsProblem(place, "no_average_spread", text)
    text = (
        f"no average_pips for {some(without)}: their deals are rejected where the source "
        "has no bid and ask, as in MT4 and in CSV exports"
    )
    return TermsProblem(place, "no_average_spread", text, "warning")


def _without(symbols: Iterable[SymbolDefined], has: Callable[[SymbolDefined], bool]) -> list[str]:
    return sorted({symbol.canonical for symbol in symbols if not has(symbol)})


def _check_digits(place: Subject, component: Pips, terms: Published) -> Iterator[TermsProblem]:
    paid = [symbol for _, symbol in terms.symbols if covers(component.rates, symbol)]
    if without := _without(paid, lambda s: s.digits is not None):
        text = f"a point is 10^-digits, and {some(without)} has no digits; add them, or count in pips"
        yield TermsProblem((*place, "unit"), "missing_digits", text)


def _check_revenue(place: Subject, component: RevenueShare) -> Iterator[TermsProblem]:
    if not component.terms or len(set(component.terms)) < len(component.terms):
        text = "terms names a part of the revenue twice, or none; name each once"
        yield TermsProblem((*place, "terms"), "bad_revenue", text)
    yield from _check_positive(place, "bad_revenue", [("quarantine_below", component.quarantine_below)])


def _check_caps(place: Subject, caps: Caps) -> Iterator[TermsProblem]:
    named_caps = [(key, getattr(caps, key)) for key in ("per_deal", "per_day", "per_week", "per_period")]
    yield from _check_positive(place, "bad_cap", named_caps)
    given = [(key, cap) for key, cap in named_caps if cap is not None]
    if not given:
        yield TermsProblem(place, "bad_cap", "caps names no cap; name one, or leave caps out")
    for (short, less), (long, more) in pairwise(given):
        if less > more:
            text = f"{short} is {less}, above {long} of {more}, which then decides alone; correct one of them"
            yield TermsProblem((*place, short), "caps_order", text)


# Tiers


def _check_tiers(
    place: Subject, tiers: Tiers, base: Sequence[Rate], terms: Published, most: Decimal | None
) -> Iterator[TermsProblem]:
    place = (*place, "tiers")
    if not tiers.bands:
        text = "tiers has no bands; add one, or leave tiers out"
        yield TermsProblem((*place, "bands"), "no_bands", text)
    yield from _check_starts(place, tiers)
    for number, band in enumerate(tiers.bands):
        at = (*place, "bands", str(number))
        yield from check_rates((*at, "rates"), band.rates, terms, most=most)
        if gap := _gap(band, base, terms):
            text = (
                f"the band from {band.start} has no rate for {some(gap)}, which the component pays: "
                "crossing it would end that; add them, or * for the rest"
            )
            yield TermsProblem((*at, "rates"), "tier_gap", text)
        if not band.factor.is_finite() or band.factor < 0:
            text = f"the factor of the band from {band.start} is {band.factor}; it must be 0 or more"
            yield TermsProblem((*at, "factor"), "bad_factor", text)
    yield from _check_tier_mode(place, tiers)


def _gap(band: Band, base: Sequence[Rate], terms: Published) -> list[str]:
    """Symbols that the component pays and the band's own rates do not."""
    paid = [s for s in terms.canonicals if covers(base, s)]
    return _without(paid, lambda s: covers(band.rates, s)) if band.rates else []


def _check_starts(place: Subject, tiers: Tiers) -> Iterator[TermsProblem]:
    for number, band in enumerate(tiers.bands):
        at = (*place, "bands", str(number), "start")
        if not is_positive(band.start):
            text = f"a band begins at {band.start}; from 0 on the component's own rates count, so begin above"
            yield TermsProblem(at, "bad_band", text)
        elif number and band.start <= tiers.bands[number - 1].start:
            text = f"a band from {band.start} follows a higher one; list them upwards"
            yield TermsProblem(at, "bad_band", text)


def _check_tier_mode(place: Subject, tiers: Tiers) -> Iterator[TermsProblem]:
    least = [(key, getattr(tiers, key), 0) for key in ("lookback_periods", "grace_periods", "step")]
    yield from check_least(place, "bad_tiers", [*least, ("active_min_lots", tiers.active_min_lots, 0)])
    for key, number, _ in least:
        if number and tiers.mode != "level":
            text = (
                f"{key} belongs to a level, and the mode is {tiers.mode}; write mode: level, or leave it out"
            )
            yield TermsProblem((*place, key), "lookback_needs_level", text)
    if tiers.by == "active_clients" and not tiers.active_min_lots:
        text = "tiers by active_clients need active_min_lots, the lots from which a client is active"
        yield TermsProblem((*place, "by"), "tiers_need_min_lots", text)


# Components that pay for clients and deposits


def _check_cpa(place: Subject, component: Cpa, terms: Published) -> Iterator[TermsProblem]:
    yield from _check_amounts(place, component.amounts)
    least = {
        "min_lots": 0,
        "min_trades": 0,
        "min_spread": 0,
        "min_turnover": 0,
        "min_holding_s": 0,
        "clawback_days": 0,
        "ftd_window_hours": 1,
        "qualification_days": 1,
    }
    yield from check_least(place, "bad_cpa", ((key, getattr(component, key), n) for key, n in least.items()))
    yield from _check_countries_of(place, component)
    if component.tiers is not None:
        everything = (Rate(value=ONE),)
        yield from _check_tiers(place, component.tiers, everything, terms, None)
        if component.tiers.by != "count":
            text = f"tiers of a CPA count the clients of a period, not {component.tiers.by}; write by: count"
            yield TermsProblem((*place, "tiers", "by"), "bad_tiers", text)
        for number, band in enumerate(component.tiers.bands):
            if band.rates:
                text = "a band of a CPA multiplies its amounts; write a factor, not rates"
                yield TermsProblem((*place, "tiers", "bands", str(number), "rates"), "bad_tiers", text)


def _check_amounts(place: Subject, amounts: Sequence[CpaAmount]) -> Iterator[TermsProblem]:
    if not amounts:
        yield TermsProblem((*place, "amounts"), "bad_cpa", "there is no amount; write one")
    known: dict[tuple[str, Decimal], Decimal] = {}
    for number, entry in enumerate(amounts):
        at = (*place, "amounts", str(number))
        if not is_positive(entry.amount):
            text = f"the amount is {entry.amount}; it pays more than 0"
            yield TermsProblem((*at, "amount"), "bad_cpa", text)
        yield from check_least(at, "bad_cpa", [("min_deposit", entry.min_deposit, 0)])
        yield from check_countries(at, (entry.country,) if entry.country else ())
        first = known.setdefault((entry.country, entry.min_deposit), entry.amount)
        if first != entry.amount:
            text = f"{first} and {entry.amount} are for the same country and min_deposit; keep one"
            yield TermsProblem(at, "ambiguous_amount", text)


def _check_countries_of(place: Subject, component: Cpa | Cpl) -> Iterator[TermsProblem]:
    yield from check_countries((*place, "countries"), component.countries)
    yield from check_countries((*place, "countries_not"), component.countries_not)
    yield from check_both_lists(place, component.countries, component.countries_not)


def _check_cpl(place: Subject, component: Cpl) -> Iterator[TermsProblem]:
    yield from _check_amounts(place, component.amounts)
    yield from _check_countries_of(place, component)
    if not is_share(component.min_ftd_rate):
        text = f"min_ftd_rate is {component.min_ftd_rate}; write 6 % as 0.06"
        yield TermsProblem((*place, "min_ftd_rate"), "share_above_one", text)
    for number, entry in enumerate(component.amounts):
        if entry.min_deposit:
            text = "a CPL pays for registrations, before any deposit; leave min_deposit out"
            yield TermsProblem((*place, "amounts", str(number), "min_deposit"), "bad_cpa", text)


def _check_deposit_share(place: Subject, component: DepositShare) -> Iterator[TermsProblem]:
    if not is_share(component.share) or not component.share:
        text = f"share is {component.share}; write a share above 0, 5 % as 0.05"
        yield TermsProblem((*place, "share"), "share_above_one", text)
    yield from _check_positive(place, "bad_cap", [("max_amount", component.max_amount)])
    if component.max_amount is not None and component.of == "net":
        text = (
            "max_amount bounds what one deposit earns, and net deposits are those of a period; leave it out"
        )
        yield TermsProblem((*place, "max_amount"), "bad_cap", text)


def _check_cohort(place: Subject, component: CohortBonus) -> Iterator[TermsProblem]:
    numbers = [
        ("amount", component.amount),
        ("clients", Decimal(component.clients)),
        ("min_lots", component.min_lots),
    ]
    for problem in _check_positive(place, "bad_cohort", numbers):
        yield replace(problem, text=problem.text.replace(", or leave it out", ""))
    yield from check_countries((*place, "countries"), component.countries)
