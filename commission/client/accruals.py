"""Post what a client's activity earned, and let go of what is held for its KYC."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from commission import accounts
from commission.client.held_slot import HeldSlot, with_more
from commission.client.kyc_gate import FORFEITED, is_forfeited, is_lost, is_too_late, released
from commission.client.state import Cause, ClientState, Posted
from commission.client.tallies import release_tallies
from commission.draft import Draft
from commission.ids import digest, recent_digest
from commission.outputs import Transfer
from commission.rating.values import Earned
from commission.terms.plans import PlanDefined
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
    """
    base = recent_digest("accrual", *identity)
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
            debit, credit = accounts_of(client, partner.ib_id, kind, is_held=waits, by_ib=by_ib)
        matures_at = occurred_at + timedelta(days=plan.hold_days) if plan.hold_days else None
        transfer_id = f"{base}{number:02}"
        draft.outputs.append(
            Transfer(
                transfer_id=transfer_id,
                code="accrual",
                debit=debit,
                credit=credit,
                amount=amount,
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
            client = replace(client, held=with_more(client.held, entry, amount))
        posted.append(entry)
    return client, tuple(posted)


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
            held = with_more(held, entry, -rest)
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


def accounts_of(client: ClientState, ib_id: str, kind: str, *, is_held: bool, by_ib: bool) -> tuple[str, str]:
    """Debit and credit of an accrual of that kind, held or not."""
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
