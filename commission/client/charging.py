"""Later commission charges of an account in the fold: each is for what was traded since the one before it.

That is worked out by the times of charges and deals, in whatever order they become known: a charge that comes
in its order takes what no charge is for yet; otherwise the account's deals are looked through.
"""

from msgspec.structs import replace

from commission.client import keys
from commission.client.booking import Booking, resumed
from commission.client.charges import (
    LaterCharge,
    Lots,
    Volumes,
    charge_of,
    grouped,
    rate_charge,
    with_volume,
)
from commission.client.clawback import claw_back_new
from commission.client.outcome import RatingOutcome, upline_for
from commission.client.parked import turn_down
from commission.client.posting import post_booked
from commission.client.refunding import refund
from commission.client.refunds import REFUND, asks_of_charges
from commission.client.reversals import reverse
from commission.client.state import Cause, ClientState, DealState
from commission.client.tallies import withdraw
from commission.draft import Draft
from commission.rating.values import ZERO, Reason
from commission.terms.catalog import Terms
from commission.value import Time


def add_volume(
    draft: Draft, client: ClientState, account: str, at: Time, more: tuple[str, int], terms: Terms
) -> ClientState:
    """Count a deal (its symbol and 1e-8 standard lots) towards the charge of its time.

    That is the next, or one that is known, which is shared again then.
    """
    key, (symbol, volume_e8) = keys.volumes(client.client_id, account), more
    volumes: Volumes = draft.get(key) or Volumes()
    if volumes.last_at is None or at > volumes.last_at:
        newest = at if volumes.newest is None else max(at, volumes.newest)
        lots = with_volume(volumes.lots_e8, symbol, volume_e8)
        draft.put(key, replace(volumes, lots_e8=lots, newest=newest))
        return client
    last = volumes.last
    if not volumes.is_of_last(at):
        known = later_charges(draft, client, account)
        last = next(one.deal.deal_key for one in known if one.deal.occurred_at >= at)
    place = keys.later_charge(client.client_id, account, last)
    one = draft.read(place, LaterCharge)
    one = replace(one, lots_e8=with_volume(one.lots_e8, symbol, volume_e8))
    draft.put(place, one)
    if one.lots_e8 and last == volumes.last:
        return _share_anew(draft, client, one, one.lots_e8, terms)
    return share_again(draft, client, account, terms)


def charge(
    draft: Draft, client: ClientState, booking: Booking, terms: Terms
) -> tuple[bool, ClientState, Reason | None]:
    """Share a later commission deal by the volumes it is for, or take of the charge that it refunds.

    Whether something was posted; else why not, where the deal is a refund or waits.
    """
    deal, account = booking.deal, booking.account
    is_charge = deal.kind == "commission" and not deal.is_service
    amount = charge_of(deal) if is_charge and asks_of_charges(client, terms) else ZERO
    booking.charge, booking.symbol, booking.charged = max(ZERO, amount), "", {}
    if amount > 0 and not terms.some.shares_later_charges:
        chain = upline_for(client, deal, terms)  # nobody's share, but a refund may be of it
        return False, client, chain if isinstance(chain, Reason) and chain.waits else None
    if amount > 0:
        client, booking.charged = _place(draft, client, booking, terms)
        return _post(draft, client, booking, terms)
    place = keys.later_charge(client.client_id, account, booking.cause)
    if draft.get(place) is not None:
        draft.put(place, None)
        _group(draft, client, account)
        client = share_again(draft, client, account, terms)
    if not amount:
        return False, client, None
    return False, refund(draft, client, booking, {}, -amount, terms), REFUND


def _place(draft: Draft, client: ClientState, booking: Booking, terms: Terms) -> tuple[ClientState, Lots]:
    """Put a charge among the others of its account; what it is for."""
    deal, account = booking.deal, booking.account
    place = keys.later_charge(client.client_id, account, booking.cause)
    known: LaterCharge | None = draft.get(place)
    key = keys.volumes(client.client_id, account)
    volumes: Volumes = draft.get(key) or Volumes()
    if known is not None and known.deal.occurred_at == deal.occurred_at:
        draft.put(place, replace(known, deal=deal))
    elif known is None and volumes.is_in_order(deal):
        draft.put(place, LaterCharge(deal=deal, lots_e8=volumes.lots_e8))
        draft.put(key, Volumes(last=booking.cause, last_at=deal.occurred_at, since=volumes.last_at))
        if volumes.lots_e8:
            return client, volumes.lots_e8
    else:
        draft.put(place, LaterCharge(deal=deal))
        _group(draft, client, account)
    client = share_again(draft, client, account, terms, but=booking.cause)
    return client, _effective(draft, client, account)[booking.cause]


