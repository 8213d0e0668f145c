"""`make bench`: deals per second of the fold, from a file to Kafka, and through Kafka, Faust and ClickHouse.

`python -m tests.bench 0` measures the fold only, a number of deals under 200,000 makes all of it shorter.
Ingest is measured by file, HTTP and SQL, payouts in memory, reports over `BENCH_ROWS` transfers (10,000,000),
a worker's memory over a million deals, and its state of `BENCH_ROWS` deals.
The pipeline is shown beside a raw confluent-kafka loop (consume, decode, produce) over the same messages and
beside the same job in plain Faust, Quix Streams, Sentry Arroyo and Pathway, in the same run: the ratios are
the honest figures, the absolute ones are this machine's.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from decimal import localcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

from confluent_kafka import Consumer, Producer, TopicPartition
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from commission.books import client as client_book
from commission.draft import Draft
from commission.events import AccountLinked, RoutedDeal
from commission.money import EXACT
from commission.terms.catalog import Terms
from infra.gc_tuning import collect_rarely
from infra.local_kafka.local import LocalKafka
from infra.processes.stack import Stack
from ingest.publish.publisher import publish, publish_terms
from schemas import topics
from schemas.models import union_of
from schemas.settings import Settings
from schemas.wire import Record, decode_batch, encode
from tests import (
    bench_ingest,
    bench_live,
    bench_memory,
    bench_payouts,
    bench_postbacks,
    bench_postbacks_live,
    bench_push,
    bench_reads,
    bench_sql,
    bench_state,
)
from tests.rivals import run
from tests.synthetic import Synthetic

CLIENTS = 10_000
FOLD_DEALS = 50_000
PIPELINE_DEALS = 200_000
RIVAL_SHARE = 10
"""The rivals get a tenth of the deals, and of the clients: they are slower, and a rate is a rate."""
LATENCY_RATE, LATENCY_SECONDS = 1_000, 60
ROUNDS = 3


def fold(broker: Synthetic) -> float:
    """Deals a second of the client-book fold over decoded records: one core, no I/O, the best of three."""
    terms = Terms().learn(broker.terms())
    deals = [RoutedDeal(client_id=f"c-{deal.login:06}", deal=deal) for deal in broker.trades()]
    return max(_folded(broker, terms, deals) for _ in range(ROUNDS))


def _folded(broker: Synthetic, terms: Terms, deals: list[RoutedDeal]) -> float:
    state: dict[str, object] = {}
    with localcontext(EXACT):
        for event in broker.crm():
            if not isinstance(event, AccountLinked):
                draft = Draft(state.get)
                client_book.apply(draft, event, terms)
                state.update(draft.writes)
        started = time.process_time()
        for start in range(0, len(deals), 500):
            draft = Draft(state.get)
            for deal in deals[start : start + 500]:
                client_book.apply(draft, deal, terms)
            state.update(draft.writes)
        return len(deals) / (time.process_time() - started)


def fold_table() -> Table:
    """What one core folds, for plans of growing demands; half of the deals open, half close."""
    table = Table(title="client-book fold, decoded records, one core")
    table.add_column("plans")
    table.add_column("deals/s", justify="right")
    cases = {
        "3 levels, per lot, by difference": Synthetic(CLIENTS, FOLD_DEALS),
        "3 levels, lots + spread share, holding, pips, cap": Synthetic(CLIENTS, FOLD_DEALS, is_hybrid=True),
        **{f"{n} levels, per lot": Synthetic(1_000, 10_000, depth=n) for n in (2, 8, 32)},
        **{f"3 levels, per lot, {n} rates": Synthetic(1_000, 10_000, rules=n) for n in (10, 200)},
    }
    for name, broker in cases.items():
        table.add_row(name, f"{fold(broker):,.0f}")
    return table


Codec = tuple[Callable[[bytes], list[Any]], Callable[[list[Any]], list[bytes]]]
"""How a message is read, and how its records are written."""


def codecs() -> dict[str, Codec]:
    """Ours, and that of pydantic, with which every loop was measured before values had their own JSON."""
    adapter: TypeAdapter[list[Any]] = TypeAdapter(list[union_of(get_args(Record))])

    def read(message: bytes) -> list[Any]:
        return adapter.validate_json(b"[" + message.replace(b"\n", b",") + b"]")

    def write(records: list[Any]) -> list[bytes]:
        return [
            b'{"type":"%s",' % record.type.encode()
            + record.__pydantic_serializer__.to_json(record, exclude_defaults=True)[1:]
            for record in records
        ]

    return {"pydantic": (read, write), "msgspec": (decode_batch, encode)}


def pipeline(folder: Path, deals: int, workers: int) -> tuple[float, dict[str, float]]:
    """Deals per second from produced to stored, and of the raw loop over the same messages by its codec.

    As of the rivals, some deals warm up before.
    """
    broker = Synthetic(CLIENTS, deals + run.WARM_DEALS)
    trades = broker.trades()
    with Stack(Settings(data_dir=folder, partitions=4, api_port=0), workers) as stack:
        publish_terms(broker.terms(), stack.kafka)
        publish(broker.crm(), stack.kafka)
        publish(trades[: run.WARM_DEALS], stack.kafka)
        stack.drain()
        started = time.perf_counter()
        publish(trades[run.WARM_DEALS :], stack.kafka)
        stack.drain()
        ours = deals / (time.perf_counter() - started)
        return ours, {name: _raw_loop(stack.kafka, deals, codec) for name, codec in codecs().items()}


def _raw_loop(kafka: str, deals: int, codec: Codec) -> float:
    """Consume the account book's messages, decode every record, produce them again."""
    read, write = codec
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "bench", "enable.auto.commit": False})
    producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "compression.type": "lz4"})
    partitions = consumer.list_topics(topics.ACCOUNT_BOOK).topics[topics.ACCOUNT_BOOK].partitions
    consumer.assign([TopicPartition(topics.ACCOUNT_BOOK, number, 0) for number in partitions])
    seen, started = 0, time.perf_counter()
    while seen < deals:
        for message in consumer.consume(100, 1.0):
            records = read(message.value() or b"")
            seen += sum(record.type == "deal" for record in records)
            producer.produce(topics.REJECTIONS, b"\n".join(write(records)), partition=0)
            producer.poll(0)
    producer.flush()
    rate = deals / (time.perf_counter() - started)
    consumer.close()
    return rate


