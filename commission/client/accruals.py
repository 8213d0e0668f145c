"""Post what a client's activity earned, and take it back exactly: the only writers of accruals."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from commission.client.state import ClientState, HeldTallies, Posted
from commission.draft import Draft
from commission.earned import Earned, Worth
from commission.ids import digest
from commission.money import ACCRUAL_UNIT, settled, to_accrual
from commission.outputs import Tally, Transfer
from commission.rating.values import ZERO
from commission.terms.records import ONE, PlanDefined
from commission.terms.upline import DEAL_KINDS, Link

FORFEITED = -1
"""In place of a number of releases: the money went back to the broker by itself."""


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
    path: tuple[str, ...],
    cause: Cause,
    identity: tuple[str, ...],
) -> tuple[ClientState, tuple[Posted, ...]]:
    """Emit one accrual per earning; under a KYC gate it is held until the client is approved.

    `identity` makes the ids, with the number of the earning: the same cause posted the same time
    round gives the same ids.
    """
    base = digest("accrual", *identity)
    key, occurred_at, account_key, revision, symbol = cause
    is_released, client_id = client.is_released(occurred_at), client.client_id
    posted: list[Posted] = []
    emit = draft.outputs.append
    for number, (link, plan, depth, kind, amount, rule, lots, factors, by_ib) in enumerate(earned):
        partner = link.partner
        days = plan.kyc_forfeit_days if plan.kyc_gate else 0
        if days and is_too_late(client, occurred_at, days):
            continue  # as `is_lost` says
        debit, credit = _EXPENSES.get(kind) or f"broker:expense:{kind}", link.pending
        is_held = plan.kyc_gate and not is_released
        if is_held or kind == "rebate":
            debit, credit = _accounts(client, partner.ib_id, kind, is_held=is_held, by_ib=by_ib)
        matures_at = occurred_at + timedelta(days=plan.hold_days) if plan.hold_days else None
        transfer_id = f"{base}{number:02}"
        emit(
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
        if is_held or by_ib or matures_at is not None:
            entry = entry._replace(
                held=is_held,
                release=len(client.released_at),
                by_ib=by_ib,
                expires_at=_expires_at(plan, cause),
                matures_at=matures_at,
                earned_at=occurred_at if is_held else None,
            )
        if is_held:
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
    held = client.held
    left: list[Posted] = []
    for entry in posted:
        rest = entry.amount - entry.taken
        share_taken = share if share == ONE else settled(entry.share_taken + share)
        amount = rest if share_taken >= ONE else min(rest, to_accrual(entry.amount * share))
        if rest <= 0 or is_forfeited(entry, client):
            continue
        if amount < rest:
            left.append(entry._replace(taken=entry.taken + amount, share_taken=share_taken))
        if not amount:
            continue
        still_held = entry.held and entry.release == len(client.released_at)
        debit, credit = _accounts(client, entry.ib_id, entry.component, is_held=still_held, by_ib=entry.by_ib)
        suffix = "r" if amount == rest else "p" + digest(cause.key)[:8]
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
                factors={} if amount == rest else {"share": share},
            )
        )
        if still_held:
            held = _add(held, entry, -amount)
    return (client if held is client.held else replace(client, held=held)), tuple(left)


def release(draft: Draft, client: ClientState, cause: Cause) -> ClientState:
    """The client's KYC is approved: what is held becomes pending, or is forfeited if it came too late."""
    for slot, amount in sorted(client.held.items()):
        expiry = slot.rpartition("|")[2]
        is_late = bool(expiry) and cause.occurred_at > datetime.fromisoformat(expiry)
        _end_hold(draft, client, cause, slot, amount, name=slot, is_late=is_late)
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
        at, is_held = entry.earned_at, entry.held and entry.release == len(client.released_at)
        if not is_held or at is None or not client.is_released(at):
            found.append(entry)
            continue
        rest = entry.amount - entry.taken
        is_late = entry.expires_at is not None and is_too_late(client, at, (entry.expires_at - at).days)
        _end_hold(draft, client, cause, _slot(entry), rest, name=entry.transfer_id, is_late=is_late)
        held = _add(held, entry, -rest)
        found.append(entry._replace(release=FORFEITED) if is_late else entry._replace(held=False))
    return replace(client, held=held), tuple(found)


def release_tallies(draft: Draft, client: ClientState) -> None:
    """Send those that waited for the client's KYC as far as it lets them through now."""
    waiting = _waiting(draft, client)
    if waiting:
        draft.put(_tallies_key(client), None)
        send(draft, client, waiting)


def _end_hold(
    draft: Draft, client: ClientState, cause: Cause, slot: str, amount: Decimal, *, name: str, is_late: bool
) -> None:
    """Move held money on; `name` tells these rows from others of the same cause."""
    ib_id, component, currency, _ = slot.rsplit("|", 3)
    for debit, credit in _release_moves(client, ib_id, component, is_late=is_late):
        draft.emit(
            Transfer(
                transfer_id=digest("release", client.client_id, cause.key, name, debit),
                code="forfeit" if is_late else "release",
                debit=debit,
                credit=credit,
                amount=amount,
                currency=currency,
                ib_id=ib_id,
                occurred_at=cause.occurred_at,
                caused_by=cause.key,
                client_id=client.client_id,
                component=component.removesuffix("_by_ib"),
            )
        )


