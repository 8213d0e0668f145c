"""The log of payee details in memory, for desks that share it."""

from collections.abc import Callable, Iterable, Iterator

from schemas.payees import PayeeRecord, encode_payee


class MemoryLog:
    """What one desk has read of a list of messages; `before_append` is somebody who is a moment sooner."""

    def __init__(self, messages: list[bytes], before_append: Callable[[], None] = lambda: None) -> None:
        self.messages, self.before_append = messages, before_append
        self._next = 0

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Everything not read yet."""
        while self._next < len(self.messages):
            self._next += 1
            yield self._next - 1, self.messages[self._next - 1]

    def append(self, records: Iterable[PayeeRecord]) -> None:
        """At the end."""
        before, self.before_append = self.before_append, lambda: None
        before()
        self.messages.extend(map(encode_payee, records))

    def close(self) -> None:
        """Nothing to leave."""
