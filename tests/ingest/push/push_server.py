"""The push endpoint as it runs: real uvicorn on a socket, real Kafka behind it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn
from confluent_kafka import Consumer, TopicPartition

from ingest.publish.request_publisher import RequestPublisher
from ingest.push.app import Desk, create_push_app
from ingest.push.senders import Senders
from schemas.dead_letters import DEAD_LETTER, DeadLetter
from schemas.topics import ACCOUNT_BOOK, CLIENT_BOOK, DEAD_LETTERS, TERMS
from schemas.wire import decode_batch
from streams.broker import log_range
from tests.eventually import eventually
from tests.ingest.ingest_exports import mt4, mt5

MT5_TOKEN, MT4_TOKEN, CRM_TOKEN = "token-of-live5", "token-of-live4", "token-of-the-crm"


def senders_file(folder: Path) -> Path:
    """A file of two bridges and a CRM; only digests of their tokens are in it."""

    def digest(token: str) -> str:
        return sha256(token.encode()).hexdigest()

    path = folder / "bridges.yaml"
    path.write_text(
        "bridges:\n"
        f"  - {{name: live5, server: Demo-MT5, token_sha256: {digest(MT5_TOKEN)}}}\n"
        f"  - {{name: live4, server: Demo-MT4, token_sha256: {digest(MT4_TOKEN)}}}\n"
        f"crms:\n  - {{name: office, token_sha256: {digest(CRM_TOKEN)}}}\n",
        encoding="utf-8",
    )
    return path


def senders(folder: Path) -> Senders:
    profiles = {"Demo-MT5": mt5(currency="USD"), "Demo-MT4": mt4(currency="USD")}
    return Senders.read(senders_file(folder), profiles)


@contextmanager
def serving(desk: Desk) -> Iterator[str]:
    """The endpoint's address, while it runs."""
    server = uvicorn.Server(uvicorn.Config(create_push_app(desk), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def push_server(kafka: str, folder: Path, config: dict[str, Any] | None = None) -> Iterator[str]:
    """The endpoint over a courier of its own."""
    desk = Desk(senders(folder), RequestPublisher(kafka, config))
    try:
        with serving(desk) as url:
            yield url
    finally:
        desk.close()


@dataclass
class Log:
    """What arrives on the topics from now on."""

    kafka: str

    def __post_init__(self) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": self.kafka, "group.id": "test-push", "fetch.wait.max.ms": 20}
        )
        self._next: dict[tuple[str, int], int] = {}
        for topic in (ACCOUNT_BOOK, CLIENT_BOOK, TERMS, DEAD_LETTERS):
            for number in self._consumer.list_topics(topic, timeout=10).topics[topic].partitions:
                self._next[topic, number] = self._high(topic, number)

    def _high(self, topic: str, number: int) -> int:
        return log_range(self._consumer, topic, number)[1]

    def messages(self, topic: str) -> list[tuple[int, bytes]]:
        """Partition and value of every message of a topic since the last time this was asked."""
        found = []
        for (name, number), start in list(self._next.items()):
            if name != topic or (high := self._high(topic, number)) == start:
                continue
            self._consumer.assign([TopicPartition(topic, number, start)])
            for _ in range(start, high):
                message = self._consumer.poll(10)
                assert message is not None
                assert message.error() is None
                found.append((number, message.value()))
            self._next[topic, number] = high
        return found

    def records(self, topic: str) -> list[Any]:
        """Every new record of a book."""
        return [record for _, value in self.messages(topic) for record in decode_batch(value)]

    def letters(self) -> list[DeadLetter]:
        """Every new dead letter."""
        return [
            DEAD_LETTER.validate_json(line)
            for _, value in self.messages(DEAD_LETTERS)
            for line in value.split(b"\n")
        ]

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
