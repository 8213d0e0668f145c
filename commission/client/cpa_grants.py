"""A client's CPAs, CPLs and deposit shares: weighed anew with each fact, granted and taken back."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from commission.client import cpa_amounts, cpa_conditions
from commission.client.accruals import is_posted, post
from commission.client.clawback import all_clawed
from commission.client.cpa_claims import are_alike, claims_of, unclaimed
from commission.client.cpa_weighing import Weighing, are_too_late, facts_of
from commission.client.deposit_losses import ClearedDeposit, is_counted, lost
from commission.client.deposit_shares import weigh_deposits
from commission.client.kyc_gate import is_too_late as is_kyc_too_late
from commission.client.milestones import of_grants
from commission.client.parked import park
from commission.client.reversals import reverse
from commission.client.state import (
    Cause,
    ClientState,
    Grant,
    Parked,
    Posted,
)
from commission.client.tallies import negated, send, send_back, tally_of, withdraw
from commission.draft import Draft
from commission.money import EXACT, plain
from commission.outputs import Tally
from commission.rating.values import ZERO, Earned, Reason
from commission.terms.catalog import Terms
from commission.terms.components import Cpa, Cpl
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.upline import Upline


def registration_upline(client: ClientState, terms: Terms) -> Upline | None:
    """The IBs that a CPA is for: those of the registration. None while some are unknown."""
    ib_id = client.links[0].ib_id if client.links else None
    if client.registered_at is None or ib_id is None:
        return None
    return terms.upline_for(
        ib_id, client.registered_at, client.client_id, client.identity, client.link_for(ib_id)
    )


class Weighed(NamedTuple):
    """The client after it was weighed, and whether the terms lack something to decide all of it."""

    client: ClientState
    lacking: bool = False


def weigh(
    draft: Draft,
    client: ClientState,
    cause: Cause,
    terms: Terms,
    *,
    anew: bool = False,
    only: tuple[str, ...] | None = None,
) -> ClientState:
    """Post what has become due for the client, take back what no longer stands: CPA, CPL, deposit shares.

    Everything is worked out from the facts' own times, so their order of arrival does not matter; a
    grant keeps the conditions it was given under, unless it is weighed `anew`. Of deposits
    and withdrawals, only those with the ids `only` are looked at, where others cannot have changed.
    """
    if client.registered_at is None:
        return client
    client, waits = _weigh_cpas(draft, client, cause, terms, anew=anew, only=only)
    client, lacking = weigh_deposits(draft, client, cause, terms, anew=anew, only=only)
    if waits or lacking:
        park(draft, Parked(client_id=client.client_id))
    return client


def _weigh_cpas(
    draft: Draft,
    client: ClientState,
    cause: Cause,
    terms: Terms,
    *,
    anew: bool,
    only: tuple[str, ...] | None,
) -> Weighed:
    if client.links[0].ib_id is None:
        return Weighed(client)
    chain = registration_upline(client, terms)
    if chain is None:
        return Weighed(client, lacking=True)
    wanted = cpa_conditions.conditions(chain.links)
    if not wanted and not client.grants:
        return Weighed(client)
    asked = [c.component for c in wanted.values()] + [g.conditions for g in client.grants.values()]
    if only and are_too_late(draft, client, only, asked):
        return Weighed(client)
    w = Weighing(draft, cause, terms, chain, facts_of(draft, client, asked, terms), all_clawed(draft, client))
    lacking = False
    for name, grant in sorted(client.grants.items()) if anew else ():
        if grant.stands and name not in wanted:
            client, _ = _take_back(w.of(client), name, grant, client.registered_at)
    for name, found in sorted(wanted.items()):
        client, waits = (_weigh_anew if anew else _weigh_one)(w.of(client), name, found)
        lacking |= waits
    return Weighed(client, lacking)


def _weigh_one(w: Weighing, name: str, found: cpa_conditions.Conditions) -> Weighed:
    """One CPA or CPL."""
    client = w.client
    grant = client.grants.get(name) or Grant(conditions=found.component, currency=found.plan.currency)
    component, currency = (
        (grant.conditions, grant.currency) if grant.stands else (found.component, found.plan.currency)
    )
    lacking = not grant.stands and cpa_conditions.lacks_rate(w.facts, component, currency)
    standing = _standing(w, component, currency, found.plan)
    if isinstance(component, Cpl) and component.min_ftd_rate > 0:
        conditions = cpa_conditions.Conditions(component, found.plan)
        return _weigh_gated(w, name, conditions, currency, standing)
    if not standing.is_due:
        if grant.stands:
            client, _ = _take_back(w, name, grant)
        return Weighed(client, lacking)
    if grant.stands and grant.basis == _basis(standing):
        return Weighed(_claim(w, name, grant, standing), lacking)
    earned = cpa_amounts.earnings(w.chain.links, name, client, standing, w.terms)
    if isinstance(earned, Reason):
        return Weighed(client, lacking=True)
    paid = tuple(one for one in earned if one.link.is_paid)
    if grant.stands and is_posted(client, paid, grant.posted, standing.qualified_at):
        return Weighed(_claim(w, name, replace(grant, basis=_basis(standing)), standing), lacking)
    if grant.stands:
        client, grant = _take_back(w, name, grant)
    grant = replace(grant, conditions=component, currency=currency)
    return Weighed(_give(w.of(client), name, grant, standing, paid), lacking)


def _weigh_anew(w: Weighing, name: str, found: cpa_conditions.Conditions) -> Weighed:
    """The same by the conditions known now, also where one was granted under others."""
    client = w.client
    grant = client.grants.get(name)
    if grant is None or not grant.stands:
        return _weigh_one(w, name, found)
    component, currency, plan = found.component, found.plan.currency, found.plan
    if cpa_conditions.lacks_rate(w.facts, component, currency):
        return Weighed(client, lacking=True)
    was = _standing(w, grant.conditions, grant.currency, plan)
    standing = _standing(w, component, currency, plan)
    if isinstance(component, Cpl) and component.min_ftd_rate > 0:
        if grant.posted:
            client, _ = _take_back(w, name, grant, was.qualified_at)
        return _weigh_gated(w.of(client), name, found, currency, standing)
    if standing.is_due:
        earned = cpa_amounts.earnings(w.chain.links, name, client, standing, w.terms)
        if isinstance(earned, Reason):
            return Weighed(client, lacking=True)
        paid = tuple(one for one in earned if one.link.is_paid)
        is_same = is_posted(client, paid, grant.posted, standing.qualified_at)
        wanted = _counted(client, name, component, paid, grant.posted, standing, w.terms)
        if is_same and are_alike(wanted, grant.tallied):
            grant = replace(grant, basis=_basis(standing), conditions=component, currency=currency)
            return Weighed(replace(client, grants={**client.grants, name: grant}))
    client, _ = _take_back(w, name, grant, was.qualified_at)
    return _weigh_one(w.of(client), name, found)


def _standing(
    w: Weighing, component: Cpa | Cpl, currency: str, plan: PlanDefined
) -> cpa_conditions.Qualification:
    standing = cpa_conditions.standing(w.facts, component, currency, plan.clawback)
    return cpa_conditions.NOT_DUE if standing.is_due and _is_clawed(w, standing, plan) else standing


def _basis(standing: cpa_conditions.Qualification) -> str:
    deposits = ",".join(
        f"{deposit.deposit_id}:{plain(deposit.amount or ZERO)}" for deposit in standing.deposits
    )
    return f"{standing.qualified_at} {deposits}"


def _is_clawed(w: Weighing, standing: cpa_conditions.Qualification, plan: PlanDefined) -> bool:
    """Whether a verdict about the client takes its CPA as well."""
    qualified_at, window = standing.qualified_at, timedelta(days=plan.clawback.window_days)
    assert qualified_at is not None, "only what is due can be taken back"
    if w.client.fraud_at is not None and qualified_at >= w.client.fraud_at:
        return True
    return any(
        getattr(plan.clawback, clawed.reason) == "all"
        and clawed.share > 0
        and clawed.at - window <= qualified_at <= clawed.at
        for clawed in w.clawed
    )


def _take_back(
    w: Weighing, name: str, grant: Grant, posted_at: datetime | None = None
) -> tuple[ClientState, Grant]:
    """Reverse a grant, as of the last loss of a deposit, or as of its own time if that is given."""
    deposits = w.facts.as_asked(grant.conditions, Clawback()).deposits
    losses = [taken.at for deposit in deposits for taken in deposit.losses]
    at = posted_at or max(losses, default=w.cause.occurred_at)
    cause = Cause(w.cause.key, at)
    client, _ = reverse(w.draft, w.client, grant.posted, cause)
    withdraw(w.draft, client, grant.tallied, cause)
    of_grants(w.draft, client, "cpa.clawback", at, unclaimed(grant), w.terms)
    grant = replace(grant, posted=(), tallied=(), basis="")
    return replace(client, grants={**client.grants, name: grant}), grant


def _give(
    w: Weighing,
    name: str,
    grant: Grant,
    standing: cpa_conditions.Qualification,
    paid: tuple[Earned, ...],
) -> ClientState:
    assert standing.qualified_at is not None, "only what is due is given"
    client = w.client
    cause = Cause(f"{grant.conditions.kind}|{client.client_id}|{name}", standing.qualified_at)
    identity = (grant.conditions.kind, client.client_id, name, str(grant.grants))
    client, posted = post(w.draft, client, paid, path=w.chain.path, cause=cause, identity=identity)
    tallied = _counted(client, name, grant.conditions, paid, posted, standing, w.terms)
    send(w.draft, client, tallied)
    grant = replace(grant, posted=posted, tallied=tallied, basis=_basis(standing), grants=grant.grants + 1)
    of_grants(w.draft, client, "cpa.qualified", standing.qualified_at, unclaimed(grant), w.terms)
    return replace(client, grants={**client.grants, name: grant})


def _claim(w: Weighing, name: str, grant: Grant, standing: cpa_conditions.Qualification) -> ClientState:
    """A grant as it stands; where its client turned out to be one of a person's, it becomes a claim."""
    client = w.client
    assert standing.qualified_at is not None, "only what is due is claimed"
    claims = claims_of(client, name, unclaimed(grant), standing.qualified_at, w.terms, is_announced=True)
    if not claims and grant is client.grants[name]:
        return client
    if claims:
        ibs = {one.ib_id for one in claims}
        alone = tuple(one for one in grant.tallied if one.ib_id in ibs and one.claim is None)
        withdraw(w.draft, client, alone, w.cause)
        send(w.draft, client, claims)
        grant = replace(grant, tallied=(*(one for one in grant.tallied if one not in alone), *claims))
    return replace(client, grants={**client.grants, name: grant})


