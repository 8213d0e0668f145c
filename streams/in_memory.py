"""The whole pipeline in memory: the same stages over plain lists, for `ibflow rate` and tests."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from commission.events import AccountLinked, Deal
from commission.links.records import LinkSaved
from schemas import topics
from schemas.dead_letters import DEAD_LETTER, DeadLetter
from schemas.wire import Record, batches, decode_batch, encode
from streams.partition import Message, Partition
from streams.stages import STAGES
from streams.store import MemoryStore

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LocalPipeline:
    """Every stage with one partition; records go in one after another, outputs come out in order."""

    def __init__(self, on_message: Callable[[Message, int], None] | None = None) -> None:
        """`on_message` hears of every message and its offset, as a reader of the topics would."""
        self._on_message = on_message
        counts = {topic.name: 1 for topic in topics.TOPICS}
        self._stages = {stage.topic: Partition(stage, 0, counts, MemoryStore()) for stage in STAGES}
        self._offsets = dict.fromkeys(counts, 0)
        self.dead_letters: list[DeadLetter] = []

    def feed(self, records: Iterable[Record]) -> Iterator[Record]:
        """Write records to the topics they belong to; yield what leaves the pipeline."""
        for record in records:
            yield from self._send(Message(entry_topic(record), 0, encode([record])[0]))

    def feed_batch(self, topic: str, records: list[Record]) -> list[Record]:
        """Write records as micro-batches to one topic; return what leaves the pipeline."""
        values = batches(encode(records))
        return [output for value in values for output in self._send(Message(topic, 0, value))]

    def _send(self, message: Message) -> Iterator[Record]:
        queue = deque([message])
        while queue:
            sent = queue.popleft()
            offset = self._offsets[sent.topic]
            self._offsets[sent.topic] = offset + 1
            if self._on_message is not None:
                self._on_message(sent, offset)
            if sent.topic in topics.LEDGER_TOPICS:
                yield from (r for r in decode_batch(sent.value) if r.type in topics.LEDGER_TYPES)
            if sent.topic == topics.DEAD_LETTERS:
                lines = sent.value.split(b"\n")
                self.dead_letters.extend(DEAD_LETTER.validate_json(line) for line in lines)
            partition = self._stages.get(sent.topic)
            if partition is None:
                continue
            step = partition.step(offset, sent.value, sent.source, EPOCH)
            assert step is not None, "a fresh offset is always applied"
            partition.commit(step)
            queue.extend(step.messages)


def entry_topic(record: Record) -> str:
    """Where a record from outside enters: by account, by client, or as terms."""
    if isinstance(record, Deal | AccountLinked):
        return topics.ACCOUNT_BOOK
    if isinstance(record, LinkSaved):
        return topics.CLIENT_BOOK
    return topics.CLIENT_BOOK if hasattr(record, "client_id") else topics.TERMS
