"""Deals in the client book: each one is booked, then rated, rejected, parked, or undone by a revision."""

from decimal import Decimal

from msgspec.structs import replace

from commission.client import hedging, keys
from commission.client.announcements import announce_trade
from commission.client.booking import Booking, resumed
from commission.client.charges import charged_e8
from commission.client.charging import add_volume, charge
from commission.client.clawback import claw_back_new
from commission.client.cpa_trades import count_later, count_trade, forget_trade, is_undecided
from commission.client.deal_volume import DealVolume
from commission.client.fills import Position
from commission.client.keeping import NO_FILLS, keep_position, look_back, position_at
from commission.client.outcome import (
    SETTLED_BY_PERIOD,
    RatingOutcome,
    unknown_period,
    unknown_symbol,
    upline_for,
    why_no_trade,
)
from commission.client.parked import reject, turn_down
from commission.client.positions import fill_of, slices, split_volume, with_fill, without_fill
from commission.client.posting import post_booked
from commission.client.refunding import refund
from commission.client.refunds import (
    NO_REFUNDS,
    REFUND,
    asks_of_charges,
    charge_on,
    is_refund,
    refunds_of,
    with_uncharged,
)
from commission.client.reversals import reverse
from commission.client.revisions import ENDINGS, replaced_by
from commission.client.state import (
    Cause,
    ClientState,
    CloseBy,
    DealState,
    Parked,
)
from commission.client.tallies import cohort_tallies, send, withdraw
from commission.draft import Draft
from commission.events import Deal, RoutedDeal
from commission.rating.rate import rate
from commission.rating.values import ZERO, Part, Rated, Reason, Slice
from commission.terms.catalog import Terms
from commission.terms.market import SymbolDefined
from commission.terms.rate_matching import Trait
from commission.terms.upline import Upline


def fold_deal(
    draft: Draft, client: ClientState, record: RoutedDeal, known: DealState | None, terms: Terms
) -> ClientState:
    """Undo the revision known so far, if any, then book and rate this one."""
    deal, cause = record.deal, record.deal.deal_key
    booking = Booking(keys.deal(client.client_id, cause), cause, deal, deal.account_key, number=record.number)
    if known is None:
        return _book(draft, client, booking, None, terms)
    client, undone = undo(draft, client, booking, known, terms)
    client = _book(draft, client, booking, known, terms)
    return client if undone is None else rerate_closings(draft, client, cause, known.position, undone, terms)


def _book(
    draft: Draft, client: ClientState, booking: Booking, known: DealState | None, terms: Terms
) -> ClientState:
    """Book this revision of the deal in its position, and rate it."""
    deal, cause = booking.deal, booking.cause
    place = keys.position(client.client_id, deal)
    if deal.position_id:
        booking.position = place  # also of what is no trade: a source that does not tell it may come later
    if (refusal := why_no_trade(deal)) is not None:
        return _refuse(draft, client, booking, refusal, known, terms)
    position = position_at(draft, place)
    rescales = terms.rescales_of(deal.server, deal.symbol)
    split = split_volume(position, deal, rescales)
    if isinstance(split, Reason):
        return _refuse(draft, client, booking, split, known, terms)
    fill = fill_of(deal, cause)
    booking.position, booking.signed_e8 = place, fill.signed_e8
    booking.opened_e8, booking.closed_e8 = split
    if terms.events or not client.traded:
        client = announce_trade(draft, client, booking, known, terms)
    if not place:
        return rate_deal(draft, client, booking, terms, NO_FILLS)
    before, position = position, with_fill(position, fill, rescales)
    client = rate_deal(draft, client, booking, terms, position)
    is_moved = known is None or not known.signed_e8 or known.position != place
    if position.fills[-1] is not fill and is_moved:
        client = rerate_closings(draft, client, cause, place, before, terms)
    return client


def _refuse(
    draft: Draft,
    client: ClientState,
    booking: Booking,
    reason: Reason,
    known: DealState | None,
    terms: Terms,
) -> ClientState:
    """The deal is no trade, or not one that can be understood yet."""
    deal = booking.deal
    is_charged, client, why = charge(draft, client, booking, terms)
    if is_charged:
        return client
    reason = why or reason
    if why is None:
        reject(draft, client, deal, reason)
        client = refund(draft, client, booking, {}, ZERO, terms)
    else:
        turn_down(draft, client, booking, why)
    state = booking.to_state()
    if deal.kind in ENDINGS:
        state = replace(state, ended=True)
    if reason.code == "position_unknown":
        state = replace(state, revision="")  # a replay is rated once the missing deals are there
    draft.put(booking.key, state)
    return client if known is None else forget_trade(draft, client, deal, terms)


