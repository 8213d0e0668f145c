"""The audit log on Kafka: written before anybody is told that something was done."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from api.people import Note
from infra.people.log import Messages, TopicMessages
from schemas.audit import AuditChain, AuditEntry, encode_entry
from schemas.errors import Unavailable
from schemas.topics import AUDIT

ATTEMPTS = 10
"""Others may write at the same time; each attempt that loses to them sees what they wrote."""
MAX_KEPT = 20_000
"""Newest entries at hand; `ibflow users audit` reads all of them."""
MAX_TEXT = 512


class Checked(NamedTuple):
    """What the whole log is worth."""

    entries: int
    head: str
    faults: tuple[str, ...]


class AuditLog:
    """What of the log counts, as far as it was read, and the way to add to it."""

    def __init__(
        self,
        messages: Messages,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        read_again: Callable[[], Messages] | None = None,
    ) -> None:
        self._messages, self._now, self._read_again = messages, now, read_again
        self._chain, self._kept = AuditChain(), deque[AuditEntry](maxlen=MAX_KEPT)
        self._lock = threading.Lock()

    @classmethod
    def of_kafka(cls, kafka: str) -> "AuditLog":
        """Over the topic `audit`."""
        return cls(TopicMessages(kafka, AUDIT), read_again=lambda: TopicMessages(kafka, AUDIT))

    def write(self, note: Note) -> None:
        """Append it; raise `Unavailable` where that is not known to be done."""
        at = note.at or self._now()
        with self._lock:
            for _ in range(ATTEMPTS):
                self._read()
                entry = AuditEntry(
                    number=self._chain.count + 1,
                    at=at,
                    by=note.by[:MAX_TEXT],
                    what=note.what,
                    on=note.on[:MAX_TEXT],
                    detail=note.detail[:MAX_TEXT],
                    peer=note.peer[:MAX_TEXT],
                    previous=self._chain.head,
                )
                self._messages.append([encode_entry(entry)])
                if entry in self._read():
                    return
        raise Unavailable("others write the audit log at the same time; the entry is not in it")

    def newest(self, before: int, limit: int) -> tuple[Sequence[AuditEntry], int]:
        """Entries of a smaller number, newest first; and the oldest number that is still at hand."""
        with self._lock:
            self._read()
            kept = list(self._kept)
        found = [entry for entry in reversed(kept) if not before or entry.number < before]
        return found[:limit], kept[0].number if kept else 0

    def every(self) -> Iterator[AuditEntry]:
        """All that count, the oldest first, by a reader of its own; raise `Unavailable`."""
        if self._read_again is None:
            raise Unavailable("the audit log cannot be read again here")
        messages, chain = self._read_again(), AuditChain()
        try:
            for offset, message in messages.read():
                if (entry := chain.add(offset, message)) is not None:
                    yield entry
        finally:
            messages.close()

    def check(self) -> Checked:
        """Of a log that was just opened: whether the chain holds, and what does not."""
        with self._lock:
            self._read()
            return Checked(self._chain.count, self._chain.head, tuple(self._chain.end()))

    def _read(self) -> list[AuditEntry]:
        found = []
        for offset, message in self._messages.read():
            entry = self._chain.add(offset, message)
            if entry is not None:
                found.append(entry)
                self._kept.append(entry)
        return found

    def close(self) -> None:
        """Leave the broker."""
        with self._lock:
            self._messages.close()
