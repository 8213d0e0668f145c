"""What a fold works on: the state of a book's keys, read through and written to a draft."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Key = TypeVar("Key", str, bytes)

State = Any
"""A frozen state value of one of the books; each key's prefix says which."""


class KeysByOwner(Generic[Key]):
    """The keys of a mapping that only grows, by what stands before their second colon, as `m:client:`.

    Each key is looked at once, when something is first asked after it came: who asks for every client of a
    message would else look at all its keys for each.
    """

    __slots__ = ("_colon", "_found", "_newest")

    def __init__(self, colon: Key) -> None:
        """`colon` in the type of the keys."""
        self._colon: Key = colon
        self._found: dict[Key, list[Key]] = {}
        self._newest: Key | None = None

    def starting(self, mapping: dict[Key, Any], prefix: Key) -> list[Key]:
        """The keys of `mapping`, the same each time, that begin with `prefix`."""
        if not (owner := self.owner(prefix)):
            return [key for key in mapping if key.startswith(prefix)]
        news: list[Key] = []
        for key in reversed(mapping):
            if key == self._newest:
                break
            news.append(key)
        for key in reversed(news):
            self._found.setdefault(self.owner(key), []).append(key)
        if news:
            self._newest = news[0]
        return [key for key in self._found.get(owner, ()) if key.startswith(prefix)]

    def owner(self, key: Key) -> Key:
        """What stands before the second colon, with it; of a key with fewer nothing."""
        return key[: key.find(self._colon, key.find(self._colon) + 1) + 1]


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
    _by_owner: KeysByOwner[str] = field(default_factory=lambda: KeysByOwner(":"), init=False)

    @classmethod
    def over(cls, state: Mapping[str, State]) -> "Draft":
        """A draft over a plain mapping, which the caller updates with `writes`."""
        return cls(state.get, lambda prefix: [key for key in state if key.startswith(prefix)])

    def scan(self, prefix: str) -> list[str]:
        """Every key that begins with `prefix` as this message sees it, sorted."""
        found = {*self.keys(prefix), *self._by_owner.starting(self.writes, prefix)}
        return sorted(key for key in found if self.writes.get(key, self) is not None)

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
