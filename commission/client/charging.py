"""Later commission charges of an account in the fold: what each is for, and what its refund takes back."""

from decimal import Decimal

from msgspec.structs import replace

from commission.client import keys
from commission.client.booking import Booking, resumed
from commission.client.charges import charge_of, rate_charge, with_charge, with_volume, without_charge
from commission.client.clawback import claw_back_new
from commission.client.outcome import RatingOutcome, upline_for
from commission.client.posting import post_booked
from commission.client.refunding import refund_charges
from commission.client.refunds import REFUND, Refunded
from commission.client.reversals import reverse
from commission.client.state import Cause, ClientState, DealState, Volumes
from commission.draft import Draft
from commission.events import Deal
from commission.rating.values import ZERO, Reason
from commission.terms.catalog import Terms
from commission.terms.rate_matching import Trait
from commission.terms.upline import Upline


def add_volume(
    draft: Draft, client: ClientState, deal: Deal, symbol: str, volume_e8: int, terms: Terms
) -> ClientState:
    """Count a deal towards the charge of its time: the next, or the last, which is shared again then."""
    key = keys.volumes(client.client_id, deal.account_key)
    volumes = _volumes(draft, key)
    if volumes.last is None or not volumes.is_of_last(deal.occurred_at):
        draft.put(key, with_volume(volumes, symbol, volume_e8))
        return client
    of_charge = with_volume(Volumes(lots_e8=volumes.charged_e8), symbol, volume_e8)
    draft.put(key, replace(volumes, charged_e8=of_charge.lots_e8))
    return _share_again(draft, client, volumes.last, terms)


def charge(
    draft: Draft, client: ClientState, booking: Booking, terms: Terms
) -> tuple[bool, ClientState, Reason | None]:
    """Share a later commission deal by the volumes it is for, or take of the charge that it refunds.

    Whether something was posted; else why not, where the deal is a refund.
    """
    deal = booking.deal
    key = keys.volumes(client.client_id, deal.account_key)
    volumes = _volumes(draft, key)
    amount = charge_of(deal) if deal.kind == "commission" and not deal.is_service else ZERO
    if amount <= 0 and (after := without_charge(volumes, deal)) is not volumes:
        volumes, booking.charged = after, {}
        draft.put(key, after)
    chain = upline_for(client, deal, terms)
    if not amount or isinstance(chain, Reason) or not chain.charges:
        return False, client, None
    if amount < 0:
        return _refund(draft, client, booking, volumes, chain, terms)
    is_again = _refunded(draft, client, volumes) >= _last_charge(volumes) > 0
    is_old = bool(booking.charged) and (volumes.last is None or volumes.last.deal_key != deal.deal_key)
    traded = booking.charged if is_old else volumes.lots_e8
    if not is_old:
        after = with_charge(volumes, deal, is_again=is_again)
        draft.put(key, after)
        if after.last is deal:
            traded = after.charged_e8
    return *_post(draft, client, booking, amount, traded, chain, terms), None


def _post(
    draft: Draft,
    client: ClientState,
    booking: Booking,
    amount: Decimal,
    traded: dict[str, int],
    chain: Upline,
    terms: Terms,
) -> tuple[bool, ClientState]:
    deal = booking.deal
    trait = Trait(client.client_id, deal.account_key, deal.group, client.country)
    earned = rate_charge(deal, amount, trait, traded, chain, terms)
    booking.charged = dict(traded)
    if not earned:
        return False, client
    client = post_booked(draft, client, booking, RatingOutcome(earned, path=chain.path))
    state = booking.to_state()
    if (client.clawed or state.refunds) and state.posted:
        client, state = claw_back_new(draft, client, state, terms)
    draft.put(booking.key, state)
    return True, client


def _refund(
    draft: Draft, client: ClientState, booking: Booking, volumes: Volumes, chain: Upline, terms: Terms
) -> tuple[bool, ClientState, Reason | None]:
    """A refund is of the last charge before it, as far as that goes; the rest is a charge turned round."""
    amount, last = -charge_of(booking.deal), volumes.last
    refunds: dict[str, Refunded] = {}
    if last is not None and last.occurred_at <= booking.deal.occurred_at:
        left = _last_charge(volumes) - _refunded(draft, client, volumes, but=booking.cause)
        if left > 0:
            refunds[last.deal_key] = Refunded(min(amount, left), _last_charge(volumes))
            amount -= min(amount, left)
    client = refund_charges(draft, client, booking, refunds, terms)
    traded = volumes.charged_e8 or volumes.lots_e8
    is_posted, client = _post(draft, client, booking, -amount, traded, chain, terms)
    return is_posted, client, REFUND if refunds else None


def _share_again(draft: Draft, client: ClientState, deal: Deal, terms: Terms) -> ClientState:
    """The last charge is for other volumes than was known."""
    state = draft.get(key := keys.deal(client.client_id, deal.deal_key))
    assert isinstance(state, DealState), "a charge has a state"
    cause = Cause(deal.deal_key, deal.occurred_at, deal.account_key, deal.revision)
    client, _ = reverse(draft, client, state.posted, cause)
    state = replace(state, posted=(), times=state.times + 1)
    booking = resumed(state, key, deal, 0, 0)
    is_posted, client, _ = charge(draft, client, booking, terms)
    if not is_posted:
        draft.put(key, booking.to_state())
    return client


def _volumes(draft: Draft, key: str) -> Volumes:
    return draft.get(key) or Volumes()


def _last_charge(volumes: Volumes) -> Decimal:
    return ZERO if volumes.last is None else charge_of(volumes.last)


def _refunded(draft: Draft, client: ClientState, volumes: Volumes, but: str = "") -> Decimal:
    """What was refunded of the last charge, by other deals than one."""
    if volumes.last is None:
        return ZERO
    state = draft.get(keys.deal(client.client_id, volumes.last.deal_key))
    refunds = state.refunds if isinstance(state, DealState) else ()
    return sum((one.amount for one in refunds if one.cause != but), ZERO)
