"""What a qualified client's CPA or CPL is worth to each IB of its upline."""

from collections.abc import Iterable
from decimal import Decimal

from commission.client.cpa_conditions import Qualification, amounts_for, deposited
from commission.client.state import ClientState
from commission.rating.exchange import in_currency
from commission.rating.overrides import differences
from commission.rating.values import ZERO, Earned, Factors, Reason
from commission.terms.catalog import Terms
from commission.terms.components import Cpa, CpaAmount, Cpl
from commission.terms.plans import PlanDefined
from commission.terms.upline import Link


def amount_for(amounts: Iterable[CpaAmount], country: str, ftd: Decimal) -> Decimal:
    """Of the client's country the amount with the largest minimum reached; 0 where none is."""
    fits = [(a.min_deposit, a.amount) for a in amounts_for(amounts, country) if a.min_deposit <= ftd]
    return max(fits)[1] if fits else ZERO


def earnings(
    links: tuple[Link, ...],
    name: str,
    client: ClientState,
    standing: Qualification,
    terms: Terms,
) -> tuple[Earned, ...] | Reason:
    """What each IB earns from one qualified client: its own amount above the best one below it."""
    at = standing.qualified_at
    assert at is not None, "only what qualified earns"
    grosses: list[Decimal] = []
    owns: list[tuple[PlanDefined, Cpa | Cpl] | None] = []
    for link in links:
        own = own_component(link, name)
        gross = ZERO
        if own is not None:
            found = _gross(link, own, client, standing, terms)
            if isinstance(found, Reason):
                return found
            gross = found
        grosses.append(gross)
        owns.append(own)
    kept = differences(grosses, [link.partner.currency for link in links], at, terms)
    if isinstance(kept, Reason):
        return kept
    return tuple(
        Earned(
            link,
            own[0],
            depth,
            own[1].kind,
            amount,
            own[1].name,
            ZERO,
            _factors(gross, amount, standing) | _once_for(client, own[1]),
        )
        for depth, (link, own, gross, amount) in enumerate(zip(links, owns, grosses, kept, strict=True))
        if own is not None and amount > 0
    )


def own_component(link: Link, name: str) -> tuple[PlanDefined, Cpa | Cpl] | None:
    """The IB's own component of that name."""
    for component in (*link.by_kind.get("cpa", ()), *link.by_kind.get("cpl", ())):
        if isinstance(component, Cpa | Cpl) and component.name == name and link.plan is not None:
            return link.plan, component
    return None


def _gross(
    link: Link,
    own: tuple[PlanDefined, Cpa | Cpl],
    client: ClientState,
    standing: Qualification,
    terms: Terms,
) -> Decimal | Reason:
    plan, component = own
    at = standing.qualified_at
    assert at is not None, "only what qualified is priced"
    _, ftd = deposited(standing.deposits, ZERO, plan.currency, terms)
    amount = amount_for(component.amounts, client.country, ftd) * link.held.factor
    gross = in_currency(amount, plan.currency, link.partner.currency, at, terms)
    return gross if isinstance(gross, Reason) else gross[0]


def _once_for(client: ClientState, component: Cpa | Cpl) -> Factors:
    is_once = isinstance(component, Cpa) and component.cpa_per == "identity" and client.identity
    return {"once_for": "person"} if is_once else {}


def _factors(gross: Decimal, amount: Decimal, standing: Qualification) -> Factors:
    factors: Factors = {"qualified_at": f"{standing.qualified_at:%Y-%m-%d %H:%M} UTC"}
    if standing.ftd:
        factors["ftd"] = standing.ftd
    if amount != gross:
        factors |= {"own": gross, "below": gross - amount}
    return factors
