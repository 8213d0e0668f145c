"""Events on demand of one client: what a message changed, told for partner networks."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from commission.announcing import announced
from commission.client import keys
from commission.client.booking import Booking
from commission.client.cpa_conditions import Facts, amounts_for, conditions, deposited, first_deposits
from commission.client.cpa_grants import registration_upline
from commission.client.cpa_weighing import facts_of
from commission.client.milestones import milestone
from commission.client.state import ClientState, DealState
from commission.draft import Draft
from commission.events import DepositCleared
from commission.money import Money
from commission.outputs import Announcement, Transfer, milestone_id_of
from commission.terms.catalog import Terms
from commission.terms.components import Cpa
from commission.terms.upline import above


def announce_earnings(draft: Draft, said: Sequence[Any], terms: Terms) -> None:
    """Say what the message earned its IBs and took back, with the click the client came by."""
    rows = [one for one in said if isinstance(one, Transfer)]
    for one in announced(rows, terms):
        client: ClientState | None = draft.get(keys.client(one.client_id))
        assert client is not None, "whose activity earned something is known"
        draft.emit(replace(one, click=client.click, country=client.country))


def announce_trade(
    draft: Draft, client: ClientState, booking: Booking, known: DealState | None, terms: Terms
) -> ClientState:
    """Say the client's first trade, and on demand each that closes something: once, whatever corrects it."""
    deal = booking.deal
    if not client.traded:
        client = replace(client, traded=True)
        milestone(draft, client, "first_trade", booking.cause, deal.occurred_at, terms)
    is_new = known is None or known.waiting is not None or not known.revision
    if "trade.closed" not in terms.events or not booking.closed_e8 or not is_new:
        return client
    ib_id = client.links[0].ib_id or ""
    symbol = terms.symbol(deal.server, deal.symbol, deal.occurred_at)
    draft.emit(
        Announcement(
            milestone_id=milestone_id_of("trade.closed", client.client_id, booking.cause),
            kind="trade.closed",
            client_id=client.client_id,
            ib_id=ib_id,
            occurred_at=deal.occurred_at,
            click=client.click,
            country=client.country,
            upline=above(terms.upline(ib_id, deal.occurred_at)),
            symbol=deal.symbol if symbol is None else symbol.canonical,
            lots=booking.closed_lots,
            trades=1,
        )
    )
    return client


def announce_deposit(draft: Draft, event: DepositCleared, terms: Terms) -> None:
    """Say a deposit that brings the client to what a CPA of its IBs asks, whatever else is lacking."""
    if "deposit.qualified" not in terms.events:
        return
    client = draft.read(keys.client(event.client_id), ClientState)
    chain = registration_upline(client, terms)
    wanted = conditions(chain.links).values() if chain is not None else ()
    cpas = [(one.component, one.plan.currency) for one in wanted if isinstance(one.component, Cpa)]
    facts = facts_of(draft, client, [component for component, _ in cpas], terms)
    if any(_reaches(facts, event.deposit_id, component, currency) for component, currency in cpas):
        money = Money(event.amount, event.currency)
        milestone(draft, client, "deposit.qualified", event.deposit_id, event.occurred_at, terms, money=money)


def _reaches(facts: Facts, deposit_id: str, component: Cpa, currency: str) -> bool:
    """Whether the component's least deposit is reached with the deposit, and was not without it."""
    amounts = amounts_for(component.amounts, facts.client.country)
    if not amounts:
        return False
    least = min(amount.min_deposit for amount in amounts)
    others = [one for one in facts.deposits if one.deposit_id != deposit_id]
    with_it, without = (
        deposited(first_deposits(some, component), least, currency, facts.terms)[0]
        for some in (facts.deposits, others)
    )
    return with_it is not None and without is None