def undo(
    draft: Draft, client: ClientState, booking: Booking, known: DealState, terms: Terms
) -> tuple[ClientState, Position | None]:
    """Take back what an older revision did: its accruals, its volumes, its place among the parked.

    The booking takes its place. The position it was in is returned, as it was.
    """
    deal = booking.deal
    undone = position_at(draft, known.position) if known.signed_e8 and known.position else None
    cause = booking.to_cause(terms.symbol(deal.server, deal.symbol, deal.occurred_at))
    if known.posted:
        client, _ = reverse(draft, client, known.posted, cause)
    if known.tallied:
        withdraw(draft, client, known.tallied, cause)
    if known.parked is not None:
        draft.put(keys.parked(known.parked), None)
    closing = keys.closing(client.client_id, booking.cause)
    if draft.get(closing) is not None:
        draft.put(closing, None)
    if known.volume:
        assert known.at is not None, "a deal that counts has a time"
        less = known.volume, -known.volume_e8
        client = add_volume(draft, client, booking.account, known.at, less, terms)
    if undone is not None:
        rest = without_fill(undone, booking.cause, known.signed_e8, deal)
        keep_position(draft, client, known.position, rest, deal, terms)
    if known.leg:
        client, _ = _place_leg(draft, client, known.leg, booking.cause, None, terms)
    if known.hedge:
        client = rate_again(draft, client, hedging.leave(draft, known.hedge, booking.cause), terms)
    booking.times, booking.replaced = known.times + 1, replaced_by(draft, client.client_id, known, deal)
    booking.refunds, booking.refund_times = known.refunds, known.refund_times
    booking.refunded, booking.charged = known.refunded, known.charged
    return client, undone


def rate_deal(
    draft: Draft,
    client: ClientState,
    booking: Booking,
    terms: Terms,
    position: Position,
) -> ClientState:
    """Post what the deal earns; park it while the terms lack something; say so if it earns nothing."""
    deal = booking.deal
    client, found = brings(draft, client, booking, position, terms)
    keep_position(draft, client, booking.position, position, deal, terms, waits=found.reason.waits)
    if found.part is not None and found.has_charges and not booking.volume:
        booking.volume, booking.volume_e8 = deal.symbol, charged_e8(found.part)
        more = booking.volume, booking.volume_e8
        client = add_volume(draft, client, booking.account, deal.occurred_at, more, terms)
    if found.earned or found.worths:
        client = post_booked(draft, client, booking, found)
    else:
        turn_down(draft, client, booking, found.reason)
    if found.cohorts:
        send(draft, client, found.cohorts)
        booking.tallied = (*booking.tallied, *found.cohorts)
    if asks_of_charges(client, terms):
        client = refund(draft, client, booking, found.refunds, found.unplaced, terms)
        booking.charge, booking.symbol = charge_on(deal), deal.symbol
    state = booking.to_state()
    if (client.clawed or state.refunds) and (state.posted or state.tallied):
        client, state = claw_back_new(draft, client, state, terms)
    draft.put(booking.key, state)
    if not booking.closed_e8:
        return client
    if found.part is not None:
        return count_trade(draft, client, found.part, terms)
    if not found.reason.waits:  # no IB earns of it, so it waits for its symbol only to be counted
        count_later(draft, client, deal, booking.opened_e8, booking.closed_e8, terms)
    return client


