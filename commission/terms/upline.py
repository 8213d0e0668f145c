"""The IBs above a client as of some time, and how each kind of component is shared among them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from commission.terms.components import (
    CommissionShare,
    Component,
    Cpa,
    DealComponent,
    Rebate,
    RevenueShare,
    SpreadShare,
)
from commission.terms.partners import PartnerDefined, PlanAssignment
from commission.terms.plans import PlanDefined
from commission.terms.rates import ALWAYS, DIFFERENCE, Rate, SideOfPosition, When

DEAL_KINDS = (
    "per_lot",
    "turnover",
    "pips",
    "spread_share",
    "commission_share",
    "swap_share",
    "profit_share",
    "revenue_share",
)
"""Kinds a deal can earn up the tree, in the order they are explained."""
DRIVEN = ("cascade", "split", "rank")
"""Override modes in which the lowest IB's component is priced and its amount is divided."""


class Link(NamedTuple):
    """One IB of an upline, with the plan version, rank and factor it had by then.

    `is_paid` is False for a suspended IB, and for one that is the client itself: it is priced like any
    other, so that nobody else gains by it, and what it would keep is not paid.
    """

    partner: PartnerDefined
    plan: PlanDefined | None
    held: PlanAssignment
    is_paid: bool
    why_unpaid: str
    by_kind: dict[str, tuple[Component, ...]]
    pending: str = ""
    """The IB's ledger account, spelled once for all its deals."""


class Payable(NamedTuple):
    """A component with its plan, and what of both can be told before any deal is seen."""

    component: DealComponent
    kind: str
    plan: PlanDefined
    whens: tuple[When, ...]
    """Conditions of plan and component that ask for something."""
    asks: tuple[When, ...]
    """Those of them that ask about the deal itself, not only about what it closes."""
    is_plain: bool
    """Every deal on its side is paid by the rate alone: nothing else has to be looked at."""
    is_settled: bool
    basis: tuple[object, ...]
    """What is measured and under which conditions: one object for all components that measure alike."""
    passes: tuple[tuple[Rate, ...], ...]
    """What a cascade passes up, where that is told as rates: made once, as rates are known by identity."""
    entry: SideOfPosition
    """Whose volume counts: the component's, or both sides for the sake of the commission charged there."""
    is_charge: bool
    """It shares what was charged, so that close-bys count on both sides as well."""


class Sharing(NamedTuple):
    """How one kind is shared: each IB's own components, or one component of the IB at `driver`."""

    kind: str
    own: tuple[tuple[Payable, ...], ...]
    """By depth: the components priced for the IB itself."""
    driver: int
    driven: Payable | None
    is_alike: bool = False
    """All own components measure alike and have a rate for everything: what one refuses, all do."""


class Upline(NamedTuple):
    """An upline with what follows from its plans alone, worked out once."""

    links: tuple[Link, ...]
    path: tuple[str, ...]
    sharings: tuple[Sharing, ...]
    is_simple: bool
    """One sharing, everybody is paid, no budget and no rebate: what it gives is what the deal gives."""
    needs_openings: bool
    """Some component looks at the opening a deal closes."""
    charges: tuple[Sharing, ...]
    """What shares later commission deals of the account."""
    is_hedged: bool
    close_by_first: bool
    has_cohorts: bool
    looks_aside: bool
    """Any of charges, hedging, first legs."""
    asks_trades: bool
    """Some CPA counts trades."""
    asks_holding: bool
    """Some CPA counts only what was held long enough."""
    rebates: tuple[Payable, ...]
    """Of the direct IB's plan."""
    identities: frozenset[str]
    """Who the IBs are, where a client might be one of them: identities and `client:` ids."""


