"""Logs in memory, for desks and readers that share them."""

from collections.abc import Callable, Iterable, Iterator

from schemas.payees import PayeeRecord, encode_payee


class _Log:
    """What one reader has read of a list of messages; `before_append` is somebody a moment sooner."""

    def __init__(self, messages: list[bytes], before_append: Callable[[], None] = lambda: None) -> None:
        self.messages, self.before_append = messages, before_append
        self._next = 0

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Everything not read yet."""
        while self._next < len(self.messages):
            self._next += 1
            yield self._next - 1, self.messages[self._next - 1]

    def _extend(self, messages: Iterable[bytes]) -> None:
        before, self.before_append = self.before_append, lambda: None
        before()
        self.messages.extend(messages)

    def close(self) -> None:
        """Nothing to leave."""


class MemoryMessages(_Log):
    """That of people, or of what they did."""

    def append(self, messages: Iterable[bytes]) -> None:
        """At the end."""
        self._extend(messages)


class MemoryLog(_Log):
    """That of payee details."""

    def append(self, records: Iterable[PayeeRecord]) -> None:
        """At the end."""
        self._extend(map(encode_payee, records))
