"""How long until a network has the postback of a closed deal: `python -m tests.bench_postbacks_live 500 20`.

Worker, server with its dispatcher, Kafka and the receiver are as `ibflow up` runs them, the receiver in a
process of its own. A deal counts from before it is produced, its postback when the receiver has all of it.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from rich.console import Console

from commission.events import Deal
from commission.outputs import milestone_id_of
from infra.connect.sealing import new_key
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas.settings import Settings
from schemas.topics import ACCOUNT_BOOK, partition_of
from schemas.wire import encode
from tests.endpoint_world import SECRET
from tests.eventually import eventually
from tests.synthetic import Synthetic

PARTITIONS = 4
RATE, SECONDS = 500, 20
TICK_S = 0.1
WARM_UP_S = 3.0
LONGEST_S = 120.0


class Receiver(asyncio.Protocol):
    """Notes when each webhook was there, and answers 200."""

    notes: "Queue[Any]"

    def connection_made(self, transport: Any) -> None:
        """Remember where to answer."""
        self.transport, self.rest = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self.rest += data
        while True:
            head, found, body = self.rest.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            if not found or len(body) < length:
                return
            self.rest = body[length:]
            self.notes.put((head.partition(b"webhook-id: ")[2].partition(b"\r\n")[0].decode(), time.time()))
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


def receive(notes: "Queue[Any]") -> None:
    """The receiver's process; its port is its first note."""

    async def serve() -> None:
        Receiver.notes = notes
        server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
        notes.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def latencies(folder: Path, rate: int = RATE, seconds: int = SECONDS) -> list[float]:
    """Seconds from a closing deal to its postback, sorted, at `rate` deals a second."""
    broker = Synthetic(1_000, rate * seconds)
    notes: Queue[Any] = get_context("spawn").Queue()
    receiver = get_context("spawn").Process(target=receive, args=(notes,), daemon=True)
    receiver.start()
    try:
        settings = Settings(
            data_dir=folder / "data",
            partitions=PARTITIONS,
            api_port=0,
            postback_keys=new_key(),
            postbacks=_endpoints(folder, notes.get()),
        )
        with Stack(settings) as stack:
            publish_terms(broker.terms(), stack.kafka)
            publish(broker.crm(), stack.kafka)
            stack.drain()
            sent = _produce(stack.kafka, broker.trades(), rate)
            arrived: dict[str, float] = {}
            eventually(lambda: _note(notes, arrived) >= len(sent), LONGEST_S, every=0.1)
    finally:
        receiver.kill()
    begun = min(sent.values())
    measured = [name for name, at in sent.items() if at - begun > WARM_UP_S]
    return sorted(arrived[name] - sent[name] for name in measured)


def _endpoints(folder: Path, port: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "postbacks.yaml"
    path.write_text(
        f"endpoints:\n  - {{id: bench, url: 'http://127.0.0.1:{port}/', secret: {SECRET}, concurrency: 64, "
        "events: [trade.closed], allow_http: true, allow_private: true}\n"
    )
    return path


def _produce(kafka: str, trades: Sequence[Deal], rate: int) -> dict[str, float]:
    """When each deal that closes something was produced, by the id of its webhook."""
    producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "linger.ms": 0})
    sent: dict[str, float] = {}
    step, started = max(1, int(rate * TICK_S)), time.monotonic()
    for tick, first in enumerate(range(0, len(trades), step)):
        time.sleep(max(0.0, started + tick * TICK_S - time.monotonic()))
        some = trades[first : first + step]
        batch: dict[int, list[bytes]] = {}
        for deal, line in zip(some, encode(some), strict=True):
            batch.setdefault(partition_of(deal.account_key, PARTITIONS), []).append(line)
            if deal.entry == "out":
                event = milestone_id_of("trade.closed", f"c-{deal.login:06}", deal.deal_key)
                sent[f"msg_{event}"] = time.time()
        for number, lines in batch.items():
            producer.produce(ACCOUNT_BOOK, b"\n".join(lines), partition=number)
        producer.poll(0)
    producer.flush()
    return sent


def _note(notes: "Queue[Any]", arrived: dict[str, float]) -> int:
    while not notes.empty():
        name, at = notes.get()
        arrived.setdefault(name, at)
    return len(arrived)


def row(folder: Path, rate: int = RATE, seconds: int = SECONDS) -> tuple[str, str, str]:
    """What was measured, for a table of latencies."""
    found = latencies(folder, rate, seconds)
    p50, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
    name = f"deal closed → postback received, {rate:,} deals/s, {len(found):,} postbacks"
    return name, f"p50 {p50 * 1000:,.0f} ms", f"p99 {p99 * 1000:,.0f} ms"


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:3]] or [RATE, SECONDS]
    with tempfile.TemporaryDirectory() as here:
        Console().print("  ".join(row(Path(here), *numbers)))
