"""Reports over `BENCH_ROWS` transfers, ten million by default: how long each takes, what it reads and needs.

Each question is put `ASKED` times with other parameters, as the API puts it; again while rows arrive. Then, a
few times each: the same report of rows alone, without sums of days; the question as plain SQL (`bench_plain`)
to the same rows in ClickHouse, `FINAL`, and in DuckDB over Parquet.

`python -m tests.bench_reads` measures this alone; a folder given to it is kept, and used again.
"""

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console

from api.ledger import MAX_QUERY_S, Ledger, LedgerUnavailable
from api.portal.overview import overview
from api.queries import transfers
from api.queries.client_list import ClientFilter, listed
from api.queries.commission_sql import ReportFilter
from api.queries.commissions import report
from api.queries.dimensions import GroupBy
from api.queries.partners import tree
from api.queries.periods import END, Interval, interval
from api.queries.subtrees import subtrees
from api.queries.transfers import TransferFilter
from api.scope import EVERYTHING
from api.views.explanation import explain_transfer
from api.views.margin import margin
from infra.connect.settings import embedded
from tests import bench_pages, sized_ledger
from tests.bench_load import Arriving, prepared
from tests.bench_plain import (
    Plain,
    in_clickhouse,
    in_duckdb,
    median_ms,
    newest_rows,
    one,
    sums,
    write_parquet,
)
from tests.peak import begin_peak, peak_mb

ROWS = int(os.environ.get("BENCH_ROWS", "10_000_000"))
ASKED, ASKED_ANEW, ASKED_OF_ROWS = 50, 9, 3
ALWAYS = Interval()
LINE = "{:38}" + "{:>11}" * 6
NAMES = ("anew", "p50", "p95", "target", "rows", "MB")
"""ms, but for the rows that a report reads, and the most memory that the process had meanwhile. `anew` is the
median of a ledger that remembers nothing of days that have sums; the others do, as a server's does."""
BESIDE = ("by rows", "FINAL", "DuckDB")


@dataclass(frozen=True, slots=True)
class Question:
    """A report, the same put to the rows if that is another query, and as plain SQL if it is one."""

    name: str
    ask: Callable[[Ledger, random.Random], object]
    target_ms: int
    has_sums: bool = True
    plain: tuple[str, Plain] | None = None


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


def net_of_cost(ledger: Ledger, dice: random.Random) -> object:
    """What the broker keeps: revenue is read of deals, one by one."""
    return margin(ledger, ReportFilter(EVERYTHING, a_month(dice)), "ib", "USD")


def client_page(ledger: Ledger, dice: random.Random) -> object:
    """A page of all clients, or of one IB's."""
    return listed(ledger, ClientFilter(EVERYTHING, dice.choice(("", an_ib(dice)))), 100)


def tree_of_month(ledger: Ledger, dice: random.Random) -> object:
    """All IBs, each with its totals: what opening a branch of the tree costs."""
    return tree(ledger, EVERYTHING, a_month(dice))


def newest(ledger: Ledger, dice: random.Random) -> object:
    """The first page of an IB's transfers."""
    return transfers.transfers(ledger, TransferFilter(EVERYTHING, ib=an_ib(dice)), 50)


def page(ledger: Ledger, dice: random.Random) -> object:
    """The portal's page, of a month or all of time."""
    return overview(
        ledger, EVERYTHING, interval(ledger, dice.choice(("", "2026-03", "2026-05", "2026-08"))), "USD"
    )


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
    Question(
        "month, an IB's sub-tree, by symbol", by("symbol", of_ib=True), 300, plain=sums("symbol", ibs="tree")
    ),
    Question("month, all, by IB", by("ib"), 300, plain=sums("ib_id")),
    Question("year, all, by IB", by("ib", is_year=True), 1_000, plain=sums("ib_id", is_year=True)),
    Question(
        "year, all, by day",
        by("day", is_year=True),
        1_000,
        plain=sums("CAST(occurred_at AS DATE)", is_year=True),
    ),
    Question("month, one IB, by client", clients, 300, has_sums=False, plain=sums("client_id", ibs="one")),
    Question("month, margin by IB", net_of_cost, 300, has_sums=False),
    Question("the list of clients, a page", client_page, 300, has_sums=False),
    Question("month, the tree of IBs", tree_of_month, 300),
    Question("newest transfers of an IB", newest, 300, has_sums=False, plain=newest_rows()),
    Question("the portal's page", page, 500),
    Question("one transfer and its explanation", explanation, 50, has_sums=False, plain=one()),
)


class ByRows(Ledger):
    """The same ledger, with every day read by its rows: what reports cost without sums."""

    def rows(self, sql: str, **values: object) -> list[dict[str, object]]:
        """No day is kept, and none has a stretch."""
        found = super().rows(sql, **values)
        return [row | {"is_kept": False} if "is_kept" in row else row for row in found if "places" not in row]


