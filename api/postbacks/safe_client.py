"""Outgoing requests that cannot be turned against our own network.

httpcore does HTTP; this module decides where a connection goes. The host is resolved at each connect, every
answer is checked, and the socket is opened to the checked address itself, so a second DNS answer cannot lead
elsewhere. TLS and the Host header keep the name.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import httpcore

from api.postbacks.form import TOTAL_TIMEOUT_S
from api.postbacks.public_addresses import BlockedAddress, Policy, check_address, check_url

BODY_SECONDS = 2.0
"""For the beginning of a body once the status is there: the status is the answer, the body a remark."""
MAX_BODY_BYTES = 4_096
MAX_ADDRESSES = 16
"""Answers of one name; more is no tracker."""
KEEP_SECONDS = 30.0
"""For which a connection waits for the next request to the same receiver."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""A host and a port → every address of the host."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, Retry-After as it stood, and the beginning of the body."""

    status: int
    retry_after: str
    body: bytes


class NoAnswer(Exception):
    """The request was not answered: no name, no connection, no status in time; the message says which."""


async def resolve(host: str, port: int) -> list[str]:
    """Every address of the host, of both families, as the system's resolver tells."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


class SafeClient:
    """Connections to one endpoint's receiver, kept open between requests; checked whenever one is opened."""

    def __init__(self, policy: Policy, *, proxy: str = "", resolver: Resolve = resolve) -> None:
        """`proxy` is an `http://host:port` that every request goes through; it resolves names again."""
        self._policy, self._resolver, self._proxy = policy, resolver, proxy
        self._idle: list[httpcore.AsyncConnectionPool] = []
        """Each of one connection: a pool of many looks at all of them for each request."""

    async def send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes = b"",
        timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> Answer:
        """Send one request; raise `BlockedAddress` or `NoAnswer`, never follow a redirect."""
        check_url(url, self._policy)
        try:
            async with asyncio.timeout(min(timeout_s, TOTAL_TIMEOUT_S)):
                return await self._send(method, url, headers, body)
        except TimeoutError:
            raise NoAnswer("TimeoutException: the total time is over") from None
        except (*_CORE_ERRORS, OSError, UnicodeError) as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error

    async def _send(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        if self._proxy:
            parts = httpcore.URL(url)
            await checked_addresses(
                parts.host.decode("ascii"), parts.port or 443, self._policy, self._resolver
            )
        if body:
            headers = {**headers, "content-length": str(len(body))}
        told = [*headers.items()]
        connection = self._idle.pop() if self._idle else self._new_connection()
        try:
            async with connection.stream(method, url, headers=told, content=body or None) as response:
                found = {name.lower(): value for name, value in response.headers}
                retry_after = found.get(b"retry-after", b"").decode("latin-1")
                return Answer(response.status, retry_after, await _prefix(response))
        finally:
            self._idle.append(connection)

    def _new_connection(self) -> httpcore.AsyncConnectionPool:
        if self._proxy:
            return httpcore.AsyncHTTPProxy(
                self._proxy, ssl_context=_tls(), max_connections=1, keepalive_expiry=KEEP_SECONDS
            )
        return httpcore.AsyncConnectionPool(
            ssl_context=_tls(),
            network_backend=_PinnedBackend(self._policy, self._resolver),
            max_connections=1,
            keepalive_expiry=KEEP_SECONDS,
        )

    async def close(self) -> None:
        """Close what is open and not in use."""
        while self._idle:
            await self._idle.pop().aclose()


async def checked_addresses(host: str, port: int, policy: Policy, resolver: Resolve) -> list[str]:
    """Every address, if all may be reached: one private answer among public ones blocks the host."""
    try:
        addresses = list(dict.fromkeys(await resolver(host, port)))
    except (OSError, UnicodeError) as failed:
        raise httpcore.ConnectError(f"the host name cannot be resolved: {failed}") from failed
    if not addresses or len(addresses) > MAX_ADDRESSES:
        raise BlockedAddress(f"the host name has {len(addresses)} addresses")
    if policy.allow_private:
        return addresses
    return [str(check_address(address)) for address in addresses]


async def _prefix(response: httpcore.Response) -> bytes:
    """At most 4 kB as sent, and what came in time: not decompressed, so it cannot become large."""
    read = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in response.aiter_stream():
                read += chunk
                if len(read) >= MAX_BODY_BYTES:
                    break
    except (TimeoutError, *_CORE_ERRORS):
        pass  # it dripped, or broke off; the status stands
    return read[:MAX_BODY_BYTES]


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


_CORE_ERRORS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.ProxyError)


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Opens sockets to checked addresses only."""

    def __init__(self, policy: Policy, resolver: Resolve) -> None:
        self._policy, self._resolver = policy, resolver
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # the name and place that httpcore gives it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        error: Exception = httpcore.ConnectError("no address")
        for address in await checked_addresses(host, port, self._policy, self._resolver):
            try:
                return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error
