"""What pricing one part of a deal takes and gives, the same for every component.

These values live for one deal and are made several times for it: named tuples cost a third of
frozen dataclasses to make, and are as frozen.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from commission.events import Deal
from commission.terms.market import SymbolDefined
from commission.terms.plans import PlanDefined
from commission.terms.rate_matching import Trait
from commission.terms.upline import Link, Payable
from commission.value import TextOrNumber

ZERO = Decimal(0)
Factors = dict[str, TextOrNumber]
"""The numbers and words an amount was made of, by the names `commission.explain` knows, in order."""


class Slice(NamedTuple):
    """What a deal closes of one opening: lots of the server's symbol, and that opening's facts."""

    lots: Decimal
    opened_at: datetime
    price: Decimal | None
    spread: Decimal | None
    charged: Decimal = ZERO
    """What that opening was charged for them."""
    opening: str = ""
    """The deal's business key; "" of openings that were added up."""
    charge: Decimal = ZERO
    """What that opening was charged for all of it."""


class Part(NamedTuple):
    """A deal split into what it opened and what it closed, in lots of the server's symbol."""

    deal: Deal
    symbol: SymbolDefined
    contract_size: Decimal
    opened: Decimal
    closed: Decimal
    trait: Trait
    channel: str = ""
    slices: tuple[Slice, ...] | None = None
    """What was closed by opening; None where nobody looks, or the openings are not known (yet)."""
    hedged: Decimal = ZERO
    """Of `opened`, what a hedged component pays."""
    is_second_leg: bool = False
    """The other leg of this close-by came first."""
    charge: Decimal | None = None
    """A share of a later commission deal, in place of the deal's own."""
    refunded: Decimal = ZERO
    """Of a refund, all of it: it is of other deals' charges; below 0, what of this charge does not count."""
    measures: dict[int, "Measured | Reason"] | None = None
    """What was measured of this part already, by what is measured: IBs of a tree ask for the same."""

    @property
    def at(self) -> datetime:
        """When the deal happened."""
        return self.deal.occurred_at

    def worth(self, difference: Decimal, lots: Decimal) -> Decimal:
        """What a price difference is worth, in the profit currency."""
        symbol = self.symbol
        if symbol.tick_size is not None and symbol.tick_value is not None:
            return difference / symbol.tick_size * symbol.tick_value * lots
        return difference * self.contract_size * lots


class Measured(NamedTuple):
    """What a component measured of a part: an amount is `rate x measure`, in `currency`."""

    measure: Decimal
    currency: str
    lots: Decimal
    """Standard lots, as the plan counts them."""
    factors: Factors


class Priced(NamedTuple):
    """A gross amount at 8 decimals in the IB's currency, its rule and the numbers it was made of."""

    amount: Decimal
    rule: str
    lots: Decimal
    factors: Factors


class Reason(NamedTuple):
    """Why there is no amount. With `waits` the terms lack something and the deal waits for them."""

    code: str
    text: str
    waits: bool


class Earned(NamedTuple):
    """One IB's amount from one component kind of one deal, in the IB's currency."""

    link: Link
    plan: PlanDefined
    depth: int
    kind: str
    amount: Decimal
    rule: str
    lots: Decimal
    factors: Factors
    is_rebate_of_ib: bool = False
    """A client rebate that the IB itself pays for."""
    uncharged: Decimal | None = None
    """What it would be had the client been charged nothing, where that is neither nothing nor as much."""


class TallyAmounts(NamedTuple):
    """What a deal adds to an IB's measures of a component that the partner book settles."""

    link: Link
    plan: PlanDefined
    depth: int
    kind: str
    component: str
    amounts: tuple[Decimal, ...]
    lots: Decimal
    notional: Decimal
    deals: int = 1


class Rated(NamedTuple):
    """Everything one deal brings."""

    earned: tuple[Earned, ...]
    worths: tuple[TallyAmounts, ...]


class Gross(NamedTuple):
    """What one component pays one IB before overrides: by its own rates, then by each band's."""

    payable: Payable
    amounts: tuple[Decimal, ...]
    priced: Priced
