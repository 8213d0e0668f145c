"""`ibflow demo`: a synthetic broker through the real pipeline, and what its IBs are owed."""

import shutil
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from infra.example import ENDED_PERIODS, Example
from infra.feed import feed
from infra.stack import Stack
from infra.verify import Report, verify
from ingest.counts import Counts
from ingest.produce import publish_terms
from schemas.settings import Settings


def run(console: Console, settings: Settings, *, keep: Callable[[], None] | None) -> Report:
    """Start everything on an empty data folder, feed the example, show the result, stop."""
    shutil.rmtree(settings.data_dir, ignore_errors=True)
    example = Example.load()
    started = time.perf_counter()
    with _progress(console) as progress:
        task = progress.add_task("starting Kafka, worker and server", total=None)
        stack = Stack(settings)
        stack.start()
        progress.update(task, total=1, completed=1)
        try:
            counts, deals_per_second = _feed(progress, stack, example)
            report = verify(stack.server.client)
        except BaseException:
            stack.stop()
            raise
    try:
        console.print()
        for line in counts.lines():
            console.print(f"  {line}", style="dim", highlight=False)
        _show(console, stack.server.client, report)
        console.print(
            f"[dim]{time.perf_counter() - started:.1f} s in all; "
            f"{deals_per_second:,.0f} deals/s from file to ledger, start-up of the batch included[/]"
        )
        console.print(
            f"portal  [link={stack.server.url}]{stack.server.url}[/]   api  {stack.server.url}/docs"
        )
        if keep is not None:
            keep()
    finally:
        stack.stop()
    return report


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=console,
    )


def _feed(progress: Progress, stack: Stack, example: Example) -> tuple[Counts, float]:
    """Terms, then the files, then the ends of the months; wait for each to arrive in the ledger."""
    task = progress.add_task("publishing terms", total=1)
    publish_terms(example.broker.records, stack.kafka)
    progress.update(task, completed=1)
    counts = Counts()
    started = time.perf_counter()
    task = progress.add_task("reading exports", total=None)
    feed(example.inputs, stack.kafka, counts, lambda done: progress.update(task, completed=done))
    progress.update(task, total=1, completed=1)
    task = progress.add_task("rating deals", total=None)
    stack.drain(
        lambda at: progress.update(task, total=at.written or None, completed=at.written - at.to_store)
    )
    deals_per_second = sum(counts.deals.values()) / (time.perf_counter() - started)
    task = progress.add_task("closing statements", total=None)
    stack.end_periods(ENDED_PERIODS)
    stack.drain()
    progress.update(task, total=1, completed=1)
    return counts, deals_per_second


def _show(console: Console, client: Client, report: Report) -> None:
    console.print(_commissions(client))
    console.print(_statements(client))
    console.print(_clawback(client))
    console.print(_explanation(client))
    console.print(findings_table(report))


def _rows(client: Client, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in client.query(sql).result_rows]


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _commissions(client: Client) -> Table:
    table = Table(title="Commission by IB", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("IB")
    for name in ("per lot", "spread share", "CPA", "clawed back", "earned", "held for KYC"):
        table.add_column(name, justify="right")
    sql = """
        SELECT t.ib_id, any(p.name), any(t.currency),
            sumIf(amount, code = 'accrual' AND component = 'per_lot'),
            sumIf(amount, code = 'accrual' AND component = 'spread_share'),
            sumIf(amount, code = 'accrual' AND component = 'cpa'),
            sumIf(amount, code = 'reversal'),
            sumIf(amount, code = 'accrual') - sumIf(amount, code = 'reversal'),
            sumIf(amount, endsWith(credit, ':held')) - sumIf(amount, endsWith(debit, ':held'))
        FROM transfers AS t FINAL LEFT JOIN partners AS p FINAL ON t.ib_id = p.ib_id
        GROUP BY t.ib_id ORDER BY t.ib_id
    """
    for ib_id, name, currency, *amounts, earned, held in _rows(client, sql):
        cells = [_money(amount) for amount in amounts]
        table.add_row(
            f"{ib_id}  [dim]{name}[/]", *cells, f"[bold]{_money(earned)}[/] {currency}", _money(held)
        )
    return table


def _statements(client: Client) -> Table:
    table = Table(title="Statements", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("IB")
    table.add_column("period")
    for name in ("opening", "accrued", "taken back", "rounding", "payable"):
        table.add_column(name, justify="right")
    sql = """
        SELECT ib_id, period, opening, accrued, reversed, rounding, payable, currency
        FROM statements FINAL ORDER BY ib_id, period
    """
    for ib_id, period, opening, accrued, reversed_, rounding, payable, currency in _rows(client, sql):
        cells = (_money(opening), _money(accrued), _money(reversed_), f"{rounding:f}")
        table.add_row(ib_id, period, *cells, f"[bold]{_money(payable)}[/] {currency}")
    return table


def _clawback(client: Client) -> Panel:
    rows = _rows(
        client,
        """
        SELECT r.ib_id, r.amount, r.currency, r.client_id, r.occurred_at, r.transfer_id, r.reverses, r.caused_by
        FROM (SELECT * FROM transfers FINAL WHERE code = 'reversal' AND component = 'cpa') AS r ORDER BY r.ib_id
        """,
    )
    lines = [
        f"{ib_id} gives back {_money(amount)} {currency} for {client_id}: "
        f"chargeback {cause} of {at:%Y-%m-%d} reverses transfer {str(reverses)[:8]}…"
        for ib_id, amount, currency, client_id, at, _, reverses, cause in rows
    ]
    return Panel(Text("\n".join(lines) or "none"), title="Clawback", title_align="left", box=box.ROUNDED)


def _explanation(client: Client) -> Panel:
    """One override in full: the amount, and every number it was made of."""
    rows = _rows(
        client,
        """
        SELECT ib_id, amount, currency, caused_by, client_id, symbol, occurred_at, plan_id, plan_version, rule,
            path, factors
        FROM transfers FINAL WHERE code = 'accrual' AND depth > 0 AND component = 'per_lot'
        ORDER BY amount DESC, transfer_id LIMIT 1
        """,
    )
    if not rows:
        return Panel("no override yet", title="Why?", title_align="left")
    ib_id, amount, currency, cause, client_id, symbol, at, plan, version, rule, path, factors = rows[0]
    lines = [
        f"{ib_id} earned {amount:f} {currency} on deal {cause} of {client_id} ({symbol}, {at:%Y-%m-%d %H:%M} UTC)",
        f"plan {plan} version {version}, rule {rule}; path {' → '.join((client_id, *path))}",
        *(f"  {name:<24} {value}" for name, value in factors.items()),
    ]
    return Panel(Text("\n".join(lines)), title="Why?", title_align="left", box=box.ROUNDED)


def findings_table(report: Report) -> Table:
    """The invariants, one a line, for people."""
    table = Table(title="Invariants", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    table.add_column("invariant")
    table.add_column("measured")
    for finding in report.findings:
        mark = "[green]✓[/]" if finding.holds else "[bold red]✗[/]"
        table.add_row(mark, finding.invariant, finding.figures)
    table.caption = f"ledger hash {report.ledger_hash}"
    return table
