"""A desk of proposals that all change the same: an IB gets six a lot for four lots, and had five."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from api.operators import Operator
from commission.events import ReratingApproved
from infra.payouts.withholding import Withholding
from infra.proposals.desk import ProposalDesk
from infra.proposals.preview import Computed
from schemas.proposals import Change, Line, Preview, ProposalRequest
from tests.build import D, at
from tests.payout_log import MemoryLog, MemoryProposals
from tests.payout_world import World


class FixedDesk(ProposalDesk):
    """Its log is in memory; what it writes to the books is in `published`."""

    def __init__(self, ib_id: str = "A") -> None:
        self.messages: list[bytes] = []
        self.published: list[Any] = []
        self._ib_id, self._at = ib_id, datetime(2026, 11, 20, 9, tzinfo=UTC)
        held = Withholding(MemoryLog([]), World(), self._tick)
        client: Any = None  # nothing is asked of a database
        super().__init__(
            lambda: client, MemoryProposals(self.messages), self.published.extend, held, self._tick
        )

    def _tick(self) -> datetime:
        self._at += timedelta(minutes=1)
        return self._at

    def _compute(
        self, wanted: ProposalRequest, proposal_id: str, moment: datetime, people: tuple[str, str]
    ) -> Computed:
        """Three deals: -7.50 + 9, -7.50 + 9, -5 + 6 = 4.00, of which 3.00 are of a closed month."""
        changes = tuple(
            self._change(number, amount, lands_in)
            for number, amount, lands_in in (
                (1, "-7.5", "2026-10"), (1, "9", "2026-10"), (2, "-7.5", "2026-10"), (2, "9", "2026-10"),
                (3, "-5", "2026-09"), (3, "6", "2026-09"),
            )
        )  # fmt: skip
        line = Line(
            ib_id=self._ib_id,
            currency="USD",
            reversals=3,
            accruals=3,
            true_ups=0,
            taken_back=D(20),
            given=D(24),
            delta=D(4),
            of_closed=D(3),
            clients=D(0),
        )
        preview = Preview(
            deals=4, corrected=3, rows=6, lines=(line,), undecided=(), positions={}, fingerprint="same"
        )
        record = ReratingApproved(client_id="c1", proposal_id=proposal_id, occurred_at=moment)
        return Computed(preview, changes, (record,))

    def _change(self, number: int, amount: str, lands_in: str) -> Change:
        return Change(
            transfer_id=f"t{number}",
            code="reversal" if amount.startswith("-") else "accrual",
            ib_id=self._ib_id,
            client_id="c1",
            caused_by=f"live|{number}",
            component="per_lot",
            occurred_at=at(number),
            amount=Decimal(amount),
            to_client=D(0),
            currency="USD",
            reverses="t1" if amount.startswith("-") else None,
            period="2026-09",
            lands_in=lands_in,
        )


def person(name: str) -> Operator:
    """Somebody named."""
    return Operator(name, is_person=True)
