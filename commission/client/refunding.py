"""Take of a charged deal what another deal refunds of its charge, and give it back if that deal goes."""

from collections.abc import Mapping

from commission.client import keys
from commission.client.booking import Booking
from commission.client.clawback import settle_deal
from commission.client.refunds import Refunded, with_refund
from commission.client.state import Cause, ClientState, DealState, Refund
from commission.draft import Draft
from commission.terms.catalog import Terms


def refund_charges(
    draft: Draft, client: ClientState, booking: Booking, refunds: Mapping[str, Refunded], terms: Terms
) -> ClientState:
    """Let the deal refund these charges, by the business keys of their deals, and no others."""
    deal = booking.deal
    for charged in sorted({*booking.refunded, *refunds}):
        key = keys.deal(client.client_id, charged)
        known = draft.get(key)
        assert isinstance(known, DealState), "a deal that was charged has a state"
        refund = refunds.get(charged)
        one = None if refund is None else Refund(booking.cause, deal.occurred_at, *refund)
        state = with_refund(known, booking.cause, one)
        if state is known:
            continue
        cause = Cause(booking.cause, deal.occurred_at, booking.account, deal.revision, deal.symbol)
        cause = cause._replace(effect=f"{booking.cause}|{state.refund_times}")
        client, state = settle_deal(draft, client, state, cause, terms)
        draft.put(key, state)
    booking.refunded = tuple(sorted(refunds))
    return client


def refunds_known(draft: Draft, client: ClientState, state: DealState, cause: str) -> dict[str, Refunded]:
    """What a deal refunds of which charges by now."""
    found: dict[str, Refunded] = {}
    for charged in state.refunded:
        known = draft.get(keys.deal(client.client_id, charged))
        assert isinstance(known, DealState), "a deal that was charged has a state"
        found.update(
            (charged, Refunded(one.amount, one.charge)) for one in known.refunds if one.cause == cause
        )
    return found
