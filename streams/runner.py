"""The worker: a Faust app in which every stage runs through one book runner."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from aiokafka import errors as kafka_errors
from aiokafka.errors import BrokerResponseError, KafkaError
from faust.exceptions import ProducerSendError
from faust.types import TP, EventT, StreamT

from schemas.errors import Unavailable
from schemas.stops import Operations, PartitionStopped, stopped
from schemas.topics import SOURCE_HEADER
from streams.changelog import Changelog, FencedError, StoreError
from streams.exit_codes import EXIT_FENCED, EXIT_HOLE, EXIT_PRODUCER, EXIT_RUNNER, EXIT_STATE
from streams.faust_fixes import App, Consumer, Producer
from streams.partition import HoleError, Message, Partition
from streams.protocol import Incoming, apply
from streams.shielded import whole
from streams.stages import Stage
from streams.stop_log import OperationsLog, append

log = logging.getLogger("ibflow.worker")

REDELIVERY_SECONDS = 2.0
"""How often it is checked that what was fetched has reached its fold."""
MAX_GROUP = 64
"""Messages of a partition that are applied as one."""
MAX_GROUP_BYTES = 4_000_000
"""Of a group; its last message may go beyond."""
MAX_REDELIVERIES = 10
"""How often a message is read again before the worker restarts."""
MAX_GROUP_SECONDS = 180.0
"""Longer than Kafka's clients try for: a group that takes longer will not end by itself."""
WATCH_SECONDS = 1.0
"""How often a worker with a stopped partition looks for a decision."""
Result = TypeVar("Result")
Cause = Literal["fold", "effects"]
"""What fails: the message itself, or writing what it causes."""
_LOST_COUNT = (
    kafka_errors.OutOfOrderSequenceNumber,
    kafka_errors.UnknownProducerId,
    kafka_errors.InvalidProducerEpoch,
)


