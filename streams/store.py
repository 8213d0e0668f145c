"""Where a partition's state lives in a worker, and how it is brought up to the end of its changelog.

The changelog is the truth; a store is a copy of it that remembers how far it has come. Memory begins
from nothing at each start; RocksDB goes on from what its folder holds.
"""

import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from commission.draft import KeysByOwner
from schemas.kafka import client_config
from streams.broker import FETCH_WAIT_MS, log_range

log = logging.getLogger("ibflow.state")

Changes = Mapping[bytes, bytes | None]
"""Key → value; None forgets the key."""

READ_RECORDS = 2_000
"""Taken in at once; a sealed block has 7 kB."""
READ_SECONDS = 0.05
"""A read waits for so long that it gets fewer, which the last one of each partition does."""
READ_AHEAD_KB = 8_192
"""What the client fetches ahead, of each partition that is read."""
FULL_WAIT_MS = 10
"""When the client looks again for room; by itself after a second, idle meanwhile, and one answer fills it."""
FETCH_BYTES = 1024 * 1024
"""Of one answer, compressed: state comes to a fiftieth, and the client unpacks an answer as a whole."""
BULK_RECORDS = 20_000
"""From so many on that are missing, a store takes them in unsorted: ten million sealed deals are 156,000."""
MOST_UNSORTED = 20
"""Files that RocksDB sorts beside a worker's first messages; more are sorted before it begins."""
STALLED_SECONDS = 60.0
"""Recovery gives up when Kafka gives nothing for so long, and the worker starts again."""
CACHE_BYTES = 64 * 1024 * 1024
"""Of RocksDB blocks, for all partitions of a worker together."""
WRITE_BUFFER_BYTES = 16 * 1024 * 1024
"""Of each partition; two at most."""
WRITE_BUFFERS_BYTES = 64 * 1024 * 1024
"""Of all partitions of a worker together: the largest is written to its folder before that is exceeded."""
MAX_OPEN_FILES = 256
POSITION = b"\x00position"
ORIGIN = b"\x00origin"


class KeyValueStore(Protocol):
    """State by key of one partition, as far as `position` of its changelog."""

    position: int
    """The next changelog offset that is not in here."""

    def get(self, key: bytes, /) -> bytes | None:
        """The value, or None."""

    def write(self, changes: Changes, position: int) -> None:
        """Take in changes up to `position`: all of them, or none."""

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """The keys that begin with `prefix`."""

    def bulk(self) -> AbstractContextManager[None]:
        """A time of many writes, which may be lost together unless it ends well."""

    def close(self) -> None:
        """Let go of files; the store is not used any more."""


class MemoryStore:
    """State in a dict: as fast as it gets, as large as the worker's memory."""

    def __init__(self, values: dict[bytes, bytes] | None = None) -> None:
        self.position = 0
        self.values = {} if values is None else values
        self.get = self.values.get
        self._owners: dict[bytes, dict[bytes, None]] | None = None
        """The keys of each owner, once somebody asked for one's."""

    def write(self, changes: Changes, position: int = 0) -> None:
        """Take in changes up to `position`; a fold without a changelog needs none."""
        values = self.values
        for key, value in changes.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        if self._owners is not None:
            self._note(changes)
        self.position = position

    def _note(self, changes: Changes) -> None:
        owners: dict[bytes, dict[bytes, None]] = {} if self._owners is None else self._owners
        for key, value in changes.items():
            own = owners.setdefault(_owner(key), {})
            if value is None:
                own.pop(key, None)
            else:
                own[key] = None
        self._owners = owners

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """The keys that begin with `prefix`; those of its owner are looked through, without one all."""
        owner = _owner(prefix)
        if owner and self._owners is None:
            self._note(self.values)
        found = (self._owners or {}).get(owner, {}) if owner else self.values
        return (key for key in list(found) if key.startswith(prefix))

    def bulk(self) -> AbstractContextManager[None]:
        """Writes are the same."""
        return nullcontext()

    def close(self) -> None:
        """Forget everything."""
        self.values.clear()
        self._owners = None


_owner = KeysByOwner(b":").owner


