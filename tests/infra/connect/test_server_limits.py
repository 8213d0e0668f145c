"""Slow and many clients, on real sockets: what is half-sent does not stay, and the others are served."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from infra.connect import server_limits
from infra.connect.ports import listen
from infra.connect.server_thread import HttpThread


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body, or with as much as the path asks for."""
    if scope["type"] != "http":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = b"x" * 30_000_000 if scope["path"] == "/large" else str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(keep_alive_s: int = 30) -> Iterator[tuple[str, int]]:
    listener = listen("127.0.0.1", 0)
    http = HttpThread(echo, "test", keep_alive_s=keep_alive_s)
    http.start(listener)
    try:
        yield listener.getsockname()
    finally:
        http.stop()


def is_closed(connection: socket.socket, within: float) -> bool:
    """Whether the server closes it in that time."""
    connection.settimeout(within)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["nothing", "half of the headers", "half of the body"],
)
def test_a_request_that_does_not_arrive_is_cut(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """Also one that trickles: each byte once a tenth of the time does not win more."""
    monkeypatch.setattr(server_limits, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(server_limits, "BODY_SECONDS", 0.5)
    with serving() as address, socket.create_connection(address) as client:
        client.sendall(sent)
        started = time.monotonic()
        while time.monotonic() - started < 5 and not is_closed(client, 0.05):
            try:
                client.sendall(b"x")
            except (BrokenPipeError, ConnectionResetError):
                break
        assert 0.3 < time.monotonic() - started < 3


def test_a_kept_connection_may_rest_between_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for headers does not run while nothing is asked: a bridge rests between two batches."""
    monkeypatch.setattr(server_limits, "HEAD_SECONDS", 0.2)
    with serving() as address, socket.create_connection(address) as client:
        for _ in range(2):
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b""
            while not answer.endswith(b"\r\n\r\n0"):
                answer += client.recv(4096)
            assert not is_closed(client, 0.6)


def test_an_answer_nobody_reads_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """30 MB that the client leaves unread do not stay in memory."""
    monkeypatch.setattr(server_limits, "WRITE_SECONDS", 0.3)
    with serving() as address, socket.create_connection(address) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(1.5)
        received = 0
        client.settimeout(5)
        with suppress(ConnectionResetError):  # to be cut is what was to be seen
            while piece := client.recv(1_000_000):
                received += len(piece)
        assert received < 30_000_000


def test_many_slow_connections_make_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for 20, the 60 that only begin are cut in their order, and each whole request is answered."""
    monkeypatch.setattr(server_limits, "MAX_CONNECTIONS", 20)
    with serving() as address:
        slow = []
        for _ in range(60):
            client = socket.create_connection(address)
            client.sendall(b"GET / HTTP/1.1\r\n")
            slow.append(client)
        url = f"http://127.0.0.1:{address[1]}/"
        for _ in range(5):
            assert httpx.post(url, content=b"abc", timeout=5).text == "3"
        assert sum(is_closed(client, 0.02) for client in slow) >= 40
        for client in slow:
            client.close()
