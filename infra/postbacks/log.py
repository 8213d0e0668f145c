"""The log of endpoints: read to its end, decided upon, and written."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from api.endpoints import EndpointRefused
from commission.books.postback import standing
from commission.postbacks.records import (
    DayEnded,
    Decision,
    Delivery,
    EndpointSaved,
    EndpointStateSet,
    Known,
    Refusal,
    after,
)
from ingest.publish.outbox import Outbox
from schemas.topics import DELIVERIES, ENDPOINTS
from schemas.wire import decode_lines, encode
from streams.single_log import SingleLog, append_to


class Log(Protocol):
    """What is read and written."""

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Everything written before this call and not read yet."""

    def append(self, message: bytes) -> None:
        """Write a record at the end."""

    def close(self) -> None:
        """Leave the broker; the next `read` goes on."""


class KafkaLog(SingleLog):
    """The topic `endpoints`."""

    def __init__(self, kafka: str) -> None:
        super().__init__(kafka, ENDPOINTS)
        self._servers = kafka

    def append(self, message: bytes) -> None:
        """Write a record; whether it counts tells the next `read`."""
        append_to(self._servers, ENDPOINTS, message)


class EndpointLog:
    """Every endpoint as it stands; threads of a process share one."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[str, Known] = {}
        self._day = ""
        self._deciding = threading.Lock()

    def known(self) -> Mapping[str, Known]:
        """Everything that counts by now; raise `Unavailable` if Kafka does not tell."""
        with self._deciding:
            self._read(None)
            return dict(self._known)

    def end_day(self, ended: DayEnded, is_asked: Callable[[Mapping[str, Known]], bool]) -> bool:
        """Write that a day is over where that is asked and nobody has; whether it was written.

        Two servers that do so at once do no harm: the second record finds what came late, or nothing.
        """
        with self._deciding:
            if self._day >= ended.day or not is_asked(self._known):
                return False
            self._read(None)
            if self._day >= ended.day:
                return False
            self._log.append(encode([ended])[0])
            self._read(None)
            return True

    def decide(self, make: Callable[[Mapping[str, Known]], Decision | None]) -> Mapping[str, Known]:
        """Write what `make` makes of what counts; None writes nothing. What would not count is refused."""
        with self._deciding:
            self._read(None)
            record = make(self._known)
            if record is None:
                return dict(self._known)
            # 1 what is refused already is not written
            refusal = self._after(record)
            if isinstance(refusal, Refusal):
                raise EndpointRefused(refusal.why)
            # 2 write; a crash from here on loses the answer, not the record
            self._log.append(encode([record])[0])
            # 3 read: the order of the log decides
            if why := self._read(record):
                raise EndpointRefused(f"{why}; somebody else was first")
            return dict(self._known)

    def _after(self, record: Decision) -> Known | Refusal:
        return after(self._known.get(id_of(record)), record, standing(self._known))

    def _read(self, mine: Decision | None) -> str:
        """Fold what was written since; why `mine` does not count, or "" if it does."""
        why, counts = "", False
        try:
            for _, message in self._log.read():
                for record in decode_lines(message)[0]:
                    if isinstance(record, DayEnded):
                        self._day = max(self._day, record.day)
                    if not isinstance(record, EndpointSaved | EndpointStateSet):
                        continue
                    found = self._after(record)
                    if not isinstance(found, Refusal):
                        self._known[id_of(record)] = found
                        counts = counts or record == mine
                    elif record == mine:
                        why = found.why
        finally:
            self._log.close()
        return "" if counts else why  # it may stand there twice


def id_of(record: Decision) -> str:
    """The endpoint a record is of."""
    return record.endpoint.endpoint_id if isinstance(record, EndpointSaved) else record.endpoint_id


def publish_deliveries(deliveries: Iterable[Delivery], kafka: str) -> None:
    """Write deliveries that somebody asked for again, and return once Kafka has them."""
    outbox = Outbox(kafka)
    try:
        for delivery in deliveries:
            (line,) = encode([delivery])
            key = delivery.event.client_id or delivery.event.ib_id
            outbox.add(DELIVERIES, outbox.partition(DELIVERIES, key), line)
        outbox.finish()
    finally:
        outbox.abandon()
