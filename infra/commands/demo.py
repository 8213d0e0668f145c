"""`ibflow demo`: a synthetic broker through the real pipeline, and what its IBs are owed."""

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from api.ledger import Ledger
from api.scope import EVERYTHING
from api.views.explanation import explain_transfer
from commission.accounts import HELD
from infra.commands.demo_payout import Payment, pay
from infra.commands.demo_people import add_endpoint, add_people, people_table
from infra.commands.demo_proposal import propose
from infra.commands.example import BROKER, ENDED_PERIODS, Example
from infra.connect.sealing import new_key
from infra.local_kafka.local import LocalKafka
from infra.processes.owner import Owner
from infra.processes.stack import Stack
from infra.sources.files import feed
from infra.terminal import new_table, show
from infra.verify.invariants import Report, findings_table, verify
from ingest.counts import Counts
from ingest.publish.publisher import publish_terms
from schemas.errors import Unusable
from schemas.settings import OwnSettings, Settings

MARKER = ".ibflow-demo"
MARKER_TEXT = "Made by `ibflow demo`; the next one empties this folder.\n"


def run(console: Console, settings: Settings, *, keep: Callable[[], None] | None) -> Report:
    """Start everything on an empty data folder, feed the example, show the result, stop."""
    make_folder(settings.data_dir)
    example = Example.load()
    started = time.perf_counter()
    with _progress(console) as progress:
        stack = Stack(settings)
        with _step(progress, "starting Kafka, worker and server"):
            stack.start()
        try:
            counts, deals_per_second = _feed(progress, stack, example)
            report = verify(stack.server.client)  # of what was earned, before any of it is paid
            with _step(progress, "paying October"):
                payment = pay(stack)
        except BaseException:
            stack.stop()
            raise
    try:
        console.print()
        console.print(_read(counts), style="dim", highlight=False)
        with ThreadPoolExecutor(1) as meanwhile:
            ending = meanwhile.submit(stack.pause) if keep is None else None
            _show(console, stack.server.client, report)
            _show_payment(console, payment)
            if ending is not None:
                ending.result()  # what went wrong there is not lost
        console.print(
            f"[dim]{time.perf_counter() - started:.1f} s in all; "
            f"{deals_per_second:,.0f} deals/s from file to ledger, start-up of the batch included[/]"
        )
        if keep is not None:
            url = stack.server.url
            add_endpoint(stack.server.endpoints)
            propose(stack, example)
            show(people_table(add_people(stack.server.people, settings.data_dir)), console=console)
            console.print(f"portal  [link={url}]{url}[/]   api  {url}/docs")
            console.print(f"ask it  ibflow --data-dir {settings.data_dir} verify", highlight=False)
            keep()
        else:
            console.print("[dim]`ibflow demo --keep` leaves it running, with its portal[/]")
    finally:
        stack.stop()
    return report


def demo_settings(data_dir: Path) -> Settings:
    """A demo's own: no Kafka, ClickHouse, receiver or token that the environment names is used."""
    return OwnSettings(
        data_dir=data_dir,
        partitions=4,
        api_port=0,
        payee_keys=new_key(),
        postback_keys=new_key(),
        click_keys=new_key(),
        landing_hosts="broker.com",
        payers_file=BROKER / "payers.yaml",
        terms_dir=BROKER / "terms",
    )


def make_folder(folder: Path) -> None:
    """Empty the folder of an earlier demo, or make one; raise `Unusable` for any that no demo made."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise Unusable(f"{folder} is not a folder; a demo works in a folder of its own")
    if folder.exists() and any(folder.iterdir()):
        marker = folder / MARKER
        if marker.is_symlink() or not marker.is_file():
            raise Unusable(
                f"{folder.absolute()} was not made by `ibflow demo` (it has no file {MARKER}) and is left "
                "alone; name one that does not exist yet with --data, or remove this one yourself"
            )
        Owner.take(folder).leave()  # a demo that is kept runs on in its folder
        LocalKafka().stop(folder / "kafka")  # of one that was killed
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != marker:
                path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(MARKER_TEXT, encoding="utf-8")


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=console,
    )


def _feed(progress: Progress, stack: Stack, example: Example) -> tuple[Counts, float]:
    """Terms, the exports, what comes late, the ends of the months; each waits for the one before."""
    counts = Counts()
    with _step(progress, "publishing terms"):
        publish_terms(example.broker.records, stack.kafka, example.broker.name)
        stack.drain()
    started = time.perf_counter()
    with _step(progress, "reading exports") as advance:
        feed(example.inputs, stack.kafka, counts, lambda done: advance(done, None))
    with _step(progress, "rating deals") as advance:
        stack.drain(lambda at: advance(at.written - at.to_store, at.written))
    deals_per_second = sum(counts.deals.values()) / (time.perf_counter() - started)
    with _step(progress, "corrections, a late registration, a chargeback"):
        feed(example.late, stack.kafka, counts)
        stack.drain()
    with _step(progress, "closing statements"):
        stack.end_periods(ENDED_PERIODS)
        stack.drain()
    return counts, deals_per_second


@contextmanager
def _step(progress: Progress, name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A line of progress that is done when its block is."""
    task = progress.add_task(name, total=None)
    yield lambda done, total: progress.update(task, completed=done, total=total)
    progress.update(task, total=1, completed=1)


