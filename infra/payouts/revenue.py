"""What the broker took of an IB's clients in a period: charges, swaps and spreads, of those below it as well.

It is estimated of the deals as stored: a spread by the closing's own quotes, else the usual one of the
symbol; by the rates of the period's end. What a client won or lost is not in it, nor what terms do not value.
"""

from collections import defaultdict
from decimal import Decimal, localcontext

from api.ledger import Ledger, Row
from api.queries.periods import Interval
from api.queries.revenue import traded
from api.views.terms import known_terms
from commission.events import LOT_E8
from commission.money import EXACT
from commission.terms.catalog import Terms
from commission.terms.market import SymbolDefined

ZERO = Decimal(0)


def revenue_of(ledger: Ledger, currency: str, interval: Interval) -> dict[str, Decimal]:
    """By IB, in a currency; an IB whose clients brought nothing is not in it."""
    terms, own = known_terms(ledger), defaultdict[str, Decimal](Decimal)
    with localcontext(EXACT):
        for row in traded(ledger, interval):
            own[row["ib_id"]] += _value(row, currency, interval, terms)
        found = defaultdict[str, Decimal](Decimal)
        for ib_id, amount in own.items():
            chain = terms.upline(ib_id, interval.ends_at)
            for one in {ib_id, *(() if chain is None else chain.path)}:
                found[one] += amount
    return dict(found)


def _value(row: Row, currency: str, interval: Interval, terms: Terms) -> Decimal:
    found = _converted(row["charged"], row["currency"], currency, interval, terms)
    symbol = terms.symbol(row["server"], row["symbol"], interval.ends_at)
    if symbol is None:
        return found
    usual = (symbol.average_pips or ZERO) * symbol.pip * row["untold_e8"]
    worth = _worth(symbol, (row["spread_e8"] + usual) / LOT_E8)
    return found + _converted(worth, symbol.profit_currency, currency, interval, terms)


def _worth(symbol: SymbolDefined, difference_lots: Decimal) -> Decimal:
    """What a price difference times lots is worth, in the profit currency."""
    if symbol.tick_size and symbol.tick_value:
        return difference_lots / symbol.tick_size * symbol.tick_value
    return difference_lots * symbol.contract_size


def _converted(amount: Decimal, source: str, target: str, interval: Interval, terms: Terms) -> Decimal:
    rate = terms.convert(source, target, interval.ends_at) if amount else None
    return ZERO if rate is None else rate.of(amount)
