"""Rate again what is posted, by the terms and links known now: what differs is corrected, the rest stands.

Later terms do not touch what is posted, unless somebody approves it: a `ReratingApproved` in the log
works out once more what a deal earns, as of the deal's own time, and compares. An accrual that would
be posted the same stays; one that would not is reversed with its frozen amount, and the new one
posted. Doing it again finds no difference and says nothing, so it may be delivered twice.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from commission.client import cpa_grants, hedging, keys
from commission.client.accruals import post, reverse
from commission.client.charges import rate_charge
from commission.client.clawback import claw_back_new
from commission.client.cpa_trades import count_trade, forget_trade
from commission.client.deals import (
    SETTLED_BY_PERIOD,
    Booking,
    forfeited,
    look_aside,
    look_back,
    part_of,
    position_at,
    rate_again,
    reject,
    resumed,
    upline_for,
    why_no_trade,
)
from commission.client.kyc_gate import is_forfeited, is_lost
from commission.client.placing import at_known_position
from commission.client.state import Cause, ClientState, DealState, EventState, Posted
from commission.client.tallies import cohort_tallies, send, tally, withdraw
from commission.draft import Draft
from commission.events import Deal, ReratingApproved
from commission.outputs import Tally, Transfer
from commission.rating.rate import rate
from commission.rating.values import Earned, Part, Reason, TallyAmounts
from commission.sums import Sums, total
from commission.terms.catalog import Terms
from commission.terms.rate_matching import Trait

FACTOR = "proposal"
"""The factor that tells of a row which proposal posted it."""

Kind = tuple[object, ...]


class RatingOutcome(NamedTuple):
    """What a deal brings by the terms known now."""

    earned: tuple[Earned, ...] = ()
    worths: tuple[TallyAmounts, ...] = ()
    cohorts: tuple[Tally, ...] = ()
    path: tuple[str, ...] = ()
    reason: Reason = SETTLED_BY_PERIOD
    """Why it pays nothing, where it does not."""
    part: Part | None = None


class Difference(NamedTuple):
    """What stands and would not be posted now, and what would be and does not stand."""

    kept: tuple[Posted, ...]
    removed: tuple[Posted, ...]
    missing: tuple[Earned, ...]
    kept_tallies: tuple[Tally, ...]
    removed_tallies: tuple[Tally, ...]
    missing_tallies: tuple[Tally, ...]

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.removed or self.missing or self.removed_tallies or self.missing_tallies)


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
    client, found = _brings(draft, client, booking, state, terms)
    if isinstance(found, Reason):
        return client, found
    state = replace(state, leg=booking.leg, hedge=booking.hedge)
    client = _correct(draft, client, booking, state, found, terms)
    if found.part is not None and closed_e8:
        return count_trade(draft, client, found.part, terms), None
    if found.reason.code == "no_ib":
        return forget_trade(draft, client, deal, terms), None
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


def _brings(
    draft: Draft, client: ClientState, booking: Booking, state: DealState, terms: Terms
) -> tuple[ClientState, RatingOutcome | Reason]:
    """What the deal would bring if it came now; a reason if that cannot be told."""
    deal = booking.deal
    refusal = why_no_trade(deal)
    if refusal is not None:
        is_charge = deal.kind == "commission" and not deal.is_service
        return client, _charge_brings(client, deal, state, refusal, terms) if is_charge else RatingOutcome()
    chain = upline_for(client, deal, terms)
    if isinstance(chain, Reason):
        client = _leave_hedge(draft, client, booking, state, terms)
        return client, chain if chain.waits else RatingOutcome(reason=chain)
    symbol = terms.symbol(deal.server, deal.symbol, deal.occurred_at)
    if symbol is None:
        text = f"{deal.server} has no symbol {deal.symbol} in the terms any more"
        return client, Reason("unknown_symbol", text, waits=True)
    looks_back = terms.looks_back and booking.closed_e8
    if looks_back:
        looks_back = look_back(draft, client, booking, terms, is_asked=chain.needs_openings)
    position = position_at(draft, state.position)
    part = part_of(client, booking, symbol, position if looks_back else None, terms)
    if chain.looks_aside:
        client, part = look_aside(draft, client, booking, part, chain, terms)
    client = _leave_hedge(draft, client, booking, state, terms)
    outcome = rate(part, chain, terms)
    cohorts: tuple[Tally, ...] = ()
    if chain.has_cohorts and booking.closed_e8:
        cohorts = cohort_tallies(client, part, chain)
    if isinstance(outcome, Reason):
        if outcome.waits:
            return client, outcome
        return client, RatingOutcome(cohorts=cohorts, path=chain.path, reason=outcome, part=part)
    return client, RatingOutcome(outcome.earned, outcome.worths, cohorts, chain.path, part=part)


def _charge_brings(
    client: ClientState, deal: Deal, state: DealState, refusal: Reason, terms: Terms
) -> RatingOutcome | Reason:
    """A later commission charge, shared by the volumes that it was for when it came."""
    chain = upline_for(client, deal, terms)
    if isinstance(chain, Reason):
        return chain if chain.waits else RatingOutcome(reason=refusal)
    if not chain.charges:
        return RatingOutcome(reason=refusal)
    if not state.charged:
        text = (
            f"the charge {deal.deal_key} was shared with nobody, so the volumes it was for were not kept; "
            "correct it by hand"
        )
        return Reason("charge_unknown", text, waits=True)
    trait = Trait(client.client_id, deal.account_key, deal.group, client.country)
    earned = rate_charge(deal, trait, state.charged, chain, terms)
    return RatingOutcome(earned, path=chain.path, reason=refusal)


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
    difference = _difference(draft, client, state, found, cause, terms)
    if not difference:
        draft.put(booking.key, state)
        return client
    times = state.times + 1
    identity = (client.client_id, booking.cause, deal.revision, str(times))
    client, _ = reverse(draft, client, difference.removed, cause)
    withdraw(draft, client, difference.removed_tallies, cause)
    client, posted = post(draft, client, difference.missing, path=found.path, cause=cause, identity=identity)
    send(draft, client, difference.missing_tallies)
    fresh = replace(
        state,
        posted=posted,
        tallied=difference.missing_tallies,
        times=times,
        first_posted=(),
        first_tallied=(),
    )
    if client.clawed and (posted or difference.missing_tallies):
        client, fresh = claw_back_new(draft, client, fresh, terms)
    if not (posted or difference.kept):
        reject(draft, client, deal, forfeited(client) if found.earned else found.reason)
    draft.put(
        booking.key,
        replace(
            fresh,
            posted=(*difference.kept, *fresh.posted),
            tallied=(*difference.kept_tallies, *fresh.tallied),
        ),
    )
    return client


def _difference(
    draft: Draft, client: ClientState, state: DealState, found: RatingOutcome, cause: Cause, terms: Terms
) -> Difference:
    """Compare what stands with what would stand had the deal come now and been clawed back since."""
    due = [one for one in found.earned if not is_lost(client, one, cause.occurred_at)]
    aside = Draft(draft.get, draft.scan)
    trial, posted = post(aside, client, due, path=found.path, cause=cause, identity=("trial",))
    tallies = (*tally(aside, client, found.worths, cause), *found.cohorts)
    after = replace(state, posted=posted, tallied=tallies)
    if client.clawed and (posted or tallies):
        _, after = claw_back_new(aside, trial, after, terms)
    left = {entry.transfer_id: entry for entry in after.posted}
    standing = [entry for entry in state.posted if not is_forfeited(entry, client)]
    kept: list[Posted] = []
    missing: list[Earned] = []
    for one, entry in zip(due, posted, strict=True):
        if entry.transfer_id not in left:
            continue  # it would have been taken back whole
        wanted = _kind(left[entry.transfer_id], terms)
        same = next((known for known in standing if _kind(known, terms) == wanted), None)
        if same is None:
            missing.append(one)
        else:
            standing.remove(same)
            kept.append(same)
    was, wants = _sums(state.tallied), _sums(after.tallied)
    same_places = {place for place in was | wants if was.get(place) == wants.get(place)}
    return Difference(
        kept=tuple(kept),
        removed=tuple(standing),
        missing=tuple(missing),
        kept_tallies=tuple(one for one in state.tallied if _place(one) in same_places),
        removed_tallies=tuple(one for one in state.tallied if _place(one) not in same_places),
        missing_tallies=tuple(one for one in tallies if _place(one) not in same_places),
    )


def _kind(entry: Posted, terms: Terms) -> Kind:
    """What makes an accrual the same as another: whose and how much money it is, and when it may be paid.

    Not whether it is held: that is a matter of the client's KYC when it was posted; nor the version of the
    plan, as long as that pays the same behind the same gate.
    """
    plan = terms.plan_version(entry.plan_id, entry.plan_version)
    is_gated = plan is not None and plan.kyc_gate
    money = (entry.ib_id, entry.component, entry.amount, entry.taken, entry.currency)
    return (*money, entry.by_ib, entry.matures_at, is_gated)


def _sums(tallies: Iterable[Tally]) -> dict[Kind, Sums]:
    """What tallies add up to, place by place, without those that add nothing."""
    by_place: dict[Kind, list[Tally]] = {}
    for one in tallies:
        by_place.setdefault(_place(one), []).append(one)
    totals = {place: total(one.sums for one in found) for place, found in by_place.items()}
    return {place: sums for place, sums in totals.items() if not sums.is_zero}


def _place(one: Tally) -> Kind:
    """Where a tally counts: the plan's version is part of it, for that tells bands and caps."""
    plan = (one.ib_id, one.plan_id, one.plan_version, one.component)
    return (*plan, one.occurred_at, one.currency, one.is_gated, one.forfeit_days, len(one.amounts))