def tally(draft: Draft, client: ClientState, worths: Iterable[Worth], cause: Cause) -> tuple[Tally, ...]:
    """Tell the partner book what the deal adds to settled components; under a KYC gate, later."""
    tallies = tuple(
        tally_of(
            client,
            worth.link,
            worth.plan,
            worth.component,
            cause,
            worth.amounts,
            lots=worth.lots,
            notional=worth.notional,
        )
        for worth in worths
    )
    send(draft, client, tallies)
    return tallies


def tally_of(
    client: ClientState,
    link: Link,
    plan: PlanDefined,
    component: str,
    cause: Cause,
    amounts: tuple[Decimal, ...],
    *,
    lots: Decimal = ZERO,
    notional: Decimal = ZERO,
    deposited: int = 0,
) -> Tally:
    """One of something, worth the amounts to the IB, behind the gate of its plan."""
    return Tally(
        ib_id=link.partner.ib_id,
        plan_id=plan.plan_id,
        plan_version=plan.version,
        component=component,
        client_id=client.client_id,
        caused_by=cause.key,
        occurred_at=cause.occurred_at,
        currency=link.partner.currency,
        amounts=amounts,
        lots=lots,
        notional=notional,
        count=1,
        deposited=deposited,
        is_gated=plan.kyc_gate,
        forfeit_days=plan.kyc_forfeit_days,
    )


def send(draft: Draft, client: ClientState, tallies: Iterable[Tally]) -> None:
    """Emit tallies, or keep those behind a KYC gate until the client is approved."""
    kept: list[Tally] = []
    for one in tallies:
        if _is_lost(one, client):
            continue
        if one.is_gated and not client.is_released(one.occurred_at):
            kept.append(one)
        else:
            draft.emit(one)
    if kept:
        draft.put(_tallies_key(client), HeldTallies(tallies=_merged([*_waiting(draft, client), *kept])))


def withdraw(
    draft: Draft, client: ClientState, tallies: Iterable[Tally], cause: Cause, share: Decimal = ONE
) -> tuple[Tally, ...]:
    """Take tallies back: what is left of them, or a share of their original amounts, at most what is left.

    What went into the books is listed again, so that a later withdrawal knows what is left: a tally and
    those that took parts of it add up.
    """
    entries = tuple(tallies)
    if share == ONE:
        send_back(draft, client, [negated(one, cause) for one in entries])
        return ()
    parts = [_part_of(one, entries, share, cause) for one in entries if one.booked_at is None]
    send_back(draft, client, parts)
    return (*entries, *parts)


def _part_of(one: Tally, entries: tuple[Tally, ...], share: Decimal, cause: Cause) -> Tally:
    """A share of the original's amounts, at most what earlier parts left of it.

    Lots and counts do not shrink by parts; they go with the last of the amounts.
    """
    own = [e for e in entries if _place(e)[:5] == _place(one)[:5]]
    left = [sum((entry.amounts[band] for entry in own), ZERO) for band in range(len(one.amounts))]
    parts = [to_accrual(whole * share) for whole in one.amounts]
    lost = ACCRUAL_UNIT * len(own)  # at most so much to rounding
    taken = tuple(
        rest if abs(rest) <= abs(part) or (abs(rest - part) <= lost < abs(part)) else part
        for part, rest in zip(parts, left, strict=True)
    )
    is_gone = any(one.amounts) and list(taken) == left
    return replace(
        negated(one, cause),
        amounts=tuple(-amount for amount in taken),
        lots=-sum((entry.lots for entry in own), ZERO) if is_gone else ZERO,
        notional=-sum((entry.notional for entry in own), ZERO) if is_gone else ZERO,
        count=-sum(entry.count for entry in own) if is_gone else 0,
        deposited=-sum(entry.deposited for entry in own) if is_gone else 0,
    )


def send_back(draft: Draft, client: ClientState, tallies: Iterable[Tally]) -> None:
    """Take back where the original went: out of those that wait behind the gate, else into the book."""
    held = {_place(one) for one in _waiting(draft, client)}
    for one in tallies:
        if _is_lost(one, client):
            continue
        if _place(one) in held:
            draft.put(_tallies_key(client), HeldTallies(tallies=_merged([*_waiting(draft, client), one])))
        else:
            draft.emit(one)


def _is_lost(one: Tally, client: ClientState) -> bool:
    """Whether the gate forfeits the tally, so that it neither went into the book nor has to come back."""
    days = one.forfeit_days if one.is_gated else 0
    return bool(days) and is_too_late(client, one.occurred_at, days)


def _waiting(draft: Draft, client: ClientState) -> tuple[Tally, ...]:
    found: HeldTallies | None = draft.get(_tallies_key(client))
    return found.tallies if found is not None else ()


