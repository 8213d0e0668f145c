"""The log of links: read to its end, decided upon, written, and watched for what others decide."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from api.link_desk import KnownLink, LinkRefused
from commission.links.records import LinkSaved, LinkTold, why_refused
from ingest.publish.outbox import Outbox
from schemas.errors import Unavailable
from schemas.topics import CLIENT_BOOK, LINKS
from schemas.wire import Record, batches, decode_lines, encode
from streams.single_log import SingleLog, append_to

log = logging.getLogger("ibflow.links")

WATCH_S = 5.0
"""How soon a link that another server made is known here."""


class Log(Protocol):
    """What is read and written."""

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Everything written before this call and not read yet."""

    def append(self, message: bytes) -> None:
        """Write a record at the end."""

    def close(self) -> None:
        """Leave the broker; the next `read` goes on."""


class KafkaLog(SingleLog):
    """The topic `links`."""

    def __init__(self, kafka: str) -> None:
        super().__init__(kafka, LINKS)
        self._servers = kafka

    def append(self, message: bytes) -> None:
        """Write a record; whether it counts tells the next `read`."""
        append_to(self._servers, LINKS, message)


class LinkLog:
    """Every link as it stands; threads of a process share one."""

    def __init__(self, log: Log, tell: Callable[[Sequence[LinkSaved]], None]) -> None:
        """`tell` gives records to every partition of the client book, and returns once they are there."""
        self._log, self._tell = log, tell
        self._known: dict[str, KnownLink] = {}
        self._deciding = threading.Lock()
        self._stopped = threading.Event()

    @property
    def current(self) -> Mapping[str, KnownLink]:
        """What is known by now, without a look at the log."""
        return self._known

    def known(self) -> Mapping[str, KnownLink]:
        """Everything that counts by now; raise `Unavailable` if Kafka does not tell."""
        with self._deciding:
            self._read()
            return dict(self._known)

    def decide(self, make: Callable[[Mapping[str, KnownLink]], LinkSaved | KnownLink]) -> KnownLink:
        """Write what `make` makes of what counts; a link that is there already is given back as it is."""
        with self._deciding:
            self._read()
            record = make(self._known)
            if isinstance(record, KnownLink):
                return record
            # 1 what is refused already is not written
            if why := self._why_refused(record):
                raise LinkRefused(why)
            # 2 write; a crash from here on loses the answer, not the record
            self._log.append(encode([record])[0])
            # 3 read: the order of the log decides
            self._read()
            if self._known[record.code].saved != record:
                raise LinkRefused(f"{record.code} was changed meanwhile; look at it and try again")
            # 4 the books, which look for the newest version; a crash before 5 tells them again
            self._tell_books()
            return self._known[record.code]

    def tell_books(self) -> None:
        """Tell the books of links that they may not have; raise `Unavailable` if they cannot be told."""
        with self._deciding:
            self._read()
            self._tell_books()

    def watch(self) -> None:
        """Keep reading, in a thread; what is known stays while Kafka is away."""
        threading.Thread(target=self._watch, name="links", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(WATCH_S):
            try:
                self.tell_books()
            except Unavailable as error:
                log.debug("links are as they were known: %s", error)

    def _tell_books(self) -> None:
        news = [one.saved for one in self._known.values() if one.told < one.saved.version]
        if news:
            self._tell(news)
            # 5 that they have them: from now on the link may be clicked
            told = [LinkTold(code=record.code, version=record.version) for record in news]
            for message in batches(encode(told)):
                self._log.append(message)
            self._read()

    def _why_refused(self, record: LinkSaved) -> str:
        known = self._known.get(record.code)
        return why_refused(known.saved if known is not None else None, record, len(self._known))

    def _read(self) -> None:
        """Fold what was written since."""
        try:
            for _, message in self._log.read():
                for record in decode_lines(message)[0]:
                    self._fold(record)
        finally:
            self._log.close()

    def _fold(self, record: Record) -> None:
        if isinstance(record, LinkTold) and (known := self._known.get(record.code)) is not None:
            self._known[record.code] = replace(known, told=max(known.told, record.version))
        elif isinstance(record, LinkSaved) and not self._why_refused(record):
            before = self._known.get(record.code)
            self._known[record.code] = (
                KnownLink(record, record.by, record.at) if before is None else replace(before, saved=record)
            )


def tell_client_book(kafka: str, records: Sequence[LinkSaved]) -> None:
    """Write records into every partition of the client book, and return once Kafka has them."""
    outbox, lines = Outbox(kafka), encode(records)
    try:
        for partition in range(outbox.count(CLIENT_BOOK)):
            outbox.add(CLIENT_BOOK, partition, *lines)
        outbox.finish()
    finally:
        outbox.abandon()
