"""Deposit shares: what a deposit earns up the tree, and what it adds to net deposits."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from commission.client.accruals import is_posted, post, reverse
from commission.client.state import Cause, ClientState, Deposit, Withdrawal
from commission.client.tallies import send, tally_of, withdraw
from commission.draft import Draft
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


def deposit_earnings(client: ClientState, deposit: Deposit, terms: Terms, *, is_first: bool) -> Found | None:
    """Accruals and tallies of one cleared deposit, without what was taken back; None if terms lack something.

    An IB's share is of what is left of the deposit; the IBs above keep what exceeds the one below.
    """
    assert deposit.cleared_at is not None, "only a cleared deposit earns"
    assert deposit.amount is not None, "a cleared deposit has an amount"
    at = deposit.cleared_at
    chain = _upline(client, at, terms)
    if chain is None:
        return None
    amounts: list[Decimal] = []
    owns: list[tuple[PlanDefined, DepositShare] | None] = []
    for link in chain.links:
        own = _own(link, lambda c: c.of == "each" or (c.of == "first" and is_first))
        gross = ZERO
        if own is not None:
            found = _gross(own, link, deposit, left_of(client, deposit, own[0].clawback), terms)
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
    tallies = net_tallies(client, None, deposit.currency, cause, terms, deposit)
    return None if tallies is None else (earned, chain.path, tallies)


def net_tallies(
    client: ClientState,
    amount: Decimal | None,
    currency: str,
    cause: Cause,
    terms: Terms,
    deposit: Deposit | None = None,
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
            value = amount if deposit is None else left_of(client, deposit, own[0].clawback)
            assert value is not None, "a withdrawal has an amount"
            found = in_currency(
                EXACT.multiply(value, own[1].share), currency, link.partner.currency, at, terms
            )
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
    return terms.upline_for(ib_id, at, client.client_id, client.identity)


_NOBODY = upline_of(())


def _own(link: Link, wanted: Callable[[DepositShare], bool]) -> tuple[PlanDefined, DepositShare] | None:
    for component in link.by_kind.get("deposit_share", ()):
        if isinstance(component, DepositShare) and link.plan is not None and wanted(component):
            return link.plan, component
    return None


def left_of(client: ClientState, deposit: Deposit, clawback: Clawback) -> Decimal:
    """What is left of the deposit after what the plan lets be taken back, inside its window."""
    assert deposit.amount is not None, "a cleared deposit has an amount"
    assert deposit.cleared_at is not None, "a deposit with an amount has cleared"
    left = deposit.amount
    for taken in deposit.taken_back:
        if getattr(clawback, taken.reason) != "none" and _is_inside(taken.at, deposit.cleared_at, clawback):
            left -= deposit.amount if taken.amount is None else taken.amount
    own = {taken.event_id for taken in deposit.taken_back}
    for clawed in client.clawed:
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


def _deposit_basis(client: ClientState, deposit: Deposit, *, is_first: bool) -> str:
    """The facts a deposit's share depends on; as long as they stand, later terms do not touch it."""
    taken = ",".join(f"{taken.event_id}:{taken.amount}" for taken in deposit.taken_back)
    clawed = ",".join(clawed.cause for clawed in client.clawed)
    links = ",".join(f"{link.since}:{link.ib_id}" for link in client.links)
    return f"{deposit.amount} {deposit.cleared_at} {is_first} {taken} {clawed} {links} {client.fraud_at}"
