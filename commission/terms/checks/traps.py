"""Traps: plans that can be read and pay more than is usually meant, each with its worst case in money.

A trap has a name. A plan that means it says so, `accept: [{trap: overlap, because: …}]`, and is warned.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from msgspec.structs import replace

from commission.money import plain
from commission.terms.checks.lot import Static, currency_of, money, worth_of_move, worth_of_rate
from commission.terms.checks.overlap import check_overlaps
from commission.terms.checks.published import CENT, Published, Subject, TermsProblem, numbered
from commission.terms.checks.rates import value_for
from commission.terms.checks.upline_traps import check_upline_traps
from commission.terms.components import CommissionShare, Cpa, PerLot, Pips, Rebate, Turnover
from commission.terms.market import SymbolDefined
from commission.terms.plans import PlanDefined
from commission.terms.rates import Rate, Tiers

TRAPS = {
    "above_spread": "a rate above what the spread of the deal earns",
    "band_edge": "a band that begins one unit below a round number",
    "both_sides": "a rate paid at opening and at closing",
    "cpa_names": "CPA of one upline under two names, both paid in full",
    "cpl_names": "CPL of one upline under two names, both paid in full",
    "cpa_unconditional": "a CPA for any first deposit",
    "overlap": "two components of one kind that pay for the same deals",
    "percent_factor": "a factor that looks like a percentage",
    "rebate_above_earnings": "a rebate above what the IB earns",
    "tiers_below": "tiers of a sub-IB that the overrides above do not see",
}
"""Every trap by its name."""

LEAST_PERCENT = 10
"""A factor from here on is taken for a percentage; as a percentage, one below it is rare."""
LEAST_EDGE = 19
"""Bands below it end in 9 by chance: nine clients are a sound step."""
SPREADS = {"per_lot": Decimal(5), "pips": Decimal(1)}
"""How many usual spreads a lot may pay by each kind: lots may also be paid from commissions."""
FOREX_PIPS = Decimal(10)
"""The spread taken for a currency pair that names none; no pair's is usually wider."""
FOREX_BPS = Decimal(5)
"""Basis points of turnover beyond which a currency pair pays more than its spread."""


def check_traps(terms: Published) -> Iterator[TermsProblem]:
    """Find traps that no plan accepts, as traps, and those that one does, as warnings."""
    used: set[tuple[str, str]] = set()
    reasons = {(plan.plan_id, a.trap): a.because for _, plan in terms.plans for a in plan.accept}
    for found in _found(terms):
        by = next((plan_id for plan_id in found.plans if (plan_id, found.code) in reasons), None)
        used |= {(plan_id, found.code) for plan_id in found.plans}
        if found.severity != "trap":
            yield found
        elif by is not None:
            text = f"{found.text} (accepted as {found.code} by {by}: {reasons[by, found.code]})"
            yield dataclasses.replace(found, text=text, severity="warning")
        else:
            accept = f"accept: [{{trap: {found.code}, because: …}}]"
            yield dataclasses.replace(
                found, text=f"{found.text}; if it is meant, write {accept} in {' or '.join(found.plans)}"
            )
    yield from _check_accepted(terms, used)


def _check_accepted(terms: Published, used: set[tuple[str, str]]) -> Iterator[TermsProblem]:
    for subject, plan in terms.plans:
        for number, accepted in enumerate(plan.accept):
            place = (*subject, "accept", str(number))
            if accepted.trap not in TRAPS:
                text = f"there is no trap {accepted.trap!r}; use one of {', '.join(TRAPS)}"
                yield TermsProblem(place, "unknown_trap", text)
            elif (plan.plan_id, accepted.trap) not in used:
                text = f"{plan.plan_id} accepts {accepted.trap}, and there is none; leave it out"
                yield TermsProblem(place, "idle_accept", text, "warning")


