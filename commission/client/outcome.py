"""What a deal brings, or why it brings nothing, or nothing yet."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from commission.client.refunds import Refunded
from commission.client.revisions import ENDINGS
from commission.client.state import ClientState
from commission.events import Deal
from commission.outputs import Tally
from commission.rating.values import ZERO, Earned, Part, Reason, TallyAmounts
from commission.terms.catalog import Terms
from commission.terms.upline import Upline

SETTLED_BY_PERIOD = Reason(
    "settled_by_period",
    "it counts towards what the period brings; the partner book settles that",
    waits=False,
)


def forfeited(client: ClientState) -> Reason:
    """Why nothing stands of a deal that earned something behind a KYC gate."""
    text = f"the KYC of client {client.client_id} was approved too late for what the deal earned"
    return Reason("forfeited", text, waits=False)


class RatingOutcome(NamedTuple):
    """What a deal brings by the terms known now."""

    earned: tuple[Earned, ...] = ()
    worths: tuple[TallyAmounts, ...] = ()
    cohorts: tuple[Tally, ...] = ()
    path: tuple[str, ...] = ()
    reason: Reason = SETTLED_BY_PERIOD
    """Why it pays nothing, where it does not; one that waits where that cannot be known yet."""
    part: Part | None = None
    """What was rated; of a deal without an IB, what counts for a CPA."""
    has_charges: bool = False
    """Its volume counts in later charges."""
    refunds: Mapping[str, Refunded] = {}
    """What it refunds of the charges of other deals, as the openings that it closes tell."""
    unplaced: Decimal = ZERO
    """What it refunds of charges that they do not tell."""


def unknown_period(deal: Deal) -> Reason:
    """The calendar lacks the time of the deal."""
    text = f"the terms have no period for {deal.occurred_at:%Y-%m-%d}; publish the calendar of that time"
    return Reason("unknown_period", text, waits=True)


def unknown_symbol(deal: Deal) -> Reason:
    """The terms lack what was traded."""
    text = (
        f"{deal.server} has no symbol {deal.symbol} in the terms of {deal.occurred_at:%Y-%m-%d}; "
        "add it to symbols.yaml"
    )
    return Reason("unknown_symbol", text, waits=True)


def why_no_trade(deal: Deal) -> Reason | None:
    """Why no IB can earn from the deal, whatever the terms; None if it is a client's trade."""
    if deal.kind == "trade" and not deal.is_service and deal.volume_e8 > 0 and deal.side and deal.entry:
        return None
    if deal.kind in ENDINGS:
        return Reason(deal.kind, f"the platform {deal.kind} the deal", waits=False)
    if deal.kind != "trade":
        return Reason("not_a_trade", f"a {deal.kind} operation, not a trade", waits=False)
    if deal.is_service:
        return Reason(
            "service_deal", f"the platform's own execution ({deal.reason}), no client's", waits=False
        )
    if deal.volume_e8 <= 0:
        return Reason("zero_volume", "no volume: one leg of a close-by or a correction", waits=False)
    return Reason("incomplete_deal", "a trade without side or entry; see its source row", waits=False)


def upline_for(client: ClientState, deal: Deal, terms: Terms) -> Upline | Reason:
    """The IBs above the client at the deal's own time, as the terms known here tell."""
    at = deal.occurred_at
    if client.fraud_at is not None and at >= client.fraud_at:
        return Reason("fraud", f"client {client.client_id} was found fraudulent before", waits=False)
    ib_id = client.ib_at(at)
    if ib_id is None:
        return Reason("no_ib", f"client {client.client_id} has no IB at that time", waits=False)
    chain = terms.upline_for(ib_id, at, client.client_id, client.identity, client.link_for(ib_id))
    if chain is None:
        return Reason(
            "unknown_ib",
            f"the terms lack {ib_id}, an IB above it or the plan of one; publish them",
            waits=True,
        )
    return chain
