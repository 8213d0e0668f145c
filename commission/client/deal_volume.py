"""A deal beside others of its kind: what of its volume opened and closed, and what is paid."""

from typing import NamedTuple

from commission.events import Deal


class DealVolume(NamedTuple):
    """A deal and its 1e-8 lots."""

    deal: Deal
    opened_e8: int
    closed_e8: int
    paid_e8: int = 0
    """Of hedged volume."""

    @property
    def key(self) -> str:
        """The deal's business key."""
        return self.deal.deal_key
