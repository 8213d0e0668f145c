"""A message that cannot be applied stops its partition and nothing else, until a person decides."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from infra.commands import book
from infra.connect.topics import ensure_topics
from schemas import topics
from schemas.dead_letters import DEAD_LETTER
from schemas.errors import Unusable
from schemas.stops import OPERATION
from schemas.wire import encode
from tests import services
from tests.build import deal
from tests.eventually import eventually

BACKLOG = 6_000
"""Messages behind the stop: more than the 4,096 that Faust buffers for a stream."""
BOOK, STOPPED, OTHER = topics.ACCOUNT_BOOK, 0, 1


@dataclass
class Bench:
    """A broker, a worker process whose fold fails on the deals that `faults` names, and readers."""

    kafka: str
    faults: Path
    log: Path
    worker: subprocess.Popen[bytes] | None = None
    ids: int = field(default=0)

    def start(self) -> None:
        """Start the worker."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "tests.streams.failing_worker", self.kafka, str(self.faults)]
            self.worker = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        """End the worker as a crash would."""
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()

    def write(self, partition: int, count: int) -> None:
        """Messages of one deal each, of accounts nobody owns: they wait in the book."""
        producer = Producer({"bootstrap.servers": self.kafka})
        for _ in range(count):
            self.ids += 1
            record = deal(f"{self.ids} buy 1 EURUSD in", login=partition)
            producer.produce(BOOK, encode([record])[0], partition=partition)
            producer.poll(0)
        assert 0 == producer.flush(30)

    def status(self, partition: int) -> book.PartitionStatus:
        """What `ibflow book status` says of a partition."""
        return next(p for p in book.status(self.kafka) if (p.topic, p.partition) == (BOOK, partition))

    def stopped_at(self) -> int | None:
        """Where the partition is stopped, if it is."""
        stop = self.status(STOPPED).stop
        return None if stop is None else stop.offset

    def decide(self, action: str, offset: int) -> None:
        """Skip or retry."""
        book.decide(self.kafka, action, f"{BOOK}/{STOPPED}", offset, "ann", "agreed with ben")

    def read(self, topic: str, partition: int = 0) -> list[tuple[bytes, bytes]]:
        """Key and value of everything in a partition; a changelog has markers too, so Kafka tells its end."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.kafka,
                "group.id": "t",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        consumer.assign([TopicPartition(topic, partition, 0)])
        found: list[tuple[bytes, bytes]] = []
        while (message := consumer.poll(30)) is not None and message.error() is None:
            found.append((bytes(message.key() or b""), bytes(message.value() or b"")))
        assert message is not None, f"{topic}/{partition} does not end"
        consumer.close()
        return found

    def state(self) -> list[tuple[str, str]]:
        """Everything the stopped partition's state was told, in order."""
        found = self.read(topics.changelog_of("accounts"), STOPPED)
        return [(key.decode(), value.decode()) for key, value in found]

    def types(self) -> list[str]:
        """What stands in the log of operations."""
        return [OPERATION.validate_json(value).type for _, value in self.read(topics.OPERATIONS)]


def until(holds: Callable[[], bool], bench: Bench, seconds: float = 90) -> None:
    """Wait for it; show the worker's log if it does not come."""
    eventually(holds, within=seconds, every=0.2, why=lambda: bench.log.read_text()[-3_000:])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("failures")
    with services.kafka(folder) as kafka:
        ensure_topics(kafka, 2, 1)
        bench = Bench(kafka, folder / "faults", folder / "worker.log")
        yield bench
        bench.kill()


def test_one_partition_stops_and_a_person_decides(bench: Bench) -> None:
    """Stop, a long backlog, a vain retry, restarts, a retry, a skip: state, commits and letters each time."""
    # Deals 1 to 5 at offsets 0 to 4; the fourth and the fifth cannot be applied.
    bench.faults.write_text("4 5")
    bench.write(STOPPED, 5)
    bench.start()
    until(lambda: bench.stopped_at() == 3, bench)
    stop = bench.status(STOPPED).stop
    assert stop is not None
    assert ("fold", "failing-1") == (stop.cause, stop.worker)
    assert "ArithmeticError: deal 4 breaks an invariant" == stop.error

    # A long backlog behind it: what comes to the other partition afterwards is applied.
    bench.write(STOPPED, BACKLOG)
    time.sleep(3)
    bench.write(OTHER, 100)
    until(lambda: bench.status(OTHER).behind == 0, bench)
    assert '{"offset":2}' == dict(bench.state())["0/@"]
    assert (3, BACKLOG + 2) == (bench.status(STOPPED).next_offset, bench.status(STOPPED).behind)

    # What is not stopped cannot be decided about.
    with pytest.raises(Unusable, match="is stopped at offset 3, not 4; stopped: account-book/0 at 3"):
        bench.decide("skip", 4)

    # A retry before the cause is gone stops again, with a second record.
    bench.decide("retry", 3)
    until(lambda: bench.types() == ["partition_stopped", "book_command", "partition_stopped"], bench)

    # A restart decides nothing, though the cause is gone: the next worker finds the stop and waits.
    bench.kill()
    bench.faults.write_text("5")
    bench.start()
    bench.write(OTHER, 10)
    until(lambda: bench.status(OTHER).behind == 0, bench)
    assert 3 == bench.stopped_at() == bench.status(STOPPED).next_offset

    # Retried, the message is applied; the one after it stops the partition.
    bench.decide("retry", 3)
    until(lambda: bench.stopped_at() == 4, bench)
    assert '{"offset":3}' == dict(bench.state())["0/@"]

    # Skipped while no worker runs: the next one finds the decision, and the long backlog goes on.
    bench.kill()
    bench.decide("skip", 4)
    bench.start()
    until(lambda: bench.status(STOPPED).next_offset > 100, bench)
    assert bench.stopped_at() is None
    told = bench.state()
    assert {"1", "2", "3", "4", "6", "7"} == {
        i for i in "1234567" if any(f'"deal_id":"{i}"' in v for _, v in told)
    }
    assert json.loads(dict(told)["0/@"])["offset"] > 4
    (letter,) = {value for _, value in bench.read(topics.DEAD_LETTERS)}
    buried = DEAD_LETTER.validate_json(letter)
    assert encode([deal("5 buy 1 EURUSD in", login=STOPPED)])[0] == buried.payload
    assert ("skipped", "topic account-book", "0/4 line 1") == (buried.code, buried.source, buried.position)
    assert buried.reason.startswith("skipped by ann: agreed with ben (it could not be applied: Arithmetic")
