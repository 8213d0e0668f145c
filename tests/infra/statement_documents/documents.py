"""Statements to be shown, small enough to be added up by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

from commission.outputs import Statement
from infra.statement_documents.document import Party, StatementDocument, Tax

BROKER = Party(
    name="Example Broker Ltd",
    address=("1 Harbour Street", "3030 Limassol", "Cyprus"),
    registration="HE 123456",
    tax_id="CY10123456X",
)
ATLAS = Party(
    name="Atlas <Partners> & Söhne", address=("Hauptstraße 5", "10115 Berlin"), tax_id="DE123456789"
)


def statement(**changed: object) -> Statement:
    """0.00 + 1,300.12345678 - 65.56 - 1,234.56 - 0.00345678 = 0.00."""
    figures = {
        "statement_id": "st-1", "ib_id": "IB-1", "period": "2026-09",
        "starts_at": datetime(2026, 8, 31, 21, tzinfo=UTC), "ends_at": datetime(2026, 9, 30, 21, tzinfo=UTC),
        "currency": "EUR", "opening": Decimal(0), "accrued": Decimal("1300.12345678"),
        "reversed": Decimal("65.56"), "payable": Decimal("1234.56"), "rounding": Decimal("0.00345678"),
        "closing": Decimal(0), "held": Decimal(0), "hash": "ab12" * 16,
    }  # fmt: skip
    return Statement(**{**figures, **changed})


def document(**changed: object) -> StatementDocument:
    """A self-billing invoice with 19 % VAT: 1,234.56 x 0.19 = 234.5664, so 234.57; in all 1,469.13."""
    told = {
        "statement": statement(), "broker": BROKER, "ib": ATLAS, "issued_on": date(2026, 10, 2),
        "invoice_number": "SB-2026-000017", "taxes": (Tax(label="VAT 19 %", amount=Decimal("234.57")),),
        "zone": "Asia/Nicosia", "locale": "en",
    }  # fmt: skip
    return StatementDocument(**{**told, **changed})