def _place(one: Tally) -> tuple[object, ...]:
    """What tells one tally from another, but its amounts."""
    return (one.ib_id, one.plan_id, one.plan_version, one.component, one.occurred_at, len(one.amounts))


def negated(one: Tally, cause: Cause) -> Tally:
    """The same with its signs turned: it counts for the same time, and was learned now."""
    return replace(
        one,
        caused_by=cause.key,
        booked_at=cause.occurred_at,
        amounts=tuple(-amount for amount in one.amounts),
        lots=-one.lots,
        notional=-one.notional,
        count=-one.count,
        deposited=-one.deposited,
    )


def _merged(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """Tallies of one deal's making and unmaking cancel out while they wait."""
    by_place: dict[tuple[object, ...], Tally] = {}
    for one in tallies:
        place = _place(one)
        known = by_place.get(place)
        by_place[place] = one if known is None else added(known, one)
    return tuple(one for one in by_place.values() if not is_empty(one))


def added(known: Tally, one: Tally) -> Tally:
    """Two tallies of one place as one."""
    return replace(
        known,
        amounts=tuple(a + b for a, b in zip(known.amounts, one.amounts, strict=True)),
        lots=known.lots + one.lots,
        notional=known.notional + one.notional,
        count=known.count + one.count,
        deposited=known.deposited + one.deposited,
    )


def is_empty(one: Tally) -> bool:
    """Whether the tally adds nothing."""
    return not (any(one.amounts) or one.lots or one.notional or one.count or one.deposited)


def _tallies_key(client: ClientState) -> str:
    return f"t:{client.client_id}"


def _accounts(client: ClientState, ib_id: str, kind: str, *, is_held: bool, by_ib: bool) -> tuple[str, str]:
    """Debit and credit of an accrual."""
    place = "held" if is_held else "pending"
    if kind != "rebate":
        return f"broker:expense:{kind}", f"ib:{ib_id}:{place}"
    debit = f"ib:{ib_id}:{place}" if by_ib else "broker:expense:rebate"
    return debit, f"client:{client.client_id}:{'held' if is_held else 'rebate'}"


def _release_moves(
    client: ClientState, ib_id: str, component: str, *, is_late: bool
) -> list[tuple[str, str]]:
    """Debit and credit of each move that ends a hold."""
    held, pending = f"ib:{ib_id}:held", f"ib:{ib_id}:pending"
    if component == "rebate":
        back = "broker:expense:rebate" if is_late else f"client:{client.client_id}:rebate"
        return [(f"client:{client.client_id}:held", back)]
    if component == "rebate_by_ib":
        if is_late:
            return [(f"client:{client.client_id}:held", held)]
        return [(f"client:{client.client_id}:held", f"client:{client.client_id}:rebate"), (pending, held)]
    return [(held, f"broker:expense:{component}" if is_late else pending)]


_EXPENSES: dict[str, str] = {kind: f"broker:expense:{kind}" for kind in DEAL_KINDS}


def _expires_at(plan: PlanDefined, cause: Cause) -> datetime | None:
    return cause.occurred_at + timedelta(days=plan.kyc_forfeit_days) if plan.kyc_forfeit_days else None


def is_forfeited(entry: Posted, client: ClientState) -> bool:
    """Whether the money went back to the broker already, when the hold ended."""
    if entry.release == FORFEITED:
        return True
    if not entry.held or entry.expires_at is None or entry.release >= len(client.released_at):
        return False
    return client.released_at[entry.release] > _end_of_day(entry.expires_at)


def is_lost(client: ClientState, one: Earned, at: datetime) -> bool:
    """Whether the KYC gate of its plan forfeits an amount for good, so that it is not posted."""
    days = one.plan.kyc_forfeit_days if one.plan.kyc_gate else 0
    return bool(days) and is_too_late(client, at, days)


def is_too_late(client: ClientState, earned_at: datetime, forfeit_days: int) -> bool:
    """Whether KYC was approved only after what was earned then had expired, whatever was learned first."""
    before = [mark for mark in client.kyc if mark.at <= earned_at]
    if before and before[-1].status == "approved":
        return False
    approved_at = next((m.at for m in client.kyc if m.at > earned_at and m.status == "approved"), None)
    expires_at = _end_of_day(earned_at + timedelta(days=forfeit_days))
    return approved_at is not None and approved_at > expires_at


def _end_of_day(at: datetime) -> datetime:
    """Holds expire by the day, so that a client has few of them."""
    return at.replace(hour=23, minute=59, second=59, microsecond=999_999)


def _slot(entry: Posted) -> str:
    component = f"{entry.component}_by_ib" if entry.by_ib else entry.component
    expiry = _end_of_day(entry.expires_at).isoformat() if entry.expires_at else ""
    return f"{entry.ib_id}|{component}|{entry.currency}|{expiry}"


def _add(held: dict[str, Decimal], entry: Posted, amount: Decimal) -> dict[str, Decimal]:
    slot = _slot(entry)
    total = held.get(slot, ZERO) + amount
    rest = {key: value for key, value in held.items() if key != slot}
    return {**rest, slot: total} if total else rest
