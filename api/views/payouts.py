"""Payout lines as CSV: the file of an export, and a look at all lines of a period."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

from api.ledger import Ledger, Row
from api.problems import Problem
from api.queries.periods import interval
from api.queries.statements import payable
from api.views.csv_cells import Cell, to_csv
from commission.money import minor_digits

COLUMNS = ("period", "ib_id", "name", "currency", "amount", "statement_id", "status")


@dataclass(frozen=True, slots=True)
class PayoutFile:
    """The bytes, their name, and what a receiver checks them by."""

    name: str
    body: bytes

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return sha256(self.body).hexdigest()


def payout_lines(ledger: Ledger, period: str) -> list[Row]:
    """What the period's statements let a payout send, blocked or not; an unknown period is a mistake."""
    lines = payable(ledger, period)
    if not lines:
        interval(ledger, period)
    return lines


def export_file(period: str, lines: Sequence[Row]) -> bytes:
    """One line per IB and currency, then the total of each currency."""
    return to_csv(COLUMNS, [*([*_line(row), "payable"] for row in lines), *_totals(period, lines)])


def preview_file(period: str, lines: Sequence[Row], exports: Mapping[str, str]) -> PayoutFile:
    """All lines, each with the export that has it; the totals are of those that are still to be exported."""
    cells, due = list[list[Cell]](), []
    for row in lines:
        export_id = exports.get(row["statement_id"], "")
        status = "exported" if export_id else "payable" if row["kyc_approved"] else "blocked_kyc"
        due += [row] if status == "payable" else []
        cells.append([*_line(row), status, export_id])
    cells += [[*total, ""] for total in _totals(period, due)]
    return PayoutFile(f"payout-lines-{_safe(period)}.csv", to_csv((*COLUMNS, "export_id"), cells))


def _line(row: Row) -> list[Cell]:
    return [
        row["period"],
        row["ib_id"],
        row["name"],
        row["currency"],
        _amount(row["amount"], row["currency"]),
        row["statement_id"],
    ]


def _totals(period: str, lines: Sequence[Row]) -> list[list[Cell]]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for row in lines:
        totals[row["currency"]] += row["amount"]
    return [
        [period, "", "", currency, _amount(total, currency), "", "total"]
        for currency, total in sorted(totals.items())
    ]


def _amount(amount: Decimal, currency: str) -> str:
    """Exactly the currency's digits: a bank refuses 7.5 for 7.50, and a statement never has more."""
    unit = Decimal(1).scaleb(-minor_digits(currency))
    if amount != amount.quantize(unit):
        raise Problem(500, f"A statement holds {amount} {currency}, more digits than can be paid. Report it.")
    return format(amount.quantize(unit), "f")


def _safe(period: str) -> str:
    return "".join(character for character in period if character.isalnum() or character in "-_")
