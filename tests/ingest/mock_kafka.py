"""librdkafka's own mock broker: a real client and the real protocol, without a JVM."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.topics import ACCOUNT_BOOK, CLIENT_BOOK, DEAD_LETTERS, TERMS
from streams.broker import log_range


@dataclass
class Broker:
    """A mock cluster inside its own producer, with the topics made."""

    bootstrap: str
    partitions: dict[str, int]
    producer: Producer

    def messages(self, topic: str) -> list[Any]:
        """Every message of a topic, partition by partition."""
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "test", "auto.offset.reset": "earliest"}
        )
        found = []
        for number in range(self.partitions[topic]):
            low, high = log_range(consumer, topic, number)
            consumer.assign([TopicPartition(topic, number, low)])
            while len([m for m in found if m.partition() == number]) < high - low:
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None
                found.append(message)
        consumer.close()
        return found


@contextmanager
def mock_kafka() -> Iterator[Broker]:
    """A broker with the topics that ingest writes to; it ends with its producer."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (first,) = producer.list_topics(timeout=10).brokers.values()
    partitions = {
        topic: len(producer.list_topics(topic, timeout=10).topics[topic].partitions)
        for topic in (ACCOUNT_BOOK, CLIENT_BOOK, DEAD_LETTERS, TERMS)
    }
    yield Broker(f"{first.host}:{first.port}", partitions, producer)
    producer.flush(1)
