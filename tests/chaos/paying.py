"""A step of a batch by a process that is killed on its way: `paying KAFKA BATCH STEP EFFECT`.

`approve` and `import` each have three effects: the record, half of the commands, the other half. EFFECT 0
kills before the first, 3 after the last.
"""

import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime

from api.ledger import Row
from api.operators import Operator
from commission.payouts.commands import AnyCommand, ClientCommand
from commission.payouts.exchange import Exchange
from commission.payouts.records import LineResult, PayoutRecord
from infra.payouts.desk import PayoutDesk
from infra.payouts.log import PayoutLog
from ingest.publish.publisher import publish_payout_commands

BEN = Operator("ben", is_person=True)
EFFECTS = 4


class Nothing:
    """A ledger that these steps do not ask."""

    def payable(self, period: str, currency: str) -> list[Row]:
        """Nothing."""
        return []

    def exchange(self, owed: str, paid: str, at: datetime) -> Exchange | None:
        """None."""
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


class Killed:
    """Counts effects, and is gone before the one it was told."""

    def __init__(self, before: int) -> None:
        self._left = before

    def effect(self) -> None:
        """Another one comes."""
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


class KilledLog(PayoutLog):
    """A log whose writes are effects."""

    def __init__(self, kafka: str, killed: Killed) -> None:
        super().__init__(kafka)
        self._killed = killed

    def append(self, record: PayoutRecord) -> None:
        """Write it, unless the process ends here."""
        self._killed.effect()
        super().append(record)


def take(kafka: str, batch_id: str, step: str, before: int) -> None:
    """Take the step, and be gone before an effect; after the last one as well."""
    killed = Killed(before)

    def publish(commands: Sequence[AnyCommand | ClientCommand]) -> None:
        half = len(commands) // 2
        for part in (commands[:half], commands[half:]):
            killed.effect()
            publish_payout_commands(part, kafka)

    desk = PayoutDesk(KilledLog(kafka, killed), Nothing(), publish)
    if step == "approve":
        desk.approve(batch_id, BEN)
    else:
        lines = desk.get(batch_id).paid_lines
        found = [LineResult(line_id=line.line_id, outcome="settled") for line in lines]
        desk.import_results(found, "camt", BEN)
    killed.effect()


if __name__ == "__main__":
    take(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
