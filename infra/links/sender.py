"""Clicks to Kafka: one message at a time, until Kafka has it."""

from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingest.publish.outbox import CONFIG, partitions_of
from schemas.errors import Unavailable
from schemas.kafka import client_config
from schemas.topics import CLICKS

DELIVERY_MS = 10_000


class ClickSender:
    """A producer that is made when it is first needed, and anew after a failure."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._producer: Producer | None = None
        self._partitions = self._sent = 0

    def send(self, message: bytes) -> None:
        """Return once Kafka has the message; raise `Unavailable` if it may not: it is sent again then."""
        try:
            why = self._try(message)
        except KafkaException as error:
            why = str(error)
        if why:
            self._producer = None
            raise Unavailable(f"Kafka did not take clicks: {why}")

    def _try(self, message: bytes) -> str:
        producer = self._producer or self._connect()
        failures: list[KafkaError] = []

        def answered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        self._sent += 1
        producer.produce(CLICKS, message, partition=self._sent % self._partitions, on_delivery=answered)
        unanswered = producer.flush(DELIVERY_MS / 1000 + 1)
        return str(failures[0]) if failures else "no answer" if unanswered else ""

    def _connect(self) -> Producer:
        config: dict[str, Any] = {**client_config(self._kafka), **CONFIG, "delivery.timeout.ms": DELIVERY_MS}
        producer = Producer({**config, "linger.ms": 0})
        self._partitions = partitions_of(CLICKS, producer, str)
        self._producer = producer
        return producer
