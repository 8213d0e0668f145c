"""The trades that count towards a client's CPAs, as its state keeps them."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from commission.value import Value


class Traded(NamedTuple):
    """What a deal closed, while the client still has to trade for its CPA."""

    at: datetime
    deal_key: str
    lots: Decimal
    """Standard, as the plan counts them."""
    spread: Decimal = Decimal(0)
    """Collected, in the plan's currency."""
    turnover: Decimal = Decimal(0)
    """Notional in the plan's currency."""
    names: tuple[str, ...] = ()
    """The CPAs it counts for, as their conditions on deals have it; none named is all."""


class Qualifying(Value):
    """The earliest deals that together reach what the CPAs ask for and some more, by their time."""

    trades: tuple[Traded, ...] = ()
    dropped: bool = False
    """There were more than these: once too many are cancelled, somebody has to be told."""
