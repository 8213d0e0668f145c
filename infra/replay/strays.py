"""Rows of the ledger that no message brought."""

import time

from infra.archive.log import Log

WITHIN_SECONDS = 2.0
"""A message is stored with its rows, and just after them."""
LOOK_SECONDS = 0.25


def count_strays(log: Log) -> int:
    """How many there are; those of the first look get time for their messages, later ones are not counted."""
    found, looked = log.strays(), time.monotonic()
    while found and (age_s := time.monotonic() - looked) < WITHIN_SECONDS:
        time.sleep(LOOK_SECONDS)
        found = log.strays(int(age_s * 1000))
    return found
