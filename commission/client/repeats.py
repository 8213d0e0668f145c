"""What a CRM says again: the same fact once more, or another under a name that is taken.

An event has its effect once. One that is sent again, under its own id or under another, is compared with
what is known: if it says the same it is counted as a repeat, else it is refused, naming both.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from commission.client import keys
from commission.client.deposits import find
from commission.client.state import ClientState, EventState
from commission.draft import Draft
from commission.events import (
    ChargebackReceived,
    ChargebackWon,
    ClientEvent,
    ClientReassigned,
    ClientRegistered,
    DepositCleared,
    KycChanged,
    WithdrawalPaid,
)
from commission.ids import digest
from commission.money import plain

MAX_KYC_MARKS = 1_000
"""Changes of one client's KYC."""
MAX_LINKS = 1_000
"""IBs that one client belonged to, one after another."""
MAX_TAKEN_BACK = 1_000
"""Partial chargebacks and refunds of one deposit, and as many wins."""

_UNSAID = ("source", "event_id", "genuine_clicks")
"""What does not make the content of an event: the clicks are found by us, and a key may come and go."""


class Refusal(NamedTuple):
    """Why a record is refused: a fixed word, and what to do."""

    code: str
    reason: str


Verdict = Refusal | Literal["new", "repeat"]


def verdict(draft: Draft, client: ClientState, event: ClientEvent) -> Verdict:
    """Whether the event says something new, or the same again, or what cannot be."""
    known: EventState | None = draft.get(keys.event(event.client_id, event.event_id))
    if known is not None:
        is_same = known.content in ("", content_of(event))
        return "repeat" if is_same else _used_before(event, known)
    return _compare(draft, client, event)


def _compare(draft: Draft, client: ClientState, event: ClientEvent) -> Verdict:  # noqa: PLR0911 — one a kind
    match event:
        case ClientRegistered():
            return _registration(client, event)
        case ClientReassigned():
            return _reassignment(client, event)
        case DepositCleared():
            return _deposit(draft, event)
        case ChargebackReceived():
            return _chargeback(draft, event)
        case ChargebackWon():
            return _won(draft, event)
        case WithdrawalPaid():
            return _withdrawal(draft, event)
        case KycChanged():
            return _kyc(client, event)
        case _:
            return "new"


def content_of(event: ClientEvent, *unsaid: str) -> str:
    """A digest of what the event says, wherever it was read and however its numbers were written."""
    told = [
        f"type={event.type}",
        *(
            f"{name}={_text(getattr(event, name))}"
            for name in event.__struct_fields__
            if name not in (*_UNSAID, *unsaid) and (name != "click_ids" or getattr(event, name))
        ),
    ]
    return digest(*told)


def _text(value: object) -> str:
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return value.isoformat()
        case dict():
            return repr(sorted(value.items()))
        case _:
            return str(value)


def _used_before(event: ClientEvent, known: EventState) -> Refusal:
    what = "with another content" if known.type == event.type else f"as a {known.type}"
    return Refusal(
        "event_id_taken",
        f"event {event.event_id} of client {event.client_id} came {what} before, of {_day(known.at)};"
        f" this is a {event.type} of {_day(event.occurred_at)}: give each event an id of its own",
    )


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _registration(client: ClientState, event: ClientRegistered) -> Verdict:
    if client.registered_at is None:
        return "new"
    came = client.attribution
    told_ib = client.introducer if came is None else came.crm_ib
    clicks = () if came is None else tuple(click_id for click_id, _ in came.clicks)
    was = (client.registered_at, told_ib, client.country, client.click, clicks)
    told_clicks = tuple(dict.fromkeys(event.click_ids))
    if was == (event.occurred_at, event.ib_id, event.country, event.click, told_clicks):
        if event.identity in (client.identity, ""):
            return "repeat"
        if not client.identity:
            return "new"  # it tells who the client is
    return Refusal(
        "registered_before",
        f"client {client.client_id} registered on {_day(client.registered_at)} with IB"
        f" {told_ib or 'none'} and country {client.country or 'none'}; event {event.event_id} says"
        " otherwise, and the first counts: a change of IB is a reassignment, and only an identity that was"
        " missing may be added",
    )


