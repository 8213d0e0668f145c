"""`make bench`: deals per second of the fold alone, and through Kafka, Faust and ClickHouse.

`python -m tests.bench 0` measures the fold only. The pipeline is shown beside a raw confluent-kafka loop
(consume, decode, produce) over the same messages in the same run: the ratio is the honest figure, the
absolute ones are this machine's.
"""

import shutil
import sys
import tempfile
import time
from decimal import localcontext
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.table import Table

from commission import client_book
from commission.book import Draft
from commission.client_state import RoutedDeal
from commission.events import AccountLinked
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
    console = Console()
    console.print(fold_table())
    if deals == 0:
        return
    table = Table(title="deals per second, three-level per-lot plan, 10,000 clients")
    table.add_column("what")
    table.add_column("deals/s", justify="right")
    table.add_column("of the raw loop", justify="right")
    folder = Path(tempfile.mkdtemp(prefix="ibflow-bench-"))
    try:
        ours, raw = pipeline(folder, deals)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table.add_row("raw loop: consume, decode, encode, produce", f"{raw:,.0f}", "1.00")
    table.add_row("produced → applied → stored in ClickHouse", f"{ours:,.0f}", f"{ours / raw:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
