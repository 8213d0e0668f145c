"""A log of decisions: read to its end, decided upon, and written where nothing came in between."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from commission.payouts.records import MAX_RECORD_BYTES
from schemas.errors import Unavailable, Unusable
from streams.single_log import SingleLog, append_to

ATTEMPTS = 5
"""Others may write at the same time; each attempt that loses to them sees what they wrote."""

Record = TypeVar("Record")
_Added_contra = TypeVar("_Added_contra", contravariant=True)


class Book(Protocol[_Added_contra]):
    """What counts of a log."""

    def why_not(self, record: _Added_contra) -> str:
        """Why a record would not count here; "" if it would."""

    def add(self, record: _Added_contra, offset: int) -> bool:
        """Take in the record that stands at an offset; whether it counts."""


Known = TypeVar("Known", bound=Book)  # type: ignore[type-arg] # of the records of the same log


class DecisionLog(Generic[Known, Record]):
    """What counts of one topic; threads of a process share it, and a later one reads on where it stopped."""

    topic: str
    refused: type[Unusable]
    """What somebody is told whose record would not count."""

    def __init__(self, kafka: str, known: Known) -> None:
        self._log, self._kafka = SingleLog(kafka, self.topic), kafka
        self._known, self._deciding = known, threading.Lock()

    def encode(self, record: Record) -> bytes:
        """A record as its message."""
        raise NotImplementedError

    def decode(self, message: bytes) -> Record | None:
        """A message as its record; None if it is none, for everyone alike."""
        raise NotImplementedError

    def known(self) -> Known:
        """Everything that counts by now; raise `Unavailable` if Kafka does not tell."""
        with self._deciding:
            try:
                self._read()
            finally:
                self._log.close()
            return self._known

    def decide(self, make: Callable[[Known, int], Record | None]) -> Known:
        """Write what `make` makes of all that counts, for the place it is told; None writes nothing.

        What would not count is refused. `make` is called again if another wrote meanwhile. After an
        `Unavailable` Kafka may have the record or not: deciding once more finds out.
        """
        with self._deciding:
            try:
                self._decide(make)
            finally:
                self._log.close()
            return self._known

    def _decide(self, make: Callable[[Known, int], Record | None]) -> None:
        for _ in range(ATTEMPTS):
            # 1 read to the end: what counts
            self._read()
            record = make(self._known, self._log.next)
            if record is None:
                return
            if why := self._known.why_not(record):
                raise self.refused(why)
            # 2 write: a crash before this does nothing
            self.append(record)
            # 3 read again: it counts unless another was written in between; a crash from here on loses the
            #   answer and not the record
            if record in self._read():
                return
        raise Unavailable(f"others write the log {self.topic} at the same time; nothing was done")

    def _read(self) -> list[Record]:
        """Learn everything written before this call; what of it counts."""
        found = []
        for offset, message in self._log.read():
            record = self.decode(message)
            if record is not None and self._known.add(record, offset):
                found.append(record)
        return found

    def append(self, record: Record) -> None:
        """Write it; whether it counts tells the next read."""
        message = self.encode(record)
        if len(message) > MAX_RECORD_BYTES:
            raise self.refused(f"the record has {len(message):,} bytes, more than {MAX_RECORD_BYTES:,}")
        append_to(self._kafka, self.topic, message)
