"""A client's CPAs, CPLs and deposit shares: weighed anew with each fact, granted and taken back."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from commission.client import cpa_conditions
from commission.client.accruals import (
    Cause,
    is_forfeited,
    is_lost,
    is_too_late,
    negated,
    post,
    reverse,
    send,
    send_back,
    tally_of,
    withdraw,
)
from commission.client.deposit_shares import deposit_earnings, net_tallies
from commission.client.milestones import of_grants
from commission.client.parked import park
from commission.client.state import (
    ClientState,
    Deposit,
    Grant,
    Parked,
    Posted,
    Qualifying,
    Traded,
    Withdrawal,
)
from commission.draft import Draft
from commission.earned import Earned
from commission.events import Deal
from commission.money import EXACT, plain
from commission.outputs import Tally
from commission.rating.components import spread_share
from commission.rating.components.lots import counted
from commission.rating.components.turnover import notional
from commission.rating.overrides import in_currency
from commission.rating.values import ZERO, Part, Reason
from commission.terms.catalog import Terms
from commission.terms.records import Clawback, CohortBonus, Cpa, Cpl, PlanDefined
from commission.terms.upline import Upline, asks_for_trades


def registration_upline(client: ClientState, terms: Terms) -> Upline | None:
    """The IBs that a CPA is for: those of the registration. None while some are unknown."""
    ib_id = client.links[0].ib_id if client.links else None
    if client.registered_at is None or ib_id is None:
        return None
    return terms.upline_for(ib_id, client.registered_at, client.client_id, client.identity)


# Trades that count towards a CPA


def count_trade(draft: Draft, client: ClientState, part: Part, terms: Terms) -> ClientState:
    """A closed trade counts towards what a CPA asks for, also in place of one cancelled later."""
    wanted = _wanted_trades(client, terms)
    if not wanted:
        return client
    first = wanted[0]
    trade = _traded(part, first.plan, [c.component for c in wanted], terms)
    late = max(cpa_conditions.deadline(client, c.component) for c in wanted if isinstance(c.component, Cpa))
    return _change_trades(draft, client, part.deal, [trade] if trade.at <= late else [], wanted, terms)


def asks_holding(client: ClientState, terms: Terms) -> bool:
    """Whether a CPA of the client counts only trades that were held long enough."""
    chain = registration_upline(client, terms)
    return chain is not None and chain.asks_holding


def forget_trade(draft: Draft, client: ClientState, deal: Deal, terms: Terms) -> ClientState:
    """A deal was cancelled, or is no trade any more."""
    wanted = _wanted_trades(client, terms)
    return _change_trades(draft, client, deal, [], wanted, terms) if wanted else client


def _wanted_trades(client: ClientState, terms: Terms) -> list[cpa_conditions.Conditions]:
    chain = registration_upline(client, terms)
    if chain is None or not chain.asks_trades:
        return []
    found = cpa_conditions.conditions(chain.links).values()
    return [c for c in found if isinstance(c.component, Cpa) and asks_for_trades(c.component)]


def _traded(part: Part, plan: PlanDefined, components: list[Cpa | Cpl], terms: Terms) -> Traded:
    lots = part.closed
    spread = turnover = ZERO
    if any(isinstance(c, Cpa) and c.min_spread > 0 for c in components):
        value = spread_share.paid(part, lots, terms)
        if not isinstance(value, Reason):
            money = in_currency(value, part.symbol.profit_currency, plan.currency, part.at, terms)
            spread = ZERO if isinstance(money, Reason) else money[0]
    if any(isinstance(c, Cpa) and c.min_turnover > 0 for c in components):
        size = notional(plan.currency, part, lots, terms, {})
        turnover = ZERO if isinstance(size, Reason) else size
    held_s = min((int((part.at - s.opened_at).total_seconds()) for s in part.slices or ()), default=0)
    return Traded(part.at, part.deal.deal_key, counted(plan, part, lots, {}), held_s, spread, turnover)


def _change_trades(
    draft: Draft,
    client: ClientState,
    deal: Deal,
    added: list[Traded],
    wanted: list[cpa_conditions.Conditions],
    terms: Terms,
) -> ClientState:
    key = f"q:{client.client_id}"
    known: Qualifying = draft.get(key) or Qualifying()
    trades = [trade for trade in known.trades if trade.deal_key != deal.deal_key] + added
    trades.sort(key=lambda trade: (trade.at, trade.deal_key))
    components = [c.component for c in wanted if isinstance(c.component, Cpa)]
    kept = cpa_conditions.keep_qualifying(Qualifying(trades=tuple(trades)), components)
    if kept == known:
        return client
    draft.put(key, kept)
    return weigh(draft, client, Cause(deal.deal_key, deal.occurred_at), terms)


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
    client, lacking = _weigh_deposits(draft, client, cause, terms, anew=anew)
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
    if grant.stands and _is_posted(client, paid, grant.posted, standing.qualified_at):
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
        is_same = _is_posted(client, paid, grant.posted, standing.qualified_at)
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
) -> cpa_conditions.Standing:
    trades: Qualifying = draft.get(f"q:{client.client_id}") or Qualifying()
    standing = cpa_conditions.standing(client, trades, component, currency, plan.clawback, terms)
    return cpa_conditions.NOT_DUE if standing.is_due and _is_clawed(client, standing, plan) else standing


def _basis(standing: cpa_conditions.Standing) -> str:
    deposits = ",".join(
        f"{deposit.deposit_id}:{plain(deposit.amount or ZERO)}" for deposit in standing.deposits
    )
    return f"{standing.qualified_at} {deposits}"


def _is_posted(
    client: ClientState, earned: Iterable[Earned], posted: Iterable[Posted], at: datetime | None
) -> bool:
    """Whether what stands is what is earned, apart from what a KYC gate forfeits of either."""
    assert at is not None, "what is earned is so since some time"
    wanted = [
        (one.link.partner.ib_id, one.kind, one.amount, one.link.partner.currency)
        for one in earned
        if not is_lost(client, one, at)
    ]
    stands = [p for p in posted if not is_forfeited(p, client)]
    return wanted == [(p.ib_id, p.component, p.amount, p.currency) for p in stands]


def _is_clawed(client: ClientState, standing: cpa_conditions.Standing, plan: PlanDefined) -> bool:
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
    standing: cpa_conditions.Standing,
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
    standing: cpa_conditions.Standing,
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
    standing: cpa_conditions.Standing,
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


def _weigh_deposits(
    draft: Draft, client: ClientState, cause: Cause, terms: Terms, *, anew: bool
) -> tuple[ClientState, bool]:
    """Pay each cleared deposit's share once, take back what was taken back of it."""
    lacking = False
    cleared = [(d.cleared_at, d.deposit_id) for d in client.deposits if d.cleared_at]
    first = min(cleared)[1] if cleared else ""
    deposits: list[Deposit] = []
    for deposit in client.deposits:
        client, weighed, waits = _weigh_deposit(
            draft, client, deposit, cause, terms, is_first=deposit.deposit_id == first, anew=anew
        )
        deposits.append(weighed)
        lacking |= waits
    left: list[Withdrawal] = []
    for withdrawal in client.withdrawals:
        paid_out = Cause(withdrawal.event_id, withdrawal.at)
        tallies = net_tallies(client, -withdrawal.amount, withdrawal.currency, paid_out, terms)
        if tallies is None:
            left.append(withdrawal)
        else:
            send(draft, client, tallies)
    if tuple(deposits) != client.deposits or len(left) != len(client.withdrawals):
        client = replace(client, deposits=tuple(deposits), withdrawals=tuple(left))
    return client, lacking or bool(left)


