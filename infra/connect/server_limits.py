"""uvicorn's HTTP protocol with the limits it lacks: connections, and the time a request may take to arrive.

Without them a few thousand half-sent requests hold every file the process may open, the database's too.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 512
"""Sockets at once. One more takes the place of the longest that has not sent a whole request."""
HEAD_SECONDS = 10.0
"""From the first byte expected of a request to the end of its headers."""
BODY_SECONDS = 60.0
"""From there to the end of its body."""
WRITE_SECONDS = 60.0
"""How long a reader may leave an answer unread."""


class BoundedHttp(H11Protocol):
    """One connection; what takes too long is closed without a word."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Make room, then wait for a request's headers."""
        super().connection_made(transport)
        self._arriving: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._phase: Any = None
        self._since = self.loop.time()
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()
        self._watch(h11.IDLE)

    def data_received(self, data: bytes) -> None:
        """Read on; the time runs until the request is there."""
        super().data_received(data)
        self._watch(self.conn.their_state)

    def on_response_complete(self) -> None:
        """The answer is sent; until the next request begins, uvicorn's keep-alive time-out counts."""
        super().on_response_complete()
        state = self.conn.their_state
        self._watch(None if state is h11.IDLE else state)

    def pause_writing(self) -> None:
        """The other end does not read: not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._stop(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing runs for it any more."""
        self._stop(self._arriving)
        self._stop(self._unread)
        super().connection_lost(exc)

    @property
    def is_waiting(self) -> bool:
        """Whether no whole request has arrived that is still to be answered."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _make_room(self) -> None:
        waiting = [one for one in self.connections if isinstance(one, BoundedHttp) and one.is_waiting]
        longest = min(waiting, key=lambda one: one._since)
        longest.transport.abort()
        self.connections.discard(longest)

    def _watch(self, phase: Any) -> None:
        """One timer for each phase of a request: bytes that trickle do not start it again."""
        if phase is self._phase:
            return
        self._phase = phase
        self._stop(self._arriving)
        seconds = {h11.IDLE: HEAD_SECONDS, h11.SEND_BODY: BODY_SECONDS}.get(phase)
        if seconds is not None:
            self._arriving = self.loop.call_later(seconds, self.transport.abort)

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
