"""Postbacks: deliveries a second to a receiver on this machine, beside a bare httpx loop to the same one.

`python -m tests.bench_postbacks 2000` takes fewer. The receiver is a process of its own that answers 200 at
once; the dispatcher reads deliveries from Kafka, keeps each in its changelog, signs and sends it and writes
the attempt. The loop does nothing but send the same bodies, so it is the limit that the client library sets.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from rich.console import Console
from rich.table import Table

from api.postbacks.delivery import Target
from api.postbacks.request import to_request
from api.postbacks.safe_client import SafeClient
from infra.connect.settings import prepare_topics
from infra.local_kafka.local import LocalKafka
from infra.postbacks.desk import EndpointDesk
from infra.postbacks.dispatcher import DispatcherThread, Place
from infra.postbacks.log import EndpointLog, KafkaLog, publish_deliveries
from schemas.settings import OwnSettings
from tests.endpoint_world import ANNA, NOON, SECRET, delivery, keys, near
from tests.eventually import eventually

DELIVERIES = 20_000
CONCURRENCY = 64
PARTITIONS = 4
LONGEST_S = 600.0


class Receiver(asyncio.Protocol):
    """Counts requests and answers 200; it looks for nothing but where one ends."""

    count: "Synchronized[int]"

    def connection_made(self, transport: Any) -> None:
        """Remember where to answer."""
        self.transport, self.rest = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self.rest += data
        while True:
            head, found, body = self.rest.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            if len(body) < length:
                return
            self.rest = body[length:]
            self.count.value += 1
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


def receive(count: "Synchronized[int]", port: "Synchronized[int]") -> None:
    """The receiver's process."""

    async def serve() -> None:
        Receiver.count = count
        server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(serve())


class Rate(NamedTuple):
    """What was measured: by the clock, and by this process's CPU, which others' work does not change."""

    a_second: float
    cpu_us: float


class Watch:
    """From here on."""

    def __init__(self) -> None:
        self.clock, self.cpu = time.monotonic(), time.process_time()

    def rate(self, number: int) -> Rate:
        """So many were done by now."""
        cpu_us = (time.process_time() - self.cpu) / number * 1e6
        return Rate(number / (time.monotonic() - self.clock), cpu_us)


async def _bare(target: Target, number: int) -> Rate:
    """The same requests by httpx, made beforehand."""
    requests = [
        to_request(delivery(client=f"c-{one}"), target.endpoint, target.secrets, NOON)
        for one in range(number)
    ]
    limits = httpx.Limits(max_connections=CONCURRENCY)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:

        async def some(first: int) -> None:
            for one in requests[first::CONCURRENCY]:
                await client.request(one.method, one.url, headers=one.headers, content=one.body)

        watch = Watch()
        await asyncio.gather(*(some(first) for first in range(CONCURRENCY)))
        return watch.rate(number)


async def _safe(target: Target, number: int) -> Rate:
    """Signed and sent by our client, without Kafka and without state."""
    client = SafeClient(target.policy)

    async def some(first: int) -> None:
        for one in range(first, number, CONCURRENCY):
            made = to_request(delivery(client=f"c-{one}"), target.endpoint, target.secrets, NOON)
            await client.send(made.method, made.url, made.headers, made.body)

    watch = Watch()
    await asyncio.gather(*(some(first) for first in range(CONCURRENCY)))
    rate = watch.rate(number)
    await client.close()
    return rate


def _dispatched(
    folder: Path, desk: EndpointDesk, kafka: str, count: "Synchronized[int]", number: int
) -> Rate:
    """From the first delivery that arrives to the last."""
    publish_deliveries((delivery(client=f"c-{one}") for one in range(number)), kafka)
    before = count.value
    thread = DispatcherThread(Place(kafka, "bench", folder / "state"), desk)
    thread.start()
    eventually(lambda: count.value > before, LONGEST_S, every=0.002)
    watch = Watch()
    eventually(lambda: count.value >= before + number, LONGEST_S, every=0.01)
    rate = watch.rate(number)
    thread.stop()
    return rate


def table(number: int = DELIVERIES) -> Table:
    """The three rates and their ratios."""
    shown = Table(title=f"Postbacks: {number:,} signed POSTs to a receiver on this machine")
    for name in ("", "a second", "of the loop", "CPU µs each"):
        shown.add_column(name, justify="right" if name else "left")
    folder = Path(tempfile.mkdtemp())
    context = get_context("spawn")
    count, port = context.Value("q", 0), context.Value("i", 0)
    receiver = context.Process(target=receive, args=(count, port), daemon=True)
    receiver.start()
    try:
        kafka = LocalKafka().start(folder / "kafka").bootstrap_servers
        prepare_topics(OwnSettings(kafka=kafka, partitions=PARTITIONS), kafka)
        while not port.value:
            time.sleep(0.01)
        desk = EndpointDesk(EndpointLog(KafkaLog(kafka)), keys, may_be_private=True)
        form = near(f"http://127.0.0.1:{port.value}/p", concurrency=CONCURRENCY)
        target = desk.target(desk.save(form, SECRET, ANNA, is_new=True).known)
        loop = asyncio.run(_bare(target, number))
        rates = {
            "bare httpx loop, nothing signed or kept": loop,
            "our client, each signed": asyncio.run(_safe(target, number)),
            "dispatcher: Kafka, changelog, signature, attempt": _dispatched(
                folder, desk, kafka, count, number
            ),
        }
    finally:
        receiver.kill()
        LocalKafka().stop(folder / "kafka")
        shutil.rmtree(folder, ignore_errors=True)
    for name, rate in rates.items():
        shown.add_row(
            name, f"{rate.a_second:,.0f}", f"{rate.a_second / loop.a_second:.2f}", f"{rate.cpu_us:,.0f}"
        )
    return shown


if __name__ == "__main__":
    Console().print(table(int(sys.argv[1]) if len(sys.argv) > 1 else DELIVERIES))
