"""`ibflow reconcile`: a server's truth against the ledger; what is taken over, and what stays open."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from infra.show import show
from ingest.counts import to_lots
from schemas.reconciliations import RECONCILIATION, DayVolume, Reconciliation
from schemas.settings import Settings

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
DAYS_SHOWN = 31
EXAMPLES_SHOWN = 20


def reconcile(
    server: Annotated[str, typer.Option(help="The server, as broker.yaml names it.")],
    terms: Annotated[
        Path, typer.Option("--terms", exists=True, file_okay=False, help="Folder of terms YAML.")
    ],
    since: Annotated[
        datetime, typer.Option("--from", help="Deals of this time and after, UTC.", formats=TIMES)
    ],
    until: Annotated[datetime, typer.Option("--to", help="Deals before this time, UTC.", formats=TIMES)],
    *,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, dir_okay=False, help="An export of the window; else the server's own feed."
        ),
    ] = None,
    login: Annotated[list[int] | None, typer.Option(help="Only this account; may be repeated.")] = None,
    currency: Annotated[str, typer.Option(help="Deposit currency, where the source names none.")] = "",
    group: Annotated[str, typer.Option(help="The accounts' group, where the source names none.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare; write nothing at all.")] = False,
    delete_extra: Annotated[
        bool,
        typer.Option(
            "--delete-extra", help="Deals the source lacks were deleted at the platform: take back, for good."
        ),
    ] = False,
    accept_many: Annotated[
        bool, typer.Option("--accept-many", help="Take over changed deals however many they are.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Compare a server's deals with the ledger, and ingest what is missing or changed.

    Deal by deal and revision by revision. Exit 1 if something stays open: deals that only we have,
    deals that must not be taken over, rows that cannot be read, or any difference of a dry run.
    """
    from infra.cli.console import EXIT_BROKEN, err, out, told
    from infra.reconcile.platform_deals import file_truth, live_truth
    from infra.reconcile.run import Wanted, check_window, native_warnings
    from infra.reconcile.run import reconcile as run
    from infra.sources.live import open_source
    from infra.sources.profiles import server_of
    from ingest.terms.folder import load_terms

    with told():
        found_server = server_of(load_terms(terms), server)
        wanted = Wanted(
            server=found_server,
            since=since.replace(tzinfo=UTC),
            until=until.replace(tzinfo=UTC),
            logins=tuple(sorted(set(login or ()))),
            dry_run=dry_run,
            delete_extra=delete_extra,
            accept_many=accept_many,
        )
        check_window(wanted.since, wanted.until, datetime.now(UTC))
        truth = (
            file_truth(source, found_server, wanted.logins, currency=currency, group=group)
            if source
            else live_truth(open_source(found_server), wanted.logins)
        )
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            MofNCompleteColumn(),
            console=err,
            transient=True,
        ) as bar:
            task = bar.add_task("comparing", total=None)
            swept = run(Settings(), wanted, truth, lambda done: bar.update(task, completed=done))
        swept.warnings += native_warnings(Settings(), wanted)
    if as_json:
        typer.echo(json.dumps(to_json(swept.record, swept.warnings, dry_run=dry_run), indent=2))
    else:
        show(counts_table(swept.record, dry_run=dry_run), days_table(swept.record))
        for line in example_lines(swept.record):
            out.print(escape(line), highlight=False)
        for warning in swept.warnings:
            err.print(f"[yellow]{escape(warning)}[/]", highlight=False)
        out.print(verdict_line(swept.record, dry_run=dry_run), highlight=False)
    if swept.record.unresolved:
        raise typer.Exit(EXIT_BROKEN)


def to_json(found: Reconciliation, warnings: list[str], *, dry_run: bool) -> dict[str, Any]:
    """As plain data."""
    record: dict[str, Any] = RECONCILIATION.dump_python(found, mode="json")
    return {**record, "unresolved": found.unresolved, "dry_run": dry_run, "warnings": warnings}


def counts_table(found: Reconciliation, *, dry_run: bool) -> Table:
    """What was found, and what was done about it."""
    title = f"{found.server}  {found.starts_at:%Y-%m-%d %H:%M} to {found.ends_at:%Y-%m-%d %H:%M} UTC"
    table = _table(title + ("  (dry run)" if dry_run else ""), "", "deals", "what becomes of them")
    taken = "would be ingested" if dry_run else "ingested"
    open_ = max(found.missing + found.different - found.ingested, 0)
    kept = "" if dry_run or not open_ else f", {open_:,} left"
    rows = (
        ("theirs", found.theirs, escape(found.source)),
        ("ours", found.ours, "as the ledger stood before"),
        ("missing", found.missing, taken if found.missing else ""),
        ("different", found.different, taken + kept if found.different else ""),
        ("extra", found.extra, _extra(found)),
        ("disputed", found.disputed, "for a person to decide" if found.disputed else ""),
        ("unreadable", found.unreadable, "rows; dead letters" if found.unreadable else ""),
    )
    for name, count, text in rows:
        colour = "yellow" if count and name not in ("theirs", "ours") else "default"
        table.add_row(name, f"[{colour}]{count:,}[/]", f"[dim]{text}[/]")
    return table


def _extra(found: Reconciliation) -> str:
    if not found.extra:
        return ""
    if found.deleted:
        return f"{found.deleted:,} taken back as deleted"
    return "only reported; --delete-extra takes them back"


def days_table(found: Reconciliation) -> Table:
    """The volume of each day on both sides: the days that differ first in sight, all of a month."""
    shown = [day for day in found.days if day.theirs or day.ours]
    differing = [day for day in shown if _differs(day)]
    days = shown if len(shown) <= DAYS_SHOWN else differing[:DAYS_SHOWN]
    table = _table(
        "Volume by day, before the sweep (UTC)", "day", "theirs", "ours", "lots theirs", "lots ours", ""
    )
    for day in days:
        mark = "[yellow]differs[/]" if _differs(day) else "[green]✓[/]"
        lots = (f"{to_lots(day.theirs_e8):,f}", f"{to_lots(day.ours_e8):,f}")
        table.add_row(day.day.isoformat(), f"{day.theirs:,}", f"{day.ours:,}", *lots, mark)
    if len(shown) > len(days):
        table.caption = f"{len(shown):,} days, {len(differing):,} differ; --json has all"
    return table


def _differs(day: DayVolume) -> bool:
    return (day.theirs, day.theirs_e8) != (day.ours, day.ours_e8)


def example_lines(found: Reconciliation) -> list[str]:
    """The first deals that are not the same."""
    lines = [
        f"  {one.verdict:<9} {one.deal_id}  {one.occurred_at:%Y-%m-%d %H:%M:%S}"
        + (f"  {one.note}" if one.note else "")
        for one in found.examples[:EXAMPLES_SHOWN]
    ]
    total = found.missing + found.different + found.extra + found.disputed
    if total > len(lines):
        lines.append(f"  and {total - len(lines):,} more")
    return lines


def verdict_line(found: Reconciliation, *, dry_run: bool) -> str:
    """The sweep in a sentence."""
    if not found.unresolved:
        return "[green]complete:[/] theirs and ours agree"
    if dry_run:
        return (
            f"[yellow]{found.unresolved:,} differences[/]; without --dry-run the sweep takes over what it may"
        )
    return f"[yellow]{found.unresolved:,} stay open[/]; statements of that time are flagged meanwhile"


def _table(title: str, first: str, *names: str) -> Table:
    table = Table(
        title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0), pad_edge=False
    )
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="left" if name.startswith("what") else "right")
    return table


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel="Daily work")(reconcile)
