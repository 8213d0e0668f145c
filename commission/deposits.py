"""Deposit shares: what a deposit earns up the tree, and what it adds to net deposits."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from commission.client_state import ClientState, Deposit
from commission.earned import Earned
from commission.hierarchy import differences, in_currency
from commission.known import Terms
from commission.money import EXACT
from commission.outputs import Tally
from commission.pricing import ZERO, Reason
from commission.terms import Clawback, DepositShare, PlanDefined
from commission.upline import Link, Upline, upline_of

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
            found = _gross(own, link, deposit, left_of(deposit, own[0].clawback), terms)
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
    tallies = net_tallies(client, None, deposit.currency, at, f"deposit|{deposit.deposit_id}", terms, deposit)
    return None if tallies is None else (earned, chain.path, tallies)


def net_tallies(
    client: ClientState,
    amount: Decimal | None,
    currency: str,
    at: datetime,
    cause: str,
    terms: Terms,
    deposit: Deposit | None = None,
) -> tuple[Tally, ...] | None:
    """What a deposit (or, negative, a withdrawal) adds to net deposits; None if terms lack something."""
    chain = _upline(client, at, terms)
    if chain is None:
        return None
    grosses: list[Decimal] = []
    owns: list[tuple[PlanDefined, DepositShare] | None] = []
    for link in chain.links:
        own = _own(link, lambda c: c.of == "net")
        gross = ZERO
        if own is not None:
            value = amount if deposit is None else left_of(deposit, own[0].clawback)
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
        Tally(
            ib_id=link.partner.ib_id,
            plan_id=own[0].plan_id,
            plan_version=own[0].version,
            component=own[1].name,
            client_id=client.client_id,
            caused_by=cause,
            occurred_at=at,
            currency=link.partner.currency,
            amounts=(value * sign,),
            count=1,
        )
        for link, own, value in zip(chain.links, owns, kept, strict=True)
        if own is not None and value and link.is_paid
    )


def _upline(client: ClientState, at: datetime, terms: Terms) -> Upline | None:
    ib_id = client.links[0].ib_id if client.links else None
    for link in client.links:
        if link.since <= at:
            ib_id = link.ib_id
    if ib_id is None or (client.fraud_at is not None and at >= client.fraud_at):
        return _NOBODY
    return terms.upline_for(ib_id, at, client.client_id, client.identity)


_NOBODY = upline_of(())


def _own(link: Link, wanted: Callable[[DepositShare], bool]) -> tuple[PlanDefined, DepositShare] | None:
    for component in link.by_kind.get("deposit_share", ()):
        if isinstance(component, DepositShare) and link.plan is not None and wanted(component):
            return link.plan, component
    return None


def left_of(deposit: Deposit, clawback: Clawback) -> Decimal:
    """What is left of the deposit after what the plan lets be taken back, inside its window."""
    assert deposit.amount is not None, "a cleared deposit has an amount"
    assert deposit.cleared_at is not None, "a deposit with an amount has cleared"
    left = deposit.amount
    for taken in deposit.taken_back:
        if getattr(clawback, taken.reason) == "none":
            continue
        if (taken.at - deposit.cleared_at).days <= clawback.window_days:
            left -= deposit.amount if taken.amount is None else taken.amount
    return max(ZERO, left)


def _gross(
    own: tuple[PlanDefined, DepositShare], link: Link, deposit: Deposit, left: Decimal, terms: Terms
) -> Decimal | Reason:
    plan, component = own
    assert deposit.cleared_at is not None, "it has cleared"
    at = deposit.cleared_at
    value = EXACT.multiply(left, component.share) * link.held.factor
    found = in_currency(value, deposit.currency, plan.currency, at, terms)
    if isinstance(found, Reason):
        return found
    amount = found[0] if component.max_amount is None else min(found[0], component.max_amount)
    settled = in_currency(amount, plan.currency, link.partner.currency, at, terms)
    return settled if isinstance(settled, Reason) else settled[0]
