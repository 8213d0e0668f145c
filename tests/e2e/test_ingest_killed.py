"""An import that is killed at random moments and begun again gives the ledger of an undisturbed one."""

import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from msgspec.structs import replace

from commission.events import Deal
from commission.terms.market import SymbolDefined
from infra.archive.kafka_log import KafkaAt
from infra.commands.rate import rate
from infra.connect.topics import ensure_topics
from infra.local_kafka.local import LocalKafka
from infra.sources.profiles import profile_of
from ingest.mt5.deals_csv import read
from schemas.topics import ACCOUNT_BOOK
from schemas.wire import Record, decode_batch, encode
from streams.broker import log_range
from tests import deals_file
from tests.bench_ingest import SERVER
from tests.synthetic import Synthetic

DEALS, LOGINS, PARTITIONS, KILLS = 6_000, 60, 3, 4
START_SECONDS = 60.0

IMPORT = """
import sys, time
from pathlib import Path
from infra.sources.files import Input, feed
from ingest.counts import Counts
from ingest.mt5 import deals_csv_fast_scan
from ingest.publish import outbox
from tests.bench_ingest import SERVER

# Small slices and batches, and a pause after each: so that there are moments between.
deals_csv_fast_scan.SLICE_ROWS, outbox.MAX_BUFFERED_BYTES = 200, 60_000
feed([Input(Path(sys.argv[1]), SERVER)], sys.argv[2], Counts(), lambda _: time.sleep(0.02))
"""


def test_a_killed_import_begun_again(tmp_path: Path) -> None:
    """Killed four times, then left alone: each deal is there, and the ledger is the undisturbed one."""
    path = deals_file.write_deals(tmp_path / "deals.csv", DEALS, logins=LOGINS)
    deals = [item for item in read(path, profile_of(SERVER), datetime.now(UTC)) if isinstance(item, Deal)]
    chance = random.Random(20_260_901)
    with LocalKafka().running(tmp_path / "kafka") as running:
        kafka = running.bootstrap_servers
        ensure_topics(kafka, PARTITIONS, 1)
        watch = Consumer({"bootstrap.servers": kafka, "group.id": "watch"})
        written = [_killed_after(path, kafka, watch, chance.randrange(1, 40)) for _ in range(KILLS)]
        watch.close()
        assert all(0 < earlier < later for earlier, later in pairwise(written))
        subprocess.run([sys.executable, "-c", IMPORT, str(path), kafka], check=True)
        logged = [record for partition in range(PARTITIONS) for record in _logged(kafka, partition)]
    assert len(logged) > DEALS
    assert set(encode(logged)) == set(encode(deals))
    crm = _crm()
    assert rate(_terms(), [*crm, *logged])[1] == rate(_terms(), [*crm, *deals])[1]


def _killed_after(path: Path, kafka: str, watch: Consumer, messages: int) -> int:
    """Begin an import and kill it once it has sent so many messages; how many there are in all."""
    before = _written(watch)
    process = subprocess.Popen([sys.executable, "-c", IMPORT, str(path), kafka])
    while _written(watch) < before + messages:
        assert process.poll() is None, "the import ended before it could be killed"
        time.sleep(0.002)
    process.kill()
    process.wait()
    return _written(watch)


def _written(watch: Consumer) -> int:
    """Messages of the account book, all partitions together."""
    places = [TopicPartition(ACCOUNT_BOOK, number) for number in range(PARTITIONS)]
    return sum(log_range(watch, place.topic, place.partition, START_SECONDS)[1] for place in places)


def _logged(kafka: str, partition: int) -> list[Record]:
    with KafkaAt(kafka).open() as log:
        return [
            record
            for message in log.messages(ACCOUNT_BOOK, partition)
            for record in decode_batch(message.value)
        ]


def _terms() -> list[Record]:
    """The synthetic broker's terms, with a symbol for each that the file trades."""
    terms = Synthetic(LOGINS, 0).terms()
    (symbol,) = (record for record in terms if isinstance(record, SymbolDefined))
    names = [name for name, _, _ in deals_file.SYMBOLS]
    symbols = [replace(symbol, server=SERVER.server, symbol=name, canonical=name) for name in names]
    return [*(record for record in terms if record is not symbol), *symbols]


def _crm() -> list[Record]:
    """A client of the desk for each login of the file."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    events: list[Record] = []
    for event in Synthetic(LOGINS, 0).crm():
        moved = replace(event, occurred_at=start)
        if moved.type == "account_linked":
            moved = replace(moved, server=SERVER.server, login=deals_file.FIRST_LOGIN + moved.login)
        events.append(moved)
    return events
