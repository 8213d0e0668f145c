"""What a fold works on: the state of a book's keys, read through and written to a draft."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

State = Any
"""A frozen state value of one of the books; each key's prefix says which."""


def _no_keys(_prefix: str) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class RecordRefused:
    """A record that cannot be folded, why, and what to do: it becomes a dead letter and changes nothing."""

    record: Any
    code: str
    reason: str


@dataclass(slots=True)
class Draft:
    """The changes one message makes: reads fall through to the stored state, writes stay here.

    A fold is pure: what it reads is the stored state, what it does is `writes` (None deletes)
    and `outputs`, and the same state and records give the same of both.
    """

    load: Callable[[str], State | None]
    keys: Callable[[str], Iterable[str]] = _no_keys
    """The stored keys that begin with a prefix; asked only for rare events, such as a fraud verdict."""
    writes: dict[str, State | None] = field(default_factory=dict)
    outputs: list[Any] = field(default_factory=list)
    refused: list[RecordRefused] = field(default_factory=list)
    repeated: int = 0
    """Records that are equal to what was known."""

    @classmethod
    def over(cls, state: Mapping[str, State]) -> "Draft":
        """A draft over a plain mapping, which the caller updates with `writes`."""
        return cls(state.get, lambda prefix: [key for key in state if key.startswith(prefix)])

    def scan(self, prefix: str) -> list[str]:
        """Every key that begins with `prefix` as this message sees it, sorted."""
        found = {key for key in self.keys(prefix) if self.writes.get(key, self) is not None}
        found.update(
            key for key, value in self.writes.items() if key.startswith(prefix) and value is not None
        )
        return sorted(found)

    def get(self, key: str) -> State | None:
        """The value of `key` as this message sees it, or None."""
        found = self.writes.get(key, self)
        return self.load(key) if found is self else found

    def read(self, key: str, kind: type[T]) -> T:
        """The value of `key`, which must be there."""
        value = self.get(key)
        assert isinstance(value, kind), f"{key} holds {type(value).__name__}, not {kind.__name__}"
        return value

    def take(self, key: str, kind: type[T]) -> T:
        """The value of `key`, which must be there, deleting it."""
        value = self.read(key, kind)
        self.put(key, None)
        return value

    def put(self, key: str, value: State | None) -> None:
        """Change `key`; None deletes it."""
        self.writes[key] = value

    def refuse(self, record: Any, code: str, reason: str) -> None:
        """Fold nothing of a record, and say why."""
        self.refused.append(RecordRefused(record, code, reason))

    def emit(self, *outputs: Any) -> None:
        """Say something to the next stage or to the ledger."""
        self.outputs.extend(outputs)
