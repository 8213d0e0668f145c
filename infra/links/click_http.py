"""Clicks answered where their bytes arrive: a plain click needs neither h11 nor a task of its own.

Anything else about a request, be it a header with a meaning for the connection, a part of a request or two at
once, goes the way of every other; both ways ask the same redirect and give the same answer.
"""

from http import HTTPStatus
from typing import ClassVar

import h11

from api.links.redirect import PREFIX, Redirect
from infra.connect.server_limits import BoundedHttp

MAX_BYTES = 8_192
START = b"GET " + PREFIX.encode()
END = b"\r\n\r\n"
_NOT_PLAIN = frozenset(
    (
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"keep-alive",
        b"upgrade",
        b"expect",
        b"trailer",
        b"te",
    )
)
_STATUS = {int(one): f"HTTP/1.1 {int(one)} {one.phrase}\r\n".encode() for one in HTTPStatus}

Headers = list[tuple[bytes, bytes]]


class ClickHttp(BoundedHttp):
    """One connection of a server whose links `redirect` follows."""

    redirect: ClassVar[Redirect]

    @classmethod
    def of(cls, redirect: Redirect) -> type["ClickHttp"]:
        """The protocol of a server with these links."""
        return type("ClickHttp", (cls,), {"redirect": redirect})

    def data_received(self, data: bytes) -> None:
        """Answer a plain click, or read on."""
        if data.startswith(START) and self._is_between_requests:
            asked = plain_click(data)
            if asked is not None:
                self._answer(*asked)
                return
        super().data_received(data)

    @property
    def _is_between_requests(self) -> bool:
        """Whether these bytes begin a request, and the one before is answered and read."""
        has_rest = bool(self.conn.trailing_data[0])
        is_idle = self.conn.our_state is h11.IDLE and self.conn.their_state is h11.IDLE
        return is_idle and not has_rest and not self.flow.write_paused and not self.transport.is_closing()

    def _answer(self, path: str, query: bytes, headers: Headers) -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query,
            "headers": headers,
            "client": self.client,
        }
        status, more, body = self.redirect.answer(scope)
        made = [_STATUS[status]]
        for name, value in (*self.server_state.default_headers, *more):
            made += (name, b": ", value, b"\r\n")
        made += (b"\r\n", body)
        self.transport.write(b"".join(made))
        self._watch(None)
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )


def plain_click(data: bytes) -> tuple[str, bytes, Headers] | None:
    """Path, query and headers, their names in lower case, of one whole plain click; None of anything else."""
    if len(data) > MAX_BYTES or not data.endswith(END):
        return None
    first, *lines = data[: -len(END)].split(b"\r\n")
    words = first.split(b" ")
    if (
        len(words) != 3
        or words[2] != b"HTTP/1.1"
        or not words[1].isascii()
        or not words[1].decode().isprintable()
    ):
        return None
    path, _, query = words[1].partition(b"?")
    if b"%" in path or b"#" in words[1]:
        return None
    headers: Headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not name.replace(b"-", b"").isalnum() or name in _NOT_PLAIN:
            return None
        value = value.strip(b" \t")
        if not value.decode("latin-1").isprintable():
            return None
        headers.append((name, value))
    return (path.decode(), query, headers) if [name for name, _ in headers].count(b"host") == 1 else None
