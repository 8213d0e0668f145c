"""Deals a second of a rival engine: everything it needs is started here, and stopped."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.topics import partition_of
from schemas.wire import Record, encode
from streams.broker import log_range
from tests.rivals import job
from tests.synthetic import Synthetic

ROOT = Path(__file__).parent.parent.parent
WARM_DEALS = 200
PATIENCE_SECONDS = 300.0


class NotInstalled(Exception):
    """A rival's packages could not be had; the message is the installer's first line."""


class Rival(NamedTuple):
    """Another engine that does the job."""

    program: str
    """A module of this package."""
    lock: str = ""
    """What it is installed from, into an environment of its own; without one it is in ours."""


RIVALS = {
    "plain Faust agent": Rival("plain_faust"),
    "Quix Streams": Rival("quix", "quix.txt"),
    "Sentry Arroyo, state in a dict": Rival("sentry_arroyo", "arroyo.txt"),
    "Pathway, state in a dict": Rival("pathway_udf", "pathway.txt"),
}


def rate_of(name: str, kafka: str, folder: Path, clients: int, deals: int) -> float:
    """Deals a second of one of `RIVALS`; raise `NotInstalled` if its packages are not to be had here."""
    own = folder / RIVALS[name].program
    command = _command(RIVALS[name], kafka, own)
    with _topics(kafka), _running(command, own.with_suffix(".log")):
        return _measure(kafka, clients, deals)


def _command(rival: Rival, kafka: str, folder: Path) -> list[str]:
    if not rival.lock:
        return [sys.executable, "-m", f"tests.rivals.{rival.program}", "worker", kafka]
    program = str(ROOT / "tests" / "rivals" / f"{rival.program}.py")
    return [str(_installed(rival.lock, folder)), program, kafka, str(folder / "state")]


def _installed(lock: str, folder: Path) -> Path:
    """The Python of a new environment that holds what the lock names, by hash; nothing is resolved."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    sync = ["pip", "sync", "--quiet", "--python", str(python), "--require-hashes", "--no-build"]
    uv = [str(Path(sys.executable).with_name("uv")), *sync, str(ROOT / "locks" / lock)]
    done = subprocess.run(uv, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NotInstalled((done.stderr.strip() or f"uv ended with {done.returncode}").splitlines()[0])
    return python


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def _topics(kafka: str) -> Iterator[None]:
    admin = AdminClient({"bootstrap.servers": kafka})
    new = [NewTopic(topic, job.PARTITIONS, 1) for topic in (job.IN, job.OUT)]
    for made in admin.create_topics(new).values():
        made.result(30)
    try:
        yield
    finally:
        for gone in admin.delete_topics([job.IN, job.OUT]).values():
            gone.result(30)
        time.sleep(2)  # a topic is gone some time after it says so


def _measure(kafka: str, clients: int, deals: int) -> float:
    """Produce clients and some deals to warm up; then time the rest, to the last transfer."""
    broker = Synthetic(clients, deals + WARM_DEALS)
    trades = broker.trades()
    first, rest = trades[:WARM_DEALS], trades[WARM_DEALS:]
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "count", "enable.auto.commit": False})
    _produce(kafka, [*broker.crm(), *first])
    due = 3 * sum(deal.entry == "out" for deal in first)
    _await(consumer, due)
    started = time.perf_counter()
    _produce(kafka, rest)
    _await(consumer, due + 3 * sum(deal.entry == "out" for deal in rest))
    rate = deals / (time.perf_counter() - started)
    consumer.close()
    return rate


def _produce(kafka: str, records: Sequence[Record]) -> None:
    producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "linger.ms": 5})
    for record, line in zip(records, encode(records), strict=True):
        key = job.key_of(record)
        while True:
            try:
                producer.produce(job.IN, line, key.encode(), partition_of(key, job.PARTITIONS))
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def _await(consumer: Consumer, outputs: int) -> None:
    places = [TopicPartition(job.OUT, number) for number in range(job.PARTITIONS)]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := sum(log_range(consumer, place.topic, place.partition)[1] for place in places)) < outputs:
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {PATIENCE_SECONDS:.0f} s {found} of {outputs} transfers are there")
        time.sleep(0.05)
