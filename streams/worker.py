"""The worker: a Faust app in which every stage runs through one book runner."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from faust.types import TP, EventT, StreamT

from schemas.topics import MAX_MESSAGE_BYTES, SOURCE_HEADER
from streams.corrections import App, Producer
from streams.partition import HoleError, Message, Partition
from streams.protocol import apply
from streams.stages import STAGES, Stage

log = logging.getLogger("ibflow.worker")

REDELIVERY_SECONDS = 2.0
"""How often it is checked that what was fetched has reached its fold."""
EXIT_HOLE = 70
"""The worker ends with this code when a message was not delivered; a restart reads it again."""


def build_app(
    kafka: str, counts: dict[str, int], *, instance: str = "", stages: tuple[Stage, ...] = STAGES
) -> App:
    """Put the stages into a Faust app. `counts` has every topic's partitions; `instance` names this
    worker for good, so that a restart takes its partitions back without waiting for a time-out."""
    app = App(
        "ibflow",
        broker=f"aiokafka://{kafka.replace(',', ';')}",
        store="memory://",
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance or None,
        broker_session_timeout=30.0,
        broker_heartbeat_interval=3.0,
        broker_commit_interval=1.0,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        producer_compression_type="lz4",
        producer_max_batch_size=MAX_MESSAGE_BYTES,
        producer_max_request_size=MAX_MESSAGE_BYTES,
        consumer_max_fetch_size=MAX_MESSAGE_BYTES,
        web_enabled=False,
        table_standby_replicas=0,
    )
    runners = [BookRunner(app, stage, counts) for stage in stages]
    app.resume_offset = lambda tp: next(
        (runner.resume_offset(tp) for runner in runners if runner.stage.topic == tp.topic), None
    )

    @app.timer(REDELIVERY_SECONDS)  # type: ignore[untyped-decorator] # Faust ships incomplete types
    async def redeliver() -> None:
        if not app.rebalancing and not app.in_recovery:
            for runner in runners:
                await runner.redeliver()

    return app


class BookRunner:
    """Runs one stage's fold over its partitions by the protocol; its effects go through Faust's producer."""

    def __init__(self, app: App, stage: Stage, counts: dict[str, int]) -> None:
        self.app, self.stage, self.counts = app, stage, counts
        self.partitions: dict[int, Partition] = {}
        self.stopped: set[int] = set()
        self._waited_for: dict[int, int] = {}
        topic = app.topic(stage.topic, key_type=bytes, value_type=bytes, value_serializer="raw")
        self.table = app.Table(stage.name, key_type=bytes, value_type=bytes, partitions=counts[stage.topic])
        app.agent(topic, name=stage.name, isolated_partitions=True)(self._agent())

    def resume_offset(self, tp: TP) -> int:
        """Take up the partition from its recovered state; the first offset it still needs."""
        partition = Partition.recover(
            self.stage, tp.partition, self.counts, _TableState(self.table, tp.partition)
        )
        self.partitions[tp.partition] = partition
        self.stopped.discard(tp.partition)
        return partition.applied.offset + 1

    async def redeliver(self) -> None:
        """Read again what Faust fetched and dropped on its way to the agent.

        It happens around a start (seen in 1 of 6 restarts with work waiting). The next message would
        show the hole; if none comes, this does. Reading a message twice costs a comparison.
        """
        consumer = self.app.consumer
        for number, partition in self.partitions.items():
            tp, needed = TP(self.stage.topic, number), partition.applied.offset + 1
            if number in self.stopped or tp not in consumer.assignment():
                continue
            position = await consumer.position(tp)
            if self._waited_for.get(number) == needed and position is not None and position > needed:
                log.warning("%s/%s: offset %s was fetched and not applied; reading it again", *tp, needed)
                await consumer.seek_wait({tp: needed})
            self._waited_for[number] = needed

    def _agent(self) -> Callable[[StreamT[bytes]], Awaitable[None]]:
        async def agent(stream: StreamT[bytes]) -> None:
            async for event in stream.events():
                await self._process(event)

        return agent

    async def _process(self, event: EventT[Any]) -> None:
        """Apply one message, or stop: what leaves this method without an error is acknowledged."""
        message = event.message
        try:
            partition = self.partitions[message.partition]
            value = message.value or b""
            await apply(partition, self, message.offset, value, _source(message.headers), _time(message))
        except HoleError as hole:
            log.critical("%s; the worker restarts to read them again", hole)
            os._exit(EXIT_HOLE)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.critical(
                "%s/%s stops at offset %s: its message cannot be applied; other partitions go on",
                message.topic,
                message.partition,
                message.offset,
                exc_info=True,
            )
            self.stopped.add(message.partition)
            await asyncio.Event().wait()

    async def send(self, messages: Sequence[Message]) -> None:
        """Append outputs; faust's `send` returns the future of the acknowledgement, which is awaited too."""
        producer: Producer = await self.app.maybe_start_producer()
        sent = [
            await producer.send(
                message.topic,
                key=None,
                value=message.value,
                partition=message.partition,
                timestamp=None,
                headers={SOURCE_HEADER: message.source.encode()},
            )
            for message in messages
        ]
        await asyncio.gather(*sent)

    async def append_state(self, partition: Partition, state: Mapping[bytes, bytes | None]) -> None:
        """Append state as one batch; the local store follows at `commit`."""
        producer: Producer = await self.app.maybe_start_producer()
        await producer.send_atomically(self.stage.changelog, partition.number, state)


class _TableState:
    """One partition's keys in a Faust table's memory store, written past Faust's own changelog.

    Faust reads the changelog back into the same store, and drops the keys of partitions it gives up.
    """

    def __init__(self, table: Any, partition: int) -> None:
        self._store, self._partition = table.data, partition

    def get(self, key: bytes) -> bytes | None:
        return self._store.data.get(key)  # type: ignore[no-any-return] # Faust ships incomplete types

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._store.data[key] = value
        self._store._key_partition[key] = self._partition  # the store forgets revoked partitions by it

    def __iter__(self) -> Iterator[bytes]:
        own = b"%d/" % self._partition
        return (key for key in self._store.data if key.startswith(own))

    def pop(self, key: bytes, default: None) -> bytes | None:
        self._store._key_partition.pop(key, None)
        return self._store.data.pop(key, default)  # type: ignore[no-any-return] # as above


def _source(headers: Any) -> str:
    pairs = headers.items() if hasattr(headers, "items") else headers or ()
    return next((value.decode() for key, value in pairs if key == SOURCE_HEADER), "")


def _time(message: Any) -> datetime:
    return datetime.fromtimestamp(message.timestamp or 0.0, UTC)
