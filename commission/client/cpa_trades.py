"""Trades that count for a CPA."""

from commission.client import cpa_conditions, keys
from commission.client.cpa_grants import registration_upline, weigh
from commission.client.state import Cause, ClientState, Qualifying, Traded
from commission.draft import Draft
from commission.events import Deal
from commission.rating.components import spread_share
from commission.rating.components.lots import counted
from commission.rating.components.turnover import notional
from commission.rating.exchange import in_currency
from commission.rating.values import ZERO, Part, Reason
from commission.terms.catalog import Terms
from commission.terms.components import Cpa, Cpl
from commission.terms.plans import PlanDefined
from commission.terms.upline import asks_for_trades


def count_trade(draft: Draft, client: ClientState, part: Part, terms: Terms) -> ClientState:
    """A closed trade counts towards what a CPA asks for, also in place of one cancelled later."""
    wanted = _wanted_trades(client, terms)
    if not wanted:
        return client
    first = wanted[0]
    trade = _traded(part, first.plan, [c.component for c in wanted], terms)
    late = max(cpa_conditions.deadline(client, c.component) for c in wanted if isinstance(c.component, Cpa))
    return _change_trades(draft, client, part.deal, [trade] if trade.at <= late else [], wanted, terms)


def asks_holding(client: ClientState, terms: Terms) -> bool:
    """Whether a CPA of the client counts only trades that were held long enough."""
    chain = registration_upline(client, terms)
    return chain is not None and chain.asks_holding


def forget_trade(draft: Draft, client: ClientState, deal: Deal, terms: Terms) -> ClientState:
    """A deal was cancelled, or is no trade any more."""
    wanted = _wanted_trades(client, terms)
    return _change_trades(draft, client, deal, [], wanted, terms) if wanted else client


def _wanted_trades(client: ClientState, terms: Terms) -> list[cpa_conditions.Conditions]:
    chain = registration_upline(client, terms)
    if chain is None or not chain.asks_trades:
        return []
    found = cpa_conditions.conditions(chain.links).values()
    return [c for c in found if isinstance(c.component, Cpa) and asks_for_trades(c.component)]


def _traded(part: Part, plan: PlanDefined, components: list[Cpa | Cpl], terms: Terms) -> Traded:
    lots = part.closed
    spread = turnover = ZERO
    if any(isinstance(c, Cpa) and c.min_spread > 0 for c in components):
        value = spread_share.paid(part, lots, terms)
        if not isinstance(value, Reason):
            money = in_currency(value, part.symbol.profit_currency, plan.currency, part.at, terms)
            spread = ZERO if isinstance(money, Reason) else money[0]
    if any(isinstance(c, Cpa) and c.min_turnover > 0 for c in components):
        size = notional(plan.currency, part, lots, terms, {})
        turnover = ZERO if isinstance(size, Reason) else size
    held_s = min((int((part.at - s.opened_at).total_seconds()) for s in part.slices or ()), default=0)
    return Traded(part.at, part.deal.deal_key, counted(plan, part, lots, {}), held_s, spread, turnover)


def _change_trades(
    draft: Draft,
    client: ClientState,
    deal: Deal,
    added: list[Traded],
    wanted: list[cpa_conditions.Conditions],
    terms: Terms,
) -> ClientState:
    key = keys.qualifying(client.client_id)
    known: Qualifying = draft.get(key) or Qualifying()
    trades = [trade for trade in known.trades if trade.deal_key != deal.deal_key] + added
    trades.sort(key=lambda trade: (trade.at, trade.deal_key))
    components = [c.component for c in wanted if isinstance(c.component, Cpa)]
    kept = cpa_conditions.keep_qualifying(Qualifying(trades=tuple(trades)), components)
    if kept == known:
        return client
    draft.put(key, kept)
    return weigh(draft, client, Cause(deal.deal_key, deal.occurred_at), terms)