def _counted(
    client: ClientState,
    name: str,
    component: Cpa | Cpl,
    paid: Iterable[Earned],
    posted: Iterable[Posted],
    standing: cpa_conditions.Qualification,
    terms: Terms,
) -> tuple[Tally, ...]:
    """What the grant counts for in its IBs' books: as a person's claim, or in tiers by number of clients."""
    at = standing.qualified_at
    assert at is not None, "only what is due is counted"
    cause = Cause(f"{component.kind}|{client.client_id}|{name}", at)
    entries = {entry.ib_id: entry for entry in posted}
    found: list[Tally] = []
    for one in paid:
        entry = entries.get(one.link.partner.ib_id)
        due = (
            ()
            if entry is None
            else (entry._replace(plan_id=one.plan.plan_id, plan_version=one.plan.version),)
        )
        claims = claims_of(client, name, due, at, terms)
        found += claims
        if not claims and _has_tiers(one, name):
            found.append(_ordinal(client, one, name, cause))
    return tuple(found)


def _has_tiers(one: Earned, name: str) -> bool:
    own = cpa_amounts.own_component(one.link, name)
    return own is not None and isinstance(own[1], Cpa) and own[1].tiers is not None


def _ordinal(client: ClientState, one: Earned, name: str, cause: Cause) -> Tally:
    """Count the client among those the IB qualified in the period; bands multiply its amount."""
    own = cpa_amounts.own_component(one.link, name)
    tiers = own[1].tiers if own is not None and isinstance(own[1], Cpa) else None
    bands = tiers.bands if tiers is not None else ()
    amounts = (one.amount, *(EXACT.multiply(one.amount, band.factor) for band in bands))
    return tally_of(client, one.link, one.plan, name, cause, amounts)


