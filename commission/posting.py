"""Post what a client's activity earned, and take it back exactly: the only writers of accruals."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from commission.book import Draft
from commission.client_state import ClientState, Posted
from commission.ids import digest
from commission.known import Link
from commission.outputs import Transfer
from commission.rating import Earned


class Cause(NamedTuple):
    """What made a row: a deal or a CRM event, when it happened, and for deals which one."""

    key: str
    occurred_at: datetime
    account_key: str = ""
    revision: str = ""
    symbol: str = ""


def post(
    draft: Draft,
    client: ClientState,
    earned: Iterable[Earned],
    *,
    chain: tuple[Link, ...],
    cause: Cause,
    identity: tuple[str, ...],
) -> tuple[ClientState, tuple[Posted, ...]]:
    """Emit one accrual per earning; under a KYC gate it is held until the client is approved.

    `identity` makes the ids: the same cause posted the same time round gives the same ids.
    """
    path = tuple(link.partner.ib_id for link in chain)
    held, posted = client.held, []
    for earning in earned:
        plan = earning.link.plan
        assert plan is not None, "only a plan earns"
        partner = earning.link.partner
        is_held = plan.kyc_gate and earning.kind != "cpa" and not client.is_kyc_approved
        transfer = Transfer(
            transfer_id=digest("accrual", *identity, partner.ib_id, earning.kind),
            code="accrual",
            debit=f"broker:expense:{earning.kind}",
            credit=f"ib:{partner.ib_id}:{'held' if is_held else 'pending'}",
            amount=earning.amount,
            currency=partner.currency,
            ib_id=partner.ib_id,
            occurred_at=cause.occurred_at,
            caused_by=cause.key,
            client_id=client.client_id,
            account_key=cause.account_key,
            revision=cause.revision,
            symbol=cause.symbol,
            component=earning.kind,
            rule=earning.rule,
            plan_id=plan.plan_id,
            plan_version=plan.version,
            depth=earning.depth,
            path=path,
            lots=earning.lots,
            factors=earning.factors,
        )
        draft.emit(transfer)
        posted.append(_posted(transfer, held=is_held, release=client.releases))
        if is_held:
            held = _add(held, transfer, earning.amount)
    return (client if held is client.held else replace(client, held=held)), tuple(posted)


def reverse(
    draft: Draft,
    client: ClientState,
    posted: Iterable[Posted],
    cause: Cause,
) -> ClientState:
    """Take accruals back with their own frozen amounts, from where the money is by now."""
    held = client.held
    for entry in posted:
        still_held = entry.held and entry.release == client.releases
        transfer = Transfer(
            transfer_id=digest("reversal", entry.transfer_id),
            code="reversal",
            debit=f"ib:{entry.ib_id}:{'held' if still_held else 'pending'}",
            credit=f"broker:expense:{entry.component}",
            amount=entry.amount,
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
        )
        draft.emit(transfer)
        if still_held:
            held = _add(held, transfer, -entry.amount)
    return client if held is client.held else replace(client, held=held)


def release(draft: Draft, client: ClientState, cause: Cause) -> ClientState:
    """Move everything held for the client to pending: its KYC is approved."""
    for slot, amount in sorted(client.held.items()):
        ib_id, component, currency = slot.rsplit("|", 2)
        draft.emit(
            Transfer(
                transfer_id=digest("release", client.client_id, cause.key, slot),
                code="release",
                debit=f"ib:{ib_id}:held",
                credit=f"ib:{ib_id}:pending",
                amount=amount,
                currency=currency,
                ib_id=ib_id,
                occurred_at=cause.occurred_at,
                caused_by=cause.key,
                client_id=client.client_id,
                component=component,
            )
        )
    return replace(client, held={}, releases=client.releases + 1)


def _posted(transfer: Transfer, *, held: bool, release: int) -> Posted:
    return Posted(
        transfer_id=transfer.transfer_id,
        ib_id=transfer.ib_id,
        component=transfer.component,
        amount=transfer.amount,
        currency=transfer.currency,
        held=held,
        release=release,
    )


def _add(held: dict[str, Decimal], transfer: Transfer, amount: Decimal) -> dict[str, Decimal]:
    slot = f"{transfer.ib_id}|{transfer.component}|{transfer.currency}"
    total = held.get(slot, Decimal(0)) + amount
    rest = {key: value for key, value in held.items() if key != slot}
    return {**rest, slot: total} if total else rest
