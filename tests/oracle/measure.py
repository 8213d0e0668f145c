"""What one component of a plan makes of one deal: which slices count, what they measure, the gross."""

import itertools
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from msgspec.structs import replace

from commission.events import ClientRegistered, Deal
from commission.terms.components import (
    AnyDealComponent,
    CommissionShare,
    DealComponent,
    PerLot,
    Pips,
    ProfitShare,
    Rebate,
    RevenueShare,
    SpreadShare,
    SwapShare,
    Turnover,
)
from commission.terms.market import SymbolDefined
from commission.terms.plans import PlanDefined
from commission.terms.rates import Rate, When
from tests.oracle.facts import (
    E8,
    Facts,
    Link,
    Subject,
    Waits,
    best,
    fraction,
    group_closeness,
    group_fits,
    rounded,
    symbol_fits,
    symbol_specificity,
)


@dataclass(frozen=True)
class Slice:
    """Lots a deal opened, or closed of one opening (None: not known)."""

    part: str
    lots: Fraction
    opening: Deal | None = None
    """At the price, bid and ask that keep its worth, where its symbol was rescaled since."""
    of_opening: Fraction = Fraction(0)
    """Which part of that opening it is."""


def slices_of(facts: Facts, wanted: Deal) -> list[Slice]:
    """Replay the position, first in first out, up to the deal."""
    queue: list[tuple[Deal, Fraction]] = []
    before = wanted.occurred_at
    for deal in facts.in_time:
        if deal.kind != "trade" or (deal.account_key, deal.position_id) != (
            wanted.account_key,
            wanted.position_id,
        ):
            continue
        if facts.client_id(deal) != facts.client_id(wanted):
            continue
        lots = Fraction(deal.volume_e8, E8)
        queue = [rescaled(facts, opening, rest, before, deal.occurred_at, wanted) for opening, rest in queue]
        before = deal.occurred_at
        against = [held for held in queue if held[0].side != deal.side]
        beside = [held for held in queue if held[0].side == deal.side]
        there = sum((rest for _, rest in against), Fraction(0))
        closing = {"in": Fraction(0), "inout": there}.get(deal.entry or "in", lots)
        if deal.entry == "inout" and deal.volume_closed_e8 is not None:
            closing = Fraction(deal.volume_closed_e8, E8)
        elif deal.entry == "inout" and not 0 < closing <= lots:
            raise Waits("unknown position")
        if deal is wanted and closing > lots:
            raise Waits("closes more than it trades")
        if deal is wanted:
            opens = [Slice("in", lots - closing)] if lots > closing else []
            return closed(against, closing)[0] + opens
        _, left = closed(against, lots)  # whatever the record says that it closed
        opened = lots - min(lots, there) if deal.entry in ("in", "inout") else Fraction(0)
        queue = sorted(
            beside + left, key=lambda held: (held[0].occurred_at, len(held[0].deal_id), held[0].deal_id)
        )
        queue += [(deal, opened)] if opened else []
    return []


def rescaled(
    facts: Facts, opening: Deal, lots: Fraction, before: datetime, at: datetime, wanted: Deal
) -> tuple[Deal, Fraction]:
    """What is open of an opening after every split between two times: in value it is the same.

    A position is of one symbol: where its deals name several, the one that is asked about says which.
    """
    meanings = facts.meanings(wanted)
    for old, new in itertools.pairwise(meanings):
        if new.since is None or new.rescale is None or not before < new.since <= at:
            continue
        lots *= fraction(new.rescale)
        cheaper = new.rescale * new.contract_size / old.contract_size
        quotes = {name: getattr(opening, name) for name in ("price", "bid", "ask")}
        volume_e8 = int(opening.volume_e8 * new.rescale)
        opening = replace(
            opening, volume_e8=volume_e8, **{n: None if q is None else q / cheaper for n, q in quotes.items()}
        )
    return opening, lots


def closed(
    queue: list[tuple[Deal, Fraction]], lots: Fraction
) -> tuple[list[Slice], list[tuple[Deal, Fraction]]]:
    """The oldest openings, as far as the lots reach, and what stays open."""
    slices, rest = [], []
    for opening, there in queue:
        taken = min(there, lots)
        lots -= taken
        if taken:
            slices.append(Slice("out", taken, opening, taken * E8 / opening.volume_e8))
        if there > taken:
            rest.append((opening, there - taken))
    if lots:
        slices.append(Slice("out", lots))
    return slices, rest