def upline_of(links: tuple[Link, ...]) -> Upline:
    """Work out what follows from the links."""
    components = [
        c
        for link in links
        for kind in (*DEAL_KINDS, "rebate")
        for c in link.by_kind.get(kind, ())
        if isinstance(c, DealComponent)
    ]
    plans = [link.plan for link in links if link.plan is not None]
    cpas = [c for link in links for c in link.by_kind.get("cpa", ()) if isinstance(c, Cpa)]
    sharings = tuple(sharing for kind in DEAL_KINDS for sharing in _sharings(kind, links))
    charges = tuple(found for sharing in sharings if (found := _of_charges(sharing)) is not None)
    is_hedged = any(c.hedged for c in components)
    close_by_first = any(c.close_by != "each_leg" for c in components)
    return Upline(
        links=links,
        path=tuple(link.partner.ib_id for link in links),
        sharings=sharings,
        is_simple=len(sharings) == 1
        and all(link.is_paid for link in links)
        and not any(plan.budget for plan in plans)
        and not (links and links[0].by_kind.get("rebate")),
        needs_openings=any(_looks_back(plan) for plan in plans),
        charges=charges,
        is_hedged=is_hedged,
        close_by_first=close_by_first,
        has_cohorts=bool(links and links[0].by_kind.get("cohort_bonus")),
        looks_aside=bool(charges) or is_hedged or close_by_first,
        asks_trades=any(asks_for_trades(c) for c in cpas),
        asks_holding=any(c.min_holding_s > 0 or _asks(c.when) for c in cpas),
        rebates=_payables(links[0], "rebate") if links else (),
        identities=frozenset(_identities(links)),
    )


def above(upline: Upline | None) -> tuple[str, ...]:
    """The IBs above the first one, the nearest first, as far as they are known."""
    return () if upline is None else upline.path[1:]


def is_own(upline: Upline, client_id: str, identity: str) -> bool:
    """Whether the client is one of the IBs above it."""
    return not upline.identities.isdisjoint(_marks(client_id, identity))


def _marks(client_id: str, identity: str) -> set[str]:
    return {f"client:{client_id}", f"identity:{identity}" if identity else ""}


def without_own(upline: Upline, client_id: str, identity: str) -> Upline:
    """The upline for a client that is one of its IBs: that one is not paid for its own trades."""
    marks = _marks(client_id, identity)
    links = tuple(
        link._replace(is_paid=False, why_unpaid="self_referral")
        if link.is_paid
        and not (link.plan is not None and link.plan.self_referral)
        and not marks.isdisjoint(_identities((link,)))
        else link
        for link in upline.links
    )
    return upline_of(links)


def _identities(links: tuple[Link, ...]) -> list[str]:
    found: list[str] = []
    for link in links:
        found.extend(f"client:{client_id}" for client_id in link.partner.own_clients)
        if link.partner.identity:
            found.append(f"identity:{link.partner.identity}")
    return found


def asks_for_trades(component: Cpa) -> bool:
    """Whether deals play a part in qualifying."""
    return bool(
        component.min_lots > 0
        or component.min_trades
        or component.min_spread > 0
        or component.min_turnover > 0
    )


def _of_charges(sharing: Sharing) -> Sharing | None:
    """The sharing as a later charge sees it: nothing but the components that share charges."""
    if sharing.driven is not None:
        return sharing if _shares_charges(sharing.driven) else None
    own = tuple(tuple(p for p in payables if _shares_charges(p)) for payables in sharing.own)
    return sharing._replace(own=own) if any(own) else None


def _shares_charges(payable: Payable) -> bool:
    return isinstance(payable.component, CommissionShare) and payable.component.charges


class Asked(NamedTuple):
    """What plans ask of deals, beside what each deal says."""

    looks_back: bool = False
    """One looks at the opening a deal closes, so that flat positions are kept."""
    shares_charges: bool = False
    """One shares what deals charge, so that it matters which of them was refunded."""
    shares_later_charges: bool = False
    """One shares what an account is charged later."""
    is_partial: bool = False
    """A plan or an IB is not known that an IB names: it may ask for more."""


def asked_by(plans: Sequence[PlanDefined]) -> Asked:
    """What some of the plans ask, as far as they are known."""
    shares = [c for plan in plans for c in plan.components if isinstance(c, CommissionShare)]
    return Asked(
        looks_back=any(_looks_back(plan) or _shares_one_side(plan) for plan in plans),
        shares_charges=bool(shares),
        shares_later_charges=any(c.charges for c in shares),
    )


def _shares_one_side(plan: PlanDefined) -> bool:
    """Whether a share of what was charged, or a rebate of that share, is paid on one side alone."""
    shares = [c for c in plan.components if isinstance(c, CommissionShare)]
    rebates = [c for c in plan.components if isinstance(c, Rebate) and c.unit == "share"]
    return bool(shares) and any(c.entry != "both" for c in (*shares, *rebates))


