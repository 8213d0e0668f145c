"""Reports over `BENCH_ROWS` transfers, ten million by default: how long each takes, and how much memory.

Each question is put `ASKED` times with other parameters, as the API puts it, then a few times to the rows
themselves, `FINAL`, without sums of days. `python -m tests.bench_reads` measures this alone; a folder given
to it is kept, and used again.
"""

import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from rich.console import Console

from api.ledger import MAX_QUERY_S, Ledger, LedgerUnavailable
from api.portal.overview import overview
from api.queries import transfers
from api.queries.commission_sql import ReportFilter
from api.queries.commissions import report
from api.queries.dimensions import GroupBy
from api.queries.periods import END, Interval
from api.queries.subtrees import subtrees
from api.queries.transfers import TransferFilter
from api.scope import EVERYTHING
from api.views.explanation import explain_transfer
from commission.outputs import Transfer
from infra.clickhouse.migrations import migrate
from infra.sums.builder import SumsBuilder
from schemas import topics
from schemas.wire import encode
from streams.table_rows import Rows
from tests import sized_ledger
from tests.peak import peak_mb

ROWS = int(os.environ.get("BENCH_ROWS", "10_000_000"))
ASKED, ASKED_OF_ROWS = 50, 3
BATCH_ROWS, BATCHES = 5_000, 20
ALWAYS = Interval()
LINE = "{:38}{:>8}{:>8}{:>8}{:>8}{:>14}"


@dataclass(frozen=True, slots=True)
class Question:
    """A report, and the same put to the rows, if that is another query."""

    name: str
    ask: Callable[[Ledger, random.Random], object]
    target_ms: int
    has_sums: bool = True


def a_month(dice: random.Random) -> Interval:
    """One of the year's."""
    return Interval(*dice.choice(sized_ledger.months()))


def an_ib(dice: random.Random) -> str:
    """Any of the tree, from the root down."""
    return f"ib-{dice.randrange(sized_ledger.IBS):03}"


def by(
    group: GroupBy, *, is_year: bool = False, of_ib: bool = False
) -> Callable[[Ledger, random.Random], object]:
    """A commission report, by one group, of a month or a year, of all or of an IB's sub-tree."""

    def ask(ledger: Ledger, dice: random.Random) -> object:
        span = ALWAYS if is_year else a_month(dice)
        ibs = subtrees(ledger, EVERYTHING, [an_ib(dice)], END) if of_ib else ()
        return report(ledger, ReportFilter(EVERYTHING, span, ibs=ibs), (group,), 500)

    return ask


def clients(ledger: Ledger, dice: random.Random) -> object:
    """An IB's clients of a month: read by rows."""
    return report(ledger, ReportFilter(EVERYTHING, a_month(dice), of={"ib": an_ib(dice)}), ("client",), 500)


def newest(ledger: Ledger, dice: random.Random) -> object:
    """The first page of an IB's transfers."""
    return transfers.transfers(ledger, TransferFilter(EVERYTHING, ib=an_ib(dice)), 50)


def page(ledger: Ledger, dice: random.Random) -> object:
    """The portal's page, of a month or all of time."""
    return overview(ledger, dice.choice(("", "2026-03", "2026-05", "2026-08")), "USD")


