"""Rate one deal: who above the client earns what from it, and why, or why nobody does."""

from decimal import Decimal
from typing import NamedTuple

from commission.components import DEAL_KINDS, price
from commission.events import Deal
from commission.hierarchy import differences, in_currency
from commission.known import Link, Terms
from commission.money import Money, plain
from commission.pricing import Part, Priced, Reason

ZERO = Decimal(0)


class Earned(NamedTuple):
    """One IB's amount from one component kind of one deal, in the IB's currency."""

    link: Link
    depth: int
    kind: str
    amount: Decimal
    rule: str
    lots: Decimal
    factors: dict[str, str]


def rate(
    deal: Deal, opened_e8: int, closed_e8: int, chain: tuple[Link, ...], terms: Terms
) -> tuple[Earned, ...] | Reason:
    """Every IB's earnings from the deal, or the one reason why it pays nobody.

    What the terms lack (a symbol, a rate, an average spread) keeps the whole deal waiting: a deal is
    never paid in part because something could not be worked out.
    """
    symbol = terms.symbol(deal.server, deal.symbol)
    if symbol is None:
        text = f"{deal.server} has no symbol {deal.symbol} in the terms; add it to symbols.yaml"
        return Reason("unknown_symbol", text, waits=True)
    part = Part.split(deal, symbol, opened_e8, closed_e8)
    earned: list[Earned] = []
    reasons: list[Reason] = []
    for kind in DEAL_KINDS:
        if not any(kind in link.by_kind for link in chain):
            continue
        outcome = _rate_kind(kind, part, chain, terms)
        if isinstance(outcome, Reason):
            if outcome.waits:
                return outcome
            reasons.append(outcome)
        else:
            earned.extend(outcome)
    if earned:
        return tuple(earned)
    return (
        reasons[0]
        if reasons
        else Reason("no_plan", "no IB above the client has a plan for deals", waits=False)
    )


def _rate_kind(kind: str, part: Part, chain: tuple[Link, ...], terms: Terms) -> list[Earned] | Reason:
    grosses: list[tuple[Link, Money]] = []
    details: list[Priced | None] = []
    reason: Reason | None = None
    for link in chain:
        outcome = _gross(kind, link, part, terms)
        if isinstance(outcome, Priced):
            grosses.append((link, outcome.money))
            details.append(outcome)
            continue
        if outcome is not None:
            if outcome.waits:
                return outcome
            reason = reason or outcome
        grosses.append((link, Money(ZERO, link.partner.currency)))
        details.append(None)
    kept = differences(grosses, part.deal.occurred_at, terms)
    if isinstance(kept, Reason):
        return kept
    earned = [
        _earned(kind, depth, link, amount, detail, gross)
        for depth, ((link, gross), amount, detail) in enumerate(zip(grosses, kept, details, strict=True))
        if amount > 0 and detail is not None
    ]
    return earned or reason or _nothing_due(kind, details)


def _nothing_due(kind: str, details: list[Priced | None]) -> Reason:
    """Somebody's component matched, and its rate or spread makes nothing of the deal."""
    rules = ", ".join(priced.rule for priced in details if priced is not None)
    return Reason("nothing_due", f"{kind} {rules} pays nothing: rate or spread is not above 0", waits=False)


def _gross(kind: str, link: Link, part: Part, terms: Terms) -> Priced | Reason | None:
    """The sum of an IB's components of one kind, in its currency, before overrides; None without any."""
    found: list[Priced] = []
    reason: Reason | None = None
    for component in link.by_kind.get(kind, ()):
        assert link.plan is not None, "components come from a plan"
        priced = price(component, link.plan, part, terms)
        if isinstance(priced, Reason):
            if priced.waits:
                return priced
            reason = priced
            continue
        converted = in_currency(priced.money, link.partner.currency, part.deal.occurred_at, terms)
        if isinstance(converted, Reason):
            return converted
        money, path = converted
        factors = priced.factors
        if path:
            gross = f"{plain(priced.money.amount)} {priced.money.currency}"
            factors = {**factors, "gross": gross, "rate of exchange": path}
        found.append(Priced(money, priced.rule, priced.lots, factors))
    if not found:
        return reason
    return found[0] if len(found) == 1 else _sum(found)


def _sum(found: list[Priced]) -> Priced:
    money = found[0].money
    factors: dict[str, str] = {}
    for number, priced in enumerate(found, 1):
        money = priced.money if number == 1 else money + priced.money
        factors |= {f"{priced.rule}: {name}": value for name, value in priced.factors.items()}
    return Priced(money, " + ".join(priced.rule for priced in found), max(p.lots for p in found), factors)


def _earned(kind: str, depth: int, link: Link, amount: Decimal, priced: Priced, gross: Money) -> Earned:
    factors = dict(priced.factors)
    if amount != gross.amount:
        factors["own amount"] = f"{plain(gross.amount)} {gross.currency}"
        factors["best amount below"] = f"{plain(gross.amount - amount)} {gross.currency}"
    factors["amount"] = f"{plain(amount)} {gross.currency}"
    return Earned(link, depth, kind, amount, priced.rule, priced.lots, factors)