def _found(terms: Published) -> Iterator[TermsProblem]:
    for subject, plan in terms.plans:
        yield from check_overlaps(subject, plan, terms)
        yield from _check_lot_factors(subject, plan, terms)
        names = numbered(component.name for component in plan.components)
        for name, component in zip(names, plan.components, strict=True):
            place = (*subject, "component", name)
            tiers = getattr(component, "tiers", None)
            if tiers is not None:
                yield from _check_bands(place, plan, tiers, terms)
            match component:
                case PerLot() | Pips():
                    yield from _check_both(place, plan, component, terms)
                    yield from _check_spread(place, plan, component, terms)
                    yield from _check_edges(place, plan, component, terms)
                case Turnover():
                    yield from _check_turnover(place, plan, component, terms)
                case CommissionShare():
                    yield from _told_charges(place, component)
                case Cpa():
                    yield from _check_unconditional(place, plan, component)
                case Rebate(unit="lot", funded_by="ib"):
                    yield from _check_rebate(place, plan, component, terms)
    yield from _check_partner_factors(terms)
    yield from check_upline_traps(terms)


class _Lot(NamedTuple):
    """What one standard lot pays by one component."""

    amount: Decimal
    currency: str
    symbol: SymbolDefined
    name: str
    rate: Decimal

    def told(self, times: Decimal | int = 1) -> str:
        return f"{money(self.amount * times, self.currency)}"


def _trap(subject: Subject, plan: PlanDefined, code: str, text: str) -> TermsProblem:
    return TermsProblem(subject, code, text, "trap", (plan.plan_id,))


def _lots(component: Static, plan: PlanDefined, rates: Sequence[Rate], terms: Published) -> Iterator[_Lot]:
    """What a lot of each symbol pays by `rates`, where the terms tell it."""
    for symbol in terms.canonicals:
        if rate := value_for(rates, symbol):
            amount = rate * worth_of_rate(component, plan, symbol)
            if amount.is_finite() and amount > 0:
                yield _Lot(amount, currency_of(component, plan, symbol), symbol, component.name, rate)


def _dearest(plan: PlanDefined, terms: Published, *components: Static) -> _Lot | None:
    """The lot that pays most in the plan's currency; other currencies count only where there is none."""
    mine = components or tuple(c for c in plan.components if isinstance(c, PerLot | Pips))
    lots = [lot for component in mine for lot in _lots(component, plan, component.rates, terms)]
    return max(lots, key=lambda lot: (lot.currency == plan.currency, lot.amount), default=None)


# Factors


def _check_lot_factors(subject: Subject, plan: PlanDefined, terms: Published) -> Iterator[TermsProblem]:
    bare = replace(plan, lot_factors=())
    lots_only = [c for c in plan.components if isinstance(c, PerLot)]
    lot = _dearest(bare, terms, *lots_only) if lots_only else None
    for name, factor in zip(numbered(f.match for f in plan.lot_factors), plan.lot_factors, strict=True):
        if factor.factor >= LEAST_PERCENT:
            case = ""
            if lot is not None:
                case = (
                    f" and pays {lot.told(factor.factor)} by {lot.name} in {lot.symbol.canonical}, "
                    f"not {lot.told()}"
                )
            where = f"group {factor.group}" if factor.group else factor.match
            text = (
                f"the lot factor for {where} is {factor.factor}: 1 lot counts as {factor.factor}{case}; "
                f"write {_share(factor.factor)} for {factor.factor} %"
            )
            yield _trap((*subject, "lot_factors", name), plan, "percent_factor", text)


def _check_bands(place: Subject, plan: PlanDefined, tiers: Tiers, terms: Published) -> Iterator[TermsProblem]:
    component = next(c for c in plan.components if getattr(c, "tiers", None) is tiers)
    lot = _dearest(plan, terms, component) if isinstance(component, PerLot | Pips) else None
    for number, band in enumerate(tiers.bands):
        if band.factor >= LEAST_PERCENT and not band.rates:
            case = (
                f": 1 lot of {lot.symbol.canonical} pays {lot.told(band.factor)} there, {band.factor} times "
                f"{lot.told()}"
                if lot is not None
                else f" and multiplies what {component.name} pays"
            )
            text = (
                f"the factor of the band from {band.start} is {band.factor}{case}; "
                f"write {_share(band.factor)} for {band.factor} %"
            )
            at = (*place, "tiers", "bands", str(number), "factor")
            yield _trap(at, plan, "percent_factor", text)


