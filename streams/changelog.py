"""A partition's durable state in Kafka: one writer at a time, all of a message's changes or none.

Two workers may believe for a moment that a partition is theirs: one was stopped for longer than its
session and goes on with the append it was about to make. Its state is older than what the new owner
has written since, and would undo it at the next recovery. So each append is a transaction under the
partition's own transactional id, and who takes a partition over bumps the epoch of that id first:
from then on Kafka refuses the other's appends. Only changelogs are transactional; a book has no
markers, and an output repeated by the old owner is skipped by its source position.
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from schemas.kafka import async_config
from schemas.topics import MAX_MESSAGE_BYTES
from streams.shielded import shielded
from streams.store import Changes, KeyValueStore, MemoryStore, RocksStore, catch_up, origin_of

log = logging.getLogger("ibflow.changelog")

REQUEST_TIMEOUT_MS = 30_000
TRANSACTION_TIMEOUT_MS = 60_000


class FencedError(RuntimeError):
    """Somebody has taken the partition over since the message was begun."""


class StoreError(RuntimeError):
    """The store at hand cannot keep what its changelog has; a new one, with room, reads it there."""


class Changelog:
    """One partition of a stage's state: the store at hand, and the log that makes it durable."""

    def __init__(self, kafka: str, topic: str, partition: int, folder: Path | None) -> None:
        """`folder` is where RocksDB keeps the state; None keeps it in memory."""
        self._kafka, self._topic, self._partition, self._folder = kafka, topic, partition, folder
        self._producer: AIOKafkaProducer | None = None
        self._stopped: asyncio.Future[None] | None = None
        """Done once that producer was stopped."""
        self._store: KeyValueStore | None = None
        self._end = 0
        self._generation = 0
        self._lock = asyncio.Lock()

    @property
    def opening(self) -> int:
        """Which opening this is: what was folded on the state of an earlier one must not be appended."""
        return self._generation

    @property
    def store(self) -> KeyValueStore:
        """The state as far as it was recovered and taken in."""
        assert self._store is not None, f"{self._topic}/{self._partition} is not open"
        return self._store

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""
        return self.store.get(key)

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """The keys that begin with `prefix`."""
        return self.store.keys(prefix)

    def write(self, changes: Changes) -> None:
        """Take in what has just been appended; raise `StoreError` if there is no room for it."""
        store = self.store
        try:
            store.write(changes, self._end)
        except Exception as error:  # RocksDB has no type of its own for what its disk says
            raise StoreError(f"{self._topic}/{self._partition} cannot be kept: {error}") from error

    async def open(self) -> int:
        """Become the only writer, then read what is missing; return the records read.

        Opening again, after a rebalance, reads what others have written in between. If the caller is
        cancelled, an opening goes on to its end, and the next one waits for it.
        """
        self._generation += 1
        return await shielded(self._open())

    async def _open(self) -> int:
        async with self._lock:
            return await self._take_over()

    async def _take_over(self) -> int:
        await self._let_go()
        producer = AIOKafkaProducer(
            **async_config(self._kafka),
            transactional_id=f"{self._topic}-{self._partition}",
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            max_batch_size=MAX_MESSAGE_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
            compression_type="zstd",
        )
        try:
            await producer.start()  # takes the next epoch; an append the old owner left open is aborted
            records = await asyncio.to_thread(self._recover)
        except BaseException:
            await producer.stop()
            raise
        self._producer, self._stopped = producer, asyncio.get_running_loop().create_future()
        return records

    def _recover(self) -> int:
        if self._store is None:
            self._store = self._new_store()
        return catch_up(self._store, self._kafka, self._topic, self._partition)

    def _new_store(self) -> KeyValueStore:
        if self._folder is None:
            return MemoryStore()
        origin = f"{origin_of(self._kafka, self._topic)}/{self._partition}"
        return RocksStore(self._folder / f"{self._topic}-{self._partition}", origin)

    async def append(self, changes: Changes, opening: int) -> None:
        """Append all changes or none, and return once they are durable; the store is not touched.

        `opening` is the one whose state the changes are folded on. Raise `FencedError` if another worker has
        taken over since, or this one has opened it again. After any error it may have been appended or
        not, and has to be opened again: that tells.
        """
        producer, stopped, generation = self._producer, self._stopped, self._generation
        fenced = FencedError(f"{self._topic}/{self._partition} was taken over")
        if producer is None or stopped is None or opening != generation:
            raise fenced
        appending = asyncio.ensure_future(self._transact(producer, changes))
        try:
            # aiokafka's producer, stopped before a transaction ends, leaves whoever ends it waiting for good.
            await asyncio.wait({appending, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            has_ended = appending.done()
            appending.cancel()
        if not has_ended:
            raise fenced
        try:
            last = appending.result()
        except Exception as error:
            if generation != self._generation:
                raise fenced from error
            await self._let_go()  # aiokafka's sequence numbers are off after a batch that failed
            if isinstance(error, ProducerFenced):
                raise fenced from error
            raise
        if generation != self._generation:
            raise fenced
        self._end = last.offset + 1  # of its last batch's first record: reading the rest again is harmless

    async def _transact(self, producer: AIOKafkaProducer, changes: Changes) -> Any:
        async with producer.transaction():
            sent = [await self._send(producer, batch) for batch in _batches(producer, changes)]
            return (await asyncio.gather(*sent))[-1]

    async def _send(self, producer: AIOKafkaProducer, batch: Any) -> "asyncio.Future[Any]":
        return await producer.send_batch(batch, self._topic, partition=self._partition)  # type: ignore[no-any-return] # aiokafka has no types

    async def close(self) -> None:
        """Stop writing and give the store up."""
        async with self._lock:
            await self._let_go()
            if self._store is not None:
                self._store.close()
                self._store = None

    async def _let_go(self) -> None:
        if self._producer is not None:
            producer, stopped, self._producer = self._producer, self._stopped, None
            try:
                await producer.stop()
            finally:
                if stopped is not None and not stopped.done():
                    stopped.set_result(None)


def _batches(producer: AIOKafkaProducer, changes: Changes) -> list[Any]:
    """Changes as record batches, each full or the last."""
    batches, batch = [], producer.create_batch()
    for key, value in changes.items():
        if batch.append(key=key, value=value, timestamp=None) is None:
            batches.append(batch)
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)  # an empty batch takes what Kafka may refuse
    batches.append(batch)
    for full in batches:
        full.close()
    return batches
