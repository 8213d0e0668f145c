"""What happens in another thread or process is waited for, never slept for."""

import time
from collections.abc import Callable
from typing import TypeVar

WITHIN_S = 30.0
EVERY_S = 0.05
Found = TypeVar("Found")


def eventually(
    look: Callable[[], Found],
    within: float = WITHIN_S,
    *,
    every: float = EVERY_S,
    why: Callable[[], object] = lambda: "it did not happen",
) -> Found:
    """What `look` gives once it is true; raise `AssertionError` with `why` if it is not in that time."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"{why()} (within {within:.0f} s)"
        time.sleep(every)
    return found
