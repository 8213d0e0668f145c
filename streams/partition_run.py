"""One partition at work in a worker: its fold, its durable state, and what it waits for."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from faust.types import TP

from schemas.stops import PartitionStopped
from streams.changelog import Changelog
from streams.exit_codes import ExitCode, end_process
from streams.partition import Partition

log = logging.getLogger("ibflow.worker")

MAX_REREADS = 10
"""How often a message is read again before the worker restarts."""
MAX_GROUP_SECONDS = 180.0
"""Longer than Kafka's clients try for: a group that takes longer will not end by itself."""


@dataclass(slots=True)
class PartitionRun:
    """What a worker knows of a partition, from when it takes it up until another worker has it."""

    tp: TP
    changelog: Changelog
    recovered: Partition | None = None
    """Its fold; None until its state was read for the first time."""
    is_taking_up: bool = False
    stop: PartitionStopped | None = None
    """It waits for a decision; what is fetched of it is dropped, unacknowledged."""
    is_stop_written: bool = False
    is_log_read: bool = False
    """Whether the log of operations was asked since the partition was taken up."""
    earlier_stop: PartitionStopped | None = None
    """The stop that the log had then: its message is not applied before a decision."""
    is_rereading: bool = False
    """Sought back to the message that was decided about; until it comes, others are stale."""
    awaited_offset: int = -1
    rereads: int = 0
    """How often the partition was read again for the offset it waits for."""
    _busy_since: float | None = field(default=None, init=False)
    """When the group at hand was begun."""

    @property
    def partition(self) -> Partition:
        """The fold."""
        assert self.recovered is not None, f"{self} is not recovered"
        return self.recovered

    @property
    def needed_offset(self) -> int:
        """The offset that is applied next."""
        return self.partition.applied.offset + 1

    def __str__(self) -> str:
        """Topic and partition."""
        return f"{self.tp.topic}/{self.tp.partition}"

    def begin_taking_up(self) -> None:
        """Forget what was known of its stops: the log and the changelog are read again."""
        self.is_taking_up = True
        self.stop = self.earlier_stop = None
        self.is_log_read = self.is_stop_written = self.is_rereading = False

    def is_held(self, offset: int) -> bool:
        """Whether the message at `offset` is dropped: behind a stop, or stale after one."""
        if self.stop is not None:
            return True
        if self.is_rereading:
            if offset != self.needed_offset:
                return True
            self.is_rereading = False
        if self.earlier_stop is None or self.earlier_stop.offset != offset:
            return False
        log.critical("%s is stopped at offset %s until `ibflow book` decides", self, offset)
        self.stop, self.is_stop_written = self.earlier_stop, True
        return True

    def must_reread(self, needed: int, position: int | None) -> bool:
        """Whether the message at `needed` was fetched, for the next one is at `position`, and dropped on its
        way here; end the worker if reading it again does not help."""
        if self.awaited_offset != needed or position is None or position <= needed:
            self.awaited_offset, self.rereads = needed, 0
            return False
        log.warning("%s: offset %s was fetched and not applied; reading it again", self, needed)
        if self.rereads >= MAX_REREADS:
            end_process(ExitCode.OFFSET_GAP, f"reading {self}/{needed} again does not help")
        self.rereads += 1
        return True

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While a group is taken and applied: what is held of it is not lost on its way."""
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            self._busy_since = None

    def is_busy(self) -> bool:
        """Whether a group is being applied; end the worker if it takes for ever."""
        since = self._busy_since
        if since is not None and time.monotonic() - since > MAX_GROUP_SECONDS:
            end_process(ExitCode.RUNNER, f"{self}: a group does not end")
        return since is not None
