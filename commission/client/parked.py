"""Keeps deals that wait and says which are rejected: `outcome.py` and each `Reason` decide which, by `waits`.

What waits for terms has a numbered slot of its partition.

Slots are tried again in their order when terms arrive.
"""

from msgspec.structs import replace

from commission.client import keys
from commission.client.booking import Booking
from commission.client.revisions import ENDINGS, replaced_by
from commission.client.state import ClientState, DealState, Parked, Parking
from commission.draft import Draft
from commission.events import Deal, RoutedDeal
from commission.outputs import Rejection
from commission.rating.values import Reason


def wait(draft: Draft, client: ClientState, record: RoutedDeal, known: DealState | None) -> ClientState:
    """Keep a deal until its client registers; a newer revision takes its place."""
    slot = known.waiting if known is not None and known.waiting is not None else client.waiting
    deal = record.deal
    draft.put(keys.waiting(client.client_id, slot), record)
    draft.put(
        keys.deal(client.client_id, deal.deal_key),
        DealState(
            revision=deal.revision,
            at=deal.occurred_at,
            replaced=replaced_by(draft, client.client_id, known, deal),
            ended=deal.kind in ENDINGS,
            position=keys.position(client.client_id, deal) if deal.position_id else "",
            waiting=slot,
            number=record.number,
        ),
    )
    text = f"client {client.client_id} is not registered yet; the deal is rated when the CRM says so"
    reject(draft, client, deal, Reason("unregistered_client", text, waits=True))
    return replace(client, waiting=max(client.waiting, slot + 1))


def park(draft: Draft, parked: Parked) -> int:
    """Keep something until new terms arrive."""
    parking: Parking = draft.get(keys.PARKING) or Parking()
    draft.put(keys.parked(parking.next), parked)
    draft.put(keys.PARKING, replace(parking, next=parking.next + 1))
    return parking.next


def turn_down(draft: Draft, client: ClientState, booking: Booking, reason: Reason) -> None:
    """Say why the deal pays nothing; keep it by if that may change."""
    reject(draft, client, booking.deal, reason)
    booking.parked = _park_deal(draft, client, booking) if reason.waits else None


def _park_deal(draft: Draft, client: ClientState, booking: Booking) -> int:
    """Until new terms arrive; an opening that arrives rates its closings again by itself."""
    parked = Parked(
        client_id=client.client_id,
        deal=booking.deal,
        opened_e8=booking.opened_e8,
        closed_e8=booking.closed_e8,
    )
    return park(draft, parked)


def reject(draft: Draft, client: ClientState, deal: Deal, reason: Reason) -> None:
    """Say why the deal pays nothing, or nothing yet."""
    draft.emit(
        Rejection(
            deal_key=deal.deal_key,
            revision=deal.revision,
            status="waiting" if reason.waits else "rejected",
            code=reason.code,
            text=reason.text,
            account_key=deal.account_key,
            client_id=client.client_id,
            occurred_at=deal.occurred_at,
        )
    )
