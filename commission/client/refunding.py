"""Take of a charged deal what another deal refunds of its charge, and give it back if that deal goes."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec.structs import replace

from commission.client import keys
from commission.client.booking import Booking
from commission.client.clawback import settle_deal
from commission.client.refunds import Refunded, UnplacedRefund, with_refund
from commission.client.state import Cause, ClientState, DealState, Refund
from commission.draft import Draft
from commission.events import Deal
from commission.terms.catalog import Terms


def refund(
    draft: Draft,
    client: ClientState,
    booking: Booking,
    refunds: Mapping[str, Refunded],
    rest: Decimal,
    terms: Terms,
) -> ClientState:
    """Let the deal refund these charges, by the business keys of their deals, and no others.

    Where no opening tells the charge of a `rest`, all of the refund is kept to be matched with the account's.
    """
    deal, account = booking.deal, booking.account
    place = keys.unplaced_refund(client.client_id, account, booking.cause)
    if rest:
        placed = {charged: (one.amount, one.charge) for charged, one in refunds.items()}
        draft.put(place, UnplacedRefund(deal=deal, amount=rest, placed=placed))
        until = max(deal.occurred_at, client.refunds_until.get(account, deal.occurred_at))
        return replace(client, refunds_until={**client.refunds_until, account: until})
    if account in client.refunds_until and draft.get(place) is not None:
        draft.put(place, None)
    client, booking.refunded = refund_charges(draft, client, deal, booking.refunded, refunds, terms)
    return client


def refund_charges(
    draft: Draft,
    client: ClientState,
    deal: Deal,
    known: Iterable[str],
    refunds: Mapping[str, Refunded],
    terms: Terms,
) -> tuple[ClientState, tuple[str, ...]]:
    """Take of these charges, and give back of the others that the deal is `known` to have refunded."""
    name = deal.deal_key
    for charged in sorted({*known, *refunds}):
        key = keys.deal(client.client_id, charged)
        before = draft.read(key, DealState)
        found = refunds.get(charged)
        one = None if found is None else Refund(name, deal.occurred_at, *found)
        state = with_refund(before, name, one)
        if state is before:
            continue
        cause = Cause(name, deal.occurred_at, deal.account_key, deal.revision, deal.symbol)
        cause = cause._replace(effect=f"{name}|{state.refund_times}")
        client, state = settle_deal(draft, client, state, cause, terms)
        draft.put(key, state)
    return client, tuple(sorted(refunds))
