"""One connection to a receiver: a request, its answer read as far as it matters, and whether it may go on.

`httptools` reads the answer (llhttp, strict); what a receiver may do to us is bounded here: a head of 64 kB,
a body of which 4 kB are kept, and time. The status is the answer, the body a remark.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 4_096
BODY_SECONDS = 2.0
"""For the beginning of a body once the head is there."""
KEEP_SECONDS = 30.0
"""For which a connection waits for the next request to the same receiver."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, Retry-After as it stood, and the beginning of the body as it was sent."""

    status: int
    retry_after: str
    body: bytes


class NoAnswer(Exception):
    """The request was not answered: no name, no connection, no status in time; the message says which."""


class Connection(asyncio.Protocol):
    """Takes one request after another; after anything unclean it is closed and takes no more."""

    def __init__(self) -> None:
        self.is_open = False
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._answer: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_tunnel = False
        self._begin()

    def _begin(self) -> None:
        self._parser = HttpResponseParser(self)
        self._retry_after, self._body, self._head_bytes = "", b"", 0
        self._has_head = self._is_whole = False

    async def ask(self, request: bytes, deadline: float) -> Answer:
        """Send a request and give its answer; raise `NoAnswer` if none comes by `deadline` of its clock."""
        self._stop_timer()
        if not self.is_open:
            raise NoAnswer("RemoteProtocolError: it was closed before it was asked")
        self._answer = self._loop.create_future()
        self._timer = self._loop.call_at(deadline, self._fail, "TimeoutException: the total time is over")
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            self._rest()

    async def tunnel(self, request: bytes, deadline: float) -> None:
        """Ask a proxy for a way through; what follows the head of its answer is another's."""
        self._is_tunnel = True
        status = (await self.ask(request, deadline)).status
        self._is_tunnel = False
        if status // 100 != 2:
            raise NoAnswer(f"ProxyError: it answered {status} to CONNECT")

    async def secure(self, tls: Any, host: str) -> None:
        """Go on through the tunnel under TLS, with whom the certificate names."""
        self._stop_timer()
        self._transport = await self._loop.start_tls(self._transport, self, tls, server_hostname=host)
        self.is_open = True

    def close(self) -> None:
        """Close it at once: what is not sent is not sent."""
        self.is_open = False
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    # What the loop calls

    def connection_made(self, transport: Any) -> None:
        """It is there."""
        self._transport, self.is_open = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone: an answer whose head was there stands, whatever its length promised."""
        self.is_open = False
        if self._has_head:
            self._settle()
        self._fail(f"{type(exc).__name__}: {exc}" if exc else "RemoteProtocolError: it was closed unanswered")

    def data_received(self, data: bytes) -> None:
        """Read on; what nobody asked for ends the connection, for it would be taken for the next answer."""
        if self._answer is None or self._answer.done():
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.is_open = False
        except HttpParserError as error:
            self.is_open = False
            if self._has_head:
                self._settle()
            self._fail(f"RemoteProtocolError: {error}")
        if not self._has_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._fail(f"RemoteProtocolError: its head is larger than {MAX_HEAD_BYTES} bytes")

    # What the parser calls

    def on_message_begin(self) -> None:
        """Another message after the whole one belongs to nobody."""
        if self._is_whole:
            self.is_open = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of headers only one matters; trailers are none."""
        if not self._has_head and name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The status is there; one below 200 only announces another."""
        status = self._parser.get_status_code()
        if status < 200 and status != 101:
            return
        self._has_head = True
        if self._is_tunnel or status == 101:
            self._settle()
            return
        self._stop_timer()
        self._timer = self._loop.call_later(BODY_SECONDS, self._settle)

    def on_body(self, body: bytes) -> None:
        """Keep its beginning."""
        self._body += body[: MAX_BODY_BYTES - len(self._body)]
        if len(self._body) >= MAX_BODY_BYTES:
            self._settle()

    def on_message_complete(self) -> None:
        """All of it: the connection takes another request if the receiver says so."""
        if self._has_head:
            self._is_whole = bool(self._parser.should_keep_alive())
            self._settle()

    def _settle(self) -> None:
        if self._answer is not None and not self._answer.done():
            status = self._parser.get_status_code()
            self._answer.set_result(Answer(status, self._retry_after, self._body))

    def _fail(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NoAnswer(why))

    def _rest(self) -> None:
        """After a request: wait for the next one if all of the answer was read, and end it else."""
        self._stop_timer()
        is_clean = self._is_whole or (self._is_tunnel and self._has_head)
        self._answer = None
        if self.is_open and is_clean:
            self._begin()
            self._timer = self._loop.call_later(KEEP_SECONDS, self.close)
        else:
            self.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
