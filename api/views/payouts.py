"""The payout file: what one period's statements let a payout send, the same bytes for the same ledger."""

from collections import defaultdict
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
    """The bytes, and what a receiver checks them by."""

    name: str
    body: bytes

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return sha256(self.body).hexdigest()


def payout_file(ledger: Ledger, period: str) -> PayoutFile:
    """One line per IB and currency, then the total a payout may send in each currency."""
    lines = payable(ledger, period)
    if not lines:
        # A period nobody defined is a mistake; a defined one without lines is an empty file.
        interval(ledger, period)
    cells = [*map(_line, lines), *_totals(period, lines)]
    return PayoutFile(f"payouts-{_safe(period)}.csv", to_csv(COLUMNS, cells))


def _line(row: Row) -> list[Cell]:
    return [
        row["period"],
        row["ib_id"],
        row["name"],
        row["currency"],
        _amount(row["amount"], row["currency"]),
        row["statement_id"],
        _status(row),
    ]


def _status(row: Row) -> str:
    return "payable" if row["kyc_approved"] else "blocked_kyc"


def _totals(period: str, lines: list[Row]) -> list[list[Cell]]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for row in lines:
        totals[row["currency"]] += row["amount"] if row["kyc_approved"] else 0
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
