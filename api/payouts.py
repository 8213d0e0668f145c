"""What the API asks of whoever gives out payout lines: `infra` does, for it reads and writes the log."""

from collections.abc import Sequence
from typing import Protocol

from api.ledger import Row
from schemas.errors import Unusable
from schemas.payouts import PayoutExported


class NothingToExport(Unusable):
    """The period has no line that may be paid and was not exported; the message says what it has."""


class Payouts(Protocol):
    """Gives out each line once."""

    def export(self, period: str, lines: Sequence[Row], by: str) -> PayoutExported:
        """Give out those of the period's `lines` that may be paid and no export has."""
