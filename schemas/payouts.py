"""What was given out to be paid: each export of payout lines, with the file itself.

An export counts if it is where its maker expected it in the log. Whoever exports reads the log to its end,
chooses the lines that no export has, and writes where that end was: of two who do so at once the second is
one place further on, and does not count. So no line is in two exports that count, whatever crashes.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from schemas.models import read_or_none

MAX_EXPORT_LINES = 10_000
"""Of one export, so that its record fits a message; the next export has the rest."""

Name = Annotated[str, Field(min_length=1, max_length=256)]
Count = Annotated[int, Field(ge=0, lt=2**63)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutExported:
    """Lines of a period that were given out to be paid, each for the first and only time."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    type: Literal["payout_exported"] = "payout_exported"
    export_id: Name
    place: Count
    """The offset at which the record counts."""
    period: Name
    by: Name
    at: AwareDatetime
    statement_ids: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_EXPORT_LINES)]
    """The lines: a statement is one IB's period in one currency."""
    exported_before: Count
    """Lines of the period that were left out because an earlier export has them."""
    blocked: Count
    """Lines left out because the IB's KYC is open."""
    over_limit: Count
    """Lines left out because an export has no room for more; the next one has them."""
    file: str
    """The CSV, so that a repeat has the same bytes in every version of ibflow."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the file's bytes, UTF-8."""

    @property
    def left_out(self) -> str:
        """What of the period is not in the file, in words; "" if all of it is."""
        counts = (
            (self.exported_before, "exported before"),
            (self.blocked, "blocked by an open KYC"),
            (self.over_limit, f"over the limit of {MAX_EXPORT_LINES:,} lines: export again"),
        )
        return ", ".join(f"{count} {why}" for count, why in counts if count)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutsWithheld:
    """Statements that are to be withdrawn: no export has them or will. It counts where an export would."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    type: Literal["payouts_withheld"] = "payouts_withheld"
    proposal_id: Name
    place: Count
    period: Name
    by: Name
    at: AwareDatetime
    statement_ids: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_EXPORT_LINES)]


PayoutRecord = Annotated[PayoutExported | PayoutsWithheld, Field(discriminator="type")]
PAYOUT_RECORD: TypeAdapter[PayoutExported | PayoutsWithheld] = TypeAdapter(PayoutRecord)


def decode_payout(message: bytes | str) -> PayoutExported | PayoutsWithheld | None:
    """Read one message of the topic; None if it is no record of it, for everyone alike."""
    return read_or_none(PAYOUT_RECORD, message)
