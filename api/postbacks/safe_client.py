"""Outgoing requests that cannot be turned against our own network.

This module decides where a connection goes. The host is resolved at each connect, every answer is checked,
and the socket is opened to the checked address itself, so a second DNS answer cannot lead elsewhere. TLS and
the Host header keep the name.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from api.postbacks.connection import Answer, Connection, NoAnswer
from api.postbacks.form import TOTAL_TIMEOUT_S
from api.postbacks.public_addresses import BlockedAddress, Policy, check_address, check_url

MAX_ADDRESSES = 16
"""Answers of one name; more is no tracker."""
PROXY_PORT = 80

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""A host and a port → every address of the host."""

_TARGET = re.compile(r"[\x21-\x7e]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Place(NamedTuple):
    """Where a request goes, by its URL."""

    is_tls: bool
    host: str
    port: int
    authority: str
    """As the Host header has it."""
    path: str


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
        self._idle: list[Connection] = []
        self._place: Place | None = None
        """Of the idle connections."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> Answer:
        """Send one request; raise `BlockedAddress` or `NoAnswer`, never follow a redirect."""
        address, _, query = url.partition("#")[0].partition("?")
        place = place_of(address, self._policy)
        deadline = asyncio.get_running_loop().time() + min(timeout_s, TOTAL_TIMEOUT_S)
        try:
            request = self._written(place, method, query, headers, body)
            connection = self._kept(place)
            if connection is None or self._proxy:
                async with asyncio.timeout_at(deadline):
                    connection = await self._connected(place, connection, deadline)
        except TimeoutError:
            raise NoAnswer("TimeoutException: the total time is over") from None
        except (OSError, UnicodeError) as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
        answer = await connection.ask(request, deadline)
        if connection.is_open:
            self._idle.append(connection)
        return answer

    def _kept(self, place: Place) -> Connection | None:
        """An idle connection to the same place; its timer and the receiver close them meanwhile."""
        if place != self._place:
            self._close_idle()
            self._place = place
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    def _written(
        self, place: Place, method: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> bytes:
        """The request's bytes; raise `UnicodeError` for what would be another request, or none."""
        target = f"{place.path}?{query}" if query else place.path
        if self._proxy and not place.is_tls:
            target = f"http://{place.authority}{target}"
        if not _TARGET.fullmatch(target):
            raise UnicodeError("the address has characters that must be percent-encoded")
        length = {"content-length": str(len(body))} if body else {}
        lines = [f"{method} {target} HTTP/1.1", f"Host: {place.authority}"]
        lines += [f"{name}: {value}" for name, value in {**headers, **length}.items()]
        if any(map(_CONTROL.search, lines)):
            raise UnicodeError("a header has a control character")
        return "\r\n".join([*lines, "\r\n"]).encode("ascii") + body

    async def _connected(self, place: Place, kept: Connection | None, deadline: float) -> Connection:
        """A connection to a checked address, or through the proxy to a host that was checked just now."""
        addresses = await checked_addresses(place.host, place.port, self._policy, self._resolver)
        if self._proxy:
            return kept or await self._through_proxy(place, deadline)
        failed: OSError | None = None
        for address in addresses:
            try:
                return await _open(address, place.port, place.host if place.is_tls else "")
            except OSError as error:
                failed = error
        raise failed or OSError("no address")

    async def _through_proxy(self, place: Place, deadline: float) -> Connection:
        proxy = urlsplit(self._proxy)
        connection = await _open(proxy.hostname or "", proxy.port or PROXY_PORT)
        if not place.is_tls:
            return connection
        way = f"{place.host}:{place.port}" if ":" not in place.host else f"[{place.host}]:{place.port}"
        asked = f"CONNECT {way} HTTP/1.1\r\nHost: {way}\r\n\r\n".encode("ascii")
        try:
            await connection.tunnel(asked, deadline)
            await connection.secure(tls_context(), place.host)
        except BaseException:
            connection.close()
            raise
        return connection

    async def close(self) -> None:
        """Close what is open and not in use."""
        self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()


@lru_cache(maxsize=4_096)
def place_of(address: str, policy: Policy) -> Place:
    """Where a URL without its query leads, if it may; raise `BlockedAddress`. A query has no say in it."""
    check_url(address, policy)
    parts = urlsplit(address)
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    return Place(is_tls, parts.hostname or "", port, parts.netloc, parts.path or "/")


async def checked_addresses(host: str, port: int, policy: Policy, resolver: Resolve) -> list[str]:
    """Every address, if all may be reached: one private answer among public ones blocks the host."""
    try:
        addresses = list(dict.fromkeys(await resolver(host, port)))
    except (OSError, UnicodeError) as failed:
        raise OSError(f"the host name cannot be resolved: {failed}") from failed
    if not addresses or len(addresses) > MAX_ADDRESSES:
        raise BlockedAddress(f"the host name has {len(addresses)} addresses")
    if policy.allow_private:
        return addresses
    return [str(check_address(address)) for address in addresses]


async def _open(address: str, port: int, host: str = "") -> Connection:
    """A socket to the address; under TLS, if a host is named, with whom its certificate names."""
    loop = asyncio.get_running_loop()
    tls = tls_context() if host else None
    _, connection = await loop.create_connection(
        Connection, address, port, ssl=tls, server_hostname=host or None
    )
    return connection


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """What the system trusts, for HTTP/1.1."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
