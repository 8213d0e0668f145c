"""Deposit shares: what a deposit earns up the tree, and what it adds to net deposits."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from commission.client import keys
from commission.client.accruals import is_posted, post
from commission.client.clawback import all_clawed
from commission.client.deposit_losses import is_counted
from commission.client.deposits import every, find, withdrawals
from commission.client.reversals import reverse
from commission.client.state import Cause, ClawedBack, ClientState, Deposit, Withdrawal
from commission.client.tallies import send, tally_of, withdraw
from commission.draft import Draft
from commission.ids import digest
from commission.money import EXACT
from commission.outputs import Tally
from commission.rating.exchange import in_currency, no_rate
from commission.rating.overrides import differences
from commission.rating.values import ZERO, Earned, Reason
from commission.terms.catalog import Terms
from commission.terms.components import DepositShare
from commission.terms.plans import Clawback, PlanDefined
from commission.terms.upline import Link, Upline, upline_of

Found = tuple[tuple[Earned, ...], tuple[str, ...], tuple[Tally, ...]]


class Weighing(NamedTuple):
    """What a client's deposits are weighed by, at one moment."""

    draft: Draft
    cause: Cause
    terms: Terms
    clawed: tuple[ClawedBack, ...]
    """Verdicts and losses of the client that plans may let reach everything."""
    first: str
    """The first deposit."""
    anew: bool


def deposit_earnings(w: Weighing, client: ClientState, deposit: Deposit) -> Found | None:
    """Accruals and tallies of one cleared deposit, without what was taken back; None if terms lack something.

    An IB's share is of what is left of the deposit; the IBs above keep what exceeds the one below.
    """
    assert deposit.cleared_at is not None, "only a cleared deposit earns"
    assert deposit.amount is not None, "a cleared deposit has an amount"
    at, terms = deposit.cleared_at, w.terms
    chain = _upline(client, at, terms)
    if chain is None:
        return None
    is_first = deposit.deposit_id == w.first
    amounts: list[Decimal] = []
    owns: list[tuple[PlanDefined, DepositShare] | None] = []
    for link in chain.links:
        own = _own(link, lambda c: c.of == "each" or (c.of == "first" and is_first))
        gross = ZERO
        if own is not None:
            found = _gross(own, link, deposit, left_of(deposit, own[0].clawback, w.clawed), terms)
            if isinstance(found, Reason):
                return None
            gross = found
        amounts.append(gross)
        owns.append(own)
    kept = differences(amounts, [link.partner.currency for link in chain.links], at, terms) if amounts else []
    if isinstance(kept, Reason):
        return None
    earned = tuple(
        Earned(
            link,
            own[0],
            depth,
            "deposit_share",
            amount,
            own[1].name,
            ZERO,
            {"deposit": deposit.amount, "currency": deposit.currency, "share": own[1].share},
        )
        for depth, (link, own, amount) in enumerate(zip(chain.links, owns, kept, strict=True))
        if own is not None and amount > 0 and link.is_paid
    )
    cause = Cause(f"deposit|{deposit.deposit_id}", at)
    tallies = net_tallies(
        client, lambda plan: left_of(deposit, plan.clawback, w.clawed), deposit.currency, cause, terms
    )
    return None if tallies is None else (earned, chain.path, tallies)


def net_tallies(
    client: ClientState,
    amount: Callable[[PlanDefined], Decimal],
    currency: str,
    cause: Cause,
    terms: Terms,
) -> tuple[Tally, ...] | None:
    """What a deposit (or, negative, a withdrawal) adds to net deposits; None if terms lack something."""
    at = cause.occurred_at
    chain = _upline(client, at, terms)
    if chain is None:
        return None
    grosses: list[Decimal] = []
    owns: list[tuple[PlanDefined, DepositShare] | None] = []
    for link in chain.links:
        own = _own(link, lambda c: c.of == "net")
        gross = ZERO
        if own is not None:
            value = EXACT.multiply(EXACT.multiply(amount(own[0]), own[1].share), link.held.factor)
            found = in_currency(value, currency, link.partner.currency, at, terms)
            if isinstance(found, Reason):
                return None
            gross = found[0]
        grosses.append(gross)
        owns.append(own)
    if not any(owns):
        return ()
    sign = -1 if min(grosses) < 0 else 1
    kept = differences([g * sign for g in grosses], [x.partner.currency for x in chain.links], at, terms)
    if isinstance(kept, Reason):
        return None
    return tuple(
        tally_of(client, link, own[0], own[1].name, cause, (value * sign,))
        for link, own, value in zip(chain.links, owns, kept, strict=True)
        if own is not None and value and link.is_paid
    )


def _upline(client: ClientState, at: datetime, terms: Terms) -> Upline | None:
    ib_id = client.ib_at(at)
    if ib_id is None or (client.fraud_at is not None and at >= client.fraud_at):
        return _NOBODY
    return terms.upline_for(ib_id, at, client.client_id, client.identity, client.link_for(ib_id))


_NOBODY = upline_of(())


def _own(link: Link, wanted: Callable[[DepositShare], bool]) -> tuple[PlanDefined, DepositShare] | None:
    for component in link.by_kind.get("deposit_share", ()):
        if isinstance(component, DepositShare) and link.plan is not None and wanted(component):
            return link.plan, component
    return None


