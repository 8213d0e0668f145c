"""A message sent through everything, to tell whether it works: an empty one, which no book is changed by."""

import threading
import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from infra.processes.progress import GROUP
from schemas.errors import Unavailable
from schemas.kafka import client_config
from schemas.topics import ACCOUNT_BOOK

POLL_SECONDS = 0.1
SEND_SECONDS = 30.0
PARTITION = 0


def probe(
    kafka: str,
    stored: Callable[[], Mapping[tuple[str, int], int]],
    timeout_s: float,
    check: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Send an empty message to the account book; return when it is applied and stored, or at `stop`.

    `check` raises what makes waiting useless; `Unavailable` says what is late.
    """
    offset = _send(kafka)
    deadline = time.monotonic() + timeout_s
    workers = Consumer({**client_config(kafka), "group.id": GROUP})
    try:
        while not stop.wait(POLL_SECONDS):
            check()
            is_applied = _committed(workers) > offset
            if is_applied and stored().get((ACCOUNT_BOOK, PARTITION), 0) > offset:
                return
            if time.monotonic() > deadline:
                late = "it is not stored" if is_applied else "no worker has applied it"
                raise Unavailable(
                    f"a probe ({ACCOUNT_BOOK}/{PARTITION} {offset}) was sent {timeout_s:.0f} s ago and "
                    f"{late}; see `ibflow book status` and the worker's log"
                )
    finally:
        workers.close()


def _committed(workers: Consumer) -> int:
    """How far the workers have come; -1 while the group has no coordinator yet."""
    try:
        return workers.committed([TopicPartition(ACCOUNT_BOOK, PARTITION)], timeout=10)[0].offset
    except KafkaException:
        return -1


def _send(kafka: str) -> int:
    """The offset of an empty message."""
    places: list[int] = []

    def sent(error: KafkaError | None, message: Message) -> None:
        if error is None:
            places.append(message.offset() or 0)

    producer = Producer({**client_config(kafka), "acks": "all", "enable.idempotence": True})
    producer.produce(ACCOUNT_BOOK, b"", partition=PARTITION, on_delivery=sent)
    producer.flush(SEND_SECONDS)
    if not places:
        raise Unavailable(f"Kafka at {kafka} took no message for {SEND_SECONDS:.0f} s")
    return places[0]