def _weigh_deposit(
    draft: Draft,
    client: ClientState,
    deposit: Deposit,
    cause: Cause,
    terms: Terms,
    *,
    is_first: bool,
    anew: bool,
) -> tuple[ClientState, Deposit, bool]:
    if deposit.cleared_at is None or deposit.amount is None:
        return client, deposit, False
    basis = _deposit_basis(client, deposit, is_first=is_first)
    if deposit.basis == basis and not anew:
        return client, deposit, False
    if anew:
        cause = cause._replace(occurred_at=deposit.cleared_at)
    wanted = deposit_earnings(client, deposit, terms, is_first=is_first)
    if wanted is None:
        return client, deposit, True
    earned, path, tallies = wanted
    place = Cause(f"deposit|{client.client_id}|{deposit.deposit_id}", deposit.cleared_at)
    deposit = replace(deposit, basis=basis)
    if not _is_posted(client, earned, deposit.posted, deposit.cleared_at):
        client, _ = reverse(draft, client, deposit.posted, cause)
        identity = ("deposit", client.client_id, deposit.deposit_id, cause.key)
        client, posted = post(draft, client, earned, path=path, cause=place, identity=identity)
        deposit = replace(deposit, posted=posted)
    if tuple(deposit.tallied) != tallies:
        withdraw(draft, client, deposit.tallied, cause)
        send(draft, client, tallies)
        deposit = replace(deposit, tallied=tallies)
    return client, deposit, False


def _deposit_basis(client: ClientState, deposit: Deposit, *, is_first: bool) -> str:
    """The facts a deposit's share depends on; as long as they stand, later terms do not touch it."""
    taken = ",".join(f"{taken.event_id}:{taken.amount}" for taken in deposit.taken_back)
    clawed = ",".join(clawed.cause for clawed in client.clawed)
    links = ",".join(f"{link.since}:{link.ib_id}" for link in client.links)
    return f"{deposit.amount} {deposit.cleared_at} {is_first} {taken} {clawed} {links} {client.fraud_at}"


# Cohorts


def cohort_tallies(client: ClientState, part: Part, chain: Upline) -> tuple[Tally, ...]:
    """What a deal adds to the direct IB's cohort bonuses: the standard lots it closed."""
    link = chain.links[0]
    if link.plan is None or not link.is_paid:
        return ()
    cause = Cause(part.deal.deal_key, part.at)
    lots = counted(link.plan, part, part.closed, {})
    return tuple(
        tally_of(client, link, link.plan, component.name, cause, (ZERO,), lots=lots)
        for component in link.by_kind["cohort_bonus"]
        if isinstance(component, CohortBonus)
        and (not component.countries or client.country in component.countries)
    )
