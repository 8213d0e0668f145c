"""The end of the demo: a month paid by two people, and a line of it that bounces."""

from typing import NamedTuple

from rich.table import Table

from api.operators import Operator
from commission.payouts.batch import Batch
from commission.payouts.records import LineResult
from infra.payout_files.order import amount_text
from infra.payouts.desk import PayoutDesk
from infra.processes.stack import Stack
from infra.terminal import new_table
from schemas.payouts import BatchRequest

ANNA, BEN = (Operator(name, is_person=True) for name in ("anna", "ben"))


class Paid(NamedTuple):
    """A batch with its results, and where its file is."""

    batch: Batch
    file: str


def pay(stack: Stack, period: str, currency: str) -> Paid:
    """Anna makes a batch, ben approves it, its file is written; the bank refuses the first line."""
    desk: PayoutDesk = stack.server.payouts
    batch_id = desk.create(BatchRequest(period=period, currency=currency), ANNA, "demo").batch_id
    desk.submit(batch_id, ANNA)
    desk.approve(batch_id, BEN)
    stack.drain()
    batch, file = desk.export(batch_id, "csv", "", ANNA)
    path = stack.settings.data_dir / f"payouts-{period}-{currency}.csv"
    path.write_bytes(file)
    first, *rest = [line.line_id for line in batch.paid_lines]
    bounced = LineResult(line_id=first, outcome="rejected", reason="AC04: closed account number")
    settled = [LineResult(line_id=line_id, outcome="settled") for line_id in rest]
    desk.import_results([bounced, *settled], "the bank's answer", ANNA)
    stack.drain()
    return Paid(desk.get(batch_id), path.name)


def payouts_table(paid: Paid) -> Table:
    """What became of each line; what bounced is payable again."""
    batch = paid.batch
    people = ", ".join(f"{step.what} by {step.by}" for step in batch.steps[:4])
    table = new_table(f"And then {batch.period} is paid: {people}; {paid.file}")
    table.add_column("IB", no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    for name in ("", "line", "and then"):
        table.add_column(name)
    for line_id, line in batch.lines.items():
        state, status = batch.state_of(line_id), batch.status.get(line_id)
        then = {"settled": "paid", "rejected": "payable again"}.get(state, "payable")
        told = f"{state}: {status.reason}" if status is not None and status.reason else state
        table.add_row(line.ib_id, amount_text(line.amount, batch.currency), batch.currency, told, then)
    return table
