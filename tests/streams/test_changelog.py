"""State in Kafka and at hand: one writer, whole or not at all, and the same after any recovery."""

import asyncio
import gc
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rocksdict import WriteBufferManager

from streams import store as stores
from streams.changelog import Changelog, FencedError
from streams.store import MemoryStore, RocksStore, catch_up
from tests import services
from tests.eventually import eventually
from tests.streams.bulk_changes import contents

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.kafka(tmp_path_factory.mktemp("kafka")) as servers:
        yield servers


@pytest.fixture
def topic(kafka: str, request: pytest.FixtureRequest) -> str:
    """A compacted topic of the test's own."""
    name = f"{request.node.originalname}-changelog"[-100:] + str(random.randrange(10**9))
    config = {"max.message.bytes": str(16 * MIB), "cleanup.policy": "compact"}
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(30)
    return name


def recovered(kafka: str, topic: str) -> dict[bytes, bytes | None]:
    """What a worker that begins from nothing finds.

    It takes over first: Kafka acknowledges a transaction before readers see its end, and a new owner waits.
    """

    async def run() -> dict[bytes, bytes | None]:
        changelog = Changelog(kafka, topic, 0, None)
        await changelog.open()
        found = contents(changelog.store)
        await changelog.close()
        return found

    return asyncio.run(run())


def test_what_was_folded_before_the_partition_was_opened_again_is_refused(kafka: str, topic: str) -> None:
    """A message is under way in this very worker when a rebalance recovers its partition: no effect."""

    async def run() -> None:
        changelog = Changelog(kafka, topic, 0, None)
        await changelog.open()
        before = changelog.opening
        await changelog.append({b"a": b"1"}, before)
        await changelog.open()
        with pytest.raises(FencedError):
            await changelog.append({b"a": b"again"}, before)
        await changelog.append({b"b": b"2"}, changelog.opening)
        await changelog.close()

    asyncio.run(run())
    assert {b"a": b"1", b"b": b"2"} == recovered(kafka, topic)


def test_an_append_whose_producer_is_stopped_ends(kafka: str, topic: str) -> None:
    """The partition is taken up again after the records were sent, before their transaction ends: aiokafka
    would wait for that end for good. What was appended is nothing, and the new opening goes on."""

    async def run() -> None:
        changelog = Changelog(kafka, topic, 0, None)
        await changelog.open()
        before = changelog.opening
        producer: Any = changelog._producer
        commit = producer.commit_transaction

        async def late_commit() -> None:
            await changelog.open()
            await commit()

        producer.commit_transaction = late_commit
        with pytest.raises(FencedError):
            await asyncio.wait_for(changelog.append({b"0/a": b"1"}, before), 30)
        await changelog.open()
        assert changelog.get(b"0/a") is None
        await changelog.append({b"0/a": b"2"}, changelog.opening)
        await changelog.close()

    asyncio.run(run())
    assert recovered(kafka, topic) == {b"0/a": b"2"}


def test_an_opening_that_nobody_waits_for_ends_before_the_next(kafka: str, topic: str) -> None:
    """A rebalance cancels a recovery whose thread reads on: two must not fill one store side by side."""

    class Slow(Changelog):
        """Reads for a while, and tells how many do."""

        reading = 0
        most = 0

        def _recover(self) -> int:
            self.reading += 1
            self.most = max(self.most, self.reading)
            time.sleep(0.5)
            found = super()._recover()
            self.reading -= 1
            return found

    async def run() -> int:
        changelog = Slow(kafka, topic, 0, None)
        for _ in range(2):
            opening = asyncio.create_task(changelog.open())
            while not changelog.reading:
                await asyncio.sleep(0.01)
            opening.cancel()
        await changelog.open()
        await changelog.append({b"a": b"1"}, changelog.opening)
        await changelog.close()
        return changelog.most

    assert 1 == asyncio.run(run())
    assert {b"a": b"1"} == recovered(kafka, topic)


def test_who_takes_over_shuts_the_other_out(kafka: str, topic: str) -> None:
    """The old owner slept through its session: what it appends when it wakes is refused, not written."""

    async def run() -> None:
        old, new = (Changelog(kafka, topic, 0, None) for _ in range(2))
        await old.open()
        await old.append({b"a": b"1"}, old.opening)
        old.write({b"a": b"1"})
        await new.open()
        assert b"1" == new.get(b"a")
        await new.append({b"a": b"2"}, new.opening)
        with pytest.raises(FencedError):
            await old.append({b"a": b"late"}, old.opening)
        await old.close()
        await new.append({b"b": b"3"}, new.opening)
        await new.close()

    asyncio.run(run())
    gc.collect()  # what the fenced producer left tells its error here, not while CPython parses
    assert {b"a": b"2", b"b": b"3"} == recovered(kafka, topic)


def test_an_append_that_was_not_finished_never_was(kafka: str, topic: str) -> None:
    """Half of a message's state is in the log when its writer dies; the next one does not see it."""

    config = {"bootstrap.servers": kafka, "transactional.id": f"{topic}-0"}

    async def run() -> None:
        changelog = Changelog(kafka, topic, 0, None)
        await changelog.open()
        await changelog.append({b"a": b"1"}, changelog.opening)
        await changelog.close()
        dying = Producer(config)
        dying.init_transactions(30)
        dying.begin_transaction()
        dying.produce(topic, key=b"a", value=b"half", partition=0)
        assert 0 == dying.flush(30)
        assert 1 == await changelog.open()
        assert b"1" == changelog.get(b"a")
        await changelog.append({b"c": b"1"}, changelog.opening)
        await changelog.close()

    asyncio.run(run())
    assert {b"a": b"1", b"c": b"1"} == recovered(kafka, topic)


