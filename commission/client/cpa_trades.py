"""Trades that count for a CPA."""

from decimal import Decimal

from commission.client import cpa_conditions, keys
from commission.client.cpa_grants import registration_upline, weigh
from commission.client.parked import park
from commission.client.qualifying import Qualifying, Traded
from commission.client.state import Cause, ClientState, Parked
from commission.client.unknown_terms import lacks_terms
from commission.draft import Draft
from commission.events import Deal
from commission.outputs import Rejection
from commission.rating.components import spread_share
from commission.rating.components.lots import counted
from commission.rating.components.turnover import notional
from commission.rating.eligibility import allowed
from commission.rating.exchange import in_currency
from commission.rating.values import ZERO, Part, Reason
from commission.terms.catalog import Terms
from commission.terms.components import Cpa, Cpl
from commission.terms.plans import PlanDefined
from commission.terms.rate_matching import specificity
from commission.terms.rates import ALWAYS, When
from commission.terms.upline import asks_for_trades


def count_trade(draft: Draft, client: ClientState, part: Part, terms: Terms) -> ClientState:
    """A closed trade counts towards what a CPA asks for, also in place of one cancelled later.

    What of that cannot be told by the terms known so far is told once more are.
    """
    wanted = _wanted_trades(client, terms)
    is_lacking = not wanted and is_undecided(client, terms)
    if not wanted and not is_lacking:
        return client
    opened_e8, closed_e8 = int(part.opened.scaleb(8)), int(part.closed.scaleb(8))
    if is_lacking:
        count_later(draft, client, part.deal, opened_e8, closed_e8, terms)
        return client
    late = max(cpa_conditions.deadline(client, c.component) for c in wanted if isinstance(c.component, Cpa))
    trades, is_lacking = _trades(part, wanted, terms) if part.at <= late else ([], False)
    if is_lacking:
        count_later(draft, client, part.deal, opened_e8, closed_e8, terms)
    return _change_trades(draft, client, part.deal, trades, wanted, terms)


def count_later(
    draft: Draft, client: ClientState, deal: Deal, opened_e8: int, closed_e8: int, terms: Terms
) -> None:
    """Keep a closed trade until the terms tell what it counts, where a CPA may ask for that.

    It waits beside what the deal earned, which stands.
    """
    chain = registration_upline(client, terms)
    if is_undecided(client, terms) or (chain is not None and chain.asks_trades):
        kept = Parked(client_id=client.client_id, deal=deal, opened_e8=opened_e8, closed_e8=closed_e8)
        park(draft, kept)


def is_undecided(client: ClientState, terms: Terms) -> bool:
    """Whether the terms lack an IB or a plan by which the client's CPAs are paid."""
    if not lacks_terms(client, terms) or client.registered_at is None:
        return False
    is_referred = bool(client.links) and client.links[0].ib_id is not None
    return is_referred and registration_upline(client, terms) is None


def asks_holding(client: ClientState, terms: Terms) -> bool:
    """Whether a CPA of the client counts only trades that were held long enough, or may."""
    chain = registration_upline(client, terms)
    return is_undecided(client, terms) if chain is None else chain.asks_holding


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


def _trades(part: Part, wanted: list[cpa_conditions.Conditions], terms: Terms) -> tuple[list[Traded], bool]:
    """What the deal closed, once for all CPAs that count the same of it; whether a rate for it is missing."""
    same: dict[tuple[object, ...], list[cpa_conditions.Conditions]] = {}
    for one in wanted:
        assert isinstance(one.component, Cpa), "only a CPA asks for trades"
        whens = (one.plan.when, one.component.when)
        held, symbols = one.component.min_holding_s, one.component.symbols
        is_any = whens == (ALWAYS, ALWAYS) and not held and not symbols
        key = () if is_any else (one.plan.plan_id, one.plan.version, *whens, held, symbols)
        same.setdefault(key, []).append(one)
    found, is_lacking = [], False
    for alike in same.values():
        first = alike[0]
        lots = _counted_lots(part, first)
        if lots > 0:
            trade, lacks_rate = _traded(part, lots, first.plan, [c.component for c in alike], terms)
            is_lacking |= lacks_rate
            found.append(
                trade if len(same) == 1 else trade._replace(names=tuple(c.component.name for c in alike))
            )
    return found, is_lacking


def _counted_lots(part: Part, one: cpa_conditions.Conditions) -> Decimal:
    """Of the closed lots, those that the conditions of plan and component let count."""
    component = one.component
    assert isinstance(component, Cpa), "only a CPA asks for trades"
    if component.symbols and all(specificity(s, part.symbol) is None for s in component.symbols):
        return ZERO
    whens = tuple(when for when in (one.plan.when, component.when) if when != ALWAYS)
    if component.min_holding_s:
        whens = (*whens, When(min_holding_s=component.min_holding_s))
    found = allowed(whens, one.plan, part) if whens else part.closed
    return ZERO if isinstance(found, Reason) else found


def _traded(
    part: Part, lots: Decimal, plan: PlanDefined, components: list[Cpa | Cpl], terms: Terms
) -> tuple[Traded, bool]:
    """One deal as a CPA counts it, and whether a rate of exchange for that is missing."""
    spread = turnover = ZERO
    is_lacking = False
    if any(isinstance(c, Cpa) and c.min_spread > 0 for c in components):
        value = spread_share.paid(part, lots, terms)
        if not isinstance(value, Reason):
            money = in_currency(value, part.symbol.profit_currency, plan.currency, part.at, terms)
            is_lacking = isinstance(money, Reason)
            spread = ZERO if isinstance(money, Reason) else money[0]
    if any(isinstance(c, Cpa) and c.min_turnover > 0 for c in components):
        size = notional(plan.currency, part, lots, terms, {})
        is_lacking |= isinstance(size, Reason) and size.waits
        turnover = ZERO if isinstance(size, Reason) else size
    lots = counted(plan, part, lots, {})
    return Traded(part.at, part.deal.deal_key, lots, spread, turnover), is_lacking


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
    trades.sort(key=lambda trade: (trade.at, trade.deal_key, trade.names))
    components = [c.component for c in wanted if isinstance(c.component, Cpa)]
    changed = Qualifying(trades=tuple(trades), dropped=known.dropped)
    kept = cpa_conditions.keep_qualifying(changed, components)
    if kept == known:
        return client
    if len(trades) < len(known.trades) and cpa_conditions.is_short(kept, components):
        draft.emit(_forgotten(client, deal))
    draft.put(key, kept)
    cause = Cause(deal.deal_key, deal.occurred_at)
    return weigh(draft, client, cause, terms, only=())


def _forgotten(client: ClientState, deal: Deal) -> Rejection:
    """Say that trades are missing which might count in place of those cancelled."""
    text = (
        f"so many trades of client {client.client_id} were cancelled that those kept for its CPA may not be"
        " all there were; rate its deals again with a proposal, and they count"
    )
    return Rejection(
        deal_key=deal.deal_key,
        revision=deal.revision,
        status="waiting",
        code="cpa_trades_forgotten",
        text=text,
        account_key=deal.account_key,
        client_id=client.client_id,
        occurred_at=deal.occurred_at,
    )
