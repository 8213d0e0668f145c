"""Deals whose source does not tell their position: rated without it, and placed when a better source tells.

A terminal's report has no position numbers. Such a deal opens or closes its volume like any other; what asks
for its opening waits. A record of the same deal that tells the position is not another revision of its money:
what is posted stands, the deal takes its place among the others of its position, and what waited is rated.
"""

from msgspec.structs import replace

from commission.client import hedging, keys
from commission.client.booking import Booking, resumed
from commission.client.cpa_trades import count_later, count_trade
from commission.client.deals import (
    part_of,
    rate_deal,
    rerate_closings,
)
from commission.client.fills import Position
from commission.client.keeping import keep_position, look_back, position_at
from commission.client.positions import fill_of, with_fill
from commission.client.refunding import refund
from commission.client.refunds import asks_of_charges, is_refund, refunds_of
from commission.client.revisions import is_stale, replaced_by, was_replaced
from commission.client.state import ClientState, CloseBy, DealState
from commission.draft import Draft
from commission.events import Deal
from commission.revision import AGAIN, revision_of, told_before
from commission.terms.catalog import Terms


def at_known_position(client_id: str, known: DealState | None, deal: Deal) -> Deal:
    """An untold deal at the position that another record of it told: the same deal, or an edit of it."""
    if known is None or deal.position_id is not None:
        return deal
    position_id = keys.position_id(known.position, client_id, deal)
    if position_id is None:
        return deal
    placed = replace(deal, position_id=position_id)
    _, again, number = deal.revision.partition(AGAIN)
    return replace(placed, revision=f"{revision_of(placed)}{again}{number}")


def is_old(draft: Draft, client_id: str, known: DealState, deal: Deal) -> bool:
    """Whether the record tells nothing new of the deal, nor of its position."""
    return is_stale(draft, client_id, known, deal) or is_replaced(draft, client_id, known, deal)


def is_replaced(draft: Draft, client_id: str, known: DealState, deal: Deal) -> bool:
    """Whether the record tells the position of what the deal was before an edit that is known already."""
    if deal.position_id is None or AGAIN in deal.revision:
        return False
    if not known.replaced:
        return False
    untold = revision_of(replace(deal, position_id=None))
    return was_replaced(draft, client_id, known, deal.deal_key, untold)


def is_told_now(known: DealState, deal: Deal) -> bool:
    """Whether the record tells the position of a deal that is booked without one, and nothing else new."""
    return bool(known.signed_e8) and tells_position_of(known, deal)


def tells_position_of(known: DealState, deal: Deal) -> bool:
    """Whether the record is that of the revision that is known, but for the position, which it tells."""
    if known.position or deal.position_id is None:
        return False
    return told_before(known.revision) == revision_of(replace(deal, position_id=None))


def place(draft: Draft, client: ClientState, deal: Deal, known: DealState, terms: Terms) -> ClientState:
    """Put a deal into the position it has been told to be of: what is posted stands, what waited is rated."""
    key, where = keys.deal(client.client_id, deal.deal_key), keys.position(client.client_id, deal)
    state = replace(
        known,
        revision=deal.revision,
        replaced=replaced_by(draft, client.client_id, known, deal),
        position=where,
    )
    before, fill = position_at(draft, where), fill_of(deal, deal.deal_key)
    position = with_fill(before, fill, terms.rescales_of(deal.server, deal.symbol))
    opened_e8 = deal.volume_e8 if deal.entry == "in" else known.opened_e8
    booking = resumed(state, key, deal, opened_e8, deal.volume_e8 - opened_e8)
    _tell_others(draft, known, deal)
    if known.parked is not None:
        draft.put(keys.parked(known.parked), None)
        client = rate_deal(draft, client, booking, terms, position)
    else:
        draft.put(key, state)
        keep_position(draft, client, where, position, deal, terms)
        if booking.closed_e8:
            client = _count(draft, client, booking, state, position, terms)
    if position.fills[-1] is not fill:
        client = rerate_closings(draft, client, deal.deal_key, where, before, terms)
    return client


def _count(
    draft: Draft, client: ClientState, booking: Booking, state: DealState, position: Position, terms: Terms
) -> ClientState:
    """What a closing counts and refunds, now that its openings are known, where somebody asks for them."""
    deal = booking.deal
    symbol = terms.symbol(deal.server, deal.symbol, deal.occurred_at)
    if symbol is None:
        count_later(draft, client, deal, booking.opened_e8, booking.closed_e8, terms)
        return client
    is_kept = draft.get(keys.closing(client.client_id, deal.deal_key)) is not None
    if is_kept:
        look_back(draft, client, booking, terms, is_asked=True)
    part = part_of(client, booking, symbol, position if is_kept else None, terms)
    if is_kept and asks_of_charges(client, terms) and is_refund(deal):
        client = refund(draft, client, booking, *refunds_of(deal, part), terms)
        draft.put(booking.key, replace(state, refunded=booking.refunded))
    return count_trade(draft, client, part, terms)


def _tell_others(draft: Draft, known: DealState, deal: Deal) -> None:
    """The hedged volume and the close-by that the deal counts in rate it again by what they keep of it."""
    if known.hedge:
        hedging.replace_deal(draft, known.hedge, deal)
    if known.leg:
        legs = draft.get(known.leg)
        assert isinstance(legs, CloseBy), "a leg is kept there"
        told = (one._replace(deal=deal) if one.key == deal.deal_key else one for one in legs.legs)
        draft.put(known.leg, CloseBy(legs=tuple(told)))
