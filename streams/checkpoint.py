"""What a partition keeps of itself, and where."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from commission.value import Value
from schemas.positions import Position
from streams.sealing import Sealing


class PartitionStore(Protocol):
    """Encoded state by key: in memory, or a changelog with its store."""

    def get(self, key: bytes, /) -> bytes | None:
        """The value, or None."""

    def write(self, changes: Mapping[bytes, bytes | None], /) -> None:
        """Take in all of a message's changes; None forgets a key."""

    def keys(self, prefix: bytes, /) -> Iterator[bytes]:
        """The keys that begin with `prefix`."""


class Checkpoint(Value):
    """How far a partition has come; written with every message's state, in one atomic batch."""

    offset: int = -1
    sources: dict[str, Position] = {}  # noqa: RUF012 # msgspec gives each value its own
    """`topic/partition` of a stage behind this one → the newest of it that was taken in."""
    terms: int = 0
    """Terms messages seen, each kept under its number."""
    repeated: int = 0
    """Records that said what was known already, in the same words."""
    sealing: Sealing = Sealing()
