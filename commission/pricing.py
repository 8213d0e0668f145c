"""What pricing one part of a deal takes and gives, the same for every component.

These values live for one deal and are made several times for it: named tuples cost a third of
frozen dataclasses to make, and are as frozen.
"""

from decimal import Decimal
from typing import NamedTuple

from commission.events import LOT_E8, Deal
from commission.money import Money
from commission.terms import SymbolDefined

E8 = Decimal(LOT_E8)


class Part(NamedTuple):
    """A deal split into what it opened and what it closed, in 1e-8 lots of the server's symbol."""

    deal: Deal
    symbol: SymbolDefined
    contract_size: Decimal
    opened_e8: int
    closed_e8: int

    def lots(self, entry: str) -> Decimal:
        """Lots of the server's symbol on the chosen side: opened, closed or both.

        As in MT5, `both` leaves the legs of a close-by out: they were paid when they were opened.
        """
        closed_e8 = 0 if self.deal.entry == "out_by" else self.closed_e8
        volume_e8 = {"in": self.opened_e8, "out": self.closed_e8}.get(entry, self.opened_e8 + closed_e8)
        return Decimal(volume_e8) / E8

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
