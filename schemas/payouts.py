"""The log of payouts as messages, one record each; what is asked for."""

from typing import Annotated, Literal

from msgspec import MsgspecError
from msgspec.json import Decoder, Encoder
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from commission.payouts.commands import ChangeKind
from commission.payouts.records import MAX_RECORD_BYTES, PayoutRecord
from schemas.wire import InvalidRecord, check_finite

_DECODER = Decoder(PayoutRecord)
encode_payout = Encoder().encode
"""A record as its message."""


def decode_payout(message: bytes | str) -> PayoutRecord | None:
    """Read one message of the topic; None if it is no record of it, for everyone alike."""
    if len(message) > MAX_RECORD_BYTES:
        return None
    try:
        record: PayoutRecord = _DECODER.decode(message)
        check_finite(record, record.type)
    except (MsgspecError, InvalidRecord):
        return None
    return record


Currency = Annotated[str, Field(pattern=r"^[A-Z0-9]{3,8}$", examples=["USD"])]
Why = Annotated[str, Field(min_length=1, max_length=500)]


class BatchRequest(BaseModel):
    """Which lines a batch is to have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    period: Annotated[str, Field(min_length=1, max_length=64, examples=["2026-09"])]
    currency: Currency
    minimum: Annotated[
        str,
        Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,8})?$", description="Lines below it are excluded."),
    ] = "0"
    pay_in: Annotated[
        str,
        Field(
            pattern=r"^([A-Z0-9]{3,8})?$",
            description="Pay the IBs that are paid in this currency, at the newest published rate.",
        ),
    ] = ""

    method: Annotated[
        Literal["", "bank", "us_bank", "trading_account", "wallet"],
        Field(description="Pay the IBs that are paid by this; empty: by any, which tables alone can."),
    ] = ""

    @property
    def pays(self) -> str:
        """The currency that its lines pay."""
        return self.pay_in or self.currency


class ChangeRequest(BaseModel):
    """What somebody asks to move by hand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ChangeKind
    ib: Annotated[str, Field(min_length=1, max_length=128)]
    currency: Currency
    amount: Annotated[
        str, Field(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,8})?$", description="With a minus an adjustment takes.")
    ]
    reason: Why
    attachment_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""


class HoldRequest(BaseModel):
    """What is held, or released, and why: payouts to an IB, one statement, or what a client earns IBs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ib: Annotated[str, Field(max_length=128, description="Of a client, may be empty: all IBs.")] = ""
    statement_id: Annotated[str, Field(max_length=64, description="Empty: all of the IB.")] = ""
    client: Annotated[
        str, Field(max_length=128, description="Hold what this client earns the IB, or all IBs.")
    ] = ""
    since: Annotated[
        AwareDatetime | None,
        Field(description="Of a client: its accruals from then on; else those that no statement has."),
    ] = None
    reason: Why
