"""Deals of an account that changed hands: an edit of the time may move a deal from one owner to another.

Each record of such a deal has a number, by the account book, and comes into the book of the client whose
account it was at its time. That client tells the others, whose copy gives way. Records and what is told of
them may overtake each other, so the number decides: who knows a newer record keeps to that.
"""

from msgspec.structs import replace

from commission.client import keys
from commission.client.booking import Booking
from commission.client.charging import charge
from commission.client.cpa_trades import forget_trade
from commission.client.deals import rerate_closings, undo
from commission.client.placing import tells_position_of
from commission.client.refunding import refund
from commission.client.revisions import ENDINGS, left_behind
from commission.client.state import ClientState, DealState
from commission.draft import Draft
from commission.events import Deal, DealMoved, RoutedDeal
from commission.outputs import Transfer
from commission.rating.values import ZERO
from commission.terms.catalog import Terms

FACTOR, OTHER_OWNER = "moved_to", "another owner of the account"
"""What a reversal says of a deal that moved; of whom is not said to the IBs of who had it."""


def take_over(draft: Draft, record: RoutedDeal, known: DealState | None) -> RoutedDeal | None:
    """Tell the other owners that the deal is this client's by the record; None if one has it by a newer one.

    The record is returned as it counts: one that tells the position of the deal that is known, and nothing
    else, is no newer than that.
    """
    if known is not None and tells_position_of(known, record.deal):
        return replace(record, number=known.number)
    if known is not None and _rank(record.deal, record.number) < (known.ended, known.number):
        key = keys.deal(record.client_id, record.deal.deal_key)
        draft.put(key, replace(known, replaced=_with_older(draft, record, known)))
        return None
    found = known.moved_to if known is not None else ""
    for other in sorted({*record.others, found} - {""}):
        moved = DealMoved(client_id=other, deal=record.deal, number=record.number, owner=record.client_id)
        draft.emit(moved)
    return record


def give_way(
    draft: Draft, client: ClientState, record: DealMoved, known: DealState | None, terms: Terms
) -> ClientState:
    """Undo the client's copy of a deal, unless that is of a newer record.

    Of a deal that is not known yet the number is kept: an older record may still come.
    """
    deal = record.deal
    key = keys.deal(client.client_id, deal.deal_key)
    if known is None:
        ended = deal.kind in ENDINGS
        state = DealState(
            at=deal.occurred_at,
            revision=deal.revision,
            ended=ended,
            number=record.number,
            moved_to=record.owner,
        )
        draft.put(key, state)
        return client
    if _rank(deal, record.number) < (known.ended, known.number):
        if known.ended and deal.kind not in ENDINGS:
            _tell_end(draft, record, known)
        return client
    if known.waiting is not None:
        draft.put(keys.waiting(client.client_id, known.waiting), None)
    return _undo(draft, client, record, known, terms)


def _rank(deal: Deal, number: int) -> tuple[bool, int]:
    """What the newer record has more of: after its end a deal is none, whatever is told of it."""
    return deal.kind in ENDINGS, number


def _with_older(draft: Draft, record: RoutedDeal, known: DealState) -> tuple[str, ...]:
    """The revisions that gave way, with one that comes after its successor."""
    listed = (*known.replaced, record.deal.revision)
    return left_behind(draft, record.client_id, record.deal, known.at, listed)


def _tell_end(draft: Draft, record: DealMoved, known: DealState) -> None:
    """The deal ended before its new client owned the account, so nobody told that client."""
    ended = replace(record.deal, kind="cancelled")
    draft.emit(DealMoved(client_id=record.owner, deal=ended, number=known.number, owner=record.client_id))


def _undo(
    draft: Draft, client: ClientState, record: DealMoved, known: DealState, terms: Terms
) -> ClientState:
    """As if the deal were cancelled, but nobody is told that it pays nothing: it may pay another client."""
    deal, gone = record.deal, replace(record.deal, kind="cancelled")
    key = keys.deal(client.client_id, deal.deal_key)
    booking = Booking(key, deal.deal_key, gone, deal.account_key, number=record.number)
    begin = len(draft.outputs)
    client, undone = undo(draft, client, booking, known, terms)
    if deal.kind not in ENDINGS:
        draft.outputs[begin:] = [_marked(output, deal.deal_key) for output in draft.outputs[begin:]]
    _, client, _ = charge(draft, client, booking, terms)
    client = refund(draft, client, booking, {}, ZERO, terms)
    booking.position = known.position
    state = replace(booking.to_state(), ended=deal.kind in ENDINGS, moved_to=record.owner)
    draft.put(key, state)
    client = forget_trade(draft, client, gone, terms)
    if undone is None:
        return client
    return rerate_closings(draft, client, deal.deal_key, known.position, undone, terms)


def _marked(output: object, deal_key: str) -> object:
    if isinstance(output, Transfer) and output.code == "reversal" and output.caused_by == deal_key:
        return replace(output, factors={**output.factors, FACTOR: OTHER_OWNER})
    return output
