"""One outgoing request that cannot be turned against our own network.

httpx does HTTP; this module decides where the connection goes. The host is resolved once, every
answer is checked, and the socket is opened to the checked address itself, so a second DNS answer
cannot lead elsewhere. TLS and the Host header keep the name.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from api.postbacks.public_addresses import BlockedAddress, Policy, check_address, check_url

TOTAL_TIMEOUT_S = 15.0
BODY_SECONDS = 2.0
"""For the beginning of a body once the status is there: the status is the answer, the body a remark."""
MAX_BODY_BYTES = 4_096
MAX_ADDRESSES = 16
"""Answers of one name; more is no tracker."""

Resolve = Callable[[str, int], list[str]]
"""A host and a port → every address of the host."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, Retry-After as it stood, and the beginning of the body."""

    status: int
    retry_after: str
    body: bytes


def resolve(host: str, port: int) -> list[str]:
    """Every address of the host, as the system's resolver tells."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


def send(
    method: str,
    url: str,
    *,
    headers: dict[str, str],
    body: bytes = b"",
    policy: Policy,
    timeout_s: float = TOTAL_TIMEOUT_S,
    resolver: Resolve = resolve,
) -> Answer:
    """Send one request; raise `BlockedAddress` or `httpx.HTTPError`, never follow a redirect."""
    check_url(url, policy)
    deadline = Deadline(time.monotonic() + min(timeout_s, TOTAL_TIMEOUT_S))
    transport = _Transport(_PinnedBackend(policy, deadline, resolver))
    with (
        httpx.Client(transport=transport, trust_env=False, timeout=timeout_s) as client,
        client.stream(method, url, headers=headers, content=body or None) as response,
    ):
        deadline.at = min(deadline.at, time.monotonic() + BODY_SECONDS)
        return Answer(response.status_code, response.headers.get("retry-after", ""), _prefix(response))


def _prefix(response: httpx.Response) -> bytes:
    """At most 4 kB as sent, and what came in time: not decompressed, so it cannot become large."""
    read = b""
    with suppress(httpx.HTTPError):  # it dripped, or broke off; the status stands
        for chunk in response.iter_raw():
            read += chunk
            if len(read) >= MAX_BODY_BYTES:
                break
    return read[:MAX_BODY_BYTES]


@dataclass(slots=True)
class Deadline:
    """When the request has to be over; every step of it looks here."""

    at: float

    def remaining(self, timeout: float | None) -> float:
        """Seconds a step may take; none left is a timeout."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the total time is over")
        return left if timeout is None else min(left, timeout)


class _Transport(httpx.BaseTransport):
    """httpx over a connection pool with our own way of opening sockets."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            network_backend=backend,
            max_connections=1,
            max_keepalive_connections=0,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        raw = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            response = self._pool.handle_request(raw)
        except _CORE_ERRORS as error:
            raise _translated(error) from error
        assert isinstance(response.stream, Iterable)
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    def close(self) -> None:
        self._pool.close()


_CORE_ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


def _translated(error: Exception) -> httpx.HTTPError:
    """The core's error as httpx names it, so that callers know one family."""
    if isinstance(error, httpcore.TimeoutException):
        return httpx.TimeoutException(str(error) or "timed out")
    kind = httpx.RemoteProtocolError if isinstance(error, httpcore.ProtocolError) else httpx.NetworkError
    return kind(str(error))


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Any:
        try:
            yield from self._response.iter_stream()
        except _CORE_ERRORS as error:
            raise _translated(error) from error

    def close(self) -> None:
        self._response.close()


class _PinnedBackend(httpcore.NetworkBackend):
    """Opens sockets to checked addresses only, and gives every step what is left of the time."""

    def __init__(self, policy: Policy, deadline: Deadline, resolver: Resolve) -> None:
        self._policy = policy
        self._deadline = deadline
        self._resolver = resolver
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._checked(host, port)
        error: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(
                    address, port, self._deadline.remaining(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
                continue
            return _DeadlineStream(stream, self._deadline)
        raise error

    def _checked(self, host: str, port: int) -> list[str]:
        """Every address, if all may be reached: one private answer among public ones blocks the host."""
        try:
            addresses = list(dict.fromkeys(self._resolver(host, port)))
        except (OSError, UnicodeError) as failed:
            raise httpcore.ConnectError(f"the host name cannot be resolved: {failed}") from failed
        if not addresses or len(addresses) > MAX_ADDRESSES:
            raise BlockedAddress(f"the host name has {len(addresses)} addresses")
        if self._policy.allow_private:
            return addresses
        return [str(check_address(address)) for address in addresses]


class _DeadlineStream(httpcore.NetworkStream):
    """A socket whose reads and writes share one deadline: a server that drips bytes gains no time."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.remaining(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.remaining(timeout))
        return _DeadlineStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
