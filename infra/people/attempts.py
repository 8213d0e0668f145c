"""How often somebody may guess: after a few wrong answers a name, or an address, waits longer each time."""

import threading
from collections import OrderedDict
from collections.abc import Callable

FREE_OF_NAME, FREE_OF_PEER = 5, 20
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 900.0
MAX_KNOWN = 10_000
"""Names and addresses remembered; the one that failed longest ago is forgotten first."""


class Attempts:
    """Wrong answers since the last right one, in this process: a restart forgets them."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._lock = now, threading.Lock()
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, name: str, peer: str) -> float:
        """How long this name or address waits before the next answer is looked at; 0: not at all."""
        with self._lock:
            now = self._now()
            return max(0.0, *(self._until(key, free) - now for key, free in _keys(name, peer)))

    def failed(self, name: str, peer: str) -> None:
        """Count a wrong answer."""
        with self._lock:
            for key, _ in _keys(name, peer):
                count, _ = self._failed.pop(key, (0, 0.0))
                self._failed[key] = (count + 1, self._now())
            while len(self._failed) > MAX_KNOWN:
                self._failed.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the wrong answers of a name; those of the address stay, for it may know one password."""
        with self._lock:
            self._failed.pop(_of_name(name), None)

    def _until(self, key: str, free: int) -> float:
        count, at = self._failed.get(key, (0, 0.0))
        if count < free:
            return 0.0
        return at + min(FIRST_WAIT_S * 2.0 ** min(count - free, 10), LONGEST_WAIT_S)


def _of_name(name: str) -> str:
    return f"name {name.casefold()}"


def _keys(name: str, peer: str) -> tuple[tuple[str, int], ...]:
    return ((_of_name(name), FREE_OF_NAME), (f"peer {peer}", FREE_OF_PEER))
