"""How the IBs of an upline share what a deal pays: five override modes, budget, rebates."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from commission.events import Deal
from commission.terms.components import (
    AnyDealComponent,
    CohortBonus,
    Cpa,
    Cpl,
    DepositShare,
    Rebate,
    RevenueShare,
)
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.rates import Rate
from tests.oracle.facts import E8, Facts, Link, Waits, best, fraction, rounded
from tests.oracle.measure import Case, Gross, counted, gross_of, revenue
from tests.oracle.refunds import counts, given, refunded_of

CLIENT_LEVEL = (Cpa, Cpl, DepositShare, CohortBonus)


@dataclass(frozen=True)
class Earned:
    """An amount one IB (or `client:<id>`) gets for one cause, before anything is taken back."""

    who: str
    kind: str
    currency: str
    amount: Fraction
    client: str
    time: datetime
    clawback: Clawback
    plan: PlanDefined
    """By whose terms it arose."""
    paid: bool = True
    """False: the IB is suspended or trades itself; it was priced and is not paid."""
    from_deal: bool = True
    cause: str = ""
    """The deposit it is a share of."""
    component: AnyDealComponent | None = None
    """Where it is one component's alone: what tiers and caps of a period look at."""
    case: Case | None = None
    lots: Fraction = Fraction(0)
    bands: tuple[Fraction, ...] = ()
    """The amount at the rates of each band above the component's own."""


def deal_components(link: Link) -> list[AnyDealComponent]:
    """What an IB's plan pays for deals; revenue shares are settled by period, beside this."""
    components = link.plan.components if link.plan else ()
    return [c for c in components if not isinstance(c, (*CLIENT_LEVEL, Rebate, RevenueShare))]


def kinds_of(chain: list[Link]) -> list[str]:
    """Every kind anybody's plan has."""
    return sorted({component.kind for link in chain for component in deal_components(link)})


def shared(facts: Facts, case: Case) -> list[Earned]:
    """What everybody gets for one deal."""
    chain = facts.chain(case.client, case.deal.occurred_at)
    if not chain:
        return []
    for component in chain[0].plan.components if chain[0].plan else ():
        if isinstance(component, RevenueShare):
            gross_of(chain[0], component, case).at(
                component.rates
            )  # what the period needs of the deal is waited for, too
    charge = max(Fraction(0), -given(case.deal)) if counts(facts, case.deal) else -given(case.deal)
    earned = for_charge(chain, case, charge)
    share = refunded_share(facts, case.deal) if charge > 0 else Fraction(0)
    return less_refunds(earned, for_charge(chain, case, Fraction(0)), share) if share else earned


def less_refunds(earned: list[Earned], free: list[Earned], share: Fraction) -> list[Earned]:
    """What is left of a deal with a share of its charge refunded: `free` is what it earns without it."""
    without: defaultdict[tuple[str, str, str], list[Fraction]] = defaultdict(list)
    for entry in free:
        without[place(entry)].append(entry.amount)
    return [less(entry, (without[place(entry)] or [Fraction(0)]).pop(0), share) for entry in earned]


def for_charge(chain: list[Link], case: Case, charge: Fraction) -> list[Earned]:
    """What everybody would get had the client been charged so much; below 0 it got that."""
    charged = dataclasses.replace(case, deal=replace(case.deal, commission=money(-charge), fee=Decimal(0)))
    earned = [
        e
        for k in kinds_of(chain)
        for e in shared_of_kind(k, chain, charged if k == "commission_share" else case)
    ]
    earned = cut_to_budget(chain, charged, [dataclasses.replace(entry, case=case) for entry in earned])
    return earned + rebates(chain[0], case, earned)


def place(entry: Earned) -> tuple[str, str, str]:
    """What tells an amount of a deal from another."""
    return entry.who, entry.kind, entry.component.name if entry.component else ""


def less(entry: Earned, free: Fraction, share: Fraction) -> Earned:
    """With a share of its charge refunded, that share of what the charge is worth is not due."""
    amount = entry.amount - rounded((entry.amount - free) * share)
    is_of_charge = entry.kind == "commission_share"
    bands = tuple(band - rounded(band * share) if is_of_charge else band for band in entry.bands)
    return dataclasses.replace(entry, amount=amount, bands=bands)


def refunded_of_all(facts: Facts) -> dict[str, Fraction]:
    """By deal, what was refunded of its charge."""
    if facts.refunded is None:
        facts.refunded = refunded_of(facts, waits)
    return facts.refunded


def refunded_share(facts: Facts, deal: Deal) -> Fraction:
    """Which share of what the deal charged was refunded."""
    return min(Fraction(1), refunded_of_all(facts).get(deal.deal_key, Fraction(0)) / -given(deal))


