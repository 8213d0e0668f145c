"""The archived books folded again, so that what a record would cause can be seen before it is written."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import localcontext
from functools import cache
from typing import Any

from clickhouse_connect.driver.client import Client
from pydantic import TypeAdapter

from commission.book import Draft
from commission.known import Terms
from commission.money import EXACT
from schemas import topics
from streams.partition import Partition
from streams.stages import Stage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MESSAGES = """
SELECT _offset, source, message FROM books FINAL
WHERE _topic = {topic:String} AND _partition = {partition:UInt32} ORDER BY _offset
"""


def partition_counts(client: Client) -> dict[str, int]:
    """Partitions of each topic, as far as the sink has seen them."""
    rows = client.query(
        "SELECT topic, toInt32(max(partition)) + 1 FROM sink_positions GROUP BY topic"
    ).result_rows
    known = {str(topic): int(count) for topic, count in rows}
    return {topic.name: known.get(topic.name, 0) for topic in topics.TOPICS}


class Refolded:
    """One partition of a book as the archive leaves it; `fold` goes on from there, in memory only."""

    def __init__(self, client: Client, stage: Stage, number: int, counts: dict[str, int]) -> None:
        self.partition = Partition(stage, number, counts, {})
        self._client = client
        self._ahead: dict[str, Any] = {}

    def replay(self, hear: Callable[[bytes], None] | None = None) -> None:
        """Fold everything archived, from the beginning; `hear` is told each message."""
        for offset, source, message in self._messages():
            step = self.partition.step(offset, message, source, EPOCH)
            assert step is not None, "an archive is read from its beginning"
            self.partition.commit(step)
            if hear is not None:
                hear(message)

    def _messages(self) -> Iterator[tuple[int, str, bytes]]:
        place = {"topic": self.partition.stage.topic, "partition": self.partition.number}
        with self._client.query_row_block_stream(_MESSAGES, place) as blocks:
            for block in blocks:
                for offset, source, message in block:
                    yield int(offset), str(source), str(message).encode()

    @property
    def position(self) -> tuple[str, int]:
        """`topic/partition`, and the newest offset folded."""
        return f"{self.partition.stage.topic}/{self.partition.number}", self.partition.applied.offset

    @property
    def terms(self) -> Terms:
        """The terms known there."""
        return self.partition.terms

    def draft(self) -> Draft:
        """Something to fold a record on; it changes nothing until it is kept."""
        return Draft(self.get, self._scan)

    def keep(self, draft: Draft) -> None:
        """Go on from what was folded."""
        self._ahead.update(draft.writes)

    def get(self, key: str) -> Any:
        """The state under a key, or None."""
        if key not in self._ahead:
            found = self.partition.store.get(self.partition.key(key))
            kind = self.partition.stage.keys[key[0]]
            self._ahead[key] = None if found is None else _adapter(kind).validate_json(found)
        return self._ahead[key]

    def _scan(self, prefix: str) -> list[str]:
        whole, own = self.partition.key(prefix), len(self.partition.key(""))
        stored = {key[own:].decode() for key in self.partition.store if key.startswith(whole)}
        ahead = {key for key in self._ahead if key.startswith(prefix)}
        return [key for key in stored | ahead if self.get(key) is not None]


def folding() -> Any:
    """The arithmetic every fold runs in."""
    return localcontext(EXACT)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
