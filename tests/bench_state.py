"""What a worker's state takes: to read it from its changelog, to take it up from its folder, and in memory.

`python -m tests.bench_state ROWS` shows it for so many deals, and for a tenth of them: between the two lies
the slope. `make bench` does so for `BENCH_ROWS` (10,000,000). Each figure is of a process of its own.
"""

import asyncio
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console
from rich.table import Table

from commission.client.state import ClientState, IbLink, KycMark
from commission.events import AccountLinked
from infra.local_kafka.local import LocalKafka
from schemas import topics
from streams.changelog import Changelog
from streams.in_memory import LocalPipeline
from streams.sealing import BLOCK, encode_block
from streams.state_codec import encode_state
from streams.store import MemoryStore
from tests.peak import peak_mb
from tests.synthetic import START, Synthetic

DEALS_A_CLIENT = 100
SAMPLE = 2_000
"""Deals that are folded; the others are these once more, under other names and revisions."""
REVISION = slice(9, 17)
"""Where the revision's digest is in a deal's bytes: behind a list's mark, its time, two bytes of its own."""
MOST_IN_MEMORY = 1_000_000
COMPRESSED = {"compression.type": "zstd", "linger.ms": 20}


class Taken(NamedTuple):
    """What one taking up of a state took."""

    seconds: float
    megabytes: float
    records: int


def clients(count: int) -> Iterator[tuple[bytes, bytes]]:
    """State of so many clients."""
    state = ClientState(
        client_id="c-0000000",
        registered_at=START,
        country="DE",
        links=(IbLink(since=START, ib_id="ib-desk"),),
        kyc=(KycMark(at=START, status="approved"),),
        traded=True,
    )
    value = encode_state("c:c-0000000", state)
    for number in range(count):
        name = b"c-%07d" % number
        yield b"0/c:" + name, value.replace(b"c-0000000", name)


def deals(count: int) -> Iterator[tuple[bytes, bytes]]:
    """State of so many deals, of half as many positions; three IBs earn from each closing."""
    sample = _sample()
    for number in range(count):
        digest = hashlib.blake2b(b"%d" % number, digest_size=8).digest()
        value = sample[number % len(sample)]
        key = b"0/d:c-%06d:mt5-live|%09d" % (number % (count // DEALS_A_CLIENT or 1), number)
        yield key, value[: REVISION.start] + digest + value[REVISION.stop :]


def sealed(count: int) -> Iterator[tuple[bytes, bytes]]:
    """State of so many deals in full blocks, as they are once their period is long over."""
    found = iter(deals(count))
    for number in range(count // BLOCK):
        own = [next(found) for _ in range(BLOCK)]
        names = [key.decode().partition(":")[2].partition(":")[2] for key, _ in own]
        yield b"0/@block/c-%06d:%d" % (number // 2, number), encode_block(names, [value for _, value in own])


def _sample() -> list[bytes]:
    broker, pipeline = Synthetic(20, SAMPLE), LocalPipeline()
    links = [event for event in broker.crm() if isinstance(event, AccountLinked)]
    pipeline.feed_batch(topics.TERMS, [*broker.terms()])
    pipeline.feed_batch(topics.ACCOUNT_BOOK, [*links])
    pipeline.feed_batch(topics.CLIENT_BOOK, [event for event in broker.crm() if event not in links])
    pipeline.feed_batch(topics.ACCOUNT_BOOK, [*broker.trades()])
    store = pipeline._stages[topics.CLIENT_BOOK].store
    assert isinstance(store, MemoryStore)
    return [value for key, value in store.values.items() if key.startswith(b"0/d:")]


def fill(kafka: str, topic: str, state: Iterable[tuple[bytes, bytes]]) -> None:
    """A changelog of one partition that holds the state."""
    admin = AdminClient({"bootstrap.servers": kafka})
    config = {"max.message.bytes": str(topics.MAX_MESSAGE_BYTES), "cleanup.policy": "compact"}
    admin.create_topics([NewTopic(topic, 1, 1, config=config)])[topic].result(30)
    producer = Producer({"bootstrap.servers": kafka, **COMPRESSED})
    for key, value in state:
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def take_up(kafka: str, topic: str, folder: Path | None) -> Taken:
    """Take the state of a changelog up in a new process, into memory if there is no folder."""
    command = [sys.executable, "-m", "tests.bench_state", kafka, topic, str(folder or "")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return Taken(float(told[0]), float(told[1]), int(told[2]))


def folder_mb(folder: Path) -> float:
    """Megabytes of its files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def table(folder: Path, rows: int) -> Table:
    """The state of deals and clients, taken up in each way."""
    found = Table(title="a worker's state: taken up, and the process's memory at its most")
    for name in ("state", "how", "seconds", "MB"):
        found.add_column(name, justify="left" if name in ("state", "how") else "right")
    with LocalKafka().running(folder / "kafka") as kafka:
        server = kafka.bootstrap_servers
        for name, count, state in (
            ("clients", rows // 10, clients(rows // 10)),
            ("deals", rows // 10, deals(rows // 10)),
            ("deals", rows, deals(rows)),
            ("sealed deals", rows, sealed(rows)),
        ):
            topic, place = f"bench-{name}-{count}".replace(" ", "-"), folder / f"{name}-{count}"
            fill(server, topic, state)
            ways: list[tuple[str, Path | None]] = [
                ("RocksDB, from the changelog alone", place),
                ("RocksDB, with its folder", place),
            ]
            if count <= MOST_IN_MEMORY:
                ways.insert(0, ("memory", None))
            for how, where in ways:
                taken = take_up(server, topic, where)
                found.add_row(f"{count:,} {name}", how, f"{taken.seconds:.1f}", f"{taken.megabytes:,.0f}")
            found.add_row("", "its folder on disk", "", f"{folder_mb(place):,.0f}")
    return found


def main() -> None:
    """The table of so many rows; with a server, topic and folder, one taking up: seconds, MB, records."""
    if len(sys.argv) == 2:
        folder = Path(tempfile.mkdtemp(prefix="ibflow-bench-"))
        try:
            Console().print(table(folder, int(sys.argv[1])))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    kafka, topic, name = sys.argv[1:]

    async def taking_up() -> int:
        changelog = Changelog(kafka, topic, 0, Path(name) if name else None)
        records = await changelog.open()
        await changelog.close()
        return records

    started = time.perf_counter()
    records = asyncio.run(taking_up())
    sys.stdout.write(f"{time.perf_counter() - started} {peak_mb()} {records}\n")


if __name__ == "__main__":
    main()