@dataclass(frozen=True)
class Case:
    """A deal of a client, with what is asked of both all the time."""

    facts: Facts
    client: ClientRegistered
    deal: Deal
    symbol: SymbolDefined
    slices: list[Slice]

    @property
    def subject(self) -> Subject:
        """What rates are matched against."""
        return Subject(
            client=self.client.client_id,
            login=self.deal.account_key,
            group=self.deal.group,
            canonical=self.symbol.canonical,
            asset_class=self.symbol.asset_class,
            country=self.client.country,
            time=self.deal.occurred_at,
        )

    @property
    def contract(self) -> Fraction:
        """The deal's own contract size, else the symbol's."""
        own = self.deal.contract_size
        return fraction(self.symbol.contract_size if own is None else own)

    def worth(self, difference: Fraction, lots: Fraction) -> Fraction:
        """A price difference in the profit currency."""
        symbol = self.symbol
        if symbol.tick_size and symbol.tick_value:
            return difference / fraction(symbol.tick_size) * fraction(symbol.tick_value) * lots
        return difference * self.contract * lots

    def standard(self, lots: Fraction) -> Fraction:
        """Lots of the standard contract."""
        return lots * self.contract / fraction(self.symbol.standard_contract_size)

    def notional(self, lots: Fraction, currency: str) -> Fraction:
        """Turnover in a currency."""
        time, symbol = self.deal.occurred_at, self.symbol
        if symbol.base_currency and symbol.profit_currency != currency:
            return self.facts.convert(lots * self.contract, symbol.base_currency, currency, time)
        if self.deal.price is None:
            raise Waits("no price")
        value = lots * self.contract * fraction(self.deal.price)
        return self.facts.convert(value, symbol.profit_currency, currency, time)


def case_of(facts: Facts, deal: Deal) -> Case:
    """Everything a deal needs to be priced, or `Waits`."""
    return Case(facts, facts.owner(deal), deal, facts.symbol(deal), slices_of(facts, deal))


# Which slices count


def deal_fits(when: When, case: Case) -> bool:
    """The conditions that look at the deal as a whole."""
    deal, client = case.deal, case.client
    return (
        (not when.sides or deal.side in when.sides)
        and {"any": True, "profit": deal.profit > 0, "loss": deal.profit < 0}[when.result]
        and (not when.reasons or deal.reason in when.reasons)
        and (not when.groups or group_fits(",".join(when.groups), deal.group))
        and country_fits(when.countries, when.countries_not, when.channels, client)
        and (not when.charged or deal.commission < 0)
        and (when.negative_balance or deal.balance is None or deal.balance >= 0)
    )


def country_fits(
    countries: tuple[str, ...],
    countries_not: tuple[str, ...],
    channels: tuple[str, ...],
    client: ClientRegistered,
) -> bool:
    """The conditions that look at the client."""
    return (
        (not countries or client.country in countries)
        and client.country not in countries_not
        and (not channels or client.click.get("channel", "") in channels)
    )


def opening_of(case: Case, piece: Slice) -> Deal:
    """The deal that opened a slice; one nobody told of is waited for."""
    if piece.part == "in":
        return case.deal
    if piece.opening is None:
        raise Waits("unknown opening")
    return piece.opening


def slice_fits(when: When, case: Case, piece: Slice) -> bool:
    """The conditions that look at a closed slice and its opening."""
    if piece.part == "in" or (not when.min_holding_s and not when.min_pips and when.same_price):
        return True
    opening, deal = opening_of(case, piece), case.deal
    if (deal.occurred_at - opening.occurred_at).total_seconds() < when.min_holding_s:
        return False
    if not when.min_pips and when.same_price:
        return True
    if opening.price is None or deal.price is None:
        return False
    moved = abs(fraction(deal.price) - fraction(opening.price))
    return moved >= fraction(when.min_pips) * fraction(case.symbol.pip) and (when.same_price or moved != 0)


