"""A log that a flood does not fill: of records alike, a few in a while, and how many more there were."""

import logging
import time
from collections.abc import Callable

MAX_ALIKE = 10
WINDOW_SECONDS = 10.0
MAX_KINDS = 1_000
"""Records alike have one logger and one unformatted text; with more kinds than this all are counted anew."""


class LogLimit(logging.Filter):
    """Lets `MAX_ALIKE` records of a kind through in each window; the next one after it counts the others."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        kind, now = (record.name, str(record.msg)), self._now()
        since, count = self._seen.get(kind, (now, 0))
        if now - since >= WINDOW_SECONDS:
            if count > MAX_ALIKE:
                left_out = count - MAX_ALIKE
                record.msg, record.args = f"{record.getMessage()} [{left_out:,} more like it left out]", ()
            since, count = now, 0
        if len(self._seen) >= MAX_KINDS and kind not in self._seen:
            self._seen.clear()
        self._seen[kind] = since, count + 1
        return count < MAX_ALIKE


def limit_logs() -> None:
    """Put the filter before every handler of the root logger."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogLimit())
