"""From the platform to the outbox: what was missed first, then what happens.

The platform repeats nothing of what it told while nobody listened. So after every connection the time since
the last trusted moment, less an overlap, is read again before events are trusted; deals that are known
already do nothing in ibflow. What was deleted meanwhile only a reconciliation finds.

Events that come while the time is read again may be older or newer than what is read of the same deal. They
tell all its states in order, the newest last; so they are sent and what was read of their deals is not.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

from bridge.outbox import Outbox, OutboxFull

log = logging.getLogger("bridge.follow")

OVERLAP_S = 900
AHEAD_S = 86_400
"""Read past the server's clock, so that no deal is left out for a clock that is a little wrong."""
STEP_ROWS = 1_000
WAIT_S = 1.0
GRACE_S = 2.0
"""How late an event may come that happened before the answer to a question asked after it."""
MAX_MEANWHILE = 1_000_000
MIN_DELAY_S, MAX_DELAY_S = 1.0, 60.0
TRUSTED = "trusted_until"

Row = dict[str, Any]


class Lost(RuntimeError):
    """The connection to the platform is gone; the message says why, without secrets."""


class Platform(Protocol):
    """What the bridge needs of a trade server. Times are the server's clock, in seconds since 1970."""

    def connect(self) -> None:
        """Connect and subscribe; what happens from here on waits for `events`. Raise `Lost`."""

    def window(self, since_s: int, until_s: int) -> Iterator[Row]:
        """Every deal of a time, as it is now, as rows of the event `OnDealUpdate`. Raise `Lost`."""

    def events(self, wait_s: float) -> list[Row]:
        """What happened, in order; wait a little for the first. Raise `Lost` if anything may be missing."""

    def now_s(self) -> int:
        """The server's clock."""

    def close(self) -> None:
        """Disconnect; may be called twice."""


def follow(platform: Platform, outbox: Outbox, stop: threading.Event, first_days: int) -> None:
    """Store what the platform tells until `stop`; connect again whenever it is lost."""
    delay_s = MIN_DELAY_S
    while not stop.is_set():
        try:
            platform.connect()
            _read_again(platform, outbox, first_days)
            delay_s = MIN_DELAY_S
            while not stop.is_set():
                _listen(platform, outbox)
        except (Lost, OutboxFull) as error:
            log.warning("%s; reading again in %.0f s", error, delay_s)
        finally:
            platform.close()
        stop.wait(delay_s)
        delay_s = min(delay_s * 2, MAX_DELAY_S)


def _read_again(platform: Platform, outbox: Outbox, first_days: int) -> None:
    now_s = platform.now_s()
    trusted = outbox.note(TRUSTED)
    since_s = int(trusted) - OVERLAP_S if trusted else now_s - first_days * 86_400
    outbox.unstage()
    rows = platform.window(since_s, now_s + AHEAD_S)
    while step := list(islice(rows, STEP_ROWS)):
        outbox.stage([(_deal(row), _to_text(row)) for row in step])
    meanwhile, until = platform.events(0), time.monotonic() + GRACE_S
    while time.monotonic() < until and len(meanwhile) < MAX_MEANWHILE:
        meanwhile += platform.events(WAIT_S)
    count = outbox.release([(_deal(row), _to_text(row)) for row in meanwhile])
    outbox.keep_note(TRUSTED, str(now_s))
    log.info("read %d deals again, from %d to %d by the server's clock", count, since_s, now_s)


def _listen(platform: Platform, outbox: Outbox) -> None:
    now_s = platform.now_s()  # before: what comes after it is not trusted yet
    outbox.add([_to_text(row) for row in platform.events(WAIT_S)])
    outbox.keep_note(TRUSTED, str(now_s))


def _deal(row: Row) -> str:
    """The number of a row's deal; "" where it is of many."""
    return str(row.get("record", {}).get("Deal", ""))


def _to_text(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))