def explanation(ledger: Ledger, dice: random.Random) -> object:
    """One transfer, and why."""
    at = sized_ledger.START + timedelta(seconds=dice.randrange(360 * 86_400))
    found = ledger.rows(
        "SELECT transfer_id FROM transfers WHERE toDate32(occurred_at) = {day:Date32} LIMIT 1", day=at.date()
    )
    started = time.perf_counter()
    for row in found:
        explain_transfer(ledger, EVERYTHING, row["transfer_id"])
    return Took(time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of the part that counts, where a question needs something looked up before."""

    seconds: float


QUESTIONS = (
    Question("month, an IB's sub-tree, by symbol", by("symbol", of_ib=True), 300),
    Question("month, all, by IB", by("ib"), 300),
    Question("year, all, by IB", by("ib", is_year=True), 1_000),
    Question("year, all, by day", by("day", is_year=True), 1_000),
    Question("month, one IB, by client", clients, 300, has_sums=False),
    Question("newest transfers of an IB", newest, 300, has_sums=False),
    Question("the portal's page", page, 500),
    Question("one transfer and its explanation", explanation, 50, has_sums=False),
)


class ByRows(Ledger):
    """The same ledger, with every day read by its rows: what reports cost without sums."""

    def rows(self, sql: str, **values: object) -> list[dict[str, object]]:
        """No day is kept."""
        found = super().rows(sql, **values)
        return [row | {"is_kept": False} if "is_kept" in row else row for row in found]


def times_ms(ledger: Ledger, question: Question, count: int) -> list[float]:
    """Sorted; the same parameters for every ledger."""
    dice, found = random.Random(question.name), []
    for _ in range(count):
        started = time.perf_counter()
        answer = question.ask(ledger, dice)
        taken = answer.seconds if isinstance(answer, Took) else time.perf_counter() - started
        found.append(taken * 1000)
    return sorted(found)


def by_rows(plain: Ledger, question: Question) -> str:
    """The median, or that there is no answer within the API's limit."""
    try:
        return f"{times_ms(plain, question, ASKED_OF_ROWS)[ASKED_OF_ROWS // 2]:,.0f}"
    except LedgerUnavailable:
        return f"none in {MAX_QUERY_S} s"


class Arriving:
    """The sink beside the reports: `RATE` transfers a second of the newest day, while it is entered."""

    RATE = 5_000

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect, self._over = connect, threading.Event()
        self._thread = threading.Thread(target=self._store)
        self.stored = 0

    def __enter__(self) -> "Arriving":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _store(self) -> None:
        at = sized_ledger.START + timedelta(days=sized_ledger.DAYS - 1)
        started, count = time.perf_counter(), self.RATE // 2
        with self._connect() as client:
            while not self._over.is_set():
                rows = _batch(at, self.stored, count, "live")
                rows.store(client)
                self.stored += count
                self._over.wait(max(started + self.stored / self.RATE - time.perf_counter(), 0))
        self.seconds = time.perf_counter() - started


def _batch(at: datetime, first: int, count: int, name: str) -> Rows:
    rows = Rows()
    lines = encode([_transfer(at, first + number, name) for number in range(count)])
    rows.add(topics.PARTNER_BOOK, 0, 10_000_000_000 + first, b"\n".join(lines), "client-book/0/1/0")
    return rows


def print_line(console: Console, question: Question, found: Sequence[float], of_rows: str = "") -> None:
    """The least, the median and the 95th of a hundred, beside what is wanted."""
    figures = (f"{found[place]:,.0f}" for place in (0, ASKED // 2, ASKED * 95 // 100))
    console.print(LINE.format(question.name, *figures, f"{question.target_ms:,}", of_rows), soft_wrap=True)


def print_reads(console: Console, folder: Path, rows: int) -> None:
    """Every question, a line as soon as it is answered."""
    connect: Callable[[], Client] = lambda: clickhouse_connect.get_client(interface="chdb", path=str(folder))  # noqa: E731
    console.print(f"reports over {rows:,} transfers of {sized_ledger.IBS} IBs, ms")
    console.print(LINE.format("", "least", "p50", "p95", "target", "by rows, p50"), soft_wrap=True)
    with closing(Ledger(connect)) as ledger, closing(ByRows(connect)) as plain:
        for question in QUESTIONS:
            found = times_ms(ledger, question, ASKED)
            print_line(console, question, found, by_rows(plain, question) if question.has_sums else "")
        console.print(f"the same while {Arriving.RATE:,} transfers/s arrive")
        with Arriving(connect) as arriving:
            for question in QUESTIONS:
                found = times_ms(ledger, question, ASKED)
                figures = (f"{found[place]:,.0f}" for place in (0, ASKED // 2, ASKED * 95 // 100))
                console.print(
                    LINE.format(question.name, *figures, f"{question.target_ms:,}", ""), soft_wrap=True
                )
        console.print(f"{arriving.stored / arriving.seconds:,.0f} transfers/s were stored meanwhile")
    console.print(f"most memory of the process: {peak_mb():,.0f} MB")


def sink_rate(client: Client) -> float:
    """Transfers a second through the sink's own rows and marks."""
    at = sized_ledger.START + timedelta(days=sized_ledger.DAYS - 2)
    taken = 0.0
    for batch in range(BATCHES):
        rows = _batch(at, batch * BATCH_ROWS, BATCH_ROWS, "sink")
        started = time.perf_counter()
        rows.store(client)
        taken += time.perf_counter() - started
    return BATCHES * BATCH_ROWS / taken


def _transfer(at: datetime, number: int, name: str) -> Transfer:
    ib = f"ib-{number % sized_ledger.IBS:03}"
    return Transfer(
        transfer_id=f"{name}{number:028}", code="accrual", debit="broker:expense:per_lot",
        credit=f"ib:{ib}:pending", amount=sized_ledger.CENT * (1 + number % 997), currency="USD", ib_id=ib,
        component="per_lot",
        occurred_at=at + timedelta(milliseconds=number % 80_000_000), caused_by=f"live|{name}{number // 3}",
        client_id="c-1", account_key="live/1", symbol="SYM01", lots=sized_ledger.CENT, plan_id="gold",
    )  # fmt: skip


def prepared(folder: Path, rows: int) -> tuple[float, float, float]:
    """Fill an empty folder; seconds of filling and of building sums, and the sink's rate."""
    with clickhouse_connect.get_client(interface="chdb", path=str(folder)) as client:
        migrate(client)
        if client.query("SELECT count() FROM transfers").first_row[0]:
            return 0.0, 0.0, 0.0
        started = time.perf_counter()
        sized_ledger.fill(client, rows)
        filled = time.perf_counter() - started
        rate = sink_rate(client)
        builder = SumsBuilder(
            lambda: clickhouse_connect.get_client(interface="chdb", path=str(folder)), quiet_s=0
        )
        started = time.perf_counter()
        builder.build()
        builder.build_months()
        built = time.perf_counter() - started
        builder.check()
        return filled, built, rate


def main(arguments: Sequence[str], total: int = ROWS) -> None:
    """Measure and print."""
    kept = Path(arguments[0]) if arguments else None
    folder = kept or Path(tempfile.mkdtemp(prefix="ibflow-bench-reads-"))
    console = Console()
    try:
        filled, built, rate = prepared(folder, total)
        if filled:
            console.print(
                f"{total:,} transfers written in {filled:,.0f} s, added up in {built:,.0f} s;"
                f" the sink stores {rate:,.0f} transfers/s beside them"
            )
        print_reads(console, folder, total)
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