def _reassignment(client: ClientState, event: ClientReassigned) -> Verdict:
    if any(link.since == event.occurred_at and link.ib_id == event.ib_id for link in client.links):
        return "repeat"
    return _bounded(client.client_id, len(client.links), MAX_LINKS, "IBs one after another")


def _deposit(draft: Draft, event: DepositCleared) -> Verdict:
    known = find(draft, event.client_id, event.deposit_id)
    if known.cleared_at is None or known.amount is None:
        return "new"
    told = (event.amount, event.currency, event.occurred_at)
    if told == (known.amount, known.currency, known.cleared_at):
        return "repeat"
    return Refusal(
        "deposit_known",
        f"deposit {event.deposit_id} of client {event.client_id} cleared on {_day(known.cleared_at)} with"
        f" {plain(known.amount)} {known.currency}; event {event.event_id} says {plain(event.amount)}"
        f" {event.currency} on {_day(event.occurred_at)}: send what was too much as a refund of it, what was"
        " too little as a deposit of its own, and a dispute that was won as chargeback_won",
    )


def _chargeback(draft: Draft, event: ChargebackReceived) -> Verdict:
    if event.chargeback_id:
        known: EventState | None = draft.get(keys.fact(event.client_id, "chargeback", event.chargeback_id))
        if known is not None:
            return _same_fact(event, known, f"chargeback {event.chargeback_id}")
    deposit = find(draft, event.client_id, event.deposit_id)
    return _bounded(event.deposit_id, len(deposit.taken_back), MAX_TAKEN_BACK, "chargebacks and refunds")


def _won(draft: Draft, event: ChargebackWon) -> Verdict:
    deposit = find(draft, event.client_id, event.deposit_id)
    told = (event.occurred_at, event.amount, event.chargeback_id)
    if any((win.at, win.amount, win.chargeback_id) == told for win in deposit.won):
        return "repeat"  # it has no id of its own: of one time and amount it is one win
    return _bounded(event.deposit_id, len(deposit.won), MAX_TAKEN_BACK, "won disputes")


def _withdrawal(draft: Draft, event: WithdrawalPaid) -> Verdict:
    if not event.withdrawal_id:
        return "new"
    known: EventState | None = draft.get(keys.fact(event.client_id, "withdrawal", event.withdrawal_id))
    return "new" if known is None else _same_fact(event, known, f"withdrawal {event.withdrawal_id}")


def _kyc(client: ClientState, event: KycChanged) -> Verdict:
    if any(mark.at == event.occurred_at and mark.status == event.status for mark in client.kyc):
        return "repeat"
    return _bounded(client.client_id, len(client.kyc), MAX_KYC_MARKS, "KYC statuses")


def _same_fact(event: ChargebackReceived | WithdrawalPaid, known: EventState, what: str) -> Verdict:
    if known.content == content_of(event, "occurred_at"):
        return "repeat"
    return Refusal(
        f"{what.partition(' ')[0]}_known",
        f"{what} of client {event.client_id} came before, of {_day(known.at)}, with another amount, deposit"
        f" or reason than event {event.event_id} says: send what differs under an id of its own",
    )


def _bounded(whose: str, count: int, limit: int, of_what: str) -> Verdict:
    if count < limit:
        return "new"
    return Refusal(
        "too_many",
        f"{whose} has {limit:,} {of_what} already, the most that is kept; correct what is left by hand",
    )


def remember(draft: Draft, event: ClientEvent) -> None:
    """The event, and what it names by itself, have had their effect."""
    at = event.occurred_at
    state = EventState(at=at, type=event.type, content=content_of(event))
    draft.put(keys.event(event.client_id, event.event_id), state)
    if isinstance(event, ChargebackReceived) and event.chargeback_id:
        _remember_fact(draft, event, "chargeback", event.chargeback_id)
    if isinstance(event, WithdrawalPaid) and event.withdrawal_id:
        _remember_fact(draft, event, "withdrawal", event.withdrawal_id)


def _remember_fact(draft: Draft, event: ChargebackReceived | WithdrawalPaid, kind: str, fact_id: str) -> None:
    content = content_of(event, "occurred_at")
    draft.put(
        keys.fact(event.client_id, kind, fact_id),
        EventState(at=event.occurred_at, type=event.type, content=content),
    )
