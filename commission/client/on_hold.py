"""A person's hold of a client: what it earns IBs waits in their `held`, until another person releases it.

What stands of its accruals since a time moves there at once, and what comes later as it is posted, whoever
earns it. What is taken back is taken of what is on hold first. What periods settle leaves the IBs' sums, and
comes back with the release. Rows about persons' claims, and true-ups, name no client's money and go on.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec import field
from msgspec.structs import replace

from commission import accounts
from commission.client import keys
from commission.client.deposits import every
from commission.client.kyc_gate import is_forfeited, is_held
from commission.client.state import Cause, ClientHold, ClientState, DealState, Posted
from commission.client.tallies import in_books, negated
from commission.draft import Draft
from commission.ids import digest
from commission.outputs import Tally, Transfer
from commission.payouts.commands import ClientCommand, HoldClient, PayoutAnswer, ReleaseClient
from commission.rating.values import ZERO
from commission.terms.catalog import BEGINNING, Terms
from commission.two_people import are_two_people
from commission.value import Value


class OnHold(Value):
    """What persons hold of a client's accruals: apart from the client, which is written more seldom."""

    amounts: dict[str, Decimal] = field(default_factory=dict)
    """`ib|currency` → what waits in the IB's `held` account; never below zero."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """What periods settle, by IB, plan, version, component and day: a client's day is one tally."""
    answered: dict[str, str] = field(default_factory=dict)
    """Change → the command that was answered."""


class _Place(NamedTuple):
    """Rows that move together: of one IB and currency, into one statement."""

    ib_id: str
    currency: str
    occurred_at: datetime
    matures_at: datetime | None

    @property
    def key(self) -> str:
        """As the client's state has it."""
        return f"{self.ib_id}|{self.currency}"


def decide(draft: Draft, client: ClientState, command: ClientCommand, terms: Terms) -> ClientState | None:
    """The client after a hold or a release, which is answered; None if it was answered before."""
    state = _state_of(draft, client)
    known = state.answered.get(command.change_id)
    if known == command.command_id:
        draft.repeated += 1
        return None
    if known is None:
        state = replace(state, answered={**state.answered, command.change_id: command.command_id})
        why = _why_not(client, command, terms)
    else:
        why = "it was commanded before, with other content"
    if not why:
        act = _hold if isinstance(command, HoldClient) else _release
        client, state = act(draft, client, state, command, terms)  # type: ignore[arg-type]
    draft.put(keys.on_hold(client.client_id), state)
    draft.emit(PayoutAnswer.to(command, command.change_id, why))
    return client


def keep_back(draft: Draft, client: ClientState, first: int, terms: Terms) -> None:
    """Put on hold what the outputs from the number `first` on bring to IBs for which the client is held.

    Of rows into one statement the sum counts, so that an accrual taken back and posted anew moves what it
    changed. Less than nothing is never on hold.
    """
    state = _state_of(draft, client)
    said, draft.outputs[first:] = draft.outputs[first:], []
    tallies, moved, causes = dict(state.tallies), dict[_Place, Decimal](), dict[_Place, Transfer]()
    for output in said:
        if isinstance(output, Tally) and _holds(client, output.ib_id) and output.claim is None:
            day = _day_of(output, terms)
            if output.booked_at is None or day in tallies:  # else it corrects what the books have still
                tallies[day] = _added(tallies.get(day), output)
                continue
        draft.emit(output)
        if isinstance(output, Transfer) and _holds(client, output.ib_id) and (more := _grown(output)):
            place = _Place(output.ib_id, output.currency, output.occurred_at, output.matures_at)
            moved[place] = moved.get(place, ZERO) + more
            causes.setdefault(place, output)
    amounts = dict(state.amounts)
    for place, grown in moved.items():
        amount = max(grown, -amounts.get(place.key, ZERO))
        if amount:
            cause = causes[place]
            row = _row(client, place, amount, digest("hold", cause.transfer_id), cause.caused_by)
            draft.emit(replace(row, account_key=cause.account_key, symbol=cause.symbol))
            amounts[place.key] = amounts.get(place.key, ZERO) + amount
    now = replace(state, amounts=amounts, tallies=tallies)
    if now != state:
        draft.put(keys.on_hold(client.client_id), now)


