"""`ibflow audit` and `verify`: look at the ledger and check it."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from infra.cli.console import (
    DAILY,
    ExitCode,
    Json,
    Workers,
    err,
    mendable_errors,
    out,
    print_json,
)

app = typer.Typer()


@app.command(rich_help_panel=DAILY)
def audit(transfer_id: str, *, as_json: Json = False) -> None:
    """Follow a transfer back to the lines it came from: topic, partition, offset, bytes, source."""
    from infra.commands.evidence import audit_lines, fetch_audit
    from schemas.settings import Settings

    with mendable_errors():
        found = fetch_audit(Settings(), transfer_id)
    if as_json:
        print_json(found)
    else:
        for line in audit_lines(found):
            out.print(line)


@app.command(rich_help_panel=DAILY)
def verify(
    *,
    statement: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Check a statement's file instead, without a server."),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The file of the statement before it."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Fold every book again, whatever its size: `ibflow replay`.")
    ] = False,
    rebuild_sums: Annotated[
        bool,
        typer.Option("--rebuild-sums", help="First build the sums that reports read again from the rows."),
    ] = False,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Check the ledger's invariants and print their figures; exit 1 if one does not hold."""
    if statement is not None:
        _verify_file(statement, previous, as_json=as_json)
        return
    from infra.replay.pool import no_bar, progress_bar
    from infra.terminal import show
    from infra.verify.client import fetch_report
    from infra.verify.invariants import findings_table
    from schemas.settings import Settings

    if rebuild_sums:
        _rebuild_sums()
    with mendable_errors(), progress_bar(err) if deep else nullcontext(no_bar) as bar:
        report = fetch_report(Settings(), deep=deep, workers=workers, bar=bar)
    if as_json:
        print_json(report.to_json())
    else:
        show(findings_table(report))
        out.print(f"ledger hash {report.ledger_hash}")
        for warning in report.warnings:
            out.print(f"[yellow]warning:[/] {escape(warning)}")
    if not report.holds:
        raise typer.Exit(ExitCode.BROKEN)


def _rebuild_sums() -> None:
    from infra.sums.rebuild import rebuild
    from schemas.settings import Settings

    with mendable_errors():
        err.print(f"{rebuild(Settings()):,} days' sums were built again from the rows")


def _verify_file(path: Path, previous: Path | None, *, as_json: bool) -> None:
    """Check a statement's file by itself."""
    from infra.terminal import show
    from infra.verify.statement_file import check_files, checks_table

    with mendable_errors():
        found, checks = check_files(path, previous)
    if as_json:
        print_json([check._asdict() for check in checks])
    else:
        show(checks_table(found, checks))
    if not all(check.holds for check in checks):
        raise typer.Exit(ExitCode.BROKEN)
