"""The log of people and keys: kept read to its end, so that a request is answered from memory."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from api.people import PeopleRefused
from schemas.errors import Unavailable
from schemas.people import PeopleRecord, decode_people, encode_people
from schemas.people_book import PeopleBook
from schemas.topics import PEOPLE
from streams.single_log import SingleLog, append_to

log = logging.getLogger("ibflow.people")

WATCH_S = 1.0
"""How long what another process wrote, such as a revoked key, may go unseen."""


class Messages(Protocol):
    """A topic of one partition, read on and appended to."""

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Everything written before this call and not read yet."""

    def append(self, messages: Iterable[bytes]) -> None:
        """Write them in their order."""

    def close(self) -> None:
        """Leave the broker; the next `read` goes on."""


class TopicMessages(SingleLog):
    """A topic as `Messages`."""

    def __init__(self, kafka: str, topic: str) -> None:
        super().__init__(kafka, topic)
        self._servers, self._name = kafka, topic

    def append(self, messages: Iterable[bytes]) -> None:
        """Write them; whether they count tells the next `read`."""
        append_to(self._servers, self._name, *messages)


class PeopleLog:
    """What counts of the log; `watch` keeps it new, what is decided here is read back at once."""

    def __init__(self, messages: Messages) -> None:
        self._messages, self._book = messages, PeopleBook()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def of_kafka(cls, kafka: str) -> "PeopleLog":
        """Over the topic `people`."""
        return cls(TopicMessages(kafka, PEOPLE))

    @property
    def book(self) -> PeopleBook:
        """As it was read last. Its dictionaries change entry by entry: copy what you go through."""
        return self._book

    def refresh(self) -> PeopleBook:
        """As it is now; raise `Unavailable` if Kafka does not tell."""
        with self._lock:
            self._read()
        return self._book

    def decide(self, *records: PeopleRecord) -> None:
        """Write records that count; raise `PeopleRefused` with the reason of one that does not."""
        with self._lock:
            # 1 what is refused already is not written
            self._read()
            self._check(records)
            # 2 write; a crash from here on loses the answer, not the records
            self._messages.append(map(encode_people, records))
            # 3 read: the order of the log decides
            refused = self._read(records)
        if refused:
            raise PeopleRefused(f"{refused}; somebody else was first")

    def _check(self, records: Sequence[PeopleRecord]) -> None:
        first, *_ = records
        if why := self._book.why_not(first):
            raise PeopleRefused(why)
        if any(decode_people(encode_people(record)) is None for record in records):
            raise PeopleRefused("a name has at most 64 letters, digits and . _ @ -, and single spaces")

    def _read(self, mine: Iterable[PeopleRecord] = ()) -> str:
        """Fold what was written since; why one of `mine` does not count, or ""."""
        left, whys = list(mine), dict[int, str]()
        for _, message in self._messages.read():
            record = decode_people(message)
            if record is None:
                continue
            why = self._book.add(record)
            for place, one in enumerate(left):
                if one == record:  # it may stand there twice: once is enough
                    whys[place] = "" if not why or whys.get(place) == "" else why
        return next((why for why in whys.values() if why), "")

    def watch(self, then: Callable[[], None] = lambda: None) -> None:
        """Read on in a thread of its own until `stop`; a Kafka that is away leaves what is known."""
        self._thread = threading.Thread(target=self._watch, args=(then,), name="people", daemon=True)
        self._thread.start()

    def _watch(self, then: Callable[[], None]) -> None:
        while not self._stopping.wait(WATCH_S):
            try:
                self.refresh()
                then()
            except Unavailable as error:
                log.warning("the log of people is not read: %s", error)

    def stop(self) -> None:
        """Leave the broker."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._messages.close()
