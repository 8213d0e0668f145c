"""Rate again what is posted, by the terms and links known now: what differs is corrected, the rest stands.

Later terms do not touch what is posted, unless somebody approves it: a `ReratingApproved` in the log
works out once more what a deal earns, as of the deal's own time, and compares. An accrual that would
be posted the same stays; one that would not is reversed with its frozen amount, and the new one
posted. Doing it again finds no difference and says nothing, so it may be delivered twice.
"""

from msgspec.structs import replace

from commission.client import cpa_grants, hedging, keys
from commission.client.accruals import post
from commission.client.booking import Booking, resumed
from commission.client.charges import charge_of, rate_charge
from commission.client.clawback import before_clawback, claw_back_new
from commission.client.cpa_trades import count_trade
from commission.client.deals import brings, rate_again
from commission.client.difference import compare, together
from commission.client.keeping import position_at
from commission.client.outcome import RatingOutcome, forfeited, upline_for, why_no_trade
from commission.client.parked import reject
from commission.client.placing import at_known_position
from commission.client.refund_matching import match_refunds
from commission.client.refunding import refund
from commission.client.refunds import REFUND, asks_of_charges, charge_on
from commission.client.reversals import reverse
from commission.client.state import Cause, ClientState, DealState, EventState
from commission.client.tallies import send, withdraw
from commission.draft import Draft
from commission.events import Deal, ReratingApproved
from commission.outputs import Transfer
from commission.rating.values import Reason
from commission.terms.catalog import Terms

FACTOR = "proposal"
"""The factor that tells of a row which proposal posted it."""


def rerate(
    draft: Draft, client: ClientState, record: ReratingApproved, terms: Terms
) -> tuple[ClientState, Reason | None]:
    """Correct what the record is about; the reason if that cannot be told, and so everything stands.

    State that stays equal is not written, and every transfer names the proposal.
    """
    trial = Draft(draft.get, draft.scan)
    if client.registered_at is None:
        return client, None  # all it did waits for its registration, and is rated then
    if record.deal is None:
        after, doubt = _rerate_client(trial, client, record, terms)
    else:
        after, doubt = _rerate_deal(trial, client, record.deal, terms)
    if doubt is not None:
        return client, doubt
    after = match_refunds(trial, after, terms)
    for key, value in trial.writes.items():
        if draft.get(key) != value:
            draft.put(key, value)
    draft.emit(*(_marked(output, record.proposal_id) for output in trial.outputs))
    return after, doubt


def _marked(output: object, proposal_id: str) -> object:
    if isinstance(output, Transfer):
        return replace(output, factors={**output.factors, FACTOR: proposal_id})
    return output


def _rerate_client(
    draft: Draft, client: ClientState, record: ReratingApproved, terms: Terms
) -> tuple[ClientState, Reason | None]:
    """Weigh CPAs, CPLs and deposit shares by today's conditions; once for each proposal."""
    key = keys.event(client.client_id, f"proposal|{record.proposal_id}")
    if draft.get(key) is not None:
        return client, None
    cause = Cause(f"proposal|{record.proposal_id}", record.occurred_at)
    after = cpa_grants.weigh(draft, client, cause, terms, anew=True)
    if any(found is not None for key, found in draft.writes.items() if keys.is_parked(key)):
        text = f"the terms lack an IB, a plan or a rate that the CPAs or deposits of {client.client_id} need"
        return client, Reason("unknown_terms", text, waits=True)
    if after != client or draft.outputs:
        draft.put(key, EventState(at=record.occurred_at))
    return after, None


