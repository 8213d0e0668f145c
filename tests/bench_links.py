"""How many clicks a second are redirected: over loopback, beside the generator, and as calls in this process.

`python -m tests.bench_links [seconds]`. The server is the one of `ibflow serve`, its protocol and its limits,
with links, ids, bot and duplicate marks and a spool that is written, synced and emptied. The generator is
another process with keep-alive connections, on the same cores: CPU beside it says what a core would do alone.
"""

import asyncio
import multiprocessing
import socket
import sys
import tempfile
import time
from pathlib import Path

from fastapi import FastAPI

from api.links.redirect import Redirect, with_links
from infra.connect.server_thread import HttpThread
from infra.links.click_http import ClickHttp
from infra.links.spool import Spool
from infra.links.targets import Targets
from tests.link_world import KEY, known, link

CONNECTIONS = 32
AGENTS = tuple(f"Mozilla/5.0 (Linux; Android {n}) AppleWebKit/537.36 Chrome/{n + 100}.0" for n in range(50))
LANDING = "https://broker.test/open?ref={click_id}&ib={ib}&c={campaign}&s={sub1}"
QUERY = "sub1=banner-7&utm_source=network&clickid=a1b2c3d4"


def redirect(folder: Path) -> tuple[Redirect, Spool]:
    """The application, and its spool."""
    spool = Spool(folder, 1 << 40, lambda _: None)
    links = {f"code{n:04}": known(link(f"code{n:04}", "ib-north", landing=LANDING)) for n in range(1000)}
    return Redirect(Targets(lambda: links, "broker.test").find, spool.keep, KEY), spool


async def calls(app: Redirect, seconds: float) -> float:
    """Calls a second in this process."""

    async def send(message: dict[str, object]) -> None:
        assert message.get("status", 302) == 302

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    scope = {
        "type": "http",
        "method": "GET",
        "query_string": QUERY.encode(),
        "headers": [(b"host", b"go.broker.test"), (b"user-agent", AGENTS[0].encode())],
        "client": ("203.0.113.9", 4711),
    }
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for number in range(200):
            await app({**scope, "path": f"/go/code{number:04}"}, receive, send)  # type: ignore[arg-type]
        done += 200
    return done / (time.perf_counter() - started)


def generate(port: int, seconds: float, found: "multiprocessing.Queue[tuple[int, list[float]]]") -> None:
    """Ask over keep-alive connections, each one request after the other."""

    async def one(worker: int, until: float, times: list[float]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number = worker
        while (began := time.perf_counter()) < until:
            number += 1
            path = f"/go/code{number % 1000:04}?{QUERY}{number}"
            agent = AGENTS[number % len(AGENTS)]
            head = f"GET {path} HTTP/1.1\r\nHost: go.broker.test\r\nUser-Agent: {agent}\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 302"), answer
            times.append(time.perf_counter() - began)
        writer.close()

    async def run() -> list[float]:
        times: list[float] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(*(one(worker, until, times) for worker in range(CONNECTIONS)))
        return times

    times = asyncio.run(run())
    found.put((len(times), sorted(times)))


def over_loopback(seconds: float) -> None:
    """Serve, let another process ask, and print what it saw."""
    with tempfile.TemporaryDirectory() as folder:
        app, spool = redirect(Path(folder))
        spool.start()
        http = HttpThread(with_links(FastAPI(), app), "redirect", http=ClickHttp.of(app))
        listener = socket.create_server(("127.0.0.1", 0))
        http.start(listener)
        found: multiprocessing.Queue[tuple[int, list[float]]] = multiprocessing.get_context("spawn").Queue()
        port = listener.getsockname()[1]
        asker = multiprocessing.get_context("spawn").Process(target=generate, args=(port, seconds, found))
        asker.start()
        began = time.process_time()
        count, times = found.get(timeout=seconds + 60)
        cpu = time.process_time() - began
        asker.join()
        http.stop()
        spool.stop()
        p99 = times[int(len(times) * 0.99)] * 1000
        report("over loopback", count / seconds, cpu / count, f"p99 {p99:.1f} ms")


def report(where: str, rate: float, cpu_s: float, more: str = "") -> None:
    """One line."""
    sys.stdout.write(f"{where:16}{rate:9,.0f} redirects/s  {cpu_s * 1e6:6.1f} µs CPU each  {more}\n")


def main() -> None:
    """Print both."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as folder:
        app, spool = redirect(Path(folder))
        spool.start()
        began = time.process_time()
        rate = asyncio.run(calls(app, seconds))
        report("in this process", rate, (time.process_time() - began) / (rate * seconds))
        spool.stop()
    over_loopback(seconds)


if __name__ == "__main__":
    main()