def brings(
    draft: Draft, client: ClientState, booking: Booking, position: Position, terms: Terms
) -> tuple[ClientState, RatingOutcome]:
    """What a booked deal brings by what is known now, the same when it comes and when it is rated again."""
    deal = booking.deal
    chain = upline_for(client, deal, terms)
    symbol = terms.symbol(deal.server, deal.symbol, deal.occurred_at)
    if isinstance(chain, Reason):
        if chain.waits:
            return client, RatingOutcome(reason=chain)
        # It counts towards the CPA of the IB that referred the client, whoever's client it is now.
        part = None
        if symbol is not None and booking.closed_e8:
            part = _part(draft, client, booking, symbol, position, terms)
        is_refunding = is_refund(deal) and asks_of_charges(client, terms)
        refunds, rest = refunds_of(deal, part) if is_refunding else NO_REFUNDS
        return client, RatingOutcome(reason=chain, part=part, refunds=refunds, unplaced=rest)
    if symbol is None:
        return client, RatingOutcome(reason=unknown_symbol(deal))
    if chain.is_hedged and booking.opened_e8 and not terms.period_of(deal.occurred_at):
        return client, RatingOutcome(reason=unknown_period(deal))
    part = _part(draft, client, booking, symbol, position, terms, is_asked=chain.needs_openings)
    if chain.looks_aside:
        client, part = look_aside(draft, client, booking, part, chain, terms)
    is_refunding = is_refund(deal) and asks_of_charges(client, terms)
    refunds, rest = refunds_of(deal, part) if is_refunding else NO_REFUNDS
    if refunds or rest:
        part = part._replace(refunded=deal.commission + deal.fee)
    rated, reason = rate(part, chain, terms), SETTLED_BY_PERIOD
    if isinstance(rated, Reason):
        if rated.waits:
            return client, RatingOutcome(reason=rated, part=part, has_charges=bool(chain.charges))
        reason = REFUND if refunds or rest else rated
        rated = Rated((), ())
    else:
        rated = with_uncharged(rated, part, chain, terms)
    is_in_cohorts = chain.has_cohorts and booking.closed_e8 and not reason.waits
    cohorts = cohort_tallies(client, part, chain) if is_in_cohorts else ()
    return client, RatingOutcome(
        *rated, cohorts, chain.path, reason, part, bool(chain.charges), refunds, rest
    )


def _part(
    draft: Draft,
    client: ClientState,
    booking: Booking,
    symbol: SymbolDefined,
    position: Position,
    terms: Terms,
    *,
    is_asked: bool = False,
) -> Part:
    """The deal as pricing wants it, with its openings where somebody asks for them."""
    is_refunding = is_refund(booking.deal) and asks_of_charges(client, terms)
    may_look_back = terms.some.looks_back or is_refunding or is_undecided(client, terms)
    looks_back = may_look_back and booking.closed_e8
    if looks_back:
        looks_back = look_back(draft, client, booking, terms, is_asked=is_asked or is_refunding)
    return part_of(client, booking, symbol, position if looks_back else None, terms)


def part_of(
    client: ClientState, booking: Booking, symbol: SymbolDefined, position: Position | None, terms: Terms
) -> Part:
    """The deal as pricing wants it: what it opened and closed, by the openings in `position` if given."""
    deal, opened_e8, closed_e8 = booking.deal, booking.opened_e8, booking.closed_e8
    return Part(
        deal,
        symbol,
        deal.contract_size or symbol.contract_size,
        Decimal(opened_e8).scaleb(-8) if opened_e8 else ZERO,
        Decimal(closed_e8).scaleb(-8) if closed_e8 else ZERO,
        Trait(client.client_id, booking.account, deal.group, client.country),
        client.click.get("channel", "") if client.click else "",
        _slices(position, deal, closed_e8, terms) if position is not None else None,
        measures={},
    )


def _slices(position: Position, deal: Deal, closed_e8: int, terms: Terms) -> tuple[Slice, ...] | None:
    return slices(position, deal.deal_key, closed_e8, terms.rescales_of(deal.server, deal.symbol))


# What has to be looked up beside the deal itself


def look_aside(
    draft: Draft,
    client: ClientState,
    booking: Booking,
    part: Part,
    chain: Upline,
    terms: Terms,
) -> tuple[ClientState, Part]:
    """Legs of a close-by and hedged volume, where some plan asks for them."""
    deal = booking.deal
    if chain.close_by_first and deal.entry == "out_by":
        booking.leg = booking.leg or keys.close_by(client.client_id, deal)
        leg = DealVolume(deal, booking.opened_e8, booking.closed_e8)
        client, seconds = _place_leg(draft, client, booking.leg, booking.cause, leg, terms)
        part = part._replace(is_second_leg=seconds[booking.cause])
    if chain.is_hedged and part.opened:
        if not booking.hedge:
            period = terms.period_of(deal.occurred_at)
            booking.hedge = keys.hedged(client.client_id, deal.account_key, part.symbol.canonical, period)
            draft.put(booking.key, booking.to_state())
            trade = DealVolume(deal, booking.opened_e8, booking.closed_e8)
            size = hedging.units(part, booking.opened_e8, terms.rescales_of(deal.server, deal.symbol))
            client = rate_again(draft, client, hedging.join(draft, booking.hedge, trade, size), terms)
        part = part._replace(hedged=hedging.paid_lots(draft, booking.hedge, booking.cause))
    return client, part


