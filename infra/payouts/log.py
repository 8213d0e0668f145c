"""The log of payouts: what people did to batches and balances."""

from api.payouts import PayoutRefused
from commission.payouts.log import Payouts
from commission.payouts.records import PayoutRecord
from infra.decision_log import DecisionLog
from schemas.payouts import decode_payout, encode_payout
from schemas.topics import PAYOUTS


class PayoutLog(DecisionLog[Payouts, PayoutRecord]):
    """What counts of the topic `payouts`."""

    topic, refused = PAYOUTS, PayoutRefused

    def __init__(self, kafka: str) -> None:
        super().__init__(kafka, Payouts())

    def encode(self, record: PayoutRecord) -> bytes:
        """A record as its message."""
        return encode_payout(record)

    def decode(self, message: bytes) -> PayoutRecord | None:
        """A message as its record."""
        return decode_payout(message)