def counted(component: DealComponent, plan: PlanDefined, case: Case) -> list[Slice]:
    """The slices of a deal that a component pays for."""
    deal, whens = case.deal, (plan.when, component.when)
    if deal.is_service or deal.kind != "trade" or not all(deal_fits(when, case) for when in whens):
        return []
    is_of_charges = isinstance(component, CommissionShare) or commission_is_apart(component)
    entry = "both" if commission_is_apart(component) and deal.commission + deal.fee else component.entry
    if deal.entry == "out_by" and entry != "out" and not (is_of_charges and entry == "both"):
        return []
    found = [
        piece
        for piece in case.slices
        if entry in (piece.part, "both") and all(slice_fits(when, case, piece) for when in whens)
    ]
    if deal.entry == "out_by" and component.close_by != "each_leg":
        twice = found if component.close_by == "first_leg" else []
        return [*found, *twice] if is_first_leg(case) else []
    if component.hedged and found:
        return [Slice("in", paid)] if (paid := hedged_lots(case)) else []
    return found


def commission_is_apart(component: DealComponent) -> bool:
    """Whether a share of revenue counts the commission of openings, though nothing else of them."""
    return (
        isinstance(component, RevenueShare)
        and component.commission_entry == "both"
        and (component.entry, "commission" in component.terms) == ("out", True)
    )


def is_first_leg(case: Case) -> bool:
    """Whether no other leg of the close-by has an earlier place."""
    deal = case.deal
    facts, owner = case.facts, case.facts.client_id(deal)
    legs = [
        leg
        for leg in facts.in_time
        if leg.entry == "out_by" and leg.account_key == deal.account_key and facts.client_id(leg) == owner
    ]
    if deal.close_by:
        return next(leg for leg in legs if leg.close_by == deal.close_by) is deal
    alike = (deal.symbol, deal.occurred_at, deal.volume_e8, "")
    return next(o for o in legs if (o.symbol, o.occurred_at, o.volume_e8, o.close_by) == alike) is deal


def hedged_lots(case: Case) -> Fraction:
    """By how many of its own lots this deal raises max(bought, sold) of its account, symbol and period."""
    facts, wanted = case.facts, case.deal
    period = facts.period(wanted.occurred_at)
    among = [
        (deal, opened)
        for deal in facts.in_time
        if deal.account_key == wanted.account_key and deal.kind == "trade" and not deal.is_service
        if period.starts_at <= deal.occurred_at < period.ends_at
        if (opened := hedging(facts, deal, case))
    ]
    own = sum((piece.lots for piece in case.slices if piece.part == "in"), Fraction(0))
    if any(deal.entry == "inout" for deal, _ in among):
        return own  # one position a symbol: nothing was ever held against it
    side = {"buy": Fraction(0), "sell": Fraction(0)}
    for deal, opened in among:
        before = max(side.values())
        side[deal.side or "buy"] += opened
        if deal is wanted:
            return own * (max(side.values()) - before) / opened
    return Fraction(0)


def hedging(facts: Facts, deal: Deal, case: Case) -> Fraction:
    """What a deal opened for the same client and symbol, while some plan above looked at hedged volume.

    In units of the contract: ounces, shares. After a split there are more of them for the same worth, so they
    are brought to what they were in the beginning.
    """
    try:
        other = case_of(facts, deal)
        chain = facts.chain(other.client, deal.occurred_at)
    except Waits:
        return Fraction(0)
    components = [c for link in chain if link.plan is not None for c in link.plan.components]
    looked = any(isinstance(c, DealComponent) and c.hedged for c in components)
    if not looked or other.client is not case.client or other.symbol.canonical != case.symbol.canonical:
        return Fraction(0)
    size = other.contract * sum((piece.lots for piece in other.slices if piece.part == "in"), Fraction(0))
    for old, new in itertools.pairwise(facts.meanings(deal)):
        if new.since is not None and new.rescale is not None and new.since <= deal.occurred_at:
            more = fraction(new.rescale) * fraction(new.contract_size)
            size = size * fraction(old.contract_size) / more
    return size


# What they measure


