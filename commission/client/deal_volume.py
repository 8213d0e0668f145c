"""A deal beside others of its kind: what of its volume opened and closed."""

from typing import NamedTuple

from commission.events import Deal


class DealVolume(NamedTuple):
    """A deal and its 1e-8 lots."""

    deal: Deal
    opened_e8: int
    closed_e8: int

    @property
    def key(self) -> str:
        """The deal's business key."""
        return self.deal.deal_key
