"""The end of the demo: October is paid by three people, and one payment bounces."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from clickhouse_connect.driver.client import Client

from api.operators import Operator
from api.payouts import Tick
from commission.accounts import PAID, PAYABLE
from commission.payouts.batch import Batch
from infra.processes.stack import Stack
from schemas.payouts import BatchRequest

ANNA, BEN, CARA = (Operator(name, is_person=True) for name in ("anna", "ben", "cara"))
WANTED = BatchRequest(period="2026-10", currency="USD")
BOUNCING = "ib-south"
DETAILS = {
    "ib-master": {"iban": "NL91ABNA0417164300", "bic": "ABNANL2A", "holder": "Meridian Partners BV"},
    "ib-north": {"iban": "GB29NWBK60161331926819", "bic": "NWBKGB2L", "holder": "North Desk Ltd"},
    "ib-south": {"iban": "FR1420041010050500013M02606", "bic": "PSSTFRPP", "holder": "South Desk SA"},
}
"""Numbers of the standards' examples: nobody's."""


@dataclass(frozen=True, slots=True)
class PaidLine:
    """What became of what one IB was to be paid, and where its money stands in the ledger."""

    ib_id: str
    amount: Decimal
    account: str
    became: str
    paid: Decimal
    payable: Decimal


@dataclass(frozen=True, slots=True)
class Payment:
    """A batch as it ended."""

    batch: Batch
    files: tuple[str, ...]
    lines: tuple[PaidLine, ...]


def pay(stack: Stack) -> Payment:
    """Details, batch, approval, files, and what the bank answers: all but one are paid."""
    server, folder = stack.server, stack.settings.data_dir / "payout"
    for ib_id, fields in DETAILS.items():
        server.payouts.payees.propose(ib_id, {"type": "bank", **fields}, "", ANNA)
        server.payouts.payees.approve(ib_id, 1, BEN)
    batch_id = server.payouts.desk.create(WANTED, ANNA, "").batch_id
    ticks = [Tick(one.code, one.ib_id) for one, _ in server.payouts.desk.warnings(batch_id)]
    server.payouts.desk.submit(batch_id, ANNA, ticks)
    server.payouts.desk.approve(batch_id, CARA)  # ben had a hand in where it goes
    stack.drain()  # the books have locked the lines
    folder.mkdir()
    files = tuple(_write(stack, folder, batch_id, form) for form in ("pain.001.001.09", "csv"))
    batch = server.payouts.desk.get(batch_id)
    server.payouts.bank_files.import_file(_answer(batch), "bank.csv", ANNA)
    stack.drain()
    batch = server.payouts.desk.get(batch_id)
    return Payment(batch, files, tuple(_lines(stack, batch)))


def _write(stack: Stack, folder: Path, batch_id: str, form: str) -> str:
    _, file = stack.server.payouts.desk.export(batch_id, form, "for the books" if form == "csv" else "", ANNA)
    name = "payout.csv" if form == "csv" else f"{form}.xml"
    (folder / name).write_bytes(file.body)
    return f"{name} ({len(file.body):,} bytes)"


def _answer(batch: Batch) -> bytes:
    """The bank's, as a CSV."""
    told = ("rejected,AC04: the account is closed", "settled,")
    rows = (f"{one.line_id},{told[one.ib_id != BOUNCING]}" for one in batch.paid_lines)
    return "\n".join(["end_to_end_id,status,reason", *rows, ""]).encode()


def _lines(stack: Stack, batch: Batch) -> Iterator[PaidLine]:
    stand = _accounts(stack.server.client)
    for line in batch.lines.values():
        (version,) = stack.server.payouts.payees.versions(line.ib_id)
        reason = batch.status[line.line_id].reason
        became = f"{batch.state_of(line.line_id)} {reason[:4] if reason[:2] == 'AC' else ''}".rstrip()
        paid, payable = stand[line.ib_id]
        yield PaidLine(line.ib_id, line.amount, version.proposed.masked, became, paid, payable)


def _accounts(client: Client) -> dict[str, tuple[Decimal, Decimal]]:
    """By IB, what is paid and what is payable, of all months."""
    sums = ", ".join(
        f"sumIf(amount, endsWith(credit, '{name}')) - sumIf(amount, endsWith(debit, '{name}'))"
        for name in (PAID, PAYABLE)
    )
    rows = client.query(f"SELECT ib_id, {sums} FROM transfers FINAL GROUP BY ib_id").result_rows  # noqa: S608 # our own names
    return {ib_id: (paid, payable) for ib_id, paid, payable in rows}
