"""A lock between processes, held on a file, waited for within a bound."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local_kafka.errors import KafkaUnavailable

POLL_S = 0.05


@contextmanager
def exclusive(lock_file: Path, wait_s_max: float) -> Iterator[None]:
    """Hold `lock_file` alone; the kernel frees it when the process ends, however it ends."""
    with lock_file.open("a") as handle:
        _acquire(handle.fileno(), lock_file, time.monotonic() + wait_s_max)
        yield


def _acquire(descriptor: int, lock_file: Path, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise KafkaUnavailable(
                    f"another process still holds {lock_file}: it is starting or stopping this Kafka. "
                    "Wait for it, or end it, then try again"
                ) from error
        time.sleep(POLL_S)
