"""The log of operations as Kafka has it: read from its beginning, folded, and written to."""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.errors import Unavailable
from schemas.kafka import client_config
from schemas.stops import OPERATION, Operation, Operations, decode_operation
from schemas.topics import OPERATIONS
from streams.broker import ASK_SECONDS, log_range
from streams.shielded import shielded

log = logging.getLogger("ibflow.worker")

DELIVERY_MS = 30_000
RETRY_SECONDS = 1.0
FETCH_WAIT_MS = 20
Answer = TypeVar("Answer")


class OperationsLog:
    """A reader that goes on where it stopped; it holds a connection only between `read` and `close`."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._consumer: Consumer | None = None
        self._next = 0
        self.state = Operations()

    def read(self) -> Operations:
        """Fold everything written before this call; raise `Unavailable` if Kafka does not tell."""
        try:
            consumer = self._consumer or self._connect()
            end = log_range(consumer, OPERATIONS, 0)[1]
            while self._next < end:
                message = consumer.poll(ASK_SECONDS)
                if message is None:
                    raise Unavailable(f"Kafka does not send {OPERATIONS}/0/{self._next}, of {end}; is it up?")
                self._learn(message.offset(), message.value(), message.error())
        except KafkaException as error:
            self.close()
            raise Unavailable(f"the topic {OPERATIONS} cannot be read: {error}") from None
        return self.state

    def close(self) -> None:
        """Leave the broker; the state stays, and the next `read` goes on after it."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _connect(self) -> Consumer:
        self._consumer = Consumer(
            {
                **client_config(self._kafka),
                "group.id": "ibflow-operations",  # required by the client; nothing is committed
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                # Whoever asks for the log's end waits behind a fetch that waits for more: by default half
                # a second for each partition that is taken up, one after another.
                "fetch.wait.max.ms": FETCH_WAIT_MS,
            }
        )
        self._consumer.assign([TopicPartition(OPERATIONS, 0, self._next)])
        return self._consumer

    def _learn(self, offset: int | None, value: bytes | str | None, error: KafkaError | None) -> None:
        if error is not None:
            raise KafkaException(error)
        assert offset is not None, "a message has an offset"
        self.state.learn(decode_operation(value or b""))
        self._next = offset + 1


class SharedLog:
    """The log of operations for all runners of one worker: read in a thread, one reader at a time."""

    def __init__(self, kafka: str) -> None:
        self._kafka, self._log, self._lock = kafka, OperationsLog(kafka), asyncio.Lock()

    async def read(self) -> Operations:
        """Everything written before this call; wait for Kafka as long as it takes."""
        while True:
            try:
                return await shielded(self._alone(self._log.read))
            except Unavailable as error:
                log.warning("%s; trying again", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def write(self, operation: Operation) -> bool:
        """Append one operation; False if Kafka did not take it, or may not have."""
        try:
            await asyncio.to_thread(append, self._kafka, operation)
        except Unavailable as error:
            log.warning(
                "%s %s/%s is not written yet: %s",
                operation.type,
                operation.topic,
                operation.partition,
                error,
            )
            return False
        return True

    async def close(self) -> None:
        """Leave the broker until the next `read`."""
        await shielded(self._alone(self._log.close))

    async def _alone(self, use: Callable[[], Answer]) -> Answer:
        async with self._lock:
            return await asyncio.to_thread(use)


def append(kafka: str, operation: Operation) -> None:
    """Write one operation and wait until Kafka has it; raise `Unavailable` if it may not."""
    failures: list[KafkaError] = []
    producer = Producer(
        {**client_config(kafka), "enable.idempotence": True, "delivery.timeout.ms": DELIVERY_MS}
    )
    producer.produce(
        OPERATIONS,
        OPERATION.dump_json(operation),
        partition=0,
        on_delivery=lambda error, _: failures.append(error) if error is not None else None,
    )
    unsent = producer.flush(DELIVERY_MS / 1000 + 1)
    if failures or unsent:
        raise Unavailable(f"Kafka did not take the record: {failures[0] if failures else 'no answer'}")