def _rerate_deal(
    draft: Draft, client: ClientState, deal: Deal, terms: Terms
) -> tuple[ClientState, Reason | None]:
    key = keys.deal(client.client_id, deal.deal_key)
    state: DealState | None = draft.get(key)
    deal = at_known_position(client.client_id, state, deal)
    if state is None or state.revision != deal.revision or state.ended or state.parked is not None:
        return client, None  # not rated yet, or another deal by now: it is rated by what is known then
    closed_e8 = _closed_e8(state, deal)
    booking = resumed(state, key, deal, deal.volume_e8 - closed_e8, closed_e8)
    booking.hedge = ""
    if why_no_trade(deal) is not None:
        found = _no_trade_brings(client, deal, state, terms)
    else:
        client, found = brings(draft, client, booking, position_at(draft, state.position), terms)
        client = _leave_hedge(draft, client, booking, state, terms)
        if asks_of_charges(client, terms):
            booking.charge, booking.symbol = charge_on(deal), deal.symbol
    if found.reason.waits:
        return client, found.reason
    client = refund(draft, client, booking, found.refunds, found.unplaced, terms)
    now = booking.to_state()
    state = replace(state, leg=now.leg, hedge=now.hedge, refunded=now.refunded)
    state = replace(state, account=now.account, symbol=now.symbol, charge=now.charge)
    client = _correct(draft, client, booking, state, found, terms)
    if found.part is not None and closed_e8:
        client = count_trade(draft, client, found.part, terms)
    return client, None


def _closed_e8(state: DealState, deal: Deal) -> int:
    match deal.entry:
        case "in":
            return 0
        case "inout":
            return deal.volume_e8 - state.opened_e8
        case _:
            return deal.volume_e8


# What the deal brings now


def _no_trade_brings(client: ClientState, deal: Deal, state: DealState, terms: Terms) -> RatingOutcome:
    """A later commission charge, shared by the volumes that it is for; nothing of any other."""
    refusal = why_no_trade(deal)
    if refusal is None or deal.kind != "commission" or deal.is_service:
        return RatingOutcome()
    chain = upline_for(client, deal, terms)
    amount = charge_of(deal)
    if amount < 0 and asks_of_charges(client, terms):
        return RatingOutcome(reason=REFUND, unplaced=-amount)
    if isinstance(chain, Reason) or not chain.charges or amount <= 0:
        return RatingOutcome(reason=chain if isinstance(chain, Reason) and chain.waits else refusal)
    if not state.charged:
        text = (
            f"the charge {deal.deal_key} was shared with nobody, so the volumes it was for were not kept; "
            "correct it by hand"
        )
        return RatingOutcome(reason=Reason("charge_unknown", text, waits=True))
    rated = rate_charge(client, deal, amount, state.charged, chain, terms)
    if isinstance(rated, Reason):
        return RatingOutcome(reason=rated)
    return RatingOutcome(*rated, path=chain.path, reason=refusal)


def _leave_hedge(
    draft: Draft, client: ClientState, booking: Booking, state: DealState, terms: Terms
) -> ClientState:
    """A deal whose plans no longer pay hedged volume counts in it no more."""
    if not state.hedge or booking.hedge == state.hedge:
        return client
    return rate_again(draft, client, hedging.leave(draft, state.hedge, booking.cause), terms)


# Against what stands


def _correct(
    draft: Draft, client: ClientState, booking: Booking, state: DealState, found: RatingOutcome, terms: Terms
) -> ClientState:
    """Reverse what would not be posted now, and post what is missing."""
    deal = booking.deal
    is_trade = deal.kind == "trade"
    symbol = terms.symbol(deal.server, deal.symbol, deal.occurred_at) if is_trade else None
    cause = booking.to_cause(symbol)
    difference = compare(draft, client, state, found, cause, terms)
    kept = difference.kept
    if not difference:
        draft.put(booking.key, kept)
        return client
    times = state.times + 1
    identity = (client.client_id, booking.cause, deal.revision, str(times))
    client, _ = reverse(draft, client, difference.removed, cause)
    withdraw(draft, client, difference.removed_tallies, cause)
    client, posted = post(draft, client, difference.missing, path=found.path, cause=cause, identity=identity)
    send(draft, client, difference.missing_tallies)
    first = fresh = DealState(
        revision=state.revision,
        at=state.at,
        posted=posted,
        tallied=difference.missing_tallies,
        refunds=state.refunds,
    )
    if (client.clawed or state.refunds) and (posted or difference.missing_tallies):
        client, fresh = claw_back_new(draft, client, fresh, terms)
    if not (posted or before_clawback(kept).posted):
        reject(draft, client, deal, forfeited(client) if found.earned else found.reason)
    draft.put(booking.key, replace(together(kept, first, fresh), times=times))
    return client
