"""Positions and closings that are kept because something may ask for them later."""

from commission.client import keys
from commission.client.booking import Booking
from commission.client.cpa_trades import asks_holding
from commission.client.fills import Position
from commission.client.positions import is_flat
from commission.client.state import ClientState, Parked
from commission.client.unknown_terms import lacks_terms
from commission.draft import Draft
from commission.events import Deal
from commission.terms.catalog import Terms

NO_FILLS = Position()


def position_at(draft: Draft, place: str) -> Position:
    """The position at a state key; none where it is not known which."""
    return (draft.get(place) or NO_FILLS) if place else NO_FILLS


def keep_position(
    draft: Draft,
    client: ClientState,
    place: str,
    position: Position,
    deal: Deal,
    terms: Terms,
    *,
    waits: bool = False,
) -> None:
    """A flat position is forgotten, unless a condition, a refund or a deal that waits may ask for it.

    Nor is it while terms are missing: they may ask for it of another of its deals, which waits.
    """
    if not place:
        return
    some = terms.some
    is_asked = waits or some.looks_back or (some.shares_charges and position.has_charges)
    is_open = is_asked or not is_flat(position, terms.rescales_of(deal.server, deal.symbol))
    if is_open or lacks_terms(client, terms):
        draft.put(place, position)
    elif draft.get(place) is not None:
        draft.put(place, None)


def look_back(
    draft: Draft, client: ClientState, booking: Booking, terms: Terms, *, is_asked: bool = False
) -> bool:
    """Whether a closing is rated by its openings; it is kept then, as those may change."""
    if not is_asked and not asks_holding(client, terms):
        return False
    kept = Parked(
        client_id=client.client_id,
        deal=booking.deal,
        opened_e8=booking.opened_e8,
        closed_e8=booking.closed_e8,
    )
    draft.put(keys.closing(client.client_id, booking.cause), kept)
    return True
