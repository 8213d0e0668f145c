"""A flood of records alike is written a few times, and counted."""

import logging

from infra.log_limit import MAX_ALIKE, MAX_KINDS, WINDOW_SECONDS, LogLimit


def record(text: str, *args: object, name: str = "a") -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "", 0, text, args, None)


def test_a_flood_is_counted_not_written() -> None:
    """Of 1,000 in one window 10 are written; the first of the next one says that 990 were not."""
    now = 0.0
    limit = LogLimit(lambda: now)
    written = [limit.filter(record("refused %s", number)) for number in range(1_000)]
    assert sum(written) == MAX_ALIKE == 10
    assert limit.filter(record("another"))
    assert limit.filter(record("refused %s", 1, name="b"))
    now = WINDOW_SECONDS
    next_one = record("refused %s", 7)
    assert limit.filter(next_one)
    assert next_one.getMessage() == "refused 7 [990 more like it left out]"
    quiet = record("another")
    assert limit.filter(quiet)
    assert quiet.getMessage() == "another"


def test_its_memory_is_bounded() -> None:
    """Texts that are all different are all written, and not all remembered."""
    limit = LogLimit(lambda: 0.0)
    assert all(limit.filter(record(f"text {number}")) for number in range(3 * MAX_KINDS))
    assert len(limit._seen) <= MAX_KINDS
