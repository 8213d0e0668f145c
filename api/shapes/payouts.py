"""Exports of payout lines."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Shape


class PayoutExport(Shape):
    """One export: who took which lines of a period out to be paid, and what it left out."""

    export_id: str
    period: str
    by: str
    at: datetime
    lines: int
    exported_before: int = Field(description="Lines left out because an earlier export has them.")
    blocked: int = Field(description="Lines left out because the IB's KYC is open.")
    over_limit: int = Field(description="Lines left out for lack of room; the next export has them.")
    sha256: str = Field(description="Of the file's bytes.")
    place: int = Field(description="Its offset in the log of exports.")


class PayoutExportPage(Shape):
    """Exports, newest first."""

    items: list[PayoutExport]
    next_cursor: str | None


class NewPayoutExport(PayoutExport):
    """An export that was just made, with its file."""

    left_out: str = Field(description="What of the period is not in the file, in words.")
    file: str = Field(description="The CSV; `GET /v1/payouts/exports/{export_id}` has the same bytes.")
