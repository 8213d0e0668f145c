"""A batch made by a process that is killed before or after its record is written: `creating KAFKA WHEN`."""

import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from api.ledger import Row
from api.operators import Operator
from commission.payouts.commands import AnyCommand, ClientCommand
from commission.payouts.exchange import Exchange
from commission.payouts.records import PayoutRecord
from infra.payouts.desk import PayoutDesk
from infra.payouts.log import PayoutLog
from schemas.payouts import BatchRequest

ANN = Operator("ann", is_person=True)


class Ledger:
    """A ledger in which each IB is owed a dollar."""

    def __init__(self, *ib_ids: str) -> None:
        self.ib_ids = ib_ids

    def payable(self, period_name: str, currency: str) -> list[Row]:
        """A statement each."""
        return [
            {
                "ib_id": ib_id, "name": ib_id, "currency": currency, "amount": Decimal(1),
                "statement_id": f"{ib_id} {period_name}", "is_followed": False, "kyc_approved": True,
            }
            for ib_id in self.ib_ids
        ]  # fmt: skip

    def exchange(self, owed: str, paid: str, at: datetime) -> Exchange | None:
        """None is published."""
        return None

    def answers(self, batch_id: str) -> dict[str, str]:
        """None."""
        return {}

    def open_since(self) -> datetime:
        """It is not asked."""
        raise NotImplementedError

    def answer_of(self, change_id: str) -> str | None:
        """Not known."""
        return None


def desk_over(log: PayoutLog, *ib_ids: str) -> PayoutDesk:
    """A desk whose commands go nowhere."""

    def publish_nothing(_commands: Sequence[AnyCommand | ClientCommand]) -> None:
        return None

    return PayoutDesk(log, Ledger(*ib_ids), publish_nothing)


class Killed(PayoutLog):
    """A log whose process ends around the append."""

    def append(self, record: PayoutRecord) -> None:
        """Write it, or not, and be gone."""
        if sys.argv[2] == "after":
            super().append(record)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    wanted = BatchRequest(period="2026-10", currency="USD")
    desk_over(Killed(sys.argv[1]), "A").create(wanted, ANN, "october")