def _state_of(draft: Draft, client: ClientState) -> OnHold:
    found: OnHold | None = draft.get(keys.on_hold(client.client_id))
    return found or OnHold()


def _hold_of(client: ClientState, ib_id: str) -> ClientHold | None:
    return next((one for one in client.holds if one.ib_id in ("", ib_id)), None)


def _holds(client: ClientState, ib_id: str) -> bool:
    return _hold_of(client, ib_id) is not None


def _why_not(client: ClientState, command: ClientCommand, terms: Terms) -> str:
    """Why nothing is held or released; "" if it is."""
    if client.registered_at is None:
        return f"no client is called {command.client_id}"
    if command.ib_id and command.ib_id not in terms.partners:
        return f"no IB is called {command.ib_id}"
    if not command.reason.strip():
        return "it needs a reason"
    if isinstance(command, HoldClient):
        known = next(
            (one for one in client.holds if not command.ib_id or one.ib_id in ("", command.ib_id)), None
        )
        return "" if known is None else f"{known.by} holds it for {_whom(known)} already: {known.reason}"
    known = next((one for one in client.holds if one.ib_id == command.ib_id), None)
    if known is None:
        return f"it is held for {', '.join(map(_whom, client.holds))}" if client.holds else "nothing is held"
    return "" if are_two_people(known.by, command.by) else f"{known.by} held it; another person releases it"


def _whom(hold: ClientHold) -> str:
    return hold.ib_id or "all IBs"


def _hold(
    draft: Draft, client: ClientState, state: OnHold, command: HoldClient, terms: Terms
) -> tuple[ClientState, OnHold]:
    hold = ClientHold(ib_id=command.ib_id, by=command.by, reason=command.reason)
    client = replace(client, holds=(*client.holds, hold))
    amounts, caused_by = dict(state.amounts), f"hold|{command.change_id}"
    for (period, place), amount in _standing(draft, client, command, terms).items():
        transfer_id = digest("hold", client.client_id, command.change_id, place.key, period)
        draft.emit(_row(client, place, amount, transfer_id, caused_by))
        amounts[place.key] = amounts.get(place.key, ZERO) + amount
    tallies: dict[str, Tally] = {}
    for one in _tallied(draft, client):
        if one.claim is None and one.occurred_at >= command.since and command.ib_id in ("", one.ib_id):
            day = _day_of(one, terms)
            tallies[day] = _added(tallies.get(day), one)
    draft.emit(*(negated(one, Cause(caused_by, command.at)) for one in tallies.values() if _is_some(one)))
    return client, replace(state, amounts=amounts, tallies={**state.tallies, **tallies})


def _standing(
    draft: Draft, client: ClientState, command: HoldClient, terms: Terms
) -> dict[tuple[str, _Place], Decimal]:
    """What stands of accruals, by period and place; where IBs pay rebates beyond them, nothing."""
    sums: dict[tuple[str, str, str], Decimal] = {}
    newest: dict[tuple[str, str, str], datetime] = {}
    for earned_at, entry in _posted(draft, client):
        at = entry.matures_at or (client.released_at[entry.release] if entry.held else earned_at)
        if at < command.since or command.ib_id not in ("", entry.ib_id):
            continue
        amount = entry.amount - entry.taken
        if entry.component == "rebate":
            amount = -amount if entry.by_ib else ZERO
        period = terms.period_at(at)
        place = (entry.ib_id, entry.currency, "" if period is None else period.period)
        sums[place] = sums.get(place, ZERO) + amount
        newest[place] = max(newest.get(place, at), at)
    return {
        (period, _Place(ib_id, currency, command.at, newest[ib_id, currency, period])): amount
        for (ib_id, currency, period), amount in sums.items()
        if amount > 0
    }


