"""Post what a booked deal brings, and remember it in the booking."""

from commission.client.accruals import post
from commission.client.booking import Booking
from commission.client.outcome import SETTLED_BY_PERIOD, RatingOutcome, forfeited
from commission.client.parked import reject
from commission.client.state import ClientState
from commission.client.tallies import tally
from commission.draft import Draft


def post_booked(draft: Draft, client: ClientState, booking: Booking, found: RatingOutcome) -> ClientState:
    """Its accruals and tallies; why there is nothing, where a period or a KYC gate leaves nothing."""
    cause = booking.to_cause(found.part.symbol if found.part is not None else None)
    identity = (client.client_id, booking.cause, booking.deal.revision, str(booking.times))
    client, booking.posted = post(
        draft, client, found.earned, path=found.path, cause=cause, identity=identity
    )
    if not booking.posted:
        reject(draft, client, booking.deal, forfeited(client) if found.earned else SETTLED_BY_PERIOD)
    booking.tallied = tally(draft, client, found.worths, cause) if found.worths else ()
    booking.parked = None
    return client
