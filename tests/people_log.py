"""The logs of people and of what they did, in memory, for parts that share them."""

from collections.abc import Callable, Iterable, Iterator


class MemoryMessages:
    """What one reader has read of a list of messages; `before_append` is somebody a moment sooner."""

    def __init__(self, messages: list[bytes], before_append: Callable[[], None] = lambda: None) -> None:
        self.messages, self.before_append = messages, before_append
        self._next = 0

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Everything not read yet."""
        while self._next < len(self.messages):
            self._next += 1
            yield self._next - 1, self.messages[self._next - 1]

    def append(self, messages: Iterable[bytes]) -> None:
        """At the end."""
        before, self.before_append = self.before_append, lambda: None
        before()
        self.messages.extend(messages)

    def close(self) -> None:
        """Nothing to leave."""
