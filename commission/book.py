"""What a fold works on: the state of a book's keys, read through and written to a draft."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

State = Any
"""A frozen state value of one of the books; each key's prefix says which."""


@dataclass(slots=True)
class Draft:
    """The changes one message makes: reads fall through to the stored state, writes stay here.

    A fold is pure: what it reads is the stored state, what it does is `writes` (None deletes)
    and `outputs`, and the same state and records give the same of both.
    """

    load: Callable[[str], State | None]
    writes: dict[str, State | None] = field(default_factory=dict)
    outputs: list[Any] = field(default_factory=list)

    def get(self, key: str) -> State | None:
        """The value of `key` as this message sees it, or None."""
        if key in self.writes:
            return self.writes[key]
        return self.load(key)

    def take(self, key: str, kind: type[T]) -> T:
        """The value of `key`, which must be there, deleting it."""
        value = self.get(key)
        assert isinstance(value, kind), f"{key} holds {type(value).__name__}, not {kind.__name__}"
        self.put(key, None)
        return value

    def put(self, key: str, value: State | None) -> None:
        """Change `key`; None deletes it."""
        self.writes[key] = value

    def emit(self, *outputs: Any) -> None:
        """Say something to the next stage or to the ledger."""
        self.outputs.extend(outputs)
