"""What the broker took of deals, valued by the terms: charges, swaps and spreads; an estimate.

A spread is by the closing's own quotes, else the usual one of the symbol. What a client won or lost is not
in it.
"""

from datetime import datetime
from decimal import Decimal

from api.ledger import Row
from commission.events import LOT_E8
from commission.terms.catalog import Terms
from commission.terms.conversion import Conversion
from commission.terms.market import SymbolDefined

ZERO = Decimal(0)


class Valuation:
    """Values rows of `queries.revenue.traded` in one currency, by symbols and rates of one time.

    What cannot be valued counts as nothing, and is remembered. Work within `commission.money.EXACT`.
    """

    def __init__(self, terms: Terms, currency: str, at: datetime) -> None:
        self._terms, self._currency, self._at = terms, currency, at
        self._rates: dict[str, Conversion | None] = {}
        self.lacks_rate: set[str] = set()
        """Currencies of which an amount was left out."""
        self.lacks_spread: set[tuple[str, str]] = set()
        """Server and symbol of closings whose spread, or part of it, was left out."""

    def of(self, row: Row) -> Decimal:
        """What the deals of a row brought."""
        found = self.converted(row["charged"], row["currency"])
        if not row["spread_e8"] and not row["untold_e8"]:
            return found
        symbol = self.symbol(row)
        if symbol is None or (row["untold_e8"] and symbol.average_pips is None):
            self.lacks_spread.add((row["server"], row["symbol"]))
        if symbol is None:
            return found
        usual = (symbol.average_pips or ZERO) * symbol.pip * row["untold_e8"]
        worth = _worth(symbol, (row["spread_e8"] + usual) / LOT_E8)
        return found + self.converted(worth, symbol.profit_currency)

    def symbol(self, row: Row) -> SymbolDefined | None:
        """What the terms say of the row's symbol."""
        return self._terms.symbol(row["server"], row["symbol"], self._at)

    def converted(self, amount: Decimal, source: str) -> Decimal:
        """An amount in the one currency; nothing without a rate."""
        if not amount:
            return ZERO
        if source not in self._rates:
            self._rates[source] = self._terms.convert(source, self._currency, self._at)
        rate = self._rates[source]
        if rate is None:
            self.lacks_rate.add(source)
            return ZERO
        return rate.of(amount)


def _worth(symbol: SymbolDefined, difference_lots: Decimal) -> Decimal:
    """What a price difference times lots is worth, in the profit currency."""
    if symbol.tick_size and symbol.tick_value:
        return difference_lots / symbol.tick_size * symbol.tick_value
    return difference_lots * symbol.contract_size