def _read(counts: Counts) -> str:
    deals, letters = sum(counts.deals.values()), sum(counts.dead_letters.values())
    events = sum(counts.events.values())
    return f"{counts.rows:,} rows read: {deals:,} deals, {events:,} CRM events, {letters} dead letters"


def _show(console: Console, client: Client, report: Report) -> None:
    show(_commissions(client), _statements(client), console=console)
    console.print(_clawback(client))
    console.print(_explanation(client))
    show(findings_table(report), console=console)
    console.print(f"ledger hash {report.ledger_hash}", highlight=False)


def _show_payment(console: Console, payment: Payment) -> None:
    """The batch in a few lines: what bounced is payable again."""
    table = _table("Payout of 2026-10", "IB", "to pay", "to", "the bank", "paid", "payable", "")
    for line in payment.lines:
        cells = (_money(line.amount), line.account, line.became, _money(line.paid), _money(line.payable))
        table.add_row(line.ib_id, *cells, payment.batch.currency)
    show(table, console=console)
    did = ", ".join(f"{one.what} by {one.by}" for one in payment.batch.steps[:3])
    console.print(f"{did}; {', '.join(payment.files)}", highlight=False)


def _table(title: str, first: str, *names: str) -> Table:
    table = new_table(title)
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _rows(client: Client, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(sql).result_rows]


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _commissions(client: Client) -> Table:
    table = _table("Commission by IB", "IB", "per lot", "spread", "CPA", "taken back", "earned", "held", "")
    sql = f"""
        SELECT ib_id, currency,
            sumIf(amount, code = 'accrual' AND component = 'per_lot'),
            sumIf(amount, code = 'accrual' AND component = 'spread_share'),
            sumIf(amount, code = 'accrual' AND component = 'cpa'),
            sumIf(amount, code = 'reversal'),
            sumIf(amount, code IN ('accrual', 'true_up')) - sumIf(amount, code = 'reversal'),
            sumIf(amount, endsWith(credit, '{HELD}')) - sumIf(amount, endsWith(debit, '{HELD}'))
        FROM transfers FINAL GROUP BY ib_id, currency ORDER BY ib_id, currency
    """  # noqa: S608 # our own names
    for ib_id, currency, *amounts, earned, held in _rows(client, sql):
        cells = [_money(amount) for amount in amounts]
        table.add_row(ib_id, *cells, f"[bold]{_money(earned)}[/]", _money(held), currency)
    return table


def _statements(client: Client) -> Table:
    table = _table("Statements", "IB", "period", "accrued", "taken back", "rounding", "payable", "")
    sql = """
        SELECT ib_id, period, accrued, reversed, rounding, payable, currency
        FROM statements_current ORDER BY ib_id, starts_at, currency
    """
    for ib_id, period, accrued, reversed_, rounding, payable, currency in _rows(client, sql):
        cells = (_money(accrued), _money(reversed_), f"{rounding:.6f}")
        table.add_row(ib_id, period, *cells, f"[bold]{_money(payable)}[/]", currency)
    return table


def _clawback(client: Client) -> Panel:
    rows = _rows(
        client,
        """
        SELECT ib_id, amount, currency, client_id, occurred_at, reverses, caused_by
        FROM transfers FINAL WHERE code = 'reversal' AND component = 'cpa' ORDER BY ib_id
        """,
    )
    lines = [
        f"{ib_id} gives back {_money(amount)} {currency} for {client_id}, charged back on {at:%Y-%m-%d}: "
        f"{cause} reverses {reverses}"
        for ib_id, amount, currency, client_id, at, reverses, cause in rows
    ]
    return Panel(Text("\n".join(lines) or "none"), title="Clawback", title_align="left", box=box.ROUNDED)


def _explanation(client: Client) -> Panel:
    """The largest override in full: the amount, and every number it was made of."""
    sql = """
        SELECT transfer_id FROM transfers FINAL
        WHERE code = 'accrual' AND depth > 0 AND component = 'per_lot'
        ORDER BY amount DESC, transfer_id LIMIT 1
    """
    rows = _rows(client, sql)
    found = explain_transfer(Ledger(lambda: client), EVERYTHING, rows[0][0]) if rows else None
    text = "no override yet" if found is None else found.told.to_text().partition("\n\nWhat holds")[0]
    return Panel(Text(text), title="Why?", title_align="left", box=box.ROUNDED)
