"""The files of a batch, by format: the same batch gives the same bytes, whenever it is asked."""

from collections.abc import Callable
from decimal import Decimal

from api.payouts import PayoutRefused
from api.views.csv_cells import Cell, to_csv
from commission.money import minor_digits
from commission.payouts.batch import Batch

Write = Callable[[Batch], bytes]
"""Writes `batch.paid_lines`."""

COLUMNS = ("end_to_end_id", "ib_id", "name", "currency", "amount", "statement_ids")


def csv_file(batch: Batch) -> bytes:
    """A line for each IB, then the total."""
    rows: list[list[Cell]] = [
        [
            line.line_id,
            line.ib_id,
            line.name,
            batch.currency,
            in_digits(line.amount, batch.currency),
            " ".join(line.statement_ids),
        ]
        for line in batch.paid_lines
    ]
    total = in_digits(batch.total, batch.currency)
    return to_csv(COLUMNS, [*rows, ["", "", "total", batch.currency, total, ""]])


def in_digits(amount: Decimal, currency: str) -> str:
    """Exactly the currency's digits: a bank refuses 7.5 for 7.50, and nothing is rounded here."""
    exact = amount.quantize(Decimal(1).scaleb(-minor_digits(currency)))
    if exact != amount:
        raise PayoutRefused(f"{amount} {currency} has more digits than can be paid: report it")
    return format(exact, "f")


WRITERS: dict[str, Write] = {"csv": csv_file}
