"""What the book runner does with an error: stop, end the worker, and never acknowledge."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiokafka import errors
from faust.exceptions import ProducerSendError
from faust.types import TP

from commission.draft import Draft
from schemas import topics
from schemas.stops import BookCommand, Operation, Operations, PartitionStopped, stopped
from schemas.wire import encode
from streams import exit_codes
from streams.app import build_app
from streams.changelog import Changelog, FencedError
from streams.exit_codes import ExitCode
from streams.faust_fixes import App
from streams.partition import Message, Partition
from streams.partition_run import PartitionRun
from streams.runner import BookRunner, Home
from streams.stages import ACCOUNTS
from streams.stop_log import SharedLog
from streams.store import Changes, MemoryStore
from tests.build import at, deal

COUNTS = {topic.name: 2 for topic in topics.TOPICS}


class EndedError(BaseException):
    """The worker ended with a code."""


@dataclass
class Sent:
    """A message as Faust's consumer gives it."""

    offset: int
    value: bytes
    partition: int = 0
    headers: tuple[()] = ()
    timestamp: float = 0.0


@dataclass
class Runner(BookRunner):
    """A runner without a broker: its sends raise what the test says."""

    send_error: Exception | None = None
    is_taken: bool = False

    def __init__(self, *, fold_error: Exception | None = None) -> None:
        """`fold_error` is raised by every fold."""

        def fold(draft: Draft, record: Any, terms: object) -> None:
            if fold_error is not None:
                raise fold_error
            ACCOUNTS.fold(draft, record, terms)

        app: App = build_app("localhost:1", COUNTS, stages=())
        home = Home("localhost:1", "w-1", None)
        self.log = Log()
        super().__init__(app, replace(ACCOUNTS, fold=fold), COUNTS, self.log, home)
        self.send_error, self.is_taken = None, False
        self.changelog = State(home.kafka, "state", 0, None)
        self.partition = Partition(self.stage, 0, COUNTS, self.changelog)
        self.run = PartitionRun(TP(self.stage.topic, 0), self.changelog, self.partition)
        self.runs[0] = self.run

    async def send(self, messages: Sequence[Message]) -> None:
        """Fail as told."""
        if self.send_error:
            raise self.send_error

    def is_superseded(self, run: PartitionRun, partition: Partition) -> bool:
        """As the test says."""
        return self.is_taken

    def take(self, offset: int, deal_id: str = "1") -> bool:
        """Process one message; whether it may be acknowledged."""
        value = encode([deal(f"{deal_id} buy 1 EURUSD in")])[0]
        return offset in asyncio.run(self.process([Sent(offset, value)]))


class State(Changelog):
    """A changelog without a broker."""

    error: Exception | None = None
    appended = 0

    def __init__(self, *place: Any) -> None:
        super().__init__(*place)
        self.memory = MemoryStore()

    async def append(self, changes: Changes, opening: int) -> None:
        """Fail as told."""
        if self.error:
            raise self.error
        self.appended += 1

    @property
    def store(self) -> MemoryStore:
        """In memory, open from the beginning."""
        return self.memory


class FullStore(MemoryStore):
    """A store whose disk is full."""

    def write(self, changes: Changes, position: int = 0) -> None:
        """Fail as RocksDB does."""
        raise OSError("IO error: No space left on device")


@dataclass
class Log(SharedLog):
    """The log of operations, folded, and what the runner wrote to it."""

    state: Operations = field(default_factory=Operations)
    written: list[Operation] = field(default_factory=list)

    async def read(self) -> Operations:
        """All of it."""
        return self.state

    async def write(self, operation: Operation) -> bool:
        """Keep it."""
        self.written.append(operation)
        return True


