"""Records of many short requests to Kafka: one producer that stays, what arrives together travels together.

`publisher.publish` ends with its input; this one serves a process that never ends. A request is answered
only after Kafka has acknowledged every message its records travelled in.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingest.clicks import with_genuine_clicks
from ingest.publish.outbox import CONFIG, PublishFailed, partitions_of
from ingest.publish.publisher import topic_and_key
from ingest.source_items import Item
from schemas.dead_letters import DEAD_LETTER, DeadLetter
from schemas.kafka import client_config
from schemas.topics import ACCOUNT_BOOK, CLIENT_BOOK, DEAD_LETTERS, TERMS, partition_of
from schemas.wire import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_RECORD_BYTES, encode

log = logging.getLogger(__name__)

LINGER_S = 0.004
"""How long a record waits for others of its partition: requests that arrive together share a message."""
DELIVERY_TIMEOUT_MS = 20_000
"""Shorter than a bridge waits for its answer, so that it hears of a Kafka that does not answer."""
ANSWER_TIMEOUT_S = 25
POLL_S = 0.1
FLUSH_TIMEOUT_S = 25
REMEMBERED_KEYS = 100_000

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(slots=True)
class Parcel:
    """Records of one partition on their way in one message; `arrived` is set by its acknowledgement."""

    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    arrived: asyncio.Future[None] | None = None

    def has_room(self, more: "Parcel") -> bool:
        """Whether the records of another parcel fit beside these."""
        fits = self.size + more.size <= MAX_BATCH_BYTES
        return fits and len(self.lines) + len(more.lines) <= MAX_BATCH_RECORDS


class RequestPublisher:
    """One producer for the life of a process; raises `PublishFailed` at once if Kafka cannot be asked."""

    def __init__(
        self, bootstrap: str, config: dict[str, Any] | None = None, click_keys: Sequence[bytes] = ()
    ) -> None:
        """`click_keys` tell which click ids of registrations are genuine."""
        self._bootstrap, self._click_keys = bootstrap, click_keys
        self._config = {
            **client_config(bootstrap),
            **CONFIG,
            "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
            "linger.ms": 0,  # a parcel is a batch already
            **(config or {}),
        }
        self._producer = Producer(self._config)
        topics = (ACCOUNT_BOOK, CLIENT_BOOK, TERMS, DEAD_LETTERS)
        self._partitions = {topic: partitions_of(topic, self._producer, self._say) for topic in topics}
        self._keys: dict[tuple[str, str], int] = {}
        self._waiting: dict[Place, Parcel] = {}
        self._is_flush_due = self._is_broken = False
        self._stopped = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="courier", daemon=True)
        self._poller.start()

    def pack(self, items: Iterable[Item]) -> list[tuple[Place, Parcel]]:
        """Encode items and sort them by partition, each partition in their order; for any one thread."""
        open_parcels: dict[Place, Parcel] = {}
        packed: list[tuple[Place, Parcel]] = []
        for item in items:
            place, line = self._address(item)
            parcel = open_parcels.get(place)
            one = Parcel([line], len(line) + 1)
            if parcel is not None and parcel.has_room(one):
                parcel.lines.append(line)
                parcel.size += one.size
            else:
                open_parcels[place] = one
                packed.append((place, one))
        return packed

    async def deliver(self, parcels: Sequence[tuple[Place, Parcel]]) -> None:
        """Send parcels and return once Kafka has all of them; raise `PublishFailed` if it has not."""
        arrivals = {self._add(place, parcel) for place, parcel in parcels}
        if not arrivals:
            return
        done, unanswered = await asyncio.wait(arrivals, timeout=ANSWER_TIMEOUT_S)
        failures = [failure for future in done if (failure := future.exception()) is not None]
        if unanswered or failures:
            raise PublishFailed(str(failures[0]) if failures else self._say("no answer"))

    def close(self) -> None:
        """Send what is under way and end."""
        self._producer.flush(FLUSH_TIMEOUT_S)
        self._stopped.set()
        self._poller.join()
        self._producer.close()

    def _address(self, item: Item) -> tuple[Place, bytes]:
        if isinstance(item, DeadLetter):
            return (DEAD_LETTERS, 0), DEAD_LETTER.dump_json(item)
        (line,) = encode((with_genuine_clicks(item, self._click_keys),))
        assert len(line) <= MAX_RECORD_BYTES, "a row is far shorter"
        address = topic_and_key(item)
        partition = self._keys.get(address)
        if partition is None:
            if len(self._keys) >= REMEMBERED_KEYS:
                self._keys.clear()
            topic, key = address
            partition = self._keys[address] = partition_of(key, self._partitions[topic])
        return (address[0], partition), line

    def _add(self, place: Place, parcel: Parcel) -> asyncio.Future[None]:
        waiting = self._waiting.get(place)
        if waiting is not None and not waiting.has_room(parcel):
            self._send(place, self._waiting.pop(place))
            waiting = None
        if waiting is None:
            waiting = self._waiting[place] = Parcel(arrived=asyncio.get_running_loop().create_future())
            if not self._is_flush_due:
                self._is_flush_due = True
                asyncio.get_running_loop().call_later(LINGER_S, self._flush)
        waiting.lines += parcel.lines
        waiting.size += parcel.size
        assert waiting.arrived is not None
        return waiting.arrived

    def _flush(self) -> None:
        self._is_flush_due = False
        waiting, self._waiting = self._waiting, {}
        for place, parcel in waiting.items():
            self._send(place, parcel)

    def _send(self, place: Place, parcel: Parcel) -> None:
        topic, partition = place
        arrived = parcel.arrived
        assert arrived is not None
        loop = arrived.get_loop()

        def answered(error: KafkaError | None, _: Message) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._settle, arrived, error)

        try:
            self._producer.produce(topic, b"\n".join(parcel.lines), partition=partition, on_delivery=answered)
        except BufferError:
            arrived.set_exception(PublishFailed(self._say("the send queue is full")))
        except KafkaException as error:
            self._settle(arrived, error.args[0])

    def _settle(self, arrived: asyncio.Future[None], error: KafkaError | None) -> None:
        if arrived.done():
            return
        if error is None:
            arrived.set_result(None)
            return
        arrived.set_exception(PublishFailed(self._say(error.str())))
        self._is_broken = self._is_broken or error.fatal()

    def _poll(self) -> None:
        while not self._stopped.is_set():
            self._producer.poll(POLL_S)
            if self._is_broken:
                log.error("Kafka at %s: a fatal error; a new producer begins", self._bootstrap)
                self._producer.flush(1)  # so that every message it had has its answer
                self._producer.close()
                self._producer, self._is_broken = Producer(self._config), False

    def _say(self, what: str) -> str:
        return f"Kafka at {self._bootstrap}: {what}"
