"""A client's CPAs, CPLs and deposit shares: weighed anew with each fact, granted and taken back."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from commission.client import cpa_conditions, keys
from commission.client.accruals import is_posted, post, reverse
from commission.client.deposit_shares import weigh_deposits
from commission.client.kyc_gate import is_too_late
from commission.client.milestones import of_grants
from commission.client.parked import park
from commission.client.state import (
    Cause,
    ClientState,
    Deposit,
    Grant,
    Parked,
    Qualifying,
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
    return terms.upline_for(ib_id, client.registered_at, client.client_id, client.identity)


# Trades that count towards a CPA


# CPA and CPL


def weigh(
    draft: Draft, client: ClientState, cause: Cause, terms: Terms, *, anew: bool = False
) -> ClientState:
    """Post what has become due for the client, take back what no longer stands: CPA, CPL, deposit shares.

    Everything is worked out from the facts' own times, so their order of arrival does not matter; a
    grant keeps the conditions it was given under, unless it is weighed `anew`.
    """
    if client.registered_at is None:
        return client
    waits = False
    if client.links[0].ib_id is not None:
        chain = registration_upline(client, terms)
        waits = chain is None
        if chain is not None:
            wanted = cpa_conditions.conditions(chain.links)
            weigh_one = _weigh_anew if anew else _weigh_one
            for name, grant in sorted(client.grants.items()) if anew else ():
                if grant.stands and name not in wanted:
                    client, _ = _take_back(draft, client, name, grant, cause, client.registered_at)
            for name, found in sorted(wanted.items()):
                client, lacking = weigh_one(draft, client, chain, name, found, cause, terms)
                waits |= lacking
    client, lacking = weigh_deposits(draft, client, cause, terms, anew=anew)
    if waits or lacking:
        park(draft, Parked(client_id=client.client_id))
    return client


def _weigh_one(
    draft: Draft,
    client: ClientState,
    chain: Upline,
    name: str,
    found: cpa_conditions.Conditions,
    cause: Cause,
    terms: Terms,
) -> tuple[ClientState, bool]:
    """One CPA or CPL; True if the terms lack something to decide it."""
    grant = client.grants.get(name) or Grant(conditions=found.component, currency=found.plan.currency)
    component, currency = (
        (grant.conditions, grant.currency) if grant.stands else (found.component, found.plan.currency)
    )
    lacking = not grant.stands and cpa_conditions.lacks_rate(client, currency, terms)
    standing = _standing(draft, client, component, currency, found.plan, terms)
    if isinstance(component, Cpl) and component.min_ftd_rate > 0:
        client = _weigh_gated(
            draft, client, chain, name, component, currency, standing, cause, found.plan.clawback, terms
        )
        return client, False
    if not standing.is_due:
        if grant.stands:
            client, _ = _take_back(draft, client, name, grant, cause)
        return client, lacking
    if grant.stands and grant.basis == _basis(standing):
        return client, lacking
    earned = cpa_conditions.earnings(chain.links, name, client, standing, terms)
    if isinstance(earned, Reason):
        return client, True
    paid = tuple(one for one in earned if one.link.is_paid)
    if grant.stands and is_posted(client, paid, grant.posted, standing.qualified_at):
        grant = replace(grant, basis=_basis(standing))
        return replace(client, grants={**client.grants, name: grant}), lacking
    if grant.stands:
        client, grant = _take_back(draft, client, name, grant, cause)
    grant = replace(grant, conditions=component, currency=currency)
    return _give(draft, client, chain, name, grant, standing, paid), lacking


def _weigh_anew(
    draft: Draft,
    client: ClientState,
    chain: Upline,
    name: str,
    found: cpa_conditions.Conditions,
    cause: Cause,
    terms: Terms,
) -> tuple[ClientState, bool]:
    """The same by the conditions known now, also where one was granted under others."""
    grant = client.grants.get(name)
    if grant is None or not grant.stands:
        return _weigh_one(draft, client, chain, name, found, cause, terms)
    component, currency, plan = found.component, found.plan.currency, found.plan
    if cpa_conditions.lacks_rate(client, currency, terms):
        return client, True
    was = _standing(draft, client, grant.conditions, grant.currency, plan, terms)
    standing = _standing(draft, client, component, currency, plan, terms)
    if isinstance(component, Cpl) and component.min_ftd_rate > 0:
        if grant.posted:
            client, _ = _take_back(draft, client, name, grant, cause, was.qualified_at)
        client = _weigh_gated(
            draft, client, chain, name, component, currency, standing, cause, plan.clawback, terms
        )
        return client, False
    if standing.is_due:
        earned = cpa_conditions.earnings(chain.links, name, client, standing, terms)
        if isinstance(earned, Reason):
            return client, True
        paid = tuple(one for one in earned if one.link.is_paid)
        is_same = is_posted(client, paid, grant.posted, standing.qualified_at)
        if is_same and _ordinals(client, name, component, paid, standing) == grant.tallied:
            grant = replace(grant, basis=_basis(standing), conditions=component, currency=currency)
            return replace(client, grants={**client.grants, name: grant}), False
    client, _ = _take_back(draft, client, name, grant, cause, was.qualified_at)
    return _weigh_one(draft, client, chain, name, found, cause, terms)


def _standing(
    draft: Draft,
    client: ClientState,
    component: Cpa | Cpl,
    currency: str,
    plan: PlanDefined,
    terms: Terms,
) -> cpa_conditions.Qualification:
    trades: Qualifying = draft.get(keys.qualifying(client.client_id)) or Qualifying()
    standing = cpa_conditions.standing(client, trades, component, currency, plan.clawback, terms)
    return cpa_conditions.NOT_DUE if standing.is_due and _is_clawed(client, standing, plan) else standing


def _basis(standing: cpa_conditions.Qualification) -> str:
    deposits = ",".join(
        f"{deposit.deposit_id}:{plain(deposit.amount or ZERO)}" for deposit in standing.deposits
    )
    return f"{standing.qualified_at} {deposits}"


def _is_clawed(client: ClientState, standing: cpa_conditions.Qualification, plan: PlanDefined) -> bool:
    """Whether a verdict about the client takes its CPA as well."""
    qualified_at, window = standing.qualified_at, timedelta(days=plan.clawback.window_days)
    assert qualified_at is not None, "only what is due can be taken back"
    if client.fraud_at is not None and qualified_at >= client.fraud_at:
        return True
    return any(
        getattr(plan.clawback, clawed.reason) == "all" and clawed.at - window <= qualified_at <= clawed.at
        for clawed in client.clawed
    )


def _take_back(
    draft: Draft,
    client: ClientState,
    name: str,
    grant: Grant,
    cause: Cause,
    posted_at: datetime | None = None,
) -> tuple[ClientState, Grant]:
    """Reverse a grant, as of the last loss of a deposit, or as of its own time if that is given."""
    losses = [d.first_taken_at for d in client.deposits if d.first_taken_at is not None]
    at = posted_at or max(losses, default=cause.occurred_at)
    cause = Cause(cause.key, at)
    client, _ = reverse(draft, client, grant.posted, cause)
    withdraw(draft, client, grant.tallied, cause)
    of_grants(draft, client, "cpa.clawback", at, grant.posted)
    grant = replace(grant, posted=(), tallied=(), basis="")
    return replace(client, grants={**client.grants, name: grant}), grant


def _give(
    draft: Draft,
    client: ClientState,
    chain: Upline,
    name: str,
    grant: Grant,
    standing: cpa_conditions.Qualification,
    paid: tuple[Earned, ...],
) -> ClientState:
    assert standing.qualified_at is not None, "only what is due is given"
    cause = Cause(f"{grant.conditions.kind}|{client.client_id}|{name}", standing.qualified_at)
    identity = (grant.conditions.kind, client.client_id, name, str(grant.grants))
    client, posted = post(draft, client, paid, path=chain.path, cause=cause, identity=identity)
    tallied = _ordinals(client, name, grant.conditions, paid, standing)
    send(draft, client, tallied)
    grant = replace(grant, posted=posted, tallied=tallied, basis=_basis(standing), grants=grant.grants + 1)
    of_grants(draft, client, "cpa.qualified", standing.qualified_at, posted)
    return replace(client, grants={**client.grants, name: grant})


def _ordinals(
    client: ClientState,
    name: str,
    component: Cpa | Cpl,
    paid: Iterable[Earned],
    standing: cpa_conditions.Qualification,
) -> tuple[Tally, ...]:
    """What the grant counts for in tiers by number of clients."""
    assert standing.qualified_at is not None, "only what is due is counted"
    cause = Cause(f"{component.kind}|{client.client_id}|{name}", standing.qualified_at)
    return tuple(_ordinal(client, one, name, cause) for one in paid if _has_tiers(one, name))


def _has_tiers(one: Earned, name: str) -> bool:
    own = cpa_conditions.own_component(one.link, name)
    return own is not None and isinstance(own[1], Cpa) and own[1].tiers is not None


def _ordinal(client: ClientState, one: Earned, name: str, cause: Cause) -> Tally:
    """Count the client among those the IB qualified in the period; bands multiply its amount."""
    own = cpa_conditions.own_component(one.link, name)
    tiers = own[1].tiers if own is not None and isinstance(own[1], Cpa) else None
    bands = tiers.bands if tiers is not None else ()
    amounts = (one.amount, *(EXACT.multiply(one.amount, band.factor) for band in bands))
    return tally_of(client, one.link, one.plan, name, cause, amounts)


def _weigh_gated(
    draft: Draft,
    client: ClientState,
    chain: Upline,
    name: str,
    component: Cpl,
    currency: str,
    standing: cpa_conditions.Qualification,
    cause: Cause,
    clawback: Clawback,
    terms: Terms,
) -> ClientState:
    """A CPL behind a rate of first deposits is settled by the partner book from what is counted here."""
    registered_at = client.registered_at
    assert registered_at is not None, "only a registered client is counted"
    place = Cause(f"cpl|{client.client_id}|{name}", registered_at)
    grant = client.grants.get(name) or Grant(conditions=component, currency=currency)
    earned = cpa_conditions.earnings(chain.links, name, client, standing, terms) if standing.is_due else ()
    amounts = {} if isinstance(earned, Reason) else {one.link.partner.ib_id: one.amount for one in earned}
    cleared = [deposit for deposit in client.deposits if deposit.amount and deposit.cleared_at]
    deposited = int(any(_stands(deposit, clawback) for deposit in cleared))
    tallied = tuple(
        replace(
            tally_of(
                client,
                link,
                own[0],
                name,
                place,
                (ZERO if _is_held_back(client, own[0]) else amounts.get(link.partner.ib_id, ZERO),),
                deposited=deposited,
            ),
            is_gated=False,  # a client counts as registered before its KYC; its amount waits above
        )
        for link in chain.links
        if link.is_paid and (own := cpa_conditions.own_component(link, name)) is not None
    )
    if tallied == grant.tallied:
        return client
    send_back(draft, client, [negated(one, cause) for one in grant.tallied])
    send(draft, client, tallied)
    grant = replace(grant, tallied=tallied, conditions=component, currency=currency)
    return replace(client, grants={**client.grants, name: grant})


def _stands(deposit: Deposit, clawback: Clawback) -> bool:
    """Whether something of the deposit was never taken back, at whatever time."""
    assert deposit.amount is not None, "a cleared deposit has an amount"
    taken = [t for t in deposit.taken_back if getattr(clawback, t.reason) != "none"]
    return deposit.amount > sum((deposit.amount if t.amount is None else t.amount for t in taken), ZERO)


def _is_held_back(client: ClientState, plan: PlanDefined) -> bool:
    """Whether the gate keeps the amount of a registration, for now or for good."""
    if not plan.kyc_gate:
        return False
    assert client.registered_at is not None, "only a registered client is counted"
    days = plan.kyc_forfeit_days
    is_released = client.is_released(client.registered_at)
    return not is_released or bool(days and is_too_late(client, client.registered_at, days))


# Shares of deposits


# Cohorts