@pytest.fixture(autouse=True)
def _exit(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(code: int) -> None:
        raise EndedError(code)

    monkeypatch.setattr(exit_codes.os, "_exit", end)


def test_a_message_is_acknowledged_once_it_is_applied() -> None:
    """And again when it comes again."""
    runner = Runner()
    assert (True, True, 0) == (runner.take(0), runner.take(0), runner.partition.applied.offset)


def test_a_worker_that_was_shut_out_restarts() -> None:
    """Another one writes the partition's state, and this one did not hear of it."""
    runner = Runner()
    runner.changelog.error = FencedError("account-book/0 was taken over")
    with pytest.raises(EndedError) as ended:
        runner.take(0)
    assert (ExitCode.FENCED,) == ended.value.args
    assert ({}, []) == (runner.changelog.memory.values, runner.log.written)


def test_a_full_disk_ends_the_worker_and_leaves_no_stop() -> None:
    """The state is safe in the changelog: with room again a restart reads it, and nobody has to decide."""
    runner = Runner()
    runner.changelog.memory = FullStore()
    with pytest.raises(EndedError) as ended:
        runner.take(0)
    assert (ExitCode.STATE,) == ended.value.args
    assert (1, None, []) == (runner.changelog.appended, runner.run.stop, runner.log.written)


@pytest.mark.parametrize("error", [None, FencedError("taken over"), ValueError("closed under way")])
def test_a_message_under_way_when_its_partition_is_taken_up_again_is_left_to_that(
    error: Exception | None,
) -> None:
    """It is in the state that is read anew, or comes again: here it is neither acknowledged nor a stop."""
    runner = Runner()
    runner.is_taken, runner.changelog.error = True, error
    assert not runner.take(0)
    assert (None, []) == (runner.run.stop, runner.log.written)


def test_a_fold_that_raises_stops_its_partition_unacknowledged() -> None:
    """Nothing was sent, so it may be skipped; what follows is dropped, not taken for a hole."""
    runner = Runner(fold_error=ArithmeticError("1 cent too many"))
    assert not runner.take(0)
    stop = runner.run.stop
    assert stop is not None
    assert ("fold", 0, "ArithmeticError: 1 cent too many") == (stop.cause, stop.offset, stop.error)
    assert [False, False] == [runner.take(1), runner.take(7)]
    assert -1 == runner.partition.applied.offset


def test_state_that_cannot_be_written_stops_the_partition_for_a_retry_only() -> None:
    """The outputs are out by then: a skip would leave them without their cause. The worker restarts, for the
    partition is ahead of its state."""
    runner = Runner()
    runner.changelog.error = ValueError("more than 16777216 bytes of state")
    with pytest.raises(EndedError, match=str(ExitCode.PRODUCER)):
        runner.take(0)
    (stop,) = runner.log.written
    assert isinstance(stop, PartitionStopped)
    assert "effects" == stop.cause
    assert {} == runner.changelog.memory.values


def test_messages_before_the_one_that_fails_take_effect() -> None:
    """Three wait together and the second cannot be folded: the first is applied, the third is dropped."""
    runner = Runner()
    fold = runner.stage.fold

    def failing(draft: Draft, record: Any, terms: object) -> None:
        if record.deal_id == "2":
            raise ArithmeticError("1 cent too many")
        fold(draft, record, terms)

    runner.partition.stage = replace(runner.stage, fold=failing)
    group = [Sent(n - 1, encode([deal(f"{n} buy 1 EURUSD in")])[0]) for n in (1, 2, 3)]
    assert {0} == asyncio.run(runner.process(group))
    stop = runner.run.stop
    assert stop is not None
    assert (0, 1, "fold") == (runner.partition.applied.offset, stop.offset, stop.cause)


@pytest.mark.parametrize(
    "error",
    [
        errors.KafkaTimeoutError(),
        errors.OutOfOrderSequenceNumber(),
        errors.NotLeaderForPartitionError(),
        ProducerSendError("x"),
    ],
)
def test_a_producer_that_cannot_go_on_ends_the_worker(error: Exception) -> None:
    """No stop is written: a restart begins with a new producer and tries again."""
    runner = Runner()
    runner.send_error = error
    if isinstance(error, ProducerSendError):
        error.__cause__ = errors.ProducerClosed()
    with pytest.raises(EndedError, match=str(ExitCode.PRODUCER)):
        runner.take(0)
    assert [] == runner.log.written


def test_what_kafka_refuses_for_good_is_written_down_before_the_worker_ends() -> None:
    """After the restart the partition waits for a person, and the others go on."""
    runner = Runner()
    runner.send_error = errors.MessageSizeTooLargeError()
    with pytest.raises(EndedError, match=str(ExitCode.PRODUCER)):
        runner.take(0)
    (stop,) = runner.log.written
    assert isinstance(stop, PartitionStopped)
    assert ("effects", 0, "w-1") == (stop.cause, stop.offset, stop.worker)


def test_a_stop_in_the_log_holds_after_a_restart_until_it_is_decided() -> None:
    """Messages before it are applied; it is not, though it could be by now."""
    runner = Runner()
    stop = stopped((topics.ACCOUNT_BOOK, 0), 1, "fold", ValueError("once"), "w-0", at(1))
    runner.log.state.learn(stop)
    assert [True, False, False] == [runner.take(0), runner.take(1, "2"), runner.take(2, "3")]
    assert stop == runner.run.stop


def test_a_skip_found_at_the_start_leaves_the_message_out() -> None:
    """The fold is not even tried: replay will not try it either."""
    runner = Runner()
    stop = stopped((topics.ACCOUNT_BOOK, 0), 0, "fold", ValueError("once"), "w-0", at(1))
    skip = BookCommand(
        action="skip", topic=topics.ACCOUNT_BOOK, partition=0, offset=0, by="ann", reason="r", at=at(2)
    )
    for operation in (stop, skip):
        runner.log.state.learn(operation)
    assert runner.take(0)
    assert [b"0/@"] == [*runner.changelog.memory.values]


def test_what_was_fetched_and_dropped_is_read_again_ten_times() -> None:
    """Nothing is lost by reading again; if it does not help, a restart may."""
    run = Runner().run
    assert [False, True] == [run.must_reread(0, position=5), run.must_reread(0, position=5)]
    assert not run.must_reread(0, position=0), "nothing is behind it, so nothing was dropped"
    assert [True] * 10 == [run.must_reread(0, position=5) for _ in range(10)]
    with pytest.raises(EndedError) as ended:
        run.must_reread(0, position=5)
    assert (ExitCode.OFFSET_GAP,) == ended.value.args


def test_a_group_that_does_not_end_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three minutes are longer than Kafka's clients try for."""
    now = 1_000.0
    monkeypatch.setattr("streams.partition_run.time.monotonic", lambda: now)
    run = Runner().run
    assert not run.is_busy()
    with run.busy():
        now += 180.0
        assert run.is_busy()
        now += 0.1
        with pytest.raises(EndedError) as ended:
            run.is_busy()
    assert (ExitCode.RUNNER,) == ended.value.args
    assert not run.is_busy()
