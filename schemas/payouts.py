"""The log of payouts as messages: one record each, and the amounts of requests."""

from typing import Annotated

from msgspec import MsgspecError
from msgspec.json import Decoder, Encoder
from pydantic import BaseModel, ConfigDict, Field

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


class BatchRequest(BaseModel):
    """Which lines a batch is to have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    period: Annotated[str, Field(min_length=1, max_length=64, examples=["2026-09"])]
    currency: Annotated[str, Field(pattern=r"^[A-Z0-9]{3,8}$", examples=["USD"])]
    minimum: Annotated[
        str,
        Field(pattern=r"^\d{1,12}(\.\d{1,8})?$", description="Lines below it are excluded."),
    ] = "0"
