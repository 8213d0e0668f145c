"""One export of a process that is killed before or after its record is written: `exporting KAFKA WHEN`."""

import os
import sys
from decimal import Decimal

from infra.payouts.desk import PayoutDesk, PayoutLog
from schemas.payouts import PayoutExported, PayoutsWithheld

KILLED = 9


def line(ib_id: str, amount: str, period: str = "2026-09", *, kyc: bool = True) -> dict[str, object]:
    """A payout line as the ledger gives it."""
    return {
        "period": period, "ib_id": ib_id, "name": ib_id, "currency": "USD", "amount": Decimal(amount),
        "statement_id": f"st-{ib_id}-{period}", "kyc_approved": kyc,
        "is_followed": False,
    }  # fmt: skip


class Killed(PayoutLog):
    """A log whose process ends around the append."""

    def append(self, record: PayoutExported | PayoutsWithheld) -> None:
        """Write it, or not, and be gone."""
        if sys.argv[2] == "after":
            super().append(record)
        os._exit(KILLED)


if __name__ == "__main__":
    PayoutDesk(sys.argv[1], open_log=Killed).export("2026-09", [line("A", "208.25")], "anna")
