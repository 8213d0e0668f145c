"""A batch as CSV and as a workbook, for people and for what no bank format fits; the manifest."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from api.views.csv_cells import Cell, to_csv
from api.views.workbook import to_xlsx
from commission.money import minor_digits
from infra.payees.details import BankAccount, UsBankAccount, place_of
from infra.payout_files.order import OrderLine, PayoutOrder, WrittenFile, amount_text, check, total

COLUMNS = (
    "end_to_end_id", "payee", "account_holder", "method", "bank_or_network", "account",
    "amount", "currency", "remittance",
)  # fmt: skip
AMOUNT = COLUMNS.index("amount")
TOTAL = "TOTAL"
WIDTHS = (18, 28, 28, 16, 16, 36, 16, 9, 40)


def write_csv(order: PayoutOrder) -> WrittenFile:
    """A line each in the order of the batch, then the totals; text that could be a formula is defused."""
    check(order)
    return WrittenFile(f"{order.message_id}.csv", to_csv(COLUMNS, _rows(order)))


def write_xlsx(order: PayoutOrder) -> WrittenFile:
    """The same rows as one sheet; amounts are numbers, all else is text, nothing is a formula."""
    check(order)
    digits = minor_digits(order.currency)
    body = to_xlsx(
        f"Payout {order.batch_id}",
        order.created_at,
        tuple(zip(COLUMNS, WIDTHS, strict=True)),
        ([*row[:AMOUNT], Decimal(str(row[AMOUNT])), *row[AMOUNT + 1 :]] for row in _rows(order)),
        f"#,##0.{'0' * digits}" if digits else "#,##0",
    )
    return WrittenFile(f"{order.message_id}.xlsx", body)


def manifest(files: Iterable[WrittenFile], name: str) -> WrittenFile:
    """The digest of each file, as `sha256sum --check` reads it."""
    lines = (f"{file.sha256}  {file.name}\n" for file in files)
    return WrittenFile(f"{name}.sha256", "".join(lines).encode())


def _rows(order: PayoutOrder) -> Iterator[list[Cell]]:
    for line in order.lines:
        place, number = place_of(line.account) if line.account is not None else ("", "")
        method = line.account.type if line.account is not None else ""
        yield [
            line.end_to_end_id, line.payee_name, _holder(line), method, place, number,
            amount_text(line.amount, order.currency), order.currency, line.remittance,
        ]  # fmt: skip
    lines = len(order.lines)
    yield [
        TOTAL, f"{lines} {'line' if lines == 1 else 'lines'}", "", "", "", "",
        amount_text(total(order.lines), order.currency), order.currency, "",
    ]  # fmt: skip


def _holder(line: OrderLine) -> str:
    return line.account.holder if isinstance(line.account, BankAccount | UsBankAccount) else ""
