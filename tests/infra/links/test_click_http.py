"""A click is answered alike whichever way its bytes go, and only plain clicks go the short one."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI

from api.links.redirect import Redirect, with_links
from infra.connect.server_limits import BoundedHttp
from infra.connect.server_thread import HttpThread
from infra.links.click_http import ClickHttp, plain_click
from infra.links.targets import Targets
from tests.link_world import KEY, known, link

LINKS = {"spring": known(link("spring", "ib-north", landing="https://broker.test/open?ref={click_id}"))}
HEAD = b"GET /go/spring?sub1=a%20b HTTP/1.1\r\nHost: go.test\r\nUser-Agent: Firefox\r\n"


def served(http: type[BoundedHttp] | None) -> tuple[HttpThread, int, list[bytes]]:
    """A server with one link; what it keeps of clicks."""
    kept: list[bytes] = []

    def keep(line: bytes) -> str:
        kept.append(line)
        return ""

    app = Redirect(
        Targets(lambda: LINKS, "broker.test").find,
        keep,
        KEY,
        now=lambda: datetime(2026, 9, 1, tzinfo=UTC),
        random=bytes,
    )
    made = HttpThread(with_links(FastAPI(), app), "redirect", http=http or ClickHttp.of(app))
    listener = socket.create_server(("127.0.0.1", 0))
    made.start(listener)
    return made, listener.getsockname()[1], kept


@pytest.fixture(scope="module")
def both() -> Iterator[list[tuple[int, list[bytes]]]]:
    """The port, and what was kept, of a server that knows the short way and of one that does not."""
    threads = [served(None), served(BoundedHttp)]
    yield [(port, kept) for _, port, kept in threads]
    for thread, _, _ in threads:
        thread.stop()


def answer(port: int, *parts: bytes, count: int = 1) -> list[bytes]:
    """The lines of so many answers, without the time."""

    async def ask() -> list[bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)  # so that parts arrive as parts
        lines: list[bytes] = []
        for _ in range(count):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            found = sorted(line for line in head.lower().split(b"\r\n") if not line.startswith(b"date:"))
            size = next(int(line[16:]) for line in found if line.startswith(b"content-length: "))
            lines += [*found, await reader.readexactly(size)]
        writer.close()
        return lines

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("parts", "count"),
    [
        ((HEAD + b"\r\n",), 1),
        ((HEAD + b"\r\n", HEAD + b"\r\n"), 2),  # one after another on one connection
        ((HEAD + b"\r\n" + HEAD + b"\r\n",), 2),  # two at once
        ((HEAD[:40], HEAD[40:] + b"\r\n"), 1),  # in parts
        ((HEAD[:40], HEAD[40:] + b"\r\n", HEAD + b"\r\n"), 2),
        ((HEAD + b"Connection: close\r\n\r\n",), 1),
        ((HEAD + b"Content-Length: 2\r\n\r\nhi",), 1),
        ((HEAD + b"Content-Length: 40\r\n\r\n" + (HEAD + b"\r\n")[:40],), 1),  # a body that looks like one
        ((HEAD.replace(b"spring", b"nobody") + b"\r\n",), 1),
        ((HEAD.replace(b"spring", b"sprin%67") + b"\r\n",), 1),
    ],
)
def test_both_ways_answer_alike(
    both: list[tuple[int, list[bytes]]], parts: tuple[bytes, ...], count: int
) -> None:
    """Byte for byte but for the time, and the same clicks are kept."""
    before = [len(kept) for _, kept in both]
    short, long = (answer(port, *parts, count=count) for port, _ in both)
    assert short == long
    assert len(short) > 3 * count
    clicks = [kept[start:] for (_, kept), start in zip(both, before, strict=True)]
    assert clicks[0] == clicks[1]


def test_a_plain_click_is_read_as_it_is() -> None:
    """Names in lower case, values without the space around them."""
    assert plain_click(HEAD + b"\r\n") == (
        "/go/spring", b"sub1=a%20b", [(b"host", b"go.test"), (b"user-agent", b"Firefox")],
    )  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        HEAD,
        HEAD + b"\r\n" + HEAD + b"\r\n",
        HEAD + b"Host: other\r\n\r\n",
        HEAD.replace(b"Host", b"Hast") + b"\r\n",
        HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Content-Length : 5\r\n\r\n",
        HEAD + b" folded: x\r\n\r\n",
        HEAD + b"X: a\nContent-Length: 5\r\n\r\n",
        HEAD + b"X: a\rb\r\n\r\n",
        HEAD + b"X: \x00\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b": x\r\n\r\n",
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n",
        HEAD.replace(b"?sub1", b" ?sub1") + b"\r\n",
        HEAD.replace(b"?sub1", b"?\x7f") + b"\r\n",
        HEAD + b"X: " + b"x" * 9_000 + b"\r\n\r\n",
    ],
)
def test_anything_else_goes_the_long_way(data: bytes) -> None:
    """Where a reader might see another request in it than we do, h11 decides."""
    assert plain_click(data) is None
