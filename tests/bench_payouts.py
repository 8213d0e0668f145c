"""A batch of 100,000 lines: made, approved, exported, and its locks folded by the IBs' books.

`python -m tests.bench_payouts 20000` takes fewer. First the log is in memory, and beside the fold stands a
plain encoding and decoding of the same commands; then all goes through Kafka, a worker and ClickHouse, and
beside that stands a plain insert of the rows that came of it.
"""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from api.ledger import Row
from api.payouts import Tick
from commission.books import partner as partner_book
from commission.draft import Draft
from commission.money import EXACT
from commission.partner.payable import Due, PayoutState, state_key
from commission.payouts.batch_commands import commands
from commission.payouts.commands import AnyCommand, ClientCommand, LockLine
from commission.payouts.exchange import Exchange
from commission.payouts.records import LineResult
from commission.terms.catalog import Terms
from infra.payouts.desk import PayoutDesk
from infra.processes.stack import Stack
from ingest.publish.publisher import publish_payout_commands, publish_terms
from schemas.payouts import BatchRequest
from schemas.settings import Settings
from schemas.wire import decode_batch, encode
from tests.build import partner
from tests.commission.books.partner_rows import MONTHS, earned
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

    def exchange(self, owed: str, paid: str, at: datetime) -> Exchange | None:
        """All is paid as it is owed."""
        return None

    def answers(self, batch_id: str) -> dict[str, str]:
        """Everything was locked."""
        return self.told

    def open_since(self) -> datetime:
        """It is not asked."""
        raise NotImplementedError

    def answer_of(self, change_id: str) -> str | None:
        """There are no changes."""
        return None


def publish_nothing(_commands: Sequence[AnyCommand | ClientCommand]) -> None:
    """Kafka is measured elsewhere."""


class Steps:
    """A table of steps: seconds of each, and the peak of memory after it."""

    def __init__(self, title: str) -> None:
        self.table = Table(title=title)
        for name in ("step", "s", "peak MB"):
            self.table.add_column(name, justify="right" if name != "step" else "left")

    def timed(self, what: str, step: Callable[[], T]) -> T:
        """Take a step."""
        began = time.perf_counter()
        done = step()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.table.add_row(what, f"{time.perf_counter() - began:.2f}", f"{peak:,.0f}")
        return done


def table(lines: int = LINES) -> Table:
    """Without Kafka and ClickHouse."""
    steps = Steps(f"A batch of {lines:,} lines, the log in memory")
    timed = steps.timed
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
    return steps.table


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


def stored_table(lines: int = LINES) -> Table:
    """With Kafka, a worker and ClickHouse: from a closed month to every line paid, and the plain insert."""
    steps = Steps(f"A batch of {lines:,} lines, through Kafka and ClickHouse")
    with (
        TemporaryDirectory() as folder,
        Stack(Settings(_env_file=None, data_dir=Path(folder), api_port=0)) as stack,
    ):
        close_a_month(stack, lines, steps)
        desk, wanted = stack.server.payouts.desk, BatchRequest(period="2026-09", currency="USD")

        def stored(step: Callable[[], T]) -> T:
            done = step()
            stack.drain()
            return done

        batch = steps.timed("create", lambda: desk.create(wanted, ANN, ""))
        assert len(batch.paid_lines) == lines, f"{len(batch.paid_lines)} of {lines} are paid"
        name, ticks = batch.batch_id, [Tick("first_payout", line.ib_id) for line in batch.paid_lines]
        steps.timed("submit", lambda: desk.submit(name, ANN, ticks))
        steps.timed("approve, until every lock is stored", lambda: stored(lambda: desk.approve(name, BEN)))
        steps.timed("export", lambda: desk.export(name, "csv", "", CAT))
        paid = [LineResult(line_id=line.line_id, outcome="settled") for line in batch.paid_lines]
        steps.timed(
            "import, until every payment is stored",
            lambda: stored(lambda: desk.import_results(paid, "camt", CAT)),
        )
        client = stack.server.client
        found = client.query("SELECT * FROM transfers WHERE code IN ('payout', 'paid')")
        assert len(found.result_rows) == 2 * lines, f"{len(found.result_rows)} rows of {2 * lines}"
        client.command("CREATE TABLE plain AS transfers")
        steps.timed(
            f"a plain insert of the same {2 * lines:,} rows",
            lambda: client.insert("plain", found.result_rows, column_names=found.column_names),
        )
    return steps.table


def close_a_month(stack: Stack, lines: int, steps: Steps) -> None:
    """Each IB earns 1.00 USD, and a cent more than the one before it."""
    ids = [f"ib-{number:06}" for number in range(lines)]

    def publish_all() -> None:
        publish_terms([*MONTHS, *(partner(f"{ib_id} USD", kyc_approved=True) for ib_id in ids)], stack.kafka)
        stack.drain()

    def earn() -> None:
        rows: Any = (
            earned(f"{number + 100}e-2", ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)
            for number, ib_id in enumerate(ids)
        )
        publish_payout_commands(rows, stack.kafka)
        stack.drain()

    def end() -> None:
        stack.end_periods(["2026-09"])
        stack.drain()

    steps.timed("the IBs published", publish_all)
    steps.timed("each earns once", earn)
    steps.timed("the month closed, until every statement is stored", end)


if __name__ == "__main__":
    wanted_lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    for made in (table, stored_table):
        Console().print(made(wanted_lines))
