"""A receiver that does everything wrong, as a seed decides: what it took, and how often."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
WRONG = ("500", "redirect", "error in 200", "reset", "hang", "drip", "lie", "garbage", "silent close")
HANG_S = 3.5
"""Longer than the endpoint waits."""


@dataclass
class Flaky:
    """Of the first request of each event, so many of a hundred go wrong; of later ones a few."""

    seed: int
    wrong_percent: int = 40
    url: str = ""
    taken: Counter[str] = field(default_factory=Counter)
    """Ids that it took, or may have: it answered 200, or hung up after it had the request."""
    asked: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)
    first_at: dict[str, float] = field(default_factory=dict)
    """When it was first asked, by the clock that never goes back."""


@contextmanager
def flaky(receiver: Flaky) -> Iterator[Flaky]:
    """Run it on a free port."""
    started, stop = Event(), Event()
    thread = Thread(target=lambda: asyncio.run(_serve(receiver, started, stop)))
    thread.start()
    started.wait()
    try:
        yield receiver
    finally:
        stop.set()
        thread.join()


async def _serve(receiver: Flaky, started: Event, stop: Event) -> None:
    chance = random.Random(receiver.seed)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while await _one(receiver, chance, reader, writer):
                pass
        with suppress(OSError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    started.set()
    await asyncio.to_thread(stop.wait)
    server.close()


async def _one(
    receiver: Flaky, chance: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Answer a request, rightly or wrongly; whether the connection goes on."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    told = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    await reader.readexactly(int(told.get("content-length", 0)))
    name = told["webhook-id"]
    receiver.asked[name] += 1
    receiver.first_at.setdefault(name, time.monotonic())
    is_wrong = receiver.asked[name] == 1 and chance.randrange(100) < receiver.wrong_percent
    what = chance.choice(WRONG) if is_wrong else "ok"
    receiver.did[what] += 1
    return await _answer(receiver, what, name, writer)


async def _answer(receiver: Flaky, what: str, name: str, writer: asyncio.StreamWriter) -> bool:
    answers = {
        "ok": OK,
        "500": b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n",
        "redirect": b"HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        "error in 200": b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nsuccess=false",
        "lie": b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nok",
        "garbage": b"\x00\xff\x00 no http\r\n\r\n",
    }
    if what in ("ok", "lie", "drip"):
        receiver.taken[name] += 1
    if what == "hang":
        await asyncio.sleep(HANG_S)
        return False
    if what == "drip":
        for byte in OK:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.002)
        return True
    if what == "reset":
        writer.transport.abort()
        return False
    writer.write(answers.get(what, b""))
    await writer.drain()
    return what in ("ok", "500", "redirect", "error in 200")