def waits(case: Case) -> bool:
    """Whether a deal waits for anything: it refunds nothing then."""
    try:
        shared(case.facts, case)
    except Waits:
        return True
    return False


def money(amount: Fraction) -> Decimal:
    """Eight decimals, exactly."""
    return Decimal(int(amount * E8)) / E8


def shared_of_kind(kind: str, chain: list[Link], case: Case, *, later: bool = False) -> list[Earned]:
    """One kind of component: the lowest IB whose plan has it decides how it is shared.

    `later`: only components that share what an account is charged later, by deals of its own.
    """
    of_kind = [[c for c in deal_components(link) if c.kind == kind] for link in chain]
    lowest = next(d for d, components in enumerate(of_kind) if components)
    modes = {component.override.mode for component in of_kind[lowest]}
    if later:
        of_kind = [[c for c in found if getattr(c, "charges", False)] for found in of_kind]
    earned: list[Earned] = []
    if modes & {"difference"}:
        earned += by_difference(kind, chain, of_kind, case)
    if modes & {"absolute"}:
        earned += absolute(chain, of_kind, case)
    for component in of_kind[lowest]:
        if component.override.mode in ("cascade", "split", "rank"):
            earned += from_below(chain[lowest:], component, case)
    return earned


def earn(
    link: Link, component: AnyDealComponent, case: Case, amount: Fraction, plan: PlanDefined | None = None
) -> Earned:
    """Write down an amount, whoever's plan it comes from."""
    plan = plan or link.plan
    assert plan is not None
    return Earned(
        who=link.ib,
        kind=component.kind,
        currency=link.partner.currency,
        amount=amount,
        client=case.client.client_id,
        time=case.deal.occurred_at,
        clawback=plan.clawback,
        plan=plan,
        paid=not link.suspended and not link.is_client(case.client),
        case=case,
    )


# Each IB's own plan


def excess(own: Fraction, link: Link, below: list[tuple[Link, Fraction]], case: Case) -> Fraction:
    """What exceeds the best of those below, in the upper IB's currency."""
    return excess_at(own, link, below, case.facts, case.deal.occurred_at)


def excess_at(
    own: Fraction, link: Link, below: list[tuple[Link, Fraction]], facts: Facts, time: datetime
) -> Fraction:
    """The same for any cause; nothing exceeds nothing, whatever the rate of exchange."""
    if own <= 0:
        return Fraction(0)
    into = link.partner.currency
    others = [rounded(facts.convert(amount, lower.partner.currency, into, time)) for lower, amount in below]
    return max(Fraction(0), own - max(others, default=Fraction(0)))


def by_difference(
    kind: str, chain: list[Link], of_kind: list[list[AnyDealComponent]], case: Case
) -> list[Earned]:
    """An IB's components of a kind are summed; it keeps what exceeds the best one below."""
    earned: list[Earned] = []
    below: list[tuple[Link, Fraction]] = []
    for link, components in zip(chain, of_kind, strict=True):
        grosses = [gross_of(link, component, case) for component in components]
        if not grosses:
            continue
        own = sum((gross.at(gross.component.rates) for gross in grosses), Fraction(0))
        entry = earn(link, grosses[0].component, case, excess(own, link, below, case))
        if len(components) == 1:
            entry = with_bands(entry, grosses[0], grosses[0].component.rates, below)
        earned.append(entry)
        below.append((link, own))
    return earned


def with_bands(
    entry: Earned, gross: Gross, rates: tuple[Rate, ...], below: list[tuple[Link, Fraction]]
) -> Earned:
    """What the IB would have kept at each band's rates, all others unchanged."""
    component = gross.component
    if best(rates, gross.case.subject) is None or not gross.counts:
        return entry
    bands = component.tiers.bands if component.tiers else ()
    grosses = [
        gross.at(band.rates) if band.rates else gross.at(rates, fraction(band.factor)) for band in bands
    ]
    kept = tuple(excess(own, gross.link, below, gross.case) for own in grosses)
    return dataclasses.replace(
        entry, component=component, lots=sum((piece.lots for piece in gross.slices), Fraction(0)), bands=kept
    )


def absolute(chain: list[Link], of_kind: list[list[AnyDealComponent]], case: Case) -> list[Earned]:
    """Each IB's own plan: its rates for direct clients, its levels for those further down."""
    earned: list[Earned] = []
    for depth, (link, components) in enumerate(zip(chain, of_kind, strict=True)):
        own = []
        for component in components:
            levels = (component.rates, *component.override.levels)
            gross = gross_of(link, component, case)
            if depth < len(levels):
                entry = earn(link, component, case, gross.at(levels[depth]))
                own.append(with_bands(entry, gross, levels[depth], []))
        if own:
            amount = sum((entry.amount for entry in own), Fraction(0))
            earned.append(
                own[0] if len(own) == 1 else dataclasses.replace(own[0], amount=amount, component=None)
            )
    return earned


