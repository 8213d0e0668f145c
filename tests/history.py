"""A history for tests: the pipeline in memory with as many partitions as asked for, and its log."""

from collections import deque
from collections.abc import Iterable

from clickhouse_connect.driver.client import Client

from infra.archive.log import Logged
from infra.archive.memory_log import MemoryLog
from infra.replay.fold import EPOCH
from schemas import topics
from schemas.wire import Record, encode
from streams.in_memory import entry_topic
from streams.partition import Message, Partition
from streams.stages import STAGES
from streams.store import MemoryStore
from streams.table_rows import Rows


def history(records: Iterable[Record], partitions: int = 3) -> MemoryLog:
    """Every message of every topic, as Kafka would hold them after these records."""
    counts = {topic.name: topic.partitions or partitions for topic in topics.TOPICS}
    log: dict[str, list[list[Logged]]] = {topic: [[] for _ in range(n)] for topic, n in counts.items()}
    stages = {
        (stage.topic, number): Partition(stage, number, counts, MemoryStore())
        for stage in STAGES
        for number in range(counts[stage.topic])
    }
    for record in records:
        topic = entry_topic(record)
        key = {topics.ACCOUNT_BOOK: "account_key", topics.CLIENT_BOOK: "client_id"}.get(topic)
        number = topics.partition_of(getattr(record, key), counts[topic]) if key else 0
        queue = deque([Message(topic, number, encode([record])[0])])
        while queue:
            sent = queue.popleft()
            messages = log[sent.topic][sent.partition]
            messages.append(Logged(len(messages), sent.source, sent.value))
            partition = stages.get((sent.topic, sent.partition))
            if partition is not None:
                step = partition.step(len(messages) - 1, sent.value, sent.source, EPOCH)
                assert step is not None
                partition.commit(step)
                queue.extend(step.messages)
    return MemoryLog(log)


def store(client: Client, log: MemoryLog) -> None:
    """Write a history into ClickHouse as the sink does."""
    rows, positions = Rows(), []
    for topic, partitions in log.topics.items():
        for number, messages in enumerate(partitions):
            positions.append([topic, number, len(messages)])
            for message in messages:
                rows.add(topic, number, message.offset, message.value, message.source)
    rows.store(client)
    client.insert("sink_positions", positions, column_names=["topic", "partition", "next_offset"])