def lot_factor(plan: PlanDefined, subject: Subject) -> Fraction:
    """How many times the plan counts a lot."""
    fitting = [
        entry
        for entry in plan.lot_factors
        if symbol_fits(entry.match, subject) and (entry.group == "" or group_fits(entry.group, subject.group))
    ]
    if not fitting:
        return Fraction(1)
    chosen = max(
        fitting,
        key=lambda f: (
            f.group != "",
            group_closeness(f.group, subject.group) if f.group else (0, 0, 0),
            symbol_specificity(f.match),
        ),
    )
    return fraction(chosen.factor)


def lots_in_plan(plan: PlanDefined, case: Case, lots: Fraction, *, standardised: bool = True) -> Fraction:
    """Lots as a plan counts them."""
    return (case.standard(lots) if standardised else lots) * lot_factor(plan, case.subject)


def average_pips(component: SpreadShare | None, case: Case) -> Fraction | None:
    """The usual spread as a price difference: the component's, else the symbol's."""
    own = None if component is None else best(component.average_pips, case.subject)
    if own is None and case.symbol.average_pips is not None:
        own = fraction(case.symbol.average_pips)
    return None if own is None else own * fraction(case.symbol.pip)


def measured(deal: Deal) -> Fraction | None:
    """The spread a deal recorded."""
    if deal.ask is None or deal.bid is None:
        return None
    return fraction(deal.ask) - fraction(deal.bid)


def spread_of(component: SpreadShare, case: Case, piece: Slice) -> Fraction:  # noqa: C901 — one branch a basis
    """The spread that a share is taken of, as a price difference."""
    pip, average = fraction(case.symbol.pip), average_pips(component, case)

    def known(spread: Fraction | None) -> Fraction:
        if spread is None:
            spread = average
        elif component.at_most_average and average is not None:
            spread = min(spread, average)
        if spread is None:
            raise Waits("no spread")
        return spread

    here = case.deal
    match component.basis:
        case "execution":
            spread = known(measured(here))
        case "open":
            spread = known(measured(opening_of(case, piece)))
        case "average":
            both = measured(opening_of(case, piece)), measured(here)
            spread = known(None if None in both else sum(filter(None, both), Fraction(0)) / 2)
        case "table":
            spread = known(None)
        case "markup":
            spread = (best(component.markup_pips, case.subject) or Fraction(0)) * pip
    if component.cap_pips is not None:
        spread = min(spread, fraction(component.cap_pips) * pip)
    return spread + fraction(component.plus_pips) * pip


def revenue_of(component: RevenueShare, case: Case, slices: list[Slice], into: str) -> Fraction:
    """The broker's revenue on the slices that count; on openings it may be the commission alone."""
    volume = Fraction(case.deal.volume_e8, E8)
    both = sum((piece.lots for piece in slices), Fraction(0))
    if not commission_is_apart(component):
        return revenue(component.terms, case, both, both / volume, into)
    closed = sum((piece.lots for piece in slices if piece.part == "out"), Fraction(0))
    others = tuple(term for term in component.terms if term != "commission")
    rest = revenue(others, case, closed, closed / volume, into) if closed else Fraction(0)
    return rest + revenue(("commission",), case, both, both / volume, into)


def revenue(terms: tuple[str, ...], case: Case, lots: Fraction, share: Fraction, into: str) -> Fraction:
    """The broker's revenue on lots of a deal that are a share of it; each term is converted once."""
    deal, money = case.deal, Fraction(0)
    spread = Fraction(0)
    if "spread" in terms:
        seen = measured(deal)
        seen = average_pips(None, case) if seen is None else seen
        if seen is None:
            raise Waits("no spread")
        spread = case.facts.convert(
            case.worth(seen, lots), case.symbol.profit_currency, into, deal.occurred_at
        )
    if "commission" in terms:
        money -= fraction(deal.commission + deal.fee) * share
    if "swap" in terms:
        money -= fraction(deal.swap) * share
    if "client_result" in terms:
        money -= fraction(deal.profit) * share
    return spread + case.facts.convert(money, deal.currency, into, deal.occurred_at)