class _SharedLog:
    """The log of operations for all runners of one worker: read in a thread, one reader at a time."""

    def __init__(self, log_: OperationsLog) -> None:
        self._log, self._lock = log_, asyncio.Lock()

    async def read(self) -> Operations:
        """Everything written before this call; wait for Kafka as long as it takes."""
        while True:
            try:
                return await whole(self._alone(self._log.read))
            except Unavailable as error:
                log.warning("%s; trying again", error)
                await asyncio.sleep(WATCH_SECONDS)

    async def close(self) -> None:
        """Leave the broker until the next `read`."""
        await whole(self._alone(self._log.close))

    async def _alone(self, use: Callable[[], Result]) -> Result:
        async with self._lock:
            return await asyncio.to_thread(use)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a worker lives: its Kafka, its lasting name, and its folder for state, or none."""

    kafka: str
    instance: str
    state: Path | None

    def changelog(self, stage: Stage, number: int) -> Changelog:
        """The state of one partition; to be opened."""
        return Changelog(self.kafka, stage.changelog, number, self.state)


class BookRunner:
    """Runs one stage's fold over its partitions by the protocol; its effects go through Faust's producer."""

    def __init__(
        self,
        app: App,
        stage: Stage,
        counts: dict[str, int],
        operations: _SharedLog,
        home: "Home",
    ) -> None:
        self.app, self.stage, self.counts = app, stage, counts
        self.operations, self.home = operations, home
        self.partitions: dict[int, Partition] = {}
        self.changelogs: dict[int, Changelog] = {}
        self._taking_up: set[int] = set()
        self.stopped: dict[int, PartitionStopped] = {}
        """Partitions that wait for a decision; what is fetched of them is dropped, unacknowledged."""
        self._unwritten: set[int] = set()
        """Of them, those whose stop is not in the log yet."""
        self._standing: dict[int, PartitionStopped | None] = {}
        """What the log said when the partition was taken up; absent until it was asked."""
        self._rereading: set[int] = set()
        """Sought back to the message that was decided about; until it comes, others are stale."""
        self._waited_for: dict[int, tuple[int, int]] = {}
        """The offset a partition waits for, and how often it was read again for it."""
        self._busy_since: dict[int, float] = {}
        """When the group at hand was begun."""
        topic = app.topic(stage.topic, key_type=bytes, value_type=bytes, value_serializer="raw")
        app.agent(topic, name=stage.name, isolated_partitions=True)(self._agent())

    async def take_up(self, number: int) -> int:
        """Become the partition's only writer and recover its state; the first offset it still needs.

        A message of it that is still under way in this worker is not committed any more: its append is
        refused, or it is in the state that is read here.
        """
        self._taking_up.add(number)
        for known in (self.stopped, self._standing):
            known.pop(number, None)
        self._unwritten.discard(number)
        self._rereading.discard(number)
        changelog = self.changelogs.setdefault(number, self.home.changelog(self.stage, number))
        try:
            records = await changelog.open()
        except Exception:
            log.critical("%s/%s: its state cannot be read", self.stage.topic, number, exc_info=True)
            os._exit(EXIT_STATE)
        partition = Partition.recover(self.stage, number, self.counts, changelog)
        log.info("%s/%s: %s records of state read", self.stage.topic, number, records)
        self.partitions[number] = partition
        await self._learn_standing(number)
        self._taking_up.discard(number)
        await self._give_up_others()
        return partition.applied.offset + 1

    async def _give_up_others(self) -> None:
        """Let go of the state of partitions that are other workers' by now."""
        own = {tp.partition for tp in self.app.consumer.assignment() if tp.topic == self.stage.topic}
        for number in self.changelogs.keys() - own:
            self.partitions.pop(number, None)
            await self.changelogs.pop(number).close()

    async def redeliver(self) -> None:
        """Read again what Faust fetched and dropped on its way to the agent.

        It happens around a start (seen in 1 of 6 restarts with work waiting). The next message would
        show the hole; if none comes, this does. Reading a message twice costs a comparison.
        """
        consumer = self.app.consumer
        for number, partition in self.partitions.items():
            tp, needed = TP(self.stage.topic, number), partition.applied.offset + 1
            if number in self.stopped or tp not in consumer.assignment() or self._is_busy(number):
                continue
            position = await consumer.position(tp)
            waited_for, times = self._waited_for.get(number, (-1, 0))
            if waited_for != needed or position is None or position <= needed:
                self._waited_for[number] = needed, 0
                continue
            log.warning("%s/%s: offset %s was fetched and not applied; reading it again", *tp, needed)
            if times >= MAX_REDELIVERIES:
                log.critical("reading %s/%s/%s again does not help; the worker restarts", *tp, needed)
                os._exit(EXIT_HOLE)
            self._waited_for[number] = needed, times + 1
            await consumer.seek_wait({tp: needed})

    def _is_busy(self, number: int) -> bool:
        """Whether a group of the partition is being applied; end the worker if it takes for ever."""
        since = self._busy_since.get(number)
        if since is not None and time.monotonic() - since > MAX_GROUP_SECONDS:
            log.critical("%s/%s: a group does not end; the worker restarts", self.stage.topic, number)
            os._exit(EXIT_RUNNER)
        return since is not None

    async def watch(self) -> None:
        """Write down stops, hold their partitions, and carry out what was decided about them."""
        for number in [*self.stopped]:
            tp, stop = TP(self.stage.topic, number), self.stopped[number]
            consumer = cast(Consumer, self.app.consumer)
            if tp not in consumer.assignment():
                continue  # its next owner finds the stop in the log
            consumer.hold(tp)
            if number in self._unwritten and not await self._write(stop):
                continue
            self._unwritten.discard(number)
            operations = await self.operations.read()
            if self.stopped.get(number) is not stop or tp in operations.stops:
                continue
            self.partitions[number].skips = operations.skips[tp]
            del self.stopped[number]
            self._standing[number] = None
            self._rereading.add(number)
            log.warning("%s/%s goes on at offset %s, as was decided", *tp, stop.offset)
            await consumer.release(tp, stop.offset)

    def _agent(self) -> Callable[[StreamT[bytes]], Awaitable[None]]:
        async def agent(stream: StreamT[bytes]) -> None:
            waiting: asyncio.Queue[EventT[bytes]] = asyncio.Queue(MAX_GROUP)
            worker = asyncio.create_task(self._work(waiting))
            try:
                async for event in stream.noack().events():  # type: ignore[attr-defined] # Faust ships incomplete types
                    await waiting.put(event)
            finally:
                worker.cancel()

        return agent

    async def _work(self, waiting: "asyncio.Queue[EventT[bytes]]") -> None:
        """Apply what waits, in groups. Nothing else acknowledges: Faust would whatever happens to an
        agent, also when it raises or is cancelled."""
        while True:
            group = [await waiting.get()]
            size = len(group[0].message.value or b"")
            while not waiting.empty() and size < MAX_GROUP_BYTES:
                group.append(waiting.get_nowait())
                size += len(group[-1].message.value or b"")
            number = group[0].message.partition
            self._busy_since[number] = time.monotonic()
            try:
                done = await self._process([event.message for event in group])
            except Exception:
                log.critical("%s: the runner failed; the worker restarts", self.stage.topic, exc_info=True)
                os._exit(EXIT_RUNNER)
            finally:
                self._busy_since.pop(number, None)
            for event in group:
                if event.message.offset in done:
                    event.ack()

    async def _process(self, messages: Sequence[Any]) -> set[int]:
        """Apply messages of one partition; the offsets that may be acknowledged."""
        number = messages[0].partition
        if number not in self._standing:
            await self._learn_standing(number)
        wanted = [
            Incoming(message.offset, message.value or b"", _source(message.headers), _time(message))
            for message in messages
            if not await self._is_held(number, message.offset)
        ]
        if not wanted or number in self._taking_up:
            return set()
        partition, changelog = self.partitions[number], self.changelogs[number]
        try:
            done, refused = await apply(partition, _Effects(self, changelog, changelog.opening), wanted)
        except Exception as error:
            if not self._is_superseded(number, partition):
                await self._fail(number, wanted[0].offset, "effects", error)
            return set()
        if self._is_superseded(number, partition):
            return set()
        if refused is not None:
            await self._fail(number, refused.offset, "fold", refused.error)
        return {message.offset for message in wanted[:done]}

    def _is_superseded(self, number: int, partition: Partition) -> bool:
        """Whether the partition was taken up again, here or elsewhere, while a message was under way."""
        is_ours = TP(self.stage.topic, number) in self.app.consumer.assignment()
        return not is_ours or number in self._taking_up or self.partitions.get(number) is not partition

    async def _fail(self, number: int, offset: int, cause: Cause, error: Exception) -> None:
        if isinstance(error, HoleError):
            log.critical("%s; the worker restarts to read them again", error)
            os._exit(EXIT_HOLE)
        if isinstance(error, FencedError):
            log.critical("%s by another worker; this one restarts", error)
            os._exit(EXIT_FENCED)
        if isinstance(error, StoreError):
            log.critical("%s; free space there: the worker restarts and reads it from the changelog", error)
            os._exit(EXIT_STATE)
        await self._stop(number, offset, cause, error)

    async def _learn_standing(self, number: int) -> None:
        """Learn what stands in the log, before the first message: a restart decides nothing by itself."""
        operations, place = await self.operations.read(), (self.stage.topic, number)
        self.partitions[number].skips = operations.skips[place]
        self._standing[number] = operations.stops.get(place)

    async def _is_held(self, number: int, offset: int) -> bool:
        if number in self.stopped:
            return True
        if number in self._rereading:
            if offset != self.partitions[number].applied.offset + 1:
                return True
            self._rereading.discard(number)
        standing = self._standing[number]
        if standing is None or standing.offset != offset:
            return False
        log.critical(
            "%s/%s stands at offset %s until `ibflow book` decides", self.stage.topic, number, offset
        )
        self.stopped[number] = standing
        return True

    async def _stop(self, number: int, offset: int, cause: Cause, error: Exception) -> None:
        """Stop the partition; end the worker as well if effects failed: it is ahead of its state."""
        place = self.stage.topic, number
        log.critical(
            "%s/%s stops at offset %s: its message cannot be applied (%s); other partitions go on; "
            "see `ibflow book status`",
            *place,
            offset,
            cause,
            exc_info=error,
        )
        stop = stopped(place, offset, cause, error, self.home.instance, datetime.now(UTC))
        if cause == "effects":
            refused = _kafka_error(error)
            if refused is None or _is_for_good(refused):
                await self._write(stop)  # it would fail again; after the restart this partition waits
            log.critical("a write failed; the worker restarts with a new producer")
            os._exit(EXIT_PRODUCER)
        self.stopped[number] = stop
        self._unwritten.add(number)

    async def _write(self, stop: PartitionStopped) -> bool:
        try:
            await asyncio.to_thread(append, self.home.kafka, stop)
        except Unavailable as error:
            log.warning("the stop of %s/%s is not written yet: %s", stop.topic, stop.partition, error)
            return False
        return True

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


@dataclass(frozen=True, slots=True)
class _Effects:
    """Where the effects of one partition go."""

    runner: BookRunner
    changelog: Changelog
    opening: int

    async def send(self, messages: Sequence[Message]) -> None:
        await self.runner.send(messages)

    async def append_state(self, partition: Partition, state: Mapping[bytes, bytes | None]) -> None:
        del partition
        await self.changelog.append(state, self.opening)


def _kafka_error(error: BaseException) -> KafkaError | None:
    """The refusal of Kafka's client behind an error, which Faust wraps in its own."""
    cause = error.__cause__ if isinstance(error, ProducerSendError) else error
    return cause if isinstance(cause, KafkaError) else None


def _is_for_good(refused: KafkaError) -> bool:
    """Whether the broker would refuse the same write of any producer."""
    answered = isinstance(refused, BrokerResponseError) and not isinstance(refused, _LOST_COUNT)
    return answered and not refused.retriable


def _source(headers: Any) -> str:
    pairs = headers.items() if hasattr(headers, "items") else headers or ()
    return next((value.decode() for key, value in pairs if key == SOURCE_HEADER), "")


def _time(message: Any) -> datetime:
    return datetime.fromtimestamp(message.timestamp or 0.0, UTC)
