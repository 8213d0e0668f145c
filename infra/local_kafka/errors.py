"""The one error of the local Kafka: why there is none, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import Unavailable


class KafkaUnavailable(Unavailable):
    """There is no Kafka to talk to; the message says why and what a person can do."""


@contextmanager
def disk_errors_named(folder: Path, advice: str) -> Iterator[None]:
    """Turn "permission denied", "disk full" and the like into a `KafkaUnavailable` that names the folder."""
    try:
        yield
    except OSError as error:
        raise KafkaUnavailable(f"cannot write to {folder}: {error.strerror or error}. {advice}") from error
