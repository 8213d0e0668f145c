"""The book runner: what a worker does with the messages of one stage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from aiokafka import errors as kafka_errors
from aiokafka.errors import BrokerResponseError, KafkaError
from faust.exceptions import ProducerSendError
from faust.types import TP, StreamT

from schemas.stops import stopped
from schemas.topics import SOURCE_HEADER
from streams.changelog import Changelog, FencedError, StoreError
from streams.exit_codes import ExitCode, end_process
from streams.faust_fixes import App, Consumer, Producer
from streams.groups import Waiting
from streams.partition import Message, OffsetGapError, Partition
from streams.partition_run import PartitionRun
from streams.protocol import Incoming, apply
from streams.stages import Stage
from streams.stop_log import SharedLog

log = logging.getLogger("ibflow.worker")

REDELIVERY_SECONDS = 2.0
"""How often it is checked that what was fetched has reached its fold."""
WATCH_SECONDS = 1.0
"""How often a worker with a stopped partition looks for a decision."""
Cause = Literal["fold", "effects"]
"""What fails: the message itself, or writing what it causes."""
_LOST_COUNT = (
    kafka_errors.OutOfOrderSequenceNumber,
    kafka_errors.UnknownProducerId,
    kafka_errors.InvalidProducerEpoch,
)


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
        operations: SharedLog,
        home: Home,
    ) -> None:
        self.app, self.stage, self.counts = app, stage, counts
        self.operations, self.home = operations, home
        self.runs: dict[int, PartitionRun] = {}
        """By number: the partitions of this worker, and those it has not let go of yet."""
        topic = app.topic(stage.topic, key_type=bytes, value_type=bytes, value_serializer="raw")
        app.agent(topic, name=stage.name, isolated_partitions=True)(self._agent())

    @property
    def is_stopped(self) -> bool:
        """Whether a partition waits for a decision."""
        return any(run.stop is not None for run in self.runs.values())

    async def restore(self, number: int) -> int:
        """Become the partition's only writer and recover its state; the first offset it still needs.

        A message of it that is still under way in this worker is not committed any more: its append is
        refused, or it is in the state that is read here.
        """
        run = self.runs.setdefault(number, self._new_run(number))
        run.begin_taking_up()
        try:
            records = await run.changelog.open()
        except Exception as error:
            end_process(ExitCode.STATE, f"{run}: its state cannot be read", error)
        run.recovered = Partition.recover(self.stage, number, self.counts, run.changelog)
        log.info("%s: %s records of state read", run, records)
        await self._read_log(run)
        run.is_taking_up = False
        await self._let_go_of_others()
        return run.needed_offset

    def _new_run(self, number: int) -> PartitionRun:
        return PartitionRun(TP(self.stage.topic, number), self.home.changelog(self.stage, number))

    async def _let_go_of_others(self) -> None:
        """Close the state of partitions that are other workers' by now."""
        for number, run in [*self.runs.items()]:
            if run.tp not in self.app.consumer.assignment() and self.runs.get(number) is run:
                del self.runs[number]
                await run.changelog.close()

    async def redeliver(self) -> None:
        """Read again what Faust fetched and dropped on its way to the agent.

        It happens around a start (seen in 1 of 6 restarts with work waiting). The next message would
        show the hole; if none comes, this does. Reading a message twice costs a comparison.
        """
        consumer = self.app.consumer
        for run in [*self.runs.values()]:
            is_ours = run.recovered is not None and run.tp in consumer.assignment()
            if not is_ours or run.stop is not None or run.is_busy():
                continue
            needed = run.needed_offset
            if run.must_reread(needed, await consumer.position(run.tp)):
                await consumer.seek_wait({run.tp: needed})

    async def watch(self) -> None:
        """Write down stops, hold their partitions, and carry out what was decided about them."""
        consumer = cast(Consumer, self.app.consumer)
        for run in [*self.runs.values()]:
            stop = run.stop
            if stop is None or run.tp not in consumer.assignment():
                continue  # its next owner finds the stop in the log
            consumer.hold(run.tp)
            if not run.is_stop_written and not await self.operations.write(stop):
                continue
            run.is_stop_written = True
            operations = await self.operations.read()
            if run.stop is not stop or run.tp in operations.stops or run.tp not in consumer.assignment():
                continue
            run.partition.skips = operations.skips[run.tp]
            run.stop = run.earlier_stop = None
            run.is_rereading = True
            log.warning("%s goes on at offset %s, as was decided", run, stop.offset)
            await consumer.release(run.tp, stop.offset)

    def _agent(self) -> Callable[[StreamT[bytes]], Awaitable[None]]:
        async def agent(stream: StreamT[bytes]) -> None:
            waiting = Waiting(self.stage)
            worker = asyncio.create_task(self._work(waiting))
            try:
                async for event in stream.noack().events():  # type: ignore[attr-defined] # Faust ships incomplete types
                    await waiting.put(event)
            finally:
                worker.cancel()

        return agent

    async def _work(self, waiting: Waiting) -> None:
        """Apply what waits, in groups. Nothing else acknowledges: Faust would whatever happens to an
        agent, also when it raises or is cancelled."""
        while True:
            group = await waiting.first()
            try:
                with self.runs[group[0].message.partition].busy():
                    await waiting.fill(group)
                    done = await self.process([event.message for event in group])
            except Exception as error:
                end_process(ExitCode.RUNNER, f"{self.stage.topic}: the runner failed", error)
            for event in group:
                if event.message.offset in done:
                    event.ack()

    async def process(self, messages: Sequence[Any]) -> set[int]:
        """Apply messages of one partition; the offsets that may be acknowledged."""
        run = self.runs[messages[0].partition]
        if not run.is_log_read:
            await self._read_log(run)
        incoming = [
            Incoming(message.offset, message.value or b"", _source(message.headers), _time(message))
            for message in messages
            if not run.is_held(message.offset)
        ]
        if not incoming or run.is_taking_up:
            return set()
        partition, effects = run.partition, _Effects(self, run.changelog, run.changelog.opening)
        try:
            done, refused = await apply(partition, effects, incoming)
        except Exception as error:
            if not self.is_superseded(run, partition):
                await self._fail(run, incoming[0].offset, "effects", error)
            return set()
        if self.is_superseded(run, partition):
            return set()
        if refused is not None:
            await self._fail(run, refused.offset, "fold", refused.error)
        return {message.offset for message in incoming[:done]}

    def is_superseded(self, run: PartitionRun, partition: Partition) -> bool:
        """Whether the partition was taken up again, here or elsewhere, while a message was under way."""
        is_current = self.runs.get(run.tp.partition) is run and run.recovered is partition
        return run.tp not in self.app.consumer.assignment() or run.is_taking_up or not is_current

    async def _read_log(self, run: PartitionRun) -> None:
        """Ask the log before the first message: a restart decides nothing by itself."""
        operations = await self.operations.read()
        run.partition.skips = operations.skips[run.tp]
        run.earlier_stop = operations.stops.get(run.tp)
        run.is_log_read = True

    async def _fail(self, run: PartitionRun, offset: int, cause: Cause, error: Exception) -> None:
        if isinstance(error, OffsetGapError):
            end_process(ExitCode.OFFSET_GAP, str(error))
        if isinstance(error, FencedError):
            end_process(ExitCode.FENCED, f"{error} by another worker")
        if isinstance(error, StoreError):
            end_process(ExitCode.STATE, f"{error}; its changelog has it, and there has to be room for it")
        await self._stop(run, offset, cause, error)

    async def _stop(self, run: PartitionRun, offset: int, cause: Cause, error: Exception) -> None:
        """Stop the partition; end the worker as well if effects failed: it is ahead of its state."""
        log.critical(
            "%s stops at offset %s: its message cannot be applied (%s); other partitions go on; "
            "see `ibflow book status`",
            run,
            offset,
            cause,
            exc_info=error,
        )
        stop = stopped(run.tp, offset, cause, error, self.home.instance, datetime.now(UTC))
        if cause == "effects":
            refused = _kafka_error(error)
            if refused is None or _is_for_good(refused):
                await self.operations.write(stop)  # it would fail again; then this partition waits
            end_process(ExitCode.PRODUCER, "a write failed, and only a new producer may go on")
        run.stop, run.is_stop_written = stop, False

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
