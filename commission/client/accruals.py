"""Post what a client's activity earned, and take it back exactly: the only writers of accruals."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from commission import accounts
from commission.client.held_slot import HeldSlot
from commission.client.kyc_gate import FORFEITED, is_forfeited, is_held, is_lost, is_too_late, released
from commission.client.state import Cause, ClientState, Posted
from commission.client.tallies import release_tallies
from commission.draft import Draft
from commission.ids import digest
from commission.money import settled, to_accrual
from commission.outputs import Transfer
from commission.rating.values import ZERO, Earned, Factors
from commission.terms.plans import PlanDefined
from commission.terms.rates import ONE
from commission.terms.upline import DEAL_KINDS


def post(
    draft: Draft,
    client: ClientState,
    earned: Iterable[Earned],
    *,
    path: tuple[str, ...],
    cause: Cause,
    identity: tuple[str, ...],
) -> tuple[ClientState, tuple[Posted, ...]]:
    """Emit one accrual per earning; under a KYC gate it is held until the client is approved.

    `identity` and the earning's number make the ids: the same cause posted again gives the same ids.
    What is below 0, of a refund, goes the other way.
    """
    base = digest("accrual", *identity)
    key, occurred_at, account_key, revision, symbol, _ = cause
    is_released, client_id = client.is_released(occurred_at), client.client_id
    posted: list[Posted] = []
    for number, (link, plan, depth, kind, amount, rule, lots, factors, by_ib, uncharged) in enumerate(earned):
        partner, days = link.partner, plan.kyc_forfeit_days if plan.kyc_gate else 0
        if days and is_too_late(client, occurred_at, days):
            continue  # as `is_lost` says
        debit, credit = _EXPENSES.get(kind) or accounts.expense(kind), link.pending
        waits = plan.kyc_gate and not is_released
        if waits or kind == "rebate":
            debit, credit = _accounts(client, partner.ib_id, kind, is_held=waits, by_ib=by_ib)
        matures_at = occurred_at + timedelta(days=plan.hold_days) if plan.hold_days else None
        debit, credit = (credit, debit) if amount < 0 else (debit, credit)
        transfer_id = f"{base}{number:02}"
        draft.outputs.append(
            Transfer(
                transfer_id=transfer_id,
                code="accrual",
                debit=debit,
                credit=credit,
                amount=abs(amount),
                currency=partner.currency,
                ib_id=partner.ib_id,
                occurred_at=occurred_at,
                caused_by=key,
                client_id=client_id,
                account_key=account_key,
                revision=revision,
                symbol=symbol,
                component=kind,
                rule=rule,
                plan_id=plan.plan_id,
                plan_version=plan.version,
                depth=depth,
                path=path,
                lots=lots,
                matures_at=matures_at,
                factors=factors,
            )
        )
        entry = Posted(transfer_id, partner.ib_id, kind, amount, partner.currency, plan.plan_id, plan.version)
        if waits or by_ib or matures_at is not None or uncharged is not None:
            entry = entry._replace(
                held=waits,
                release=len(client.released_at),
                by_ib=by_ib,
                expires_at=_expires_at(plan, cause),
                matures_at=matures_at,
                earned_at=occurred_at if waits else None,
                uncharged=uncharged,
            )
        if waits:
            client = replace(client, held=_add(client.held, entry, amount))
        posted.append(entry)
    return client, tuple(posted)


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
        amount = rest if share_taken >= ONE else min(rest, to_accrual(base * share), key=abs)
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
    debit, credit = _sides(client, entry, amount, is_held=waits)
    suffix = "r" if amount == entry.amount - entry.taken else f"p{digest(cause.effect or cause.key)}"
    draft.emit(
        Transfer(
            transfer_id=f"{entry.transfer_id}{suffix}",
            code="reversal",
            debit=credit,
            credit=debit,
            amount=abs(amount),
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
    return replace(client, held=_add(client.held, entry, -amount)) if waits else client


def give_back(
    draft: Draft, client: ClientState, entry: Posted, amount: Decimal, cause: Cause
) -> tuple[ClientState, Posted]:
    """Post once more some of what was taken of an accrual.

    It goes where the accrual itself would be by now: to what is held for the client's KYC, or to the IB;
    what is below 0, of a refund, goes the other way.
    """
    waits = is_held(entry, client)
    debit, credit = _sides(client, entry, amount, is_held=waits)
    transfer_id = f"{entry.transfer_id}w{digest(cause.effect or cause.key)}"
    draft.emit(
        Transfer(
            transfer_id=transfer_id,
            code="accrual",
            debit=debit,
            credit=credit,
            amount=abs(amount),
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
        client = replace(client, held=_add(client.held, entry, amount))
    return client, entry._replace(
        transfer_id=transfer_id,
        amount=amount,
        taken=ZERO,
        held=waits,
        back_of=entry.transfer_id,
    )


def release(draft: Draft, client: ClientState, cause: Cause) -> ClientState:
    """The client's KYC is approved: what is held becomes pending, or is forfeited if it came too late."""
    for key, amount in sorted(client.held.items()):
        slot = HeldSlot.read(key)
        is_late = slot.expires_at is not None and cause.occurred_at > slot.expires_at
        _end_hold(draft, client, cause, slot, amount, name=key, is_late=is_late)
    release_tallies(draft, client)
    return replace(client, held={}, released_at=(*client.released_at, cause.occurred_at))