# The lowest IB's plan


def from_below(chain: list[Link], component: AnyDealComponent, case: Case) -> list[Earned]:
    """Price the lowest IB's component in each receiver's currency, and hand it up there."""
    gross = gross_of(chain[0], component, case)
    share: Callable[[list[Link], Gross], list[Fraction]] = {
        "cascade": cascade,
        "split": split,
        "rank": by_rank,
    }[component.override.mode]
    earned = []
    for depth, link in enumerate(chain):
        amount = share(chain, dataclasses.replace(gross, into=link.partner.currency))[depth]
        earned.append(earn(link, component, case, amount, chain[0].plan))
    return earned


def cascade(chain: list[Link], gross: Gross) -> list[Fraction]:
    """Each passes a share (or an amount by rate) of what reached it; the last keeps the rest."""
    override = gross.component.override
    kept, reached = [], gross.at(gross.component.rates)
    for depth in range(len(chain)):
        passed = Fraction(0)
        if reached and override.pass_up and depth + 1 < len(chain):
            entry = fraction(override.pass_up[min(depth, len(override.pass_up) - 1)])
            passed = rounded(reached * entry)
            if override.pass_unit == "rate":  # noqa: S105 — no password
                passed = min(reached, gross.of(entry), key=abs)
        kept.append(reached - passed)
        reached = passed
    return kept


def split(chain: list[Link], gross: Gross) -> list[Fraction]:
    """Fixed shares by depth; the lowest has all that nobody else holds."""
    base = gross.at(gross.component.rates)
    upper = [rounded(base * fraction(share)) for share in gross.component.override.shares[1 : len(chain)]]
    upper += [Fraction(0)] * (len(chain) - 1 - len(upper))
    return [base - sum(upper, Fraction(0)), *upper]


def by_rank(chain: list[Link], gross: Gross) -> list[Fraction]:
    """An IB takes its rank's amount and those of lower ranks nobody below it took."""
    ranks = gross.component.override.ranks
    amounts = [gross.at(rank.rates) for rank in ranks]
    taken, kept = 0, []
    for link in chain:
        reach = max((n for n, rank in enumerate(ranks, 1) if rank.rank == link.assignment.rank), default=0)
        kept.append(sum(amounts[taken:reach], Fraction(0)))
        taken = max(taken, reach)
    return kept


# Budget and rebates


def cut_to_budget(chain: list[Link], case: Case, earned: list[Earned]) -> list[Earned]:
    """All together at most a share of the deal's revenue; the excess is cut in proportion."""
    plan = next((link.plan for link in chain if link.plan is not None), None)
    if plan is None or plan.budget is None or not any(entry.amount for entry in earned):
        return earned
    deal, facts = case.deal, case.facts
    into = plan.currency
    total = sum(
        (rounded(facts.convert(entry.amount, entry.currency, into, deal.occurred_at)) for entry in earned),
        Fraction(0),
    )
    income = revenue(plan.budget.revenue, case, Fraction(deal.volume_e8, E8), Fraction(1), into)
    most = fraction(plan.budget.share) * income
    most = max(Fraction(0), most)
    if total <= most:
        return earned
    return [dataclasses.replace(entry, amount=cut(entry.amount * most / total)) for entry in earned]


def cut(amount: Fraction) -> Fraction:
    """Eight decimals, towards 0: together they are at most the budget."""
    return Fraction(int(amount * E8), E8)


def rebates(link: Link, case: Case, earned: list[Earned]) -> list[Earned]:
    """Money back to the client, by the direct IB's plan alone.

    An IB gives no more than the deal brought it, unless a period tells what it earns.
    """
    found: list[Earned] = []
    components = link.plan.components if link.plan else ()
    purse = max(Fraction(0), sum((e.amount for e in earned if e.who == link.ib and e.paid), Fraction(0)))
    is_open = any(isinstance(component, RevenueShare) for component in components)
    for component in components:
        if not isinstance(component, Rebate):
            continue
        if component.unit == "share":
            assert link.plan is not None
            rate = best(component.rates, case.subject)
            own = sum((e.amount for e in earned if e.who == link.ib and e.paid), Fraction(0))
            counts = rate is not None and counted(component, link.plan, case)
            amount = rounded(own * rate) if rate is not None and counts else Fraction(0)
        else:
            amount = gross_of(link, component, case).at(component.rates)
        if component.funded_by == "ib" and not is_open:
            amount = min(amount, purse)
            purse -= amount
        entry = dataclasses.replace(
            earn(link, component, case, amount), who=f"client:{case.client.client_id}", paid=True
        )
        found.append(entry)
        if component.funded_by == "ib":
            found.append(dataclasses.replace(entry, who=link.ib, amount=-amount))
    return found
