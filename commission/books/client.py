"""The client book: fold one client's deals and CRM events into accruals and their reversals."""

from msgspec.structs import replace

from commission.client import keys, on_hold
from commission.client.announcements import announce_deposit, announce_earnings
from commission.client.charges import LaterCharge, Volumes
from commission.client.cpa_grants import weigh
from commission.client.crm import apply_event
from commission.client.deals import fold_deal, retry_deal
from commission.client.fills import Position
from commission.client.hedging import Hedged, HedgedOpening
from commission.client.moves import give_way, take_over
from commission.client.parked import wait
from commission.client.placing import at_known_position, is_old, is_told_now, place
from commission.client.qualifying import Qualifying
from commission.client.refund_matching import match_refunds
from commission.client.refunds import UnplacedRefund
from commission.client.rerating import rerate
from commission.client.state import (
    Cause,
    ClawedPage,
    ClientState,
    CloseBy,
    DealState,
    Deposit,
    EventState,
    OldRevision,
    Parked,
    Parking,
    Withdrawal,
)
from commission.client.tallies import HeldTallies
from commission.draft import Draft
from commission.events import (
    ClientEvent,
    DealMoved,
    DepositAnnounced,
    DepositCleared,
    ReratingApproved,
    RoutedDeal,
)
from commission.outputs import Milestone
from commission.payouts.commands import ClientCommand
from commission.terms.catalog import BEGINNING, Terms

KEYS: dict[str, type] = {
    "c": ClientState,
    "d": DealState,
    "e": EventState,
    "m": Deposit,
    "u": Withdrawal,
    "n": ClawedPage,
    "o": Position,
    "P": Parking,
    "p": Parked,
    "q": Qualifying,
    "w": RoutedDeal,
    "r": OldRevision,
    "h": Hedged,
    "g": HedgedOpening,
    "v": Volumes,
    "a": LaterCharge,
    "l": UnplacedRefund,
    "b": CloseBy,
    "k": Parked,
    "t": HeldTallies,
    "x": on_hold.OnHold,
}
"""The first letter of a state key tells its type."""


def apply(
    draft: Draft,
    record: RoutedDeal | DealMoved | ReratingApproved | ClientEvent | ClientCommand,
    terms: Terms,
) -> None:
    """Fold one record; a repeated one changes nothing."""
    first = len(draft.outputs)
    if isinstance(record, RoutedDeal):
        client = _apply_deal(draft, record, terms)
    elif isinstance(record, ClientCommand):
        _command(draft, record, terms)
        return
    else:
        client = _apply_event(draft, record, terms)
    if client is not None and client.holds and len(draft.outputs) > first:
        on_hold.keep_back(draft, client, first, terms)
    if terms.events:
        _announce(draft, first, record, terms)


def _announce(
    draft: Draft, said: int, record: RoutedDeal | DealMoved | ReratingApproved | ClientEvent, terms: Terms
) -> None:
    """Say what was wanted of what the record did; nothing of one that changed nothing."""
    news = draft.outputs[said:]
    if isinstance(record, DepositCleared) and any(isinstance(one, Milestone) for one in news):
        announce_deposit(draft, record, terms)
    announce_earnings(draft, news, terms)


def _command(draft: Draft, command: ClientCommand, terms: Terms) -> None:
    held = on_hold.decide(draft, _client(draft, command.client_id), command, terms)
    if held is not None:
        _save(draft, held)


def _apply_event(
    draft: Draft, record: DealMoved | ReratingApproved | ClientEvent, terms: Terms
) -> ClientState | None:
    """The client afterwards; None if the record changes nothing of it."""
    if isinstance(record, DepositAnnounced):
        return None  # Its id stays free: a CRM may use one id for a deposit under way and for its arrival.
    known = _client(draft, record.client_id)
    if isinstance(record, DealMoved):
        state: DealState | None = draft.get(keys.deal(record.client_id, record.deal.deal_key))
        return _after(draft, known, give_way(draft, known, record, state, terms), terms)
    if isinstance(record, ReratingApproved):
        rated, _ = rerate(draft, known, record, terms)
        if rated != known:
            _save(draft, rated)
        return rated
    client = apply_event(draft, known, record, terms)
    return None if client is None else _after(draft, known, client, terms)


def _after(draft: Draft, known: ClientState, client: ClientState, terms: Terms) -> ClientState:
    """The client once refunds have found what was charged; kept, if it changed."""
    if client.refunds_until:
        client = match_refunds(draft, client, terms)
    if client is not known:
        _save(draft, client)
    return client


def _client(draft: Draft, client_id: str) -> ClientState:
    return draft.get(keys.client(client_id)) or ClientState(client_id=client_id)


def _save(draft: Draft, client: ClientState) -> None:
    draft.put(keys.client(client.client_id), client)


def _apply_deal(draft: Draft, record: RoutedDeal, terms: Terms) -> ClientState | None:
    """The client afterwards; None if the record is of an older revision."""
    state: DealState | None = draft.get(keys.deal(record.client_id, record.deal.deal_key))
    deal = at_known_position(record.client_id, state, record.deal)
    if state is not None and is_old(draft, record.client_id, state, deal):
        draft.repeated += 1
        return None
    if deal is not record.deal:
        record = replace(record, deal=deal)
    if record.others or (state is not None and state.number):
        if (counted := take_over(draft, record, state)) is None:
            return None
        record = counted
    known = _client(draft, record.client_id)
    if known.registered_at is None:
        client = wait(draft, known, record, state)
    elif state is not None and is_told_now(state, deal):
        client = place(draft, known, deal, state, terms)
    else:
        client = fold_deal(draft, known, record, state, terms)
    if client is known and not client.refunds_until:
        return client
    return _after(draft, known, client, terms)


def retry_parked(draft: Draft, terms: Terms) -> None:
    """New terms are known: try again, in the order of arrival, everything that waited for some."""
    parking: Parking = draft.get(keys.PARKING) or Parking()
    if parking.first == parking.next:
        return
    said = len(draft.outputs)
    draft.put(keys.PARKING, Parking(first=parking.next, next=parking.next))
    for slot in range(parking.first, parking.next):
        parked: Parked | None = draft.get(keys.parked(slot))
        if parked is None:
            continue
        draft.put(keys.parked(slot), None)
        first = len(draft.outputs)
        client = _client(draft, parked.client_id)
        if parked.deal is None:
            cause = Cause(f"terms|{parked.client_id}", client.registered_at or BEGINNING)
            client = weigh(draft, client, cause, terms)
        else:
            client = retry_deal(draft, client, slot, parked, terms)
            client = match_refunds(draft, client, terms)
        _save(draft, client)
        if client.holds:
            on_hold.keep_back(draft, client, first, terms)
    announce_earnings(draft, draft.outputs[said:], terms)
