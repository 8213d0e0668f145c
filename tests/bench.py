"""`make bench`: deals per second of the fold alone, and through Kafka, Faust and ClickHouse.

The last is shown beside a raw confluent-kafka loop (consume, decode, produce) over the same messages in the
same run: the ratio is the honest figure, the absolute ones are this machine's.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import localcontext
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.table import Table

from commission import client_book
from commission.book import Draft
from commission.client_state import RoutedDeal
from commission.known import Terms
from commission.money import EXACT
from infra.processes import collect_rarely
from infra.stack import Stack
from ingest.produce import publish, publish_terms
from schemas import topics
from schemas.settings import Settings
from schemas.wire import decode_batch, encode
from tests.synthetic import Synthetic

CLIENTS = 10_000
FOLD_DEALS = 50_000
PIPELINE_DEALS = 100_000


def timed(work: Callable[[], int]) -> float:
    """Units of work per second."""
    started = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - started)


def fold() -> int:
    """The client-book fold over decoded records, one core, no I/O."""
    broker = Synthetic(CLIENTS, FOLD_DEALS)
    terms = Terms().learn(broker.terms())
    state: dict[str, object] = {}
    for event in broker.crm():
        if hasattr(event, "client_id") and event.type != "account_linked":
            draft = Draft(state.get)
            client_book.apply(draft, event, terms)
            state.update(draft.writes)
    deals = [RoutedDeal(client_id=f"c-{deal.login:06}", deal=deal) for deal in broker.trades()]
    started = time.perf_counter()
    with localcontext(EXACT):
        for start in range(0, len(deals), 500):
            draft = Draft(state.get)
            for deal in deals[start : start + 500]:
                client_book.apply(draft, deal, terms)
            state.update(draft.writes)
    return round(len(deals) / (time.perf_counter() - started))


def pipeline(folder: Path, deals: int) -> tuple[float, float]:
    """Deals per second from produced to stored, and of the raw loop over the same messages."""
    broker = Synthetic(CLIENTS, deals)
    with Stack(Settings(data_dir=folder, partitions=4, api_port=0)) as stack:
        publish_terms(broker.terms(), stack.kafka)
        publish(broker.crm(), stack.kafka)
        stack.drain()
        started = time.perf_counter()
        publish(broker.trades(), stack.kafka)
        stack.drain()
        ours = deals / (time.perf_counter() - started)
        return ours, _raw_loop(stack.kafka, deals)


def _raw_loop(kafka: str, deals: int) -> float:
    """Consume the account book's messages, decode every record, produce them again."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "bench", "enable.auto.commit": False})
    producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "compression.type": "lz4"})
    partitions = consumer.list_topics(topics.ACCOUNT_BOOK).topics[topics.ACCOUNT_BOOK].partitions
    consumer.assign([TopicPartition(topics.ACCOUNT_BOOK, number, 0) for number in partitions])
    seen, started = 0, time.perf_counter()
    while seen < deals:
        for message in consumer.consume(100, 1.0):
            records = decode_batch(message.value() or b"")
            seen += sum(record.type == "deal" for record in records)
            producer.produce(topics.REJECTIONS, b"\n".join(encode(records)), partition=0)
            producer.poll(0)
    producer.flush()
    rate = deals / (time.perf_counter() - started)
    consumer.close()
    return rate


def main() -> None:
    """Measure and print, with the garbage collector as the processes set it."""
    collect_rarely()
    deals = int(sys.argv[1]) if len(sys.argv) > 1 else PIPELINE_DEALS
    table = Table(title="deals per second, three-level per-lot plan, 10,000 clients")
    table.add_column("what")
    table.add_column("deals/s", justify="right")
    table.add_column("of the raw loop", justify="right")
    table.add_row("client-book fold, decoded records, one core", f"{fold():,}", "")
    folder = Path(tempfile.mkdtemp(prefix="ibflow-bench-"))
    try:
        ours, raw = pipeline(folder, deals)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table.add_row("raw loop: consume, decode, encode, produce", f"{raw:,.0f}", "1.00")
    table.add_row("produced → applied → stored in ClickHouse", f"{ours:,.0f}", f"{ours / raw:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
