"""Where IBs are paid, masked."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Shape
from commission.money import plain
from commission.payouts.tax import Tax
from schemas.payees import PayeeVersion, Versions, valid_version


class Payee(Shape):
    """One version of an IB's details: who proposed it, what a second person decided."""

    ib_id: str
    version: int
    kind: str = Field(description="`bank`, `us_bank`, `trading_account` or `wallet`.")
    masked: str = Field(examples=["DE89 •••• 3000"], description="Enough to recognise it; never the number.")
    currency: str = Field(description="What payouts are paid in; empty: as they are owed.")
    tax: str = Field(description="`vat 19`, `withholding 10`, `reverse_charge`, `none`; empty: no invoices.")
    state: str = Field(description="`proposed`, `approved` or `rejected`.")
    is_valid: bool = Field(description="Whether payouts go there now.")
    proposed_by: str
    proposed_at: datetime
    note: str = Field(description="Why, of whoever proposed it.")
    decided_by: str | None
    decided_at: datetime | None
    rejection: str = Field(description="Why it was rejected.")


class PayeePage(Shape):
    """What is valid and what waits, by IB."""

    items: list[Payee]
    next_cursor: str | None


class PayeeHistory(Shape):
    """Every version of an IB's details, the first one first."""

    items: list[Payee]
    next_cursor: str | None


class Resealed(Shape):
    """How far a change of keys is."""

    resealed: int = Field(description="Versions that are under the newest key now.")
    left: int = Field(description="Versions still under an older one: ask again.")


def _percent(tax: Tax) -> tuple[str, ...]:
    return (plain(tax.percent),) if tax.percent else ()


def to_payee(version: PayeeVersion, versions: Versions) -> Payee:
    """A version beside the others of its IB."""
    proposed, decided = version.proposed, version.approved or version.rejected
    return Payee(
        ib_id=proposed.ib_id,
        version=proposed.version,
        kind=proposed.kind,
        masked=proposed.masked,
        currency=proposed.currency,
        tax="" if (tax := proposed.tax) is None else " ".join((tax.kind, *_percent(tax))),
        state=version.state,
        is_valid=version == valid_version(versions),
        proposed_by=proposed.by,
        proposed_at=proposed.at,
        note=proposed.note,
        decided_by=decided.by if decided else None,
        decided_at=decided.at if decided else None,
        rejection=version.rejected.note if version.rejected else "",
    )
