"""Take accruals back, exactly and from where the money is by now, and give back what was taken."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from commission.client.accruals import accounts_of
from commission.client.held_slot import with_more
from commission.client.kyc_gate import is_forfeited, is_held
from commission.client.state import Cause, ClientState, Posted
from commission.draft import Draft
from commission.ids import digest
from commission.money import settled, to_accrual
from commission.outputs import Transfer
from commission.rating.values import ZERO, Factors
from commission.terms.rates import ONE


def reverse(
    draft: Draft, client: ClientState, posted: Iterable[Posted], cause: Cause, share: Decimal = ONE
) -> tuple[ClientState, tuple[Posted, ...]]:
    """Take accruals back with their own frozen amounts, from where the money is by now.

    A `share` below 1 takes that part of the original, at most what is left of it. What is left is
    returned; what was taken once is never taken again.
    """
    left: list[Posted] = []
    for entry in posted:
        rest = entry.amount - entry.taken
        share_taken = share if share == ONE else settled(entry.share_taken + share)
        base = entry.amount if entry.base is None else entry.base
        amount = rest if share_taken >= ONE else min(rest, to_accrual(base * share))
        if not rest or is_forfeited(entry, client):
            continue
        if amount != rest:
            left.append(entry._replace(taken=entry.taken + amount, share_taken=share_taken))
        if not amount:
            continue
        client = take(draft, client, entry, amount, cause, {} if amount == rest else {"share": share})
    return client, tuple(left)


def take(
    draft: Draft, client: ClientState, entry: Posted, amount: Decimal, cause: Cause, factors: Factors
) -> ClientState:
    """Reverse so much of an accrual, from where the money is by now."""
    waits = is_held(entry, client)
    debit, credit = accounts_of(client, entry.ib_id, entry.component, is_held=waits, by_ib=entry.by_ib)
    suffix = "r" if amount == entry.amount - entry.taken else f"p{digest(cause.effect or cause.key)}"
    draft.emit(
        Transfer(
            transfer_id=f"{entry.transfer_id}{suffix}",
            code="reversal",
            debit=credit,
            credit=debit,
            amount=amount,
            currency=entry.currency,
            ib_id=entry.ib_id,
            occurred_at=cause.occurred_at,
            caused_by=cause.key,
            reverses=entry.transfer_id,
            client_id=client.client_id,
            account_key=cause.account_key,
            revision=cause.revision,
            symbol=cause.symbol,
            component=entry.component,
            matures_at=entry.matures_at,
            factors=factors,
        )
    )
    return replace(client, held=with_more(client.held, entry, -amount)) if waits else client


def give_back(
    draft: Draft, client: ClientState, entry: Posted, amount: Decimal, cause: Cause
) -> tuple[ClientState, Posted]:
    """Post once more some of what was taken of an accrual.

    It goes where the accrual itself would be by now: to what is held for the client's KYC, or to the IB.
    """
    waits = is_held(entry, client)
    debit, credit = accounts_of(client, entry.ib_id, entry.component, is_held=waits, by_ib=entry.by_ib)
    transfer_id = f"{entry.transfer_id}w{digest(cause.effect or cause.key)}"
    draft.emit(
        Transfer(
            transfer_id=transfer_id,
            code="accrual",
            debit=debit,
            credit=credit,
            amount=amount,
            currency=entry.currency,
            ib_id=entry.ib_id,
            occurred_at=cause.occurred_at,
            caused_by=cause.key,
            client_id=client.client_id,
            component=entry.component,
            plan_id=entry.plan_id,
            plan_version=entry.plan_version,
            matures_at=entry.matures_at,
            factors={"refund_gone" if cause.effect else "given_back": amount},
        )
    )
    if waits:
        client = replace(client, held=with_more(client.held, entry, amount))
    return client, entry._replace(
        transfer_id=transfer_id,
        amount=amount,
        taken=ZERO,
        held=waits,
        back_of=entry.transfer_id,
    )