def _posted(draft: Draft, client: ClientState) -> Iterator[tuple[datetime, Posted]]:
    """Every accrual that is pending, or is stated, with its own time."""
    found: list[tuple[datetime | None, Iterable[Posted]]] = []
    for key in draft.scan(keys.deals(client.client_id)):
        state = draft.read(key, DealState)
        found.append((state.at, state.posted))
    found += [(grant.qualified_at, grant.posted) for grant in client.grants.values() if grant.posted]
    found += [(deposit.cleared_at, deposit.posted) for deposit in every(draft, client)]
    for at, posted in found:
        for entry in posted:
            if not is_held(entry, client) and not is_forfeited(entry, client):
                yield at or BEGINNING, entry


def _tallied(draft: Draft, client: ClientState) -> Iterable[Tally]:
    """Every tally in the books of IBs; a withdrawal's stays there."""
    found: list[Tally] = []
    for key in draft.scan(keys.deals(client.client_id)):
        found += draft.read(key, DealState).tallied
    for grant in client.grants.values():
        found += grant.tallied
    for deposit in every(draft, client):
        found += deposit.tallied
    return in_books(draft, client, found)


def _release(
    draft: Draft, client: ClientState, state: OnHold, command: ReleaseClient, _terms: Terms
) -> tuple[ClientState, OnHold]:
    caused_by = f"release|{command.change_id}"
    amounts, tallies = dict(state.amounts), dict(state.tallies)
    for key in state.amounts:
        ib_id, currency = key.rsplit("|", 1)
        if command.ib_id in ("", ib_id) and (amount := amounts.pop(key)):
            place = _Place(ib_id, currency, command.at, None)
            transfer_id = digest("hold", client.client_id, command.change_id, key)
            row = _row(client, place, -amount, transfer_id, caused_by)
            draft.emit(replace(row, factors={"hold_reason": command.reason, "released_by": command.by}))
    for day, one in state.tallies.items():
        if command.ib_id in ("", one.ib_id):
            del tallies[day]
            draft.emit(*([replace(one, caused_by=caused_by, booked_at=command.at)] if _is_some(one) else ()))
    holds = tuple(one for one in client.holds if one.ib_id != command.ib_id)
    return replace(client, holds=holds), replace(state, amounts=amounts, tallies=tallies)


def _row(client: ClientState, place: _Place, amount: Decimal, transfer_id: str, caused_by: str) -> Transfer:
    """So much goes on hold, or below zero comes back."""
    ends = accounts.pending(place.ib_id), accounts.held(place.ib_id)
    debit, credit = ends if amount > 0 else ends[::-1]
    hold = _hold_of(client, place.ib_id)
    return Transfer(
        transfer_id=transfer_id,
        code="hold",
        debit=debit,
        credit=credit,
        amount=abs(amount),
        currency=place.currency,
        ib_id=place.ib_id,
        occurred_at=place.occurred_at,
        caused_by=caused_by,
        client_id=client.client_id,
        component="hold",
        matures_at=place.matures_at,
        factors={} if hold is None else {"hold_reason": hold.reason, "held_by": hold.by},
    )


def _grown(row: Transfer) -> Decimal:
    """By how much a row makes what is pending grow."""
    pending = accounts.pending(row.ib_id)
    if row.credit == pending:
        return row.amount
    return -row.amount if row.debit == pending else ZERO


def _day_of(one: Tally, terms: Terms) -> str:
    """What is settled alike: a period adds up the days, so a client's day is enough."""
    period = terms.period_at(one.occurred_at)
    place = (one.ib_id, one.plan_id, str(one.plan_version), one.component, str(len(one.amounts)))
    return "|".join((*place, "" if period is None else period.period, *terms.day_of(one.occurred_at)))


def _added(known: Tally | None, more: Tally) -> Tally:
    return more if known is None else known.measuring(known.sums + more.sums)


def _is_some(one: Tally) -> bool:
    return not one.sums.is_zero