def main() -> None:
    """Measure and print, with the garbage collector as the processes set it."""
    collect_rarely()
    deals = int(sys.argv[1]) if len(sys.argv) > 1 else PIPELINE_DEALS
    console = Console()
    console.print(fold_table())
    console.print(bench_payouts.table())
    console.print(bench_payouts.stored_table())
    if deals == 0:
        return
    folder, share = Path(tempfile.mkdtemp(prefix="ibflow-bench-")), min(deals / PIPELINE_DEALS, 1)
    try:
        console.print(ingest_table(folder, share))
        console.print(pipeline_table(folder, deals))
        console.print(live_table(folder))
        console.print(bench_postbacks.table(int(bench_postbacks.DELIVERIES * share)))
        console.print(bench_memory.table(folder / "memory", int(bench_memory.DEALS * share)))
        console.print(bench_state.table(folder / "state", int(bench_reads.ROWS * share)))
        bench_reads.main([], int(bench_reads.ROWS * share))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ingest_table(folder: Path, share: float) -> Table:
    """Every way in, over a share of the usual rows: a file and HTTP to Kafka, a database to events."""
    table = bench_ingest.table(folder / "ingest", int(bench_ingest.ROWS * share))
    table.title = "ingest: a file and HTTP → Kafka, every delivery acknowledged; SQL → events"
    requests = max(int(bench_push.REQUESTS * share), 2)
    with LocalKafka().running(folder / "push") as kafka:
        rate, cpu_s, median_s = bench_push.push_rate(kafka.bootstrap_servers, folder / "push", requests)
    batches = f"HTTP push in batches of {bench_push.ROWS}, median answer {median_s * 1000:.0f} ms"
    table.add_row(batches, f"{rate:,.0f}", f"{1 / cpu_s:,.0f}", "")
    # In a process of its own, for its memory is the growth of the process's peak.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        polled = pool.submit(bench_sql.poll_all, int(bench_sql.ROWS * share)).result()
    rates = (f"{polled.rows / polled.seconds:,.0f}", f"{polled.rows / polled.cpu_s:,.0f}")
    table.add_row(f"SQL poll, {polled.rows:,} rows", *rates, f"+{polled.grown_mb:,.0f} MB")
    return table


def pipeline_table(folder: Path, deals: int) -> Table:
    """The whole pipeline beside the raw loop and the same job in other engines, in one run."""
    one, loops = pipeline(folder / "one", deals, 1)
    two, _ = pipeline(folder / "two", deals, 2)
    raw = loops["pydantic"]
    table = Table(title="deals per second, three-level per-lot plan, 10,000 clients")
    for name in ("what", "deals/s", "of the raw loop"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name, rate in loops.items():
        table.add_row(
            f"raw loop: consume, decode, encode, produce; {name}", f"{rate:,.0f}", f"{rate / raw:.2f}"
        )
    for name, rate in (("one worker", one), ("two workers", two)):
        table.add_row(f"produced → applied → stored, {name}", f"{rate:,.0f}", f"{rate / raw:.2f}")
    with LocalKafka().running(folder / "rivals") as kafka:
        for name in run.RIVALS:
            label = f"{name}, up to its transfers"
            try:
                rate = run.rate_of(name, kafka.bootstrap_servers, folder, CLIENTS // 10, deals // RIVAL_SHARE)
            except run.NotInstalled as error:
                table.add_row(label, "not installed", str(error))
                continue
            table.add_row(label, f"{rate:,.0f}", f"{rate / raw:.2f}")
    return table


def live_table(folder: Path) -> Table:
    """Latency at a steady rate."""
    table = Table(title="latency")
    for name in ("what", "", ""):
        table.add_column(name)
    found = bench_live.latencies(folder / "latency", LATENCY_RATE, LATENCY_SECONDS)
    p50, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
    name = f"produced → in the API, {LATENCY_RATE:,} deals/s, {len(found)} sampled"
    table.add_row(name, f"p50 {p50 * 1000:,.0f} ms", f"p99 {p99 * 1000:,.0f} ms")
    table.add_row(*bench_postbacks_live.row(folder / "postbacks"))
    return table


if __name__ == "__main__":
    main()
