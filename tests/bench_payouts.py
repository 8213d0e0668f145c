"""A batch of 100,000 lines: made, approved, exported, and its locks folded by the IBs' books.

`python -m tests.bench_payouts 20000` takes fewer. The log is in memory: what Kafka and ClickHouse add is in
the other benches. Beside the fold stands a plain encoding and decoding of the same commands.
"""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from api.ledger import Row
from commission.books import partner as partner_book
from commission.draft import Draft
from commission.money import EXACT
from commission.partner.payable import Due, PayoutState, state_key
from commission.payouts.batch_commands import commands
from commission.payouts.commands import AnyCommand, LockLine
from commission.terms.catalog import Terms
from infra.payouts.desk import PayoutDesk
from schemas.payouts import BatchRequest
from schemas.wire import decode_batch, encode
from tests.payout_log import MemoryLog
from tests.payout_world import ANN, BEN, CAT

LINES = 100_000
T = TypeVar("T")


class Facts:
    """A ledger in which so many IBs are owed something."""

    def __init__(self, lines: int) -> None:
        self.rows: list[Row] = [
            {
                "ib_id": f"ib-{n:06}", "name": f"Partner number {n}", "currency": "USD",
                "amount": Decimal(n + 100) / 100, "statement_id": f"{n:032x}", "is_followed": False,
                "kyc_approved": True,
            }
            for n in range(lines)
        ]  # fmt: skip
        self.told: dict[str, str] = {}

    def payable(self, period: str, currency: str) -> list[Row]:
        """All of it."""
        return self.rows

    def answers(self, batch_id: str) -> dict[str, str]:
        """Everything was locked."""
        return self.told

    def answer_of(self, change_id: str) -> str | None:
        """There are no changes."""
        return None


def publish_nothing(_commands: Sequence[AnyCommand]) -> None:
    """Kafka is measured elsewhere."""


def table(lines: int = LINES) -> Table:
    """Seconds of each step, and the peak of memory after it."""
    shown = Table(title=f"A batch of {lines:,} lines")
    for name in ("step", "s", "peak MB"):
        shown.add_column(name, justify="right" if name != "step" else "left")

    def timed(what: str, step: Callable[[], T]) -> T:
        began = time.perf_counter()
        done = step()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        shown.add_row(what, f"{time.perf_counter() - began:.2f}", f"{peak:,.0f}")
        return done

    facts, messages = Facts(lines), list[bytes]()
    desk = PayoutDesk(MemoryLog(messages), facts, publish_nothing)
    wanted = BatchRequest(period="2026-09", currency="USD")
    batch_id = timed("create", lambda: desk.create(wanted, ANN, "")).batch_id
    timed("submit", lambda: desk.submit(batch_id, ANN))
    timed("approve", lambda: desk.approve(batch_id, BEN))
    locks = [one for one in commands(desk.get(batch_id)) if isinstance(one, LockLine)]
    wire = timed("commands as JSON lines", lambda: b"\n".join(encode(locks)))
    read: Any = timed("read again", lambda: decode_batch(wire))
    timed("folded by the books", lambda: fold(read))
    facts.told = {one.command_id: "" for one in locks}
    timed("export", lambda: desk.export(batch_id, "csv", "", CAT))
    timed("the log read anew", lambda: MemoryLog(messages).known())
    return shown


def fold(locks: Sequence[LockLine]) -> None:
    """Each by its IB's book, which has the money."""
    state: dict[str, Any] = {
        state_key(one.ib_id): PayoutState(
            due={one.statement_ids[0]: Due(currency=one.currency, amount=one.amount)}
        )
        for one in locks
    }
    draft, terms = Draft.over(state), Terms()
    with localcontext(EXACT):
        for one in locks:
            partner_book.apply(draft, one, terms)
    rows = sum(output.type == "transfer" for output in draft.outputs)
    assert rows == len(locks), f"{rows} of {len(locks)} were locked"


if __name__ == "__main__":
    Console().print(table(int(sys.argv[1]) if len(sys.argv) > 1 else LINES))
