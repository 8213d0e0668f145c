"""The bench's ledger: nine tenths written by ClickHouse, a tenth as the sink stores it; rows that arrive."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client

from commission.outputs import Transfer
from infra.clickhouse.migrations import migrate
from infra.sums.builder import SumsBuilder
from schemas import topics
from schemas.wire import encode
from streams.table_rows import Rows
from tests import sized_ledger
from tests.eventually import eventually

SINK_SHARE = 10
"""A tenth of the rows comes through the sink's own path."""
BATCH_ROWS = 5_000
LIVE_DAY = sized_ledger.START + timedelta(days=sized_ledger.DAYS - 1)
LOOK_S = 120.0
_LOOKS = "SELECT count() FROM ledger_checks WHERE month != '' AND checked_at > {begun:DateTime64(3, 'UTC')}"
FIRST_OFFSET = 10_000_000_000
"""Above what `sized_ledger` writes."""


@dataclass(frozen=True, slots=True)
class Filled:
    """How long it took to make the ledger, in seconds, and how fast the sink stored its share."""

    filled_s: float
    built_s: float
    sink_rate: float


def prepared(connect: Callable[[], Client], rows: int) -> Filled | None:
    """Fill an empty database in slices, build its sums and check its rows; None if it has rows already."""
    with connect() as client:
        migrate(client)
        if client.query("SELECT count() FROM transfers").first_row[0]:
            _add_up(connect)  # what arrived in an earlier run
            _merge(connect)
            return None
        started = time.perf_counter()
        of_sink = rows // SINK_SHARE
        sized_ledger.fill(client, rows - of_sink)
        rate = _through_sink(client, of_sink)
        filled = time.perf_counter() - started
        started = time.perf_counter()
        _add_up(connect)
        built = time.perf_counter() - started
        with closing(SumsBuilder(connect)) as builder:
            builder.check()
        _merge(connect)
        return Filled(filled, built, rate)


def _add_up(connect: Callable[[], Client]) -> None:
    with closing(SumsBuilder(connect, quiet_s=0)) as builder:
        builder.build()
        builder.build_months()


def _merge(connect: Callable[[], Client]) -> None:
    """Months that are over become one part each, as the server makes them."""
    with closing(SumsBuilder(connect)) as builder:
        for _ in sized_ledger.months():
            builder.tidy(keep_s=0)


def _through_sink(client: Client, count: int) -> float:
    """Rows of every day but the newest, as the sink stores its batches; how many a second that are."""
    taken = 0.0
    for number, first in enumerate(range(0, count, BATCH_ROWS)):
        at = sized_ledger.START + timedelta(days=number % (sized_ledger.DAYS - 1))
        rows = batch(at, first, min(BATCH_ROWS, count - first), "sink")
        started = time.perf_counter()
        rows.store(client)
        taken += time.perf_counter() - started
    _reached(client, FIRST_OFFSET + count)
    return count / taken if taken else 0.0


class Arriving:
    """The sink and the builder of sums beside the reports: `RATE` transfers a second of the newest day.

    The builder's first look at a month is over before they are asked for: every ten minutes there is one,
    and it takes ten seconds, which else would fall on the first questions alone.
    """

    RATE = 5_000

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect, self._over = connect, threading.Event()
        self._builder = SumsBuilder(connect)
        self._threads = [threading.Thread(target=self._store), threading.Thread(target=self._builder.run)]
        self.stored, self.seconds = 0, 0.0

    def __enter__(self) -> "Arriving":
        begun = datetime.now(UTC)
        for thread in self._threads:
            thread.start()
        with self._connect() as client:
            eventually(lambda: client.query(_LOOKS, {"begun": begun}).first_row[0], LOOK_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._builder.stop()
        for thread in self._threads:
            thread.join()

    def _store(self) -> None:
        started, count = time.perf_counter(), self.RATE // 2
        with self._connect() as client:
            first = int(client.query("SELECT max(next_offset) FROM sink_positions").first_row[0])
            while not self._over.is_set():
                rows = batch(LIVE_DAY, first - FIRST_OFFSET + self.stored, count, "live")
                rows.store(client)
                self.stored += count
                _reached(client, first + self.stored)
                self._over.wait(max(started + self.stored / self.RATE - time.perf_counter(), 0))
        self.seconds = time.perf_counter() - started


def _reached(client: Client, offset: int) -> None:
    """The sink's positions, which it writes after the rows."""
    rows = [[topics.PARTNER_BOOK, partition, offset] for partition in range(4)]
    client.insert("sink_positions", rows, column_names=["topic", "partition", "next_offset"])


def batch(at: datetime, first: int, count: int, name: str) -> Rows:
    """So many transfers of a day, as one message of the log."""
    rows = Rows()
    lines = encode([_transfer(at, first + number, name) for number in range(count)])
    rows.add(topics.PARTNER_BOOK, 0, FIRST_OFFSET + first, b"\n".join(lines), "client-book/0/1/0")
    return rows


def _transfer(at: datetime, number: int, name: str) -> Transfer:
    ib = f"ib-{number % sized_ledger.IBS:03}"
    return Transfer(
        transfer_id=f"{name}{number:028}", code="accrual", debit="broker:expense:per_lot",
        credit=f"ib:{ib}:pending", amount=sized_ledger.CENT * (1 + number % 997), currency="USD", ib_id=ib,
        component="per_lot",
        occurred_at=at + timedelta(milliseconds=number % 80_000_000), caused_by=f"live|{name}{number // 3}",
        client_id="c-1", account_key="live/1", symbol="SYM01", lots=sized_ledger.CENT, plan_id="gold",
    )  # fmt: skip