def left_of(deposit: Deposit, clawback: Clawback, clawed_back: Iterable[ClawedBack]) -> Decimal:
    """What is left of the deposit after what the plan lets be taken back, inside its window."""
    assert deposit.amount is not None, "a cleared deposit has an amount"
    assert deposit.cleared_at is not None, "a deposit with an amount has cleared"
    left = deposit.amount
    for taken in deposit.losses:
        if is_counted(taken, clawback) and _is_inside(taken.at, deposit.cleared_at, clawback):
            left -= deposit.amount if taken.amount is None else taken.amount
    own = {taken.event_id for taken in deposit.taken_back}
    for clawed in clawed_back:
        if (
            clawed.cause not in own
            and getattr(clawback, clawed.reason) == "all"
            and deposit.cleared_at <= clawed.at
            and _is_inside(clawed.at, deposit.cleared_at, clawback)
        ):
            left -= EXACT.multiply(deposit.amount, clawed.share)
    return max(ZERO, left)


def _is_inside(at: datetime, cleared_at: datetime, clawback: Clawback) -> bool:
    return at - cleared_at <= timedelta(days=clawback.window_days)


def _gross(
    own: tuple[PlanDefined, DepositShare], link: Link, deposit: Deposit, left: Decimal, terms: Terms
) -> Decimal | Reason:
    """The share in the plan's currency, at most its largest amount; rounded once, in the IB's currency."""
    plan, component = own
    assert deposit.cleared_at is not None, "it has cleared"
    at = deposit.cleared_at
    rate = terms.convert(deposit.currency, plan.currency, at)
    if rate is None:
        return no_rate(deposit.currency, plan.currency, at)
    amount = rate.of(EXACT.multiply(left, component.share))
    if component.max_amount is not None:
        amount = min(amount, component.max_amount)
    amount = EXACT.multiply(amount, link.held.factor)
    settled = in_currency(amount, plan.currency, link.partner.currency, at, terms)
    return settled if isinstance(settled, Reason) else settled[0]


def weigh_deposits(
    draft: Draft,
    client: ClientState,
    cause: Cause,
    terms: Terms,
    *,
    anew: bool,
    only: tuple[str, ...] | None,
) -> tuple[ClientState, bool]:
    """Pay each cleared deposit's share once, take back what was taken back of it; count each withdrawal.

    Only those with the ids `only` are looked at, or all.
    """
    first = client.deposits[0].deposit_id if client.deposits else ""
    w = Weighing(draft, cause, terms, all_clawed(draft, client), first, anew)
    found = (
        every(draft, client)
        if only is None
        else [find(draft, client.client_id, deposit_id) for deposit_id in only]
    )
    lacking = False
    for deposit in found:
        client, weighed, waits = _weigh_deposit(w, client, deposit)
        if weighed != deposit:
            draft.put(keys.deposit(client.client_id, deposit.deposit_id), weighed)
        lacking |= waits
    paid_out: list[Withdrawal | None] = (
        [*withdrawals(draft, client)]
        if only is None
        else [draft.get(keys.withdrawal(client.client_id, event_id)) for event_id in only]
    )
    for withdrawal in paid_out:
        if withdrawal is not None and not withdrawal.tallied:
            lacking |= _weigh_withdrawal(draft, client, withdrawal, terms)
    return client, lacking


def _weigh_withdrawal(draft: Draft, client: ClientState, withdrawal: Withdrawal, terms: Terms) -> bool:
    """Count it in net deposits, once; True if the terms lack something."""
    cause = Cause(withdrawal.event_id, withdrawal.at)
    tallies = net_tallies(client, lambda _: -withdrawal.amount, withdrawal.currency, cause, terms)
    if tallies is None:
        return True
    send(draft, client, tallies)
    draft.put(keys.withdrawal(client.client_id, withdrawal.event_id), replace(withdrawal, tallied=True))
    return False


def _weigh_deposit(w: Weighing, client: ClientState, deposit: Deposit) -> tuple[ClientState, Deposit, bool]:
    if deposit.cleared_at is None or deposit.amount is None:
        return client, deposit, False
    basis = _deposit_basis(w, client, deposit)
    if deposit.basis == basis and not w.anew:
        return client, deposit, False
    draft, cause = w.draft, w.cause
    if w.anew:
        cause = cause._replace(occurred_at=deposit.cleared_at)
    wanted = deposit_earnings(w, client, deposit)
    if wanted is None:
        return client, deposit, True
    earned, path, tallies = wanted
    place = Cause(f"deposit|{client.client_id}|{deposit.deposit_id}", deposit.cleared_at)
    deposit = replace(deposit, basis=basis)
    if not is_posted(client, earned, deposit.posted, deposit.cleared_at):
        client, _ = reverse(draft, client, deposit.posted, cause)
        identity = ("deposit", client.client_id, deposit.deposit_id, cause.key)
        client, posted = post(draft, client, earned, path=path, cause=place, identity=identity)
        deposit = replace(deposit, posted=posted)
    if tuple(deposit.tallied) != tallies:
        withdraw(draft, client, deposit.tallied, cause)
        send(draft, client, tallies)
        deposit = replace(deposit, tallied=tallies)
    return client, deposit, False


def _deposit_basis(w: Weighing, client: ClientState, deposit: Deposit) -> str:
    """The facts a deposit's share depends on; as long as they stand, later terms do not touch it."""
    is_first = deposit.deposit_id == w.first
    taken = ",".join(f"{taken.event_id}:{taken.amount}" for taken in deposit.losses)
    clawed = ",".join(f"{clawed.cause}:{clawed.share}" for clawed in w.clawed if not clawed.is_idle)
    links = ",".join(f"{link.since}:{link.ib_id}" for link in client.links)
    return digest(
        str(deposit.amount),
        str(deposit.cleared_at),
        str(is_first),
        taken,
        clawed,
        links,
        str(client.fraud_at),
    )
