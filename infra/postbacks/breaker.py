"""When an endpoint is left alone for a while: after failures in a row, or because it asked."""

from dataclasses import dataclass
from math import inf

FAILURES = 10
"""In a row, before it is left alone."""
REST_S = 30.0
REST_S_MAX = 600.0
"""The first rest; each failure after a rest doubles it, up to here."""
THROTTLED = (429, 502, 503, 504)
"""Statuses of a receiver that has too much to do."""


@dataclass(slots=True)
class Breaker:
    """Closed lets everything through; open nothing; after its rest one request, and the answer decides."""

    failures: int = 0
    rest_s: float = REST_S
    until: float = 0.0
    is_open: bool = False
    answered_at: float = -inf
    """When it last took a request."""

    def limit(self, now: float, most: int) -> int:
        """How many requests may be under way at `now`, in seconds of a clock that never goes back."""
        if now < self.until:
            return 0
        return 1 if self.is_open else most

    def succeeded(self, now: float) -> None:
        """It answered: everything may go."""
        self.failures, self.rest_s, self.until, self.is_open = 0, REST_S, 0.0, False
        self.answered_at = now

    def failed(self, begun: float, now: float, status: int | None, asked_s: float) -> None:
        """A request begun then failed; `asked_s` is when it is tried again, as a throttled one asked.

        One that takes long to fail says nothing of an endpoint that took another meanwhile, and one that was
        under way when the endpoint was left alone nothing of its rest.
        """
        if status in THROTTLED:
            self.until = max(self.until, now + min(asked_s, REST_S_MAX))
        if begun < self.answered_at or (self.is_open and begun < self.until):
            return
        self.failures += 1
        if self.is_open:
            self.rest_s = min(self.rest_s * 2, REST_S_MAX)
        if self.is_open or self.failures >= FAILURES:
            self.is_open, self.until = True, max(self.until, now + self.rest_s)
