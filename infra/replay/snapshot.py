"""The archived books folded again, so that what a record would cause can be seen before it is written."""

from collections.abc import Callable
from decimal import localcontext
from typing import Any

from clickhouse_connect.driver.client import Client

from commission.draft import Draft
from commission.money import EXACT
from commission.terms.catalog import Terms
from infra.archive.clickhouse_log import OpenArchive
from infra.replay.fold import PartitionFold
from streams.stages import Stage


class BookSnapshot:
    """One partition of a book as the archive leaves it; `fold` goes on from there, in memory only."""

    def __init__(self, client: Client, stage: Stage, number: int, counts: dict[str, int]) -> None:
        self._archive = OpenArchive(client)
        with self._archive.open() as log:
            self._fold = PartitionFold(stage, number, counts, log.operations())
        self.partition = self._fold.partition
        self._ahead: dict[str, Any] = {}

    def replay(self, hear: Callable[[bytes], None] | None = None) -> None:
        """Fold everything archived, from the beginning; `hear` is told each message."""
        with self._archive.open() as log:
            for message in log.messages(self.partition.stage.topic, self.partition.number):
                self._fold.step(message)
                if hear is not None:
                    hear(message.value)

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
            self._ahead[key] = self.partition.load(key)
        return self._ahead[key]

    def _scan(self, prefix: str) -> list[str]:
        ahead = {key for key in self._ahead if key.startswith(prefix)}
        return [key for key in {*self.partition.scan(prefix)} | ahead if self.get(key) is not None]


def folding() -> Any:
    """The arithmetic every fold runs in."""
    return localcontext(EXACT)
