"""Whether anything is stored while something waits to be: what the portal's banner tells of."""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger("ibflow.stall")

LOOK_S = 5.0
STALLED_S = 30.0


class StallWatch:
    """Looks every few seconds; a page only reads what was seen."""

    def __init__(
        self, lag: Callable[[], int], stored: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`lag` is how many messages wait, `stored` a number that grows with each that is stored."""
        self._lag, self._stored, self._clock = lag, stored, clock
        self._last: int | None = None
        self._since: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stall", daemon=True)

    def look(self) -> None:
        """Note whether something was stored since the last look, or nothing waits."""
        try:
            stored, lag = self._stored(), self._lag()
        except RuntimeError as error:  # a sink that cannot store, or a Kafka that is not there
            log.debug("no progress to see: %s", error)
            stored, lag = self._last or 0, 1
        if not lag or stored != self._last or self._since is None:
            self._since = self._clock()
        self._last = stored

    def seconds(self) -> float | None:
        """For how long nothing was stored though something waits; None below half a minute."""
        since = self._since
        found = 0.0 if since is None else self._clock() - since
        return found if found >= STALLED_S else None

    def start(self) -> None:
        """Keep looking."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            self.look()