@pytest.mark.parametrize("kind", ["memory", "rocksdb"])
def test_every_recovery_finds_what_was_appended(kafka: str, topic: str, tmp_path: Path, kind: str) -> None:
    """A thousand random changes, with deletions; opened again it reads only what is new."""
    chance = random.Random(7)
    expected: dict[bytes, bytes] = {}
    folder = tmp_path if kind == "rocksdb" else None

    async def append(changelog: Changelog) -> None:
        changes: dict[bytes, bytes | None] = {}
        for _ in range(20):
            is_gone, value = chance.random() < 0.3, b"%d" % chance.randrange(10**6)
            changes[b"key-%d" % chance.randrange(50)] = None if is_gone else value
        await changelog.append(changes, changelog.opening)
        changelog.write(changes)
        for key, value in changes.items():
            if value is None:
                expected.pop(key, None)
            else:
                expected[key] = value

    async def run() -> None:
        first = Changelog(kafka, topic, 0, folder)
        assert 0 == await first.open()
        for _ in range(50):
            await append(first)
        assert expected == contents(first.store)
        assert await first.open() <= 20  # after a rebalance that changed nothing: its own last batch at most
        await first.close()
        again = Changelog(kafka, topic, 0, folder)
        read = await again.open()
        assert read <= 20 if folder else read > 500
        assert expected == contents(again.store)
        await append(again)
        assert expected == contents(again.store)
        await again.close()

    asyncio.run(run())
    assert expected == recovered(kafka, topic)


def test_state_larger_than_one_batch_is_still_whole(kafka: str, topic: str) -> None:
    """40 MB in one append; a single value over the limit is refused and leaves nothing."""
    many = {b"%d" % number: bytes([number]) * 4 * MIB for number in range(10)}

    async def run() -> None:
        changelog = Changelog(kafka, topic, 0, None)
        await changelog.open()
        await changelog.append(many, changelog.opening)
        with pytest.raises(MessageSizeTooLargeError):
            await changelog.append({b"x": b"1", b"y": random.randbytes(20 * MIB)}, changelog.opening)
        await changelog.open()
        await changelog.append({b"0": many[b"0"]}, changelog.opening)
        await changelog.close()

    asyncio.run(run())
    assert many == recovered(kafka, topic)


def test_the_folder_of_another_kafka_is_not_believed(tmp_path: Path) -> None:
    """A state folder names the topic it is a copy of, by the topic's id; another's is emptied."""
    store = RocksStore(tmp_path / "state", "one/0")
    store.write({b"a": b"1", b"b": b"2"}, 7)
    store.close()
    same = RocksStore(tmp_path / "state", "one/0")
    assert (7, b"1") == (same.position, same.get(b"a"))
    assert [b"a"] == list(same.keys(b"a"))
    same.close()
    other = RocksStore(tmp_path / "state", "two/0")
    assert (0, None, {}) == (other.position, other.get(b"a"), contents(other))
    other.close()


def test_much_that_is_missing_is_taken_in_at_once(kafka: str, topic: str, tmp_path: Path) -> None:
    """The same state, whichever way; also what was deleted, and what is written afterwards."""
    changes: dict[bytes, bytes | None] = {b"%d" % number: b"1" for number in range(100)}

    async def run() -> None:
        changelog = Changelog(kafka, topic, 0, None)
        await changelog.open()
        await changelog.append(changes, changelog.opening)
        await changelog.append({b"7": None, b"8": b"2"}, changelog.opening)
        await changelog.close()

    asyncio.run(run())
    for least in (1, 1_000):
        store = RocksStore(tmp_path / str(least), "one/0")
        with patch.object(stores, "BULK_RECORDS", least):
            catch_up(store, kafka, topic, 0)
        store.write({b"later": b"1"}, store.position)
        found = contents(store)
        assert found.pop(b"later") == b"1"
        assert found == {key: b"2" if key == b"8" else b"1" for key in changes if key != b"7"}
        store.close()


def test_a_store_ahead_of_its_changelog_stops_the_worker(kafka: str, topic: str) -> None:
    """Kafka lost what it had acknowledged: nobody goes on as if it had not."""
    store = MemoryStore()
    store.write({b"a": b"1"}, 5)
    with pytest.raises(RuntimeError, match="gone from Kafka"):
        catch_up(store, kafka, topic, 0)


def test_partitions_share_their_write_buffers(tmp_path: Path) -> None:
    """Six partitions that each got 7 MB hold 20 MB together, not 42: the rest is in their folders."""
    limit = 20_000_000
    with patch.object(stores, "_WRITE_BUFFERS", WriteBufferManager(limit, allow_stall=False)) as buffers:
        opened = [RocksStore(tmp_path / str(number), "one/0") for number in range(6)]
        for start in range(0, 7_000, 1_000):
            for store in opened:
                numbers = range(start, start + 1_000)
                store.write({b"%06d" % number: bytes(1_000) for number in numbers}, start)
        eventually(lambda: buffers.get_usage() < 1.5 * limit, why=buffers.get_usage)
        for store in opened:
            store.close()
