"""The audit log: who did what, each entry with the hash of the one before it.

An entry counts if it names the hash of the last one that counts, so of two that were written at once one is
written again, and an entry that was changed, left out or put in between breaks the chain for whoever reads.
What a chain cannot show is that its newest entries are missing: keep its head elsewhere to see that.
"""

from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from commission.value import Text, Time, Value


class AuditEntry(Value):
    """Something that somebody did; `previous` is the hash of the entry before, "" of the first."""

    number: Annotated[int, Meta(ge=1)]
    at: Time
    by: Text
    what: Text
    """`sign_in`, `sign_in_failed`, `sign_out`, `change`, `export`, `payee_read`."""
    on: Text = ""
    """The route, or whose account."""
    detail: Text = ""
    peer: Text = ""
    previous: Annotated[str, Meta(max_length=64)] = ""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(AuditEntry)


def encode_entry(entry: AuditEntry) -> bytes:
    """One message of the topic."""
    return _ENCODER.encode(entry)


class AuditChain:
    """What of the log counts, read in its order."""

    def __init__(self) -> None:
        self.head, self.count = "", 0
        """Hash of the newest entry, and how many there are."""
        self.faults: list[str] = []
        """What is in the log and in no chain, in words; at most `MAX_FAULTS`."""
        self._lost: dict[tuple[Text, ...], int] = {}

    def add(self, offset: int, message: bytes) -> AuditEntry | None:
        """The entry, if it counts; what does not is a fault unless the chain has it a little later."""
        try:
            entry = _DECODER.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._fault(f"offset {offset} holds no entry")
            return None
        if entry.previous == self.head and entry.number == self.count + 1:
            self.head, self.count = sha256(message).hexdigest(), entry.number
            self._lost.pop(_same(entry), None)
            return entry
        if sha256(message).hexdigest() != self.head:  # else Kafka has it twice
            self._lost[_same(entry)] = offset
        return None

    def end(self) -> list[str]:
        """Everything that is wrong, once the log was read to its end."""
        missing = [
            f"offset {offset} is in no chain and was not written again" for offset in self._lost.values()
        ]
        return [*self.faults, *missing[:MAX_FAULTS]]

    def _fault(self, words: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(words)


MAX_FAULTS = 20


def _same(entry: AuditEntry) -> tuple[str, ...]:
    """What an entry that lost a race and its repetition share."""
    return (entry.at.isoformat(), entry.by, entry.what, entry.on, entry.detail, entry.peer)
