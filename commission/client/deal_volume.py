"""A deal beside others of its kind: what of its volume opened and closed."""

from datetime import datetime
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

    @property
    def place(self) -> tuple[datetime, int, str]:
        """Where it stands among others: by time, then the lower deal first."""
        return self.deal.occurred_at, len(self.deal.deal_id), self.deal.deal_id
