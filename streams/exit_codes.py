"""Why a worker ends by itself: every code, and the one way out."""

import logging
import os
from enum import IntEnum
from typing import NoReturn

log = logging.getLogger("ibflow.worker")


class ExitCode(IntEnum):
    """What the supervisor and its log see; it starts the worker again after each."""

    OFFSET_GAP = 70
    """A message was not delivered; a restart reads it again."""
    PRODUCER = 71
    """Kafka refused a write: an idempotent producer has lost its count by then, and only a new one may go
    on. What Kafka can heal by itself aiokafka repeats until it succeeds."""
    FENCED = 72
    """Another worker has become the writer of a partition of this one."""
    STATE = 73
    """A partition's state cannot be read, or not be stored: the disk is full."""
    RUNNER = 74
    """The runner itself is at fault."""


def end_process(code: ExitCode, why: str, error: BaseException | None = None) -> NoReturn:
    """Log why, and end at once: an orderly shutdown would commit offsets of what was not applied."""
    log.critical("%s; the worker restarts", why, exc_info=error)
    os._exit(code)