class Anew(Ledger):
    """The same ledger, which remembers nothing."""

    def remembered(self, sql: str, **values: object) -> list[dict[str, object]]:
        """Asked as if for the first time."""
        return self.rows(sql, **values)


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
    return _median(lambda: times_ms(plain, question, ASKED_OF_ROWS)[ASKED_OF_ROWS // 2])


def _median(measure: Callable[[], float]) -> str:
    try:
        return f"{measure():,.0f}"
    except (LedgerUnavailable, ClickHouseError, duckdb.Error):
        return f">{MAX_QUERY_S} s"


class Reading:
    """What the database has read, in all: the difference between two looks is what came between them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def rows(self) -> int:
        """Rows of tables, by every query there was."""
        sql = "SELECT sum(value) FROM system.events WHERE event = 'SelectedRows'"
        return int(self._client.query(sql).first_row[0])


def print_line(
    console: Console, question: Question, anew: Ledger, found: Sequence[float], rows: str = "", mb: str = ""
) -> None:
    """The median of what is not remembered, the median and the 95th of a hundred, beside what is wanted."""
    first = times_ms(anew, question, ASKED_ANEW)[ASKED_ANEW // 2]
    figures = (f"{ms:,.0f}" for ms in (first, found[ASKED // 2], found[ASKED * 95 // 100]))
    console.print(LINE.format(question.name, *figures, f"{question.target_ms:,}", rows, mb), soft_wrap=True)


def print_reads(console: Console, connect: Callable[[], Client], parquet: Path) -> None:
    """Every question, a line as soon as it is answered; the same while rows arrive; other ways to ask.

    These come last: until then the process has what a server has, and its memory is that of a server.
    """
    console.print(LINE.format("", *NAMES), soft_wrap=True)
    with closing(Ledger(connect)) as ledger, closing(Anew(connect)) as anew, connect() as client:
        read, most = Reading(client), peak_mb()
        for question in QUESTIONS:
            question.ask(ledger, random.Random(0))
            has_peak, rows = begin_peak(), read.rows()
            found = times_ms(ledger, question, ASKED)
            peak = f"{peak_mb():,.0f}" if has_peak else ""
            count = f"{(read.rows() - rows) / ASKED:,.0f}"
            print_line(console, question, anew, found, count, peak)
            most = max(most, peak_mb())
        console.print(f"the same while {Arriving.RATE:,} transfers/s arrive, and are added up")
        with Arriving(connect) as arriving:
            for question in QUESTIONS:
                print_line(console, question, anew, times_ms(ledger, question, ASKED))
        console.print(f"{arriving.stored / arriving.seconds:,.0f} transfers/s were stored meanwhile")
        most = max(most, peak_mb())
        console.print(f"most memory of the process: {most:,.0f} MB, without the questions below")
        print_beside(console, connect, client, parquet)


def print_beside(console: Console, connect: Callable[[], Client], client: Client, parquet: Path) -> None:
    """What the same questions take without sums, as plain SQL, and of DuckDB."""
    console.print(LINE.format("", *BESIDE, "", "", ""), soft_wrap=True)
    asked = in_clickhouse(client), in_duckdb(parquet)
    with closing(ByRows(connect)) as plain:
        for question in QUESTIONS:
            others = [
                _median(lambda ask=ask, q=question: median_ms(ask, q.plain, q.name, ASKED_OF_ROWS))  # type: ignore[misc]
                if question.plain
                else ""
                for ask in asked
            ]
            of_rows = by_rows(plain, question) if question.has_sums else ""
            console.print(LINE.format(question.name, of_rows, *others, "", "", ""), soft_wrap=True)


def main(arguments: Sequence[str], total: int = ROWS) -> None:
    """Measure and print."""
    kept = Path(arguments[0]) if arguments else None
    folder = kept or Path(tempfile.mkdtemp(prefix="ibflow-bench-reads-"))
    database, parquet = folder / "db", folder / "parquet"
    connect = partial(embedded, database)
    console = Console()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        console.print(f"reports over {total:,} transfers of {sized_ledger.IBS} IBs")
        if filled := prepared(connect, total):
            console.print(
                f"written in {filled.filled_s:,.0f} s, a tenth by the sink at {filled.sink_rate:,.0f}/s;"
                f" added up in {filled.built_s:,.0f} s"
            )
            with connect() as client:
                console.print(f"written as Parquet in {write_parquet(client, parquet):,.0f} s")
        begin_peak()  # a server does not fill its ledger at once
        bench_pages.print_pages(console, connect)
        print_reads(console, connect, parquet)
        bench_pages.print_tree(console, folder / "tree")
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
