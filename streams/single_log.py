"""A topic of one partition as a log of decisions: read to its end before one decides, and appended to."""

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.errors import Unavailable
from schemas.kafka import client_config
from schemas.topics import MAX_MESSAGE_BYTES
from streams.broker import ASK_SECONDS, log_range

DELIVERY_MS = 30_000


class SingleLog:
    """A reader that goes on where it stopped; it holds a connection only between `read` and `close`."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._kafka, self._topic = kafka, topic
        self._consumer: Consumer | None = None
        self.next = 0
        """The offset after the last message that was read."""

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Everything written before this call and not read yet, with its offset; raise `Unavailable`."""
        try:
            consumer = self._consumer or self._connect()
            end = log_range(consumer, self._topic, 0)[1]
            if self.next < end:
                yield from self._read_to(consumer, end)
        except KafkaException as error:
            self.close()
            raise Unavailable(f"the topic {self._topic} cannot be read: {error}") from None

    def _read_to(self, consumer: Consumer, end: int) -> Iterator[tuple[int, bytes]]:
        """Nothing is fetched but what is known to be there: a reader that waits asks for nothing."""
        consumer.assign([TopicPartition(self._topic, 0, self.next)])
        while self.next < end:
            message = consumer.poll(ASK_SECONDS)
            if message is None:
                raise Unavailable(f"Kafka does not send {self._topic}/0/{self.next}, of {end}; is it up?")
            offset, value = _content(message)
            yield offset, value
            self.next = offset + 1
        consumer.unassign()

    def at(self, *offsets: int) -> Iterator[bytes]:
        """The messages at some offsets, which `read` has passed; raise `Unavailable`."""
        try:
            consumer = self._consumer or self._connect()
            for offset in offsets:
                consumer.assign([TopicPartition(self._topic, 0, offset)])
                message = consumer.poll(ASK_SECONDS)
                if message is None:
                    raise Unavailable(f"Kafka does not send {self._topic}/0/{offset}; is it up?")
                yield _content(message)[1]
        except KafkaException as error:
            raise Unavailable(f"the topic {self._topic} cannot be read: {error}") from None
        finally:
            self.close()

    def close(self) -> None:
        """Leave the broker; the next `read` goes on after what was read."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _connect(self) -> Consumer:
        self._consumer = Consumer(
            {
                **client_config(self._kafka),
                "group.id": f"ibflow-{self._topic}",  # required by the client; nothing is committed
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "fetch.message.max.bytes": MAX_MESSAGE_BYTES,
                # What is asked for is there. The next question waits behind a fetch that waits for more.
                "fetch.wait.max.ms": 0,
            }
        )
        return self._consumer


def _content(message: Message) -> tuple[int, bytes]:
    """Its offset and bytes; raise `KafkaException` if it is an error."""
    if (error := message.error()) is not None:
        raise KafkaException(error)
    offset, value = message.offset(), message.value()
    assert offset is not None, "a message has an offset"
    return offset, bytes(value or b"")


def append_to(kafka: str, topic: str, *records: bytes) -> None:
    """Write records in their order and wait until Kafka has them; raise `Unavailable` if it may not.

    Where an answer of Kafka is lost on the way, records may stand twice.
    """
    failures: list[KafkaError] = []
    producer = Producer(
        {
            **client_config(kafka),
            # Not idempotent, which costs half a second for each producer: what is sent again after a lost
            # answer stands twice, in order, and whoever folds a log counts it once.
            "acks": "all",
            "max.in.flight.requests.per.connection": 1,
            "delivery.timeout.ms": DELIVERY_MS,
            "message.max.bytes": MAX_MESSAGE_BYTES,
        }
    )
    for record in records:
        producer.produce(
            topic,
            record,
            partition=0,
            on_delivery=lambda error, _: failures.append(error) if error is not None else None,
        )
    unsent = producer.flush(DELIVERY_MS / 1000 + 1)
    if failures or unsent:
        raise Unavailable(f"Kafka did not take all: {failures[0] if failures else 'no answer'}")