class RocksStore:
    """State in a RocksDB folder: larger than memory, and still there after a restart."""

    def __init__(self, folder: Path, origin: str) -> None:
        """`origin` names the changelog for good; a folder of another one is emptied."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._db = _opened(folder)
        if self._db.get(ORIGIN) != origin.encode():
            if self._db.get(ORIGIN) is not None:
                log.warning("%s is of another Kafka; it is built again from the changelog", folder)
            self._db.close()
            shutil.rmtree(folder)
            self._db = _opened(folder)
            self._db.put(ORIGIN, origin.encode())
        self.position = int(self._db.get(POSITION) or 0)
        self.get = self._db.get

    def write(self, changes: Changes, position: int) -> None:
        """Take in changes and the position in one write of RocksDB's log."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(POSITION, b"%d" % position)
        self._db.write(batch)
        self.position = position

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """The keys that begin with `prefix`, sorted; only they are looked through."""
        found = self._db.iter()
        found.seek(prefix)
        while found.valid() and (key := found.key()).startswith(prefix):
            yield key
            found.next()

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Without RocksDB's own log, and sorted once at the end: half the CPU of as many single writes.

        A crash leaves a beginning of what was written, with its position, which is in the same table.
        """
        self._db.set_options(_UNSORTED)
        self._db.set_write_options(_writing(is_logged=False))
        try:
            yield
        finally:
            self._db.flush()  # before anything is logged again: a log is replayed on all that came before
            self._db.set_write_options(_writing(is_logged=True))
            self._db.set_options(_SMALL)
            if (self._db.property_int_value("rocksdb.num-files-at-level0") or 0) >= MOST_UNSORTED:
                self._db.compact_range(None, None)
            self._db.set_options(_SORTED)

    def close(self) -> None:
        """Let another worker, or this one later, open the folder."""
        self._db.close()


def _opened(folder: Path) -> Rdict:
    """With the options for its keys too: else they are those of its last opening, and a cache of its own."""
    options = _rocks_options()
    return Rdict(str(folder), options, {"default": options})


def _writing(*, is_logged: bool) -> WriteOptions:
    options = WriteOptions()
    options.disable_wal = not is_logged  # type: ignore[assignment, method-assign] # its stub has a method
    return options


_SLOW, _STOP = "level0_slowdown_writes_trigger", "level0_stop_writes_trigger"
"""From how many unsorted files on writes wait: by RocksDB's own reckoning 20 and 36."""
_SMALL = {"compression": "kZSTD"}
"""A deal is 70 bytes on disk instead of 350."""
_SORTED = _SMALL | {"disable_auto_compactions": "false", _SLOW: str(MOST_UNSORTED), _STOP: "36"}
_FAST = {"compression": "kLZ4Compression"}
"""Of files that are read once and written again."""
_UNSORTED = _FAST | {"disable_auto_compactions": "true", _SLOW: "1000000", _STOP: "1000000"}


def _rocks_options() -> Options:
    options, blocks = Options(raw_mode=True), BlockBasedOptions()
    blocks.set_block_cache(_CACHE)
    blocks.set_bloom_filter(10, block_based=False)
    options.set_block_based_table_factory(blocks)
    options.set_compression_type(DBCompressionType.zstd())
    options.set_max_subcompactions(4)  # threads that share one sorting
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_write_buffer_manager(_WRITE_BUFFERS)
    options.set_max_open_files(MAX_OPEN_FILES)
    options.set_keep_log_file_num(2)
    return options


_CACHE = Cache(CACHE_BYTES)
_WRITE_BUFFERS = WriteBufferManager(WRITE_BUFFERS_BYTES, allow_stall=False)


def catch_up(store: KeyValueStore, kafka: str, topic: str, partition: int) -> int:
    """Bring a store to the end of its changelog; return the records read.

    Reads with a client of its own, past Faust: 300,000 records a second instead of 20,000, and no idle wait
    of 5 s after the last one. Raise `RuntimeError` if Kafka stops answering.
    """
    consumer = Consumer(
        {
            **client_config(kafka),
            "group.id": "ibflow-recovery",  # required by the client; it commits nothing
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": FETCH_BYTES,
            "queued.max.messages.kbytes": READ_AHEAD_KB,
            "fetch.queue.backoff.ms": FULL_WAIT_MS,
            "fetch.wait.max.ms": FETCH_WAIT_MS,  # that this is the end Kafka else tells after half a second
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        _, end = log_range(consumer, topic, partition, STALLED_SECONDS)
        if store.position > end:
            raise RuntimeError(
                f"the state of {topic}/{partition} is at {store.position} and the changelog ends at {end}: "
                "what was acknowledged is gone from Kafka. Restore the topic, or remove the state folder"
            )
        consumer.assign([TopicPartition(topic, partition, store.position)])
        with store.bulk() if end - store.position >= BULK_RECORDS else nullcontext():
            return _read(consumer, store, end)
    finally:
        consumer.close()


def _read(consumer: Consumer, store: KeyValueStore, end: int) -> int:
    """Read up to `end`: markers of transactions may follow the last record, so Kafka says where it is."""
    records, place, heard_at = 0, store.position, time.monotonic()
    while place < end:
        messages = consumer.consume(READ_RECORDS, READ_SECONDS)
        if messages:
            last, heard_at = messages[-1], time.monotonic()
            place = max(place, (last.offset() or 0) + (last.error() is None))  # an end is where it stands
        elif time.monotonic() - heard_at > STALLED_SECONDS:
            raise RuntimeError(f"the changelog gives nothing beyond {place} of {end} for a minute")
        changes: dict[bytes, bytes | None] = {}
        for message in messages:
            if (error := message.error()) is None:
                changes[message.key() or b""] = message.value()
                records += 1
            elif error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
        store.write(changes, place)
    return records


def origin_of(kafka: str, topic: str) -> str:
    """What tells a topic from another of the same name: its id."""
    admin = AdminClient(client_config(kafka))
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=STALLED_SECONDS)
    return str(described[topic].result().topic_id)
