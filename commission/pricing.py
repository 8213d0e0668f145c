"""What pricing one part of a deal takes and gives, the same for every component.

These values live for one deal and are made several times for it: named tuples cost a third of
frozen dataclasses to make, and are as frozen.
"""

from decimal import Decimal
from typing import NamedTuple

from commission.events import Deal
from commission.money import Money
from commission.terms import SymbolDefined


class Part(NamedTuple):
    """A deal split into what it opened and what it closed, in lots of the server's symbol."""

    deal: Deal
    symbol: SymbolDefined
    contract_size: Decimal
    opened: Decimal
    closed: Decimal

    @classmethod
    def split(cls, deal: Deal, symbol: SymbolDefined, opened_e8: int, closed_e8: int) -> "Part":
        """Take volumes in 1e-8 lots; the deal's own contract size counts before the symbol's."""
        size = deal.contract_size or symbol.contract_size
        return cls(deal, symbol, size, Decimal(opened_e8).scaleb(-8), Decimal(closed_e8).scaleb(-8))

    def lots(self, entry: str) -> Decimal:
        """Lots of the server's symbol on the chosen side: opened, closed or both.

        As in MT5, `both` leaves the legs of a close-by out: they were paid when they were opened.
        """
        if entry == "out":
            return self.closed
        if entry == "in" or self.deal.entry == "out_by":
            return self.opened
        return self.opened + self.closed

    def standard_lots(self, entry: str) -> Decimal:
        """The same in standard lots: a cent lot of 1,000 units counts 0.01."""
        lots = self.lots(entry)
        if self.contract_size == self.symbol.standard_contract_size:
            return lots
        return lots * self.contract_size / self.symbol.standard_contract_size


class Priced(NamedTuple):
    """A gross amount, the rule it came from and the numbers it was made of, in order."""

    money: Money
    rule: str
    lots: Decimal
    factors: dict[str, str]


class Reason(NamedTuple):
    """Why there is no amount. With `waits` the terms lack something and the deal waits for them."""

    code: str
    text: str
    waits: bool