def measure(  # noqa: C901, PLR0911 — one branch a kind
    component: DealComponent, plan: PlanDefined, case: Case, slices: list[Slice]
) -> tuple[Fraction, str]:
    """What a rate of 1 would pay for the slices, and in which currency."""
    deal, symbol = case.deal, case.symbol
    lots = sum((piece.lots for piece in slices), Fraction(0))
    share = lots * E8 / deal.volume_e8
    deposit = deal.currency
    match component:
        case PerLot():
            return lots_in_plan(plan, case, lots, standardised=component.standardised), plan.currency
        case Rebate():
            return lots_in_plan(plan, case, lots), plan.currency
        case Turnover():
            unit = 1_000_000 if component.unit == "million" else 10_000
            return case.notional(lots, plan.currency) / unit, plan.currency
        case Pips():
            step = fraction(symbol.pip)
            if component.unit == "point":
                if symbol.digits is None:
                    raise Waits("no digits")
                step = Fraction(1, 10**symbol.digits)
            return case.worth(step, lots), symbol.profit_currency
        case SpreadShare():
            worths = (case.worth(spread_of(component, case, piece), piece.lots) for piece in slices)
            return sum(worths, Fraction(0)), symbol.profit_currency
        case CommissionShare():
            return max(Fraction(0), -fraction(deal.commission + deal.fee)) * share, deposit
        case SwapShare():
            return max(Fraction(0), -fraction(deal.swap)) * share, deposit
        case ProfitShare():
            result = fraction(deal.profit + deal.swap + deal.commission + deal.fee)
            return max(Fraction(0), result if component.of == "profit" else -result) * share, deposit
        case RevenueShare():
            return revenue_of(component, case, slices, deposit), deposit
    raise AssertionError(component)


def coefficient(component: DealComponent, case: Case) -> Fraction:
    """(equity - credit) / equity, where the component wants it."""
    deal = case.deal
    if not component.credit_coefficient:
        return Fraction(1)
    if deal.equity is None or deal.credit is None or deal.equity <= 0:
        return Fraction(0)
    return max(Fraction(0), fraction(deal.equity - deal.credit) / fraction(deal.equity))


@dataclass(frozen=True)
class Gross:
    """A component priced for one IB and one deal: amounts at other rates can be asked for too."""

    link: Link
    """By whose plan."""
    component: AnyDealComponent
    case: Case
    into: str
    """The currency of the IB that gets it: converted once, from the measure's own."""

    @property
    def slices(self) -> list[Slice]:
        """Those that count; asked for only where there is a rate."""
        assert self.link.plan is not None
        return counted(self.component, self.link.plan, self.case) if self.case.deal.volume_e8 else []

    @property
    def counts(self) -> bool:
        """Whether there is something to count: not where the equity is unknown."""
        deal, component = self.case.deal, self.component
        known = deal.equity is not None and deal.credit is not None
        return bool(self.slices) and (known or not component.credit_coefficient)

    def at(self, rates: tuple[Rate, ...], times: Fraction = Fraction(1)) -> Fraction:
        """The amount at the best of some rates, in the IB's currency, capped and rounded."""
        return self.of(best(rates, self.case.subject) or Fraction(0), times)

    def of(self, rate: Fraction, times: Fraction = Fraction(1)) -> Fraction:
        """The amount at one rate; nothing is asked for what is worth nothing."""
        facts, time, plan = self.case.facts, self.case.deal.occurred_at, self.link.plan
        factor = 1 if isinstance(self.component, Rebate) else fraction(self.link.assignment.factor)
        rate *= factor * times
        slices = self.slices if rate else []
        if not slices or plan is None:
            return Fraction(0)
        unit, currency = measure(self.component, plan, self.case, slices)
        if unit:
            unit *= coefficient(self.component, self.case)
        amount = rounded(facts.convert(rate * unit, currency, self.into, time))
        caps = self.component.caps
        if caps is not None and caps.per_deal is not None:
            cap = rounded(facts.convert(fraction(caps.per_deal), plan.currency, self.into, time))
            amount = min(amount, cap)
        return amount


def gross_of(link: Link, component: AnyDealComponent, case: Case) -> Gross:
    """A component of an IB's plan, to be priced for a deal in the IB's currency."""
    return Gross(link, component, case, link.partner.currency)