def _check_partner_factors(terms: Published) -> Iterator[TermsProblem]:
    for subject, partner in terms.partners:
        for number, held in enumerate(partner.schedule):
            versions = terms.versions_of.get(held.plan_id or "", ())
            if not versions or not held.factor.is_finite() or held.factor < LEAST_PERCENT:
                continue
            lot = _dearest(versions[-1], terms)
            case = (
                f": 1 lot of {lot.symbol.canonical} pays {lot.told(held.factor)}, not {lot.told()}"
                if lot is not None
                else ""
            )
            text = (
                f"{partner.ib_id} gets {held.factor} times what {held.plan_id} pays{case}; "
                f"write {_share(held.factor)} for {held.factor} %"
            )
            place = (*subject, "plan", str(number), "factor")
            yield _trap(place, versions[-1], "percent_factor", text)


def _share(percent: Decimal) -> str:
    return f"{plain(percent * CENT)}"


# Sides, units, edges


def _check_both(
    place: Subject, plan: PlanDefined, component: PerLot | Pips, terms: Published
) -> Iterator[TermsProblem]:
    lot = _dearest(plan, terms, component)
    if component.entry == "both" and lot is not None:
        text = (
            f"{component.name} counts both sides: 1 lot of {lot.symbol.canonical} opened and closed pays "
            f"{lot.told(2)}, {lot.told()} each time; if {lot.rate} is for a round turn, write entry: out"
        )
        yield _trap((*place, "entry"), plan, "both_sides", text)


def _check_spread(
    place: Subject, plan: PlanDefined, component: PerLot | Pips, terms: Published
) -> Iterator[TermsProblem]:
    """A rate in points, cents or another unit than the plan's stands out against the spread."""
    over: list[tuple[_Lot, Decimal]] = []
    for lot in _lots(component, plan, component.rates, terms):
        usual = lot.symbol.average_pips or (FOREX_PIPS if lot.symbol.asset_class == "forex" else None)
        if usual is not None:
            spread = worth_of_move(usual * lot.symbol.pip, lot.symbol)
            earned = terms.convert(spread, lot.symbol.profit_currency, lot.currency)
            if earned is not None and lot.amount > earned * SPREADS[component.kind]:
                over.append((lot, earned))
    if over:
        lot, earned = max(over, key=lambda pair: pair[0].amount)
        units = "points or pips" if isinstance(component, Pips) else "lots and not cents"
        text = (
            f"1 lot of {lot.symbol.canonical} pays {lot.told()} by {component.name}, and its usual spread "
            f"earns {money(earned, lot.currency)}; look whether {lot.rate} is in {units}"
        )
        yield _trap((*place, "rates"), plan, "above_spread", text)


def _check_turnover(
    place: Subject, plan: PlanDefined, component: Turnover, terms: Published
) -> Iterator[TermsProblem]:
    most = FOREX_BPS if component.unit == "bps" else FOREX_BPS * 100
    over = {
        symbol.canonical: rate
        for symbol in terms.canonicals
        if symbol.asset_class == "forex" and (rate := value_for(component.rates, symbol) or 0) > most
    }
    if over:
        name, rate = max(over.items(), key=lambda pair: pair[1])
        per = Decimal(10) if component.unit == "bps" else Decimal("0.1")
        text = (
            f"a turnover of 100,000 {plan.currency} in {name} pays {money(rate * per, plan.currency)} by "
            f"{component.name}; look whether {rate} is by {component.unit}: 1 basis point is 100 a million"
        )
        yield _trap((*place, "rates"), plan, "above_spread", text)