def _looks_back(plan: PlanDefined) -> bool:
    """Whether something in the plan looks at the opening every deal closes."""
    return _asks(plan.when) or any(
        (isinstance(c, DealComponent) and _asks(c.when))
        or (isinstance(c, SpreadShare) and c.basis in ("open", "average"))
        or (isinstance(c, Cpa) and (c.min_holding_s > 0 or _asks(c.when)))
        for c in plan.components
    )


def _asks(when: When) -> bool:
    return bool(when.min_holding_s or when.min_pips or not when.same_price)


def _sharings(kind: str, links: tuple[Link, ...]) -> list[Sharing]:
    """Under a driven mode one sharing for each component of the lowest IB; else one for all own ones."""
    depths = [depth for depth, link in enumerate(links) if link.by_kind.get(kind)]
    if not depths:
        return []
    driven = [p for p in _payables(links[depths[0]], kind) if p.component.override.mode in DRIVEN]
    sharings = [Sharing(kind, (), depths[0], payable) for payable in driven]
    own = tuple(
        ()
        if driven and depth != depths[0]
        else tuple(p for p in _payables(link, kind) if p.component.override.mode not in DRIVEN)
        for depth, link in enumerate(links)
    )
    if any(own):
        sharings.append(Sharing(kind, own, depths[0], None, _is_alike(own)))
    return sharings


def _is_alike(own: tuple[tuple[Payable, ...], ...]) -> bool:
    payables = [payable for payables in own for payable in payables]
    return len({id(payable.basis) for payable in payables}) == 1 and all(
        payable.component.override.mode == "difference"
        and any(rate == Rate(value=rate.value) for rate in payable.component.rates)
        for payable in payables
    )


def _payables(link: Link, kind: str) -> tuple[Payable, ...]:
    plan = link.plan
    if plan is None:
        return ()
    return tuple(_payable(c, kind, plan) for c in link.by_kind.get(kind, ()) if isinstance(c, DealComponent))


def _payable(component: DealComponent, kind: str, plan: PlanDefined) -> Payable:
    whens = tuple(when for when in (plan.when, component.when) if when != ALWAYS)
    is_plain = not (
        whens
        or component.hedged
        or component.close_by != "each_leg"
        or component.tiers
        or component.caps
        or component.credit_coefficient
    )
    passes = (
        tuple((Rate(value=number),) for number in component.override.pass_up)
        if component.override.pass_unit == "rate"
        else ()
    )
    alike = replace(component, name="", rates=(), override=DIFFERENCE, tiers=None, caps=None, when=ALWAYS)
    basis = _one_object((alike, whens, plan.currency, plan.lot_factors))
    asks = tuple(when for when in whens if when != _of_closing(when))
    is_charge = isinstance(component, CommissionShare) or counts_commission_apart(component)
    entry: SideOfPosition = "both" if counts_commission_apart(component) else component.entry
    settled = is_settled(component)
    return Payable(component, kind, plan, whens, asks, is_plain, settled, basis, passes, entry, is_charge)


def counts_commission_apart(component: DealComponent) -> bool:
    """Whether the commission of both sides counts, and the other terms of its revenue by `entry`."""
    return (
        isinstance(component, RevenueShare)
        and "commission" in component.terms
        and component.commission_entry == "both"
        and component.entry == "out"
    )


def _of_closing(when: When) -> When:
    """Only what it asks about the opening that is closed."""
    return When(min_holding_s=when.min_holding_s, min_pips=when.min_pips, same_price=when.same_price)


@lru_cache(maxsize=10_000)
def _one_object(basis: tuple[object, ...]) -> tuple[object, ...]:
    """The first of equal ones, so that they can be told apart by identity."""
    return basis


def is_settled(component: DealComponent) -> bool:
    """Whether the partner book has a say in the component, so that it needs tallies."""
    if isinstance(component, RevenueShare) or component.tiers is not None:
        return True
    caps = component.caps
    return caps is not None and any(cap is not None for cap in (caps.per_day, caps.per_week, caps.per_period))
