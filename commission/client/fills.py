"""A position as the deals it is made of."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Fill(NamedTuple):
    """One deal of a position."""

    at: datetime
    deal_key: str
    signed_e8: int
    price: Decimal | None = None
    spread: Decimal | None = None
    opens: bool = True
    """False for a closing deal: what it finds nothing to close for opens nothing."""
    counted_at: datetime | None = None
    """Of added-up openings: the time of whose lots the volume is; else it is that of the deal."""
    charged: Decimal | None = None
    """What an opening charged: a refund on its closing is of that. Below 0, what one that closes refunded."""

    @property
    def lots_at(self) -> datetime:
        """The time of whose lots the volume is."""
        return self.counted_at or self.at


class Position(NamedTuple):
    """The deals of a position in the order of their time."""

    fills: tuple[Fill, ...] = ()

    @property
    def net_e8(self) -> int:
        """Signed open volume in 1e-8 lots."""
        net = 0
        for fill in self.fills:
            net += fill.signed_e8
        return net

    @property
    def has_charges(self) -> bool:
        """Whether an opening was charged, or one that closes gave some of that back."""
        return any(fill.charged is not None for fill in self.fills)
