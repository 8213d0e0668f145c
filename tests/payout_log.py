"""The logs of payouts and of proposals in memory."""

from collections.abc import Callable, Iterator
from typing import Any

from commission.payouts.records import PayoutRecord
from commission.proposals.records import AnyProposalRecord
from infra.payouts.log import PayoutLog
from infra.proposals.log import ProposalLog
from schemas.payouts import encode_payout
from schemas.proposals import encode_proposal


class Messages:
    """A topic of one partition, as a reader of it sees it."""

    def __init__(self, messages: list[bytes]) -> None:
        self._messages, self.next = messages, 0

    def read(self) -> list[tuple[int, bytes]]:
        """What is new."""
        new = list(enumerate(self._messages))[self.next :]
        self.next = len(self._messages)
        return new

    def at(self, *offsets: int) -> Iterator[bytes]:
        """The messages there."""
        return (self._messages[offset] for offset in offsets)

    def close(self) -> None:
        """Nothing is open."""


class MemoryLog(PayoutLog):
    """The log of payouts as a list of messages; `effect` is called around each append."""

    def __init__(self, messages: list[bytes], effect: Callable[[str], None] = lambda _what: None) -> None:
        super().__init__("")
        self._log: Any = Messages(messages)
        self._messages, self._effect = messages, effect

    def append(self, record: PayoutRecord) -> None:
        """Write it."""
        self._effect(f"before {record.type}")
        self._messages.append(encode_payout(record))
        self._effect(f"after {record.type}")


class MemoryProposals(ProposalLog):
    """The log of proposals as a list of messages; `effect` is called around each append."""

    def __init__(self, messages: list[bytes], effect: Callable[[str], None] = lambda _what: None) -> None:
        super().__init__("")
        self._log: Any = Messages(messages)
        self._messages, self._effect = messages, effect

    def append(self, record: AnyProposalRecord) -> None:
        """Write it."""
        self._effect(f"before {record.type}")
        self._messages.append(encode_proposal(record))
        self._effect(f"after {record.type}")