def _weigh_gated(
    w: Weighing,
    name: str,
    conditions: cpa_conditions.Conditions,
    currency: str,
    standing: cpa_conditions.Qualification,
) -> Weighed:
    """A CPL behind a rate of first deposits is settled by the partner book from what is counted here."""
    client = w.client
    registered_at = client.registered_at
    assert registered_at is not None, "only a registered client is counted"
    place = Cause(f"cpl|{client.client_id}|{name}", registered_at)
    earned_at = standing.qualified_at or registered_at
    grant = client.grants.get(name) or Grant(conditions=conditions.component, currency=currency)
    earned = cpa_amounts.earnings(w.chain.links, name, client, standing, w.terms) if standing.is_due else ()
    lacking = isinstance(earned, Reason)  # the client counts meanwhile, without an amount
    amounts = {} if isinstance(earned, Reason) else {one.link.partner.ib_id: one.amount for one in earned}
    deposited = int(any(_stands(deposit, conditions.plan.clawback) for deposit in w.facts.deposits))
    tallied = tuple(
        replace(
            tally_of(
                client,
                link,
                own[0],
                name,
                place,
                (
                    ZERO
                    if _is_held_back(client, own[0], earned_at)
                    else amounts.get(link.partner.ib_id, ZERO),
                ),
                deposited=deposited,
            ),
            is_gated=False,  # a client counts as registered before its KYC; its amount waits above
        )
        for link in w.chain.links
        if link.is_paid and (own := cpa_amounts.own_component(link, name)) is not None
    )
    if tallied == grant.tallied:
        return Weighed(client, lacking)
    send_back(w.draft, client, [negated(one, w.cause) for one in grant.tallied])
    send(w.draft, client, tallied)
    grant = replace(grant, tallied=tallied, conditions=conditions.component, currency=currency)
    return Weighed(replace(client, grants={**client.grants, name: grant}), lacking)


def _stands(deposit: ClearedDeposit, clawback: Clawback) -> bool:
    """Whether something of the deposit was never taken back, at whatever time."""
    taken = (taken for taken in deposit.losses if is_counted(taken, clawback))
    return deposit.amount > lost(deposit.amount, taken)


def _is_held_back(client: ClientState, plan: PlanDefined, earned_at: datetime) -> bool:
    """Whether the gate keeps the amount of a registration, for now or for good."""
    if not plan.kyc_gate:
        return False
    days = plan.kyc_forfeit_days
    is_released = client.is_released(earned_at)
    return not is_released or bool(days and is_kyc_too_late(client, earned_at, days))
