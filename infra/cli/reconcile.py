"""`ibflow reconcile`: a server's truth against the ledger; what is taken over, and what stays open."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.console import (
    DAILY,
    TIMES,
    ExitCode,
    Json,
    TermsDir,
    Yes,
    confirm,
    err,
    mendable_errors,
    out,
    print_json,
    say,
    warn,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.reconcile.run import Swept

app = typer.Typer()


@app.command(rich_help_panel=DAILY)
def reconcile(
    server: Annotated[str, typer.Option(help="The server, as broker.yaml names it.")],
    terms: TermsDir,
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
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Compare a server's deals with the ledger, and ingest what is missing or changed.

    Deal by deal and revision by revision. Exit 1 if something stays open: deals that only we have,
    deals that must not be taken over, rows that cannot be read, or any difference of a dry run.
    """
    from infra.reconcile.platform_deals import deals_of_file, deals_of_server
    from infra.reconcile.run import ReconcileRequest, check_window, native_warnings
    from infra.reconcile.run import reconcile as run
    from infra.sources.live import open_source
    from infra.sources.profiles import server_of
    from ingest.terms.folder import load_terms
    from schemas.settings import Settings

    if delete_extra and not dry_run:
        confirm(f"deals of {server} that the source lacks would be taken back for good", yes=yes)
    with mendable_errors():
        found_server = server_of(broker := load_terms(terms), server)
        wanted = ReconcileRequest(
            server=found_server,
            broker=broker.name,
            since=since.replace(tzinfo=UTC),
            until=until.replace(tzinfo=UTC),
            logins=tuple(sorted(set(login or ()))),
            dry_run=dry_run,
            delete_extra=delete_extra,
            accept_many=accept_many,
        )
        check_window(wanted.since, wanted.until, datetime.now(UTC))
        truth = (
            deals_of_file(source, found_server, wanted.logins, currency=currency, group=group)
            if source
            else deals_of_server(open_source(found_server), wanted.logins)
        )
        with _counting("comparing") as on_progress:
            swept = run(Settings(), wanted, truth, on_progress)
        swept.warnings += native_warnings(Settings(), wanted)
    _print(swept, dry_run=dry_run, as_json=as_json)
    if swept.record.unresolved:
        raise typer.Exit(ExitCode.BROKEN)


def _print(swept: "Swept", *, dry_run: bool, as_json: bool) -> None:
    from infra.reconcile.report import counts_table, days_table, example_lines, to_json, verdict_line
    from infra.terminal import show

    if as_json:
        print_json(to_json(swept.record, swept.warnings, dry_run=dry_run))
    else:
        show(counts_table(swept.record, dry_run=dry_run), days_table(swept.record))
        for line in example_lines(swept.record):
            say(line)
        for warning in swept.warnings:
            warn(warning)
        out.print(verdict_line(swept.record, dry_run=dry_run))


@contextmanager
def _counting(what: str) -> "Iterator[Callable[[int], None]]":
    """A line on stderr with the number of deals so far; it goes when its block ends."""
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done: bar.update(task, completed=done)