def _place_leg(
    draft: Draft,
    client: ClientState,
    place: str,
    cause: str,
    leg: DealVolume | None,
    terms: Terms,
) -> tuple[ClientState, dict[str, bool]]:
    """Put a deal among the legs of its close-by, or take it away; tell who is a second leg.

    Legs that thereby change from first to second, or back, are rated again.
    """
    before: CloseBy = draft.get(place) or CloseBy()
    legs = [known for known in before.legs if known.key != cause] + ([leg] if leg is not None else [])
    after = CloseBy(legs=tuple(sorted(legs, key=lambda known: known.place)))
    draft.put(place, after if legs else None)
    was, now = before.seconds, after.seconds
    moved = [known for known in after.legs if was.get(known.key, now[known.key]) != now[known.key]]
    return rate_again(draft, client, moved, terms), now


def rerate_closings(
    draft: Draft, client: ClientState, cause: str, place: str, before: Position, terms: Terms
) -> ClientState:
    """An opening came late or was taken back: rate again what closes other openings now."""
    after = position_at(draft, place)
    trades: list[DealVolume] = []
    for fill in after.fills:
        kept: Parked | None = draft.get(keys.closing(client.client_id, fill.deal_key))
        if kept is None or kept.deal is None or fill.deal_key == cause:
            continue
        was, now = (_slices(position, kept.deal, kept.closed_e8, terms) for position in (before, after))
        if was != now and any(known.deal_key == fill.deal_key for known in before.fills):
            trades.append(DealVolume(kept.deal, kept.opened_e8, kept.closed_e8))
    return rate_again(draft, client, trades, terms)


def rate_again(draft: Draft, client: ClientState, trades: list[DealVolume], terms: Terms) -> ClientState:
    """Reverse and rate again deals whose paid volume, leg or openings changed."""
    for deal, opened_e8, closed_e8 in trades:
        state = draft.get(key := keys.deal(client.client_id, deal.deal_key))
        assert isinstance(state, DealState), "a hedged deal has a state"
        cause = Cause(deal.deal_key, deal.occurred_at, deal.account_key, deal.revision, deal.symbol)
        client, _ = reverse(draft, client, state.posted, cause)
        withdraw(draft, client, state.tallied, cause)
        if state.parked is not None:
            draft.put(keys.parked(state.parked), None)
        state = replace(state, posted=(), tallied=(), parked=None, times=state.times + 1)
        booking = resumed(state, key, deal, opened_e8, closed_e8)
        client = rate_deal(draft, client, booking, terms, position_at(draft, state.position))
    return client


# Waiting for terms


def retry_deal(draft: Draft, client: ClientState, slot: int, parked: Parked, terms: Terms) -> ClientState:
    """Rate a parked deal again, or count it where that alone had to wait."""
    deal = parked.deal
    assert deal is not None, "only a deal is rated"
    key = keys.deal(client.client_id, deal.deal_key)
    state: DealState | None = draft.get(key)
    assert state is not None, "a parked deal has a state"
    booking = resumed(state, key, deal, parked.opened_e8, parked.closed_e8)
    if state.parked != slot:
        return _count_again(draft, client, booking, state, terms)
    refusal = why_no_trade(deal)
    if refusal is not None:  # a later charge
        return _refuse(draft, client, booking, refusal, None, terms)
    return rate_deal(draft, client, booking, terms, position_at(draft, state.position))


def _count_again(
    draft: Draft, client: ClientState, booking: Booking, state: DealState, terms: Terms
) -> ClientState:
    """Count a trade for CPAs, unless it is another deal by now, or waits itself and is counted then."""
    deal = booking.deal
    if state.revision != deal.revision or state.parked is not None:
        return client
    symbol = terms.symbol(deal.server, deal.symbol, deal.occurred_at)
    if symbol is None:
        count_later(draft, client, deal, booking.opened_e8, booking.closed_e8, terms)
        return client
    part = _part(draft, client, booking, symbol, position_at(draft, state.position), terms)
    return count_trade(draft, client, part, terms)