def _check_edges(
    place: Subject, plan: PlanDefined, component: PerLot | Pips, terms: Published
) -> Iterator[TermsProblem]:
    """A band `from: 99` counts 99 lots itself; "less than 100" ends below 100."""
    tiers = component.tiers
    if tiers is None or tiers.mode == "graduated" or tiers.by not in ("lots", "count", "active_clients"):
        return
    what = "lots" if tiers.by == "lots" else "deals" if tiers.by == "count" else "clients"
    for number, band in enumerate(tiers.bands):
        if band.start >= LEAST_EDGE and band.start % 10 == 9:
            pays = _at_band(component, plan, number, terms) if tiers.by == "lots" else ""
            text = (
                f"the band from {band.start} counts {band.start} {what} too{pays}; "
                f"if it begins at {band.start + 1}, write from: {band.start + 1}"
            )
            yield _trap((*place, "tiers", "bands", str(number), "start"), plan, "band_edge", text)
        elif tiers.by == "lots" and (pays := _at_band(component, plan, number, terms)):
            text = f"the band from {band.start} includes {band.start} lots{pays}"
            at = (*place, "tiers", "bands", str(number), "start")
            yield TermsProblem(at, "band_edge", text, "note")


def _at_band(component: PerLot | Pips, plan: PlanDefined, number: int, terms: Published) -> str:
    """What exactly as many lots as a band begins at pay, and what they would pay below it."""
    assert component.tiers is not None, "asked of bands only"
    bands = component.tiers.bands
    band, below = bands[number], bands[number - 1] if number else None
    lot = _dearest(plan, terms, component)
    if lot is None:
        return ""
    one = lot.amount / lot.rate
    rates = [
        (value_for(b.rates, lot.symbol) or Decimal(0)) if b.rates else lot.rate * b.factor
        for b in (band, below)
        if b is not None
    ]
    pays = money(rates[0] * one * band.start, lot.currency)
    less = money((rates[1] if below else lot.rate) * one * band.start, lot.currency)
    return f": {band.start} lots of {lot.symbol.canonical} pay {pays}, not {less}"


# What is paid for a client, and what is given back


def _check_unconditional(place: Subject, plan: PlanDefined, component: Cpa) -> Iterator[TermsProblem]:
    asked = (component.min_lots, component.min_trades, component.min_spread, component.min_turnover)
    free = [entry.amount for entry in component.amounts if not entry.min_deposit]
    if free and not any(asked):
        text = (
            f"{component.name} asks for nothing: a client who deposits {money(CENT, plan.currency)} earns "
            f"{money(max(free), plan.currency)}; write min_deposit, min_lots or another condition"
        )
        yield _trap(place, plan, "cpa_unconditional", text)


def _check_rebate(
    place: Subject, plan: PlanDefined, component: Rebate, terms: Published
) -> Iterator[TermsProblem]:
    paying = [c for c in plan.components if isinstance(c, PerLot)]
    others = any(not isinstance(c, PerLot | Rebate) for c in plan.components)
    if others or any(c.tiers is not None for c in paying):
        return
    for symbol in terms.canonicals:
        back = value_for(component.rates, symbol) or Decimal(0)
        lots = [lot for c in paying for lot in _lots(c, plan, c.rates, terms)]
        earned = sum((lot.amount for lot in lots if lot.symbol is symbol), Decimal(0))
        if back > earned:
            text = (
                f"{component.name} gives back {money(back, plan.currency)} of 1 lot of {symbol.canonical}, "
                f"and the IB earns {money(earned, plan.currency)}; lower it, or write funded_by: broker"
            )
            yield _trap((*place, "rates"), plan, "rebate_above_earnings", text)
            return


CHARGED: dict[Literal["in", "out", "both"], str] = {
    "in": "opening deals; what is charged at closing is left out: write entry: both to share all of it",
    "out": "closing deals; what is charged at opening is left out: write entry: both to share all of it",
    "both": "opening and closing deals",
}


def _told_charges(place: Subject, component: CommissionShare) -> Iterator[TermsProblem]:
    text = f"{component.name} shares the commission of {CHARGED[component.entry]}"
    yield TermsProblem((*place, "entry"), "charges_shared", text, "note")