def _post(
    draft: Draft, client: ClientState, booking: Booking, terms: Terms
) -> tuple[bool, ClientState, Reason | None]:
    deal = booking.deal
    chain = upline_for(client, deal, terms)
    if isinstance(chain, Reason):
        return False, client, chain if chain.waits else None
    rated = rate_charge(client, deal, booking.charge, booking.charged, chain, terms)
    if isinstance(rated, Reason):
        return False, client, rated
    if not any(rated):
        return False, client, None
    client = post_booked(draft, client, booking, RatingOutcome(*rated, path=chain.path))
    state = booking.to_state()
    if (client.clawed or state.refunds) and (state.posted or state.tallied):
        client, state = claw_back_new(draft, client, state, terms)
    draft.put(booking.key, state)
    return True, client, None


def share_again(draft: Draft, client: ClientState, account: str, terms: Terms, but: str = "") -> ClientState:
    """Share anew what the account was charged for other volumes than was known, but one of its charges."""
    effective = _effective(draft, client, account)
    for one in later_charges(draft, client, account):
        cause = one.deal.deal_key
        state = draft.get(keys.deal(client.client_id, cause))
        if cause != but and isinstance(state, DealState) and state.charged != effective[cause]:
            client = _share_anew(draft, client, one, effective[cause], terms)
    return client


def _share_anew(
    draft: Draft, client: ClientState, one: LaterCharge, traded: Lots, terms: Terms
) -> ClientState:
    deal = one.deal
    state = draft.read(key := keys.deal(client.client_id, deal.deal_key), DealState)
    cause = Cause(deal.deal_key, deal.occurred_at, deal.account_key, deal.revision)
    client, _ = reverse(draft, client, state.posted, cause)
    withdraw(draft, client, state.tallied, cause)
    booking = resumed(replace(state, posted=(), tallied=(), times=state.times + 1), key, deal, 0, 0)
    booking.charged = traded
    if state.parked is not None:
        draft.put(keys.parked(state.parked), None)
    is_posted, client, why = _post(draft, client, booking, terms)
    if why is not None:
        turn_down(draft, client, booking, why)
    if not is_posted:
        draft.put(key, booking.to_state())
    return client


def later_charges(draft: Draft, client: ClientState, account: str) -> list[LaterCharge]:
    """The later charges of an account in the order of their time."""
    found = (
        draft.read(key, LaterCharge) for key in draft.scan(keys.later_charges(client.client_id, account))
    )
    return sorted(found, key=lambda one: one.place)


def _effective(draft: Draft, client: ClientState, account: str) -> dict[str, Lots]:
    """What each charge is for: one that is made again after all of it was refunded is for the same."""
    found: dict[str, Lots] = {}
    before: Lots = {}
    for one in later_charges(draft, client, account):
        lots = found[one.deal.deal_key] = one.lots_e8 or before
        state = draft.get(keys.deal(client.client_id, one.deal.deal_key))
        before = lots if isinstance(state, DealState) and _is_refunded(state) else {}
    return found


def _is_refunded(state: DealState) -> bool:
    return sum((one.amount for one in state.refunds), ZERO) >= state.charge > 0


def _group(draft: Draft, client: ClientState, account: str) -> None:
    """Work out by the times of deals and charges which charge is for which deals."""
    states = (draft.get(key) for key in draft.scan(keys.deals(client.client_id)))
    deals = [one for one in states if isinstance(one, DealState) and one.volume and one.account == account]
    charges, volumes = grouped(later_charges(draft, client, account), deals)
    draft.put(keys.volumes(client.client_id, account), volumes)
    for one in charges:
        draft.put(keys.later_charge(client.client_id, account, one.deal.deal_key), one)
