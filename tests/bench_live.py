"""For `make bench`: how long until the API shows a deal."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from confluent_kafka import Producer

from commission.events import Deal
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas.settings import Settings
from schemas.topics import ACCOUNT_BOOK, partition_of
from schemas.wire import encode
from tests.synthetic import Synthetic

PARTITIONS = 4
TICK_SECONDS = 0.2
WARM_UP_SECONDS = 5.0
"""Then one closing of each tick is asked for at the API, again and again until it is there: more at once
would wait for each other's answers."""
ASK_SECONDS = 0.05


def latencies(folder: Path, rate: int, seconds: int) -> list[float]:
    """Seconds from produced to visible in the API, sorted, at `rate` deals a second."""
    broker = Synthetic(1_000, rate * seconds)
    with Stack(Settings(data_dir=folder, partitions=PARTITIONS, api_port=0)) as stack:
        publish_terms(broker.terms(), stack.kafka)
        publish(broker.crm(), stack.kafka)
        stack.drain()
        return asyncio.run(_sample(stack, broker.trades(), rate))


async def _sample(stack: Stack, trades: Sequence[Deal], rate: int) -> list[float]:
    producer = Producer({"bootstrap.servers": stack.kafka, "enable.idempotence": True, "linger.ms": 0})
    chance, asked = random.Random(1), asyncio.Queue[tuple[str, float] | None]()
    async with httpx.AsyncClient(base_url=stack.server.url, timeout=60) as http:
        watcher = asyncio.create_task(_watch(http, asked))
        step, started = max(1, int(rate * TICK_SECONDS)), time.perf_counter()
        for tick, first in enumerate(range(0, len(trades), step)):
            await asyncio.sleep(max(0.0, started + tick * TICK_SECONDS - time.perf_counter()))
            batch: dict[int, list[bytes]] = {}
            some = trades[first : first + step]
            for deal, line in zip(some, encode(some), strict=True):
                batch.setdefault(partition_of(deal.account_key, PARTITIONS), []).append(line)
            for number, lines in batch.items():
                producer.produce(ACCOUNT_BOOK, b"\n".join(lines), partition=number)
            producer.poll(0)
            produced = time.perf_counter()
            closings = [deal.deal_key for deal in some if deal.entry == "out"]
            if closings and produced - started > WARM_UP_SECONDS:
                asked.put_nowait((chance.choice(closings), produced))
        asked.put_nowait(None)
        return sorted(await watcher)


async def _watch(http: httpx.AsyncClient, asked: "asyncio.Queue[tuple[str, float] | None]") -> list[float]:
    """Ask for one deal after the other, the oldest first: many askers would slow down what they measure."""
    found: list[float] = []
    while (one := await asked.get()) is not None:
        deal_key, produced = one
        while True:
            answer = await http.get("/v1/transfers", params={"deal": deal_key, "limit": 1})
            if answer.raise_for_status().json()["items"]:
                break
            await asyncio.sleep(ASK_SECONDS)
        found.append(time.perf_counter() - produced)
    return found
