"""Tallies: what a period settles, as sums that no order changes."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec.structs import replace

from commission.client import keys
from commission.client.kyc_gate import is_too_late
from commission.client.state import Cause, ClientState
from commission.draft import Draft
from commission.money import ACCRUAL_UNIT, to_accrual
from commission.outputs import Tally
from commission.rating.components.lots import counted
from commission.rating.values import ZERO, Part, TallyAmounts
from commission.sums import Sums, total
from commission.terms.components import CohortBonus
from commission.terms.plans import PlanDefined
from commission.terms.rates import ONE
from commission.terms.upline import Link, Upline
from commission.value import Value


class HeldTallies(Value):
    """Tallies of a client that wait for its KYC, as its accruals do."""

    tallies: tuple[Tally, ...] = ()


def release_tallies(draft: Draft, client: ClientState) -> None:
    """Send those that waited for the client's KYC as far as it lets them through now."""
    waiting = _waiting(draft, client)
    if waiting:
        draft.put(keys.held_tallies(client.client_id), None)
        send(draft, client, waiting)


def tally(
    draft: Draft, client: ClientState, worths: Iterable[TallyAmounts], cause: Cause
) -> tuple[Tally, ...]:
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
            count=worth.deals,
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
    count: int = 1,
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
        count=count,
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
        elif not one.sums.is_zero:
            draft.emit(one)
    if kept:
        _hold(draft, client, kept)


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
    left = total(entry.sums for entry in own)
    parts = [to_accrual(whole * share) for whole in one.amounts]
    lost = ACCRUAL_UNIT * len(own)  # at most so much to rounding
    taken = tuple(
        rest if abs(rest) <= abs(part) or (abs(rest - part) <= lost < abs(part)) else part
        for part, rest in zip(parts, left.amounts, strict=True)
    )
    is_gone = any(one.amounts) and taken == left.amounts
    return negated(one.measuring(left if is_gone else Sums(amounts=taken)), cause)


def give_back_tallies(
    draft: Draft, client: ClientState, stands: Iterable[Tally], due: Iterable[Tally], cause: Cause
) -> tuple[Tally, ...]:
    """Add to the books what is due of a deal beyond what stands of it; return what stands then."""
    wanted = tuple(due)
    differences = _added((*wanted, *(negated(entry, cause) for entry in stands)))
    back = [
        replace(one, caused_by=cause.key, booked_at=cause.occurred_at)
        for one in differences
        if not one.sums.is_zero
    ]
    send_back(draft, client, back)
    return wanted


def send_back(draft: Draft, client: ClientState, tallies: Iterable[Tally]) -> None:
    """Take back where the original went: out of those that wait behind the gate, else into the book."""
    held = {_place(one) for one in _waiting(draft, client)}
    for one in tallies:
        if _is_lost(one, client):
            continue
        if _place(one) in held:
            _hold(draft, client, [one])
        else:
            draft.emit(one)


def in_books(draft: Draft, client: ClientState, tallies: Iterable[Tally]) -> list[Tally]:
    """Those that are in the IBs' books: neither behind the gate nor forfeited by it."""
    held = {_place(one) for one in _waiting(draft, client)}
    return [one for one in tallies if _place(one) not in held and not _is_lost(one, client)]


def _is_lost(one: Tally, client: ClientState) -> bool:
    """Whether the gate forfeits the tally, so that it neither went into the book nor has to come back."""
    days = one.forfeit_days if one.is_gated else 0
    return bool(days) and is_too_late(client, one.occurred_at, days)


def _waiting(draft: Draft, client: ClientState) -> tuple[Tally, ...]:
    found: HeldTallies | None = draft.get(keys.held_tallies(client.client_id))
    return found.tallies if found is not None else ()


def _place(one: Tally) -> tuple[object, ...]:
    """What tells one tally from another, but its amounts."""
    return (one.ib_id, one.plan_id, one.plan_version, one.component, one.occurred_at, len(one.amounts))


def _hold(draft: Draft, client: ClientState, tallies: Iterable[Tally]) -> None:
    kept = _added([*_waiting(draft, client), *tallies])
    draft.put(keys.held_tallies(client.client_id), HeldTallies(tallies=kept))


def negated(one: Tally, cause: Cause) -> Tally:
    """The same with its signs turned: it counts for the same time, and was learned now."""
    return replace(one.measuring(-one.sums), caused_by=cause.key, booked_at=cause.occurred_at)


def _added(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """Tallies of one deal's making and unmaking are one while they wait; at 0 they say where more goes."""
    by_place: dict[tuple[object, ...], Tally] = {}
    for one in tallies:
        place = _place(one)
        known = by_place.get(place)
        by_place[place] = one if known is None else known.measuring(known.sums + one.sums)
    return tuple(by_place.values())


def cohort_tallies(client: ClientState, part: Part, chain: Upline) -> tuple[Tally, ...]:
    """What a deal adds to the direct IB's cohort bonuses: the standard lots it closed."""
    link = chain.links[0]
    if link.plan is None or not link.is_paid:
        return ()
    cause = Cause(part.deal.deal_key, part.at)
    lots = counted(link.plan, part, part.closed, {})
    # 1 is all of it: what disputes take of that by parts tells when nothing of the deal is left to count.
    return tuple(
        tally_of(client, link, link.plan, component.name, cause, (ONE,), lots=lots)
        for component in link.by_kind["cohort_bonus"]
        if isinstance(component, CohortBonus)
        and (not component.countries or client.country in component.countries)
    )