def release_posted(
    draft: Draft, client: ClientState, posted: Iterable[Posted], cause: Cause
) -> tuple[ClientState, tuple[Posted, ...]]:
    """Let go of what an approval reaches that is told after a newer status: the rest stays held.

    So these accruals are where they would be had the approval been told first.
    """
    held = client.held
    found: list[Posted] = []
    for entry in posted:
        after = released(entry, client)
        found.append(after)
        if after != entry:
            rest, is_late = entry.amount - entry.taken, after.release == FORFEITED
            slot = HeldSlot.of(entry)
            _end_hold(draft, client, cause, slot, rest, name=entry.transfer_id, is_late=is_late)
            held = _add(held, entry, -rest)
    return replace(client, held=held), tuple(found)


def _end_hold(
    draft: Draft,
    client: ClientState,
    cause: Cause,
    slot: HeldSlot,
    amount: Decimal,
    *,
    name: str,
    is_late: bool,
) -> None:
    """Move held money on; `name` tells these rows from others of the same cause."""
    for source, target in _release_moves(client, slot.ib_id, slot.kind, is_late=is_late):
        debit, credit = (source, target) if amount > 0 else (target, source)
        draft.emit(
            Transfer(
                transfer_id=digest("release", client.client_id, cause.key, name, source),
                code="forfeit" if is_late else "release",
                debit=debit,
                credit=credit,
                amount=abs(amount),
                currency=slot.currency,
                ib_id=slot.ib_id,
                occurred_at=cause.occurred_at,
                caused_by=cause.key,
                client_id=client.client_id,
                component=slot.component,
            )
        )


def _sides(client: ClientState, entry: Posted, amount: Decimal, *, is_held: bool) -> tuple[str, str]:
    """Debit and credit of so much of an accrual; below 0, of a refund, it is the other way round."""
    debit, credit = _accounts(client, entry.ib_id, entry.component, is_held=is_held, by_ib=entry.by_ib)
    return (credit, debit) if amount < 0 else (debit, credit)


def _accounts(client: ClientState, ib_id: str, kind: str, *, is_held: bool, by_ib: bool) -> tuple[str, str]:
    """Debit and credit of an accrual."""
    of_ib = accounts.held(ib_id) if is_held else accounts.pending(ib_id)
    if kind != "rebate":
        return accounts.expense(kind), of_ib
    of_client = accounts.client_held if is_held else accounts.client_rebate
    return of_ib if by_ib else accounts.expense("rebate"), of_client(client.client_id)


def _release_moves(
    client: ClientState, ib_id: str, component: str, *, is_late: bool
) -> list[tuple[str, str]]:
    """Debit and credit of each move that ends a hold."""
    held, pending = accounts.held(ib_id), accounts.pending(ib_id)
    client_held, rebate = accounts.client_held(client.client_id), accounts.client_rebate(client.client_id)
    if component == "rebate":
        return [(client_held, accounts.expense("rebate") if is_late else rebate)]
    if component == "rebate_by_ib":
        return [(client_held, held)] if is_late else [(client_held, rebate), (pending, held)]
    return [(held, accounts.expense(component) if is_late else pending)]


_EXPENSES: dict[str, str] = {kind: accounts.expense(kind) for kind in DEAL_KINDS}


def _expires_at(plan: PlanDefined, cause: Cause) -> datetime | None:
    return cause.occurred_at + timedelta(days=plan.kyc_forfeit_days) if plan.kyc_forfeit_days else None


def _add(held: dict[str, Decimal], entry: Posted, amount: Decimal) -> dict[str, Decimal]:
    slot = HeldSlot.of(entry).key
    total = held.get(slot, ZERO) + amount
    rest = {key: value for key, value in held.items() if key != slot}
    return {**rest, slot: total} if total else rest


def is_posted(
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
