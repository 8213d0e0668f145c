"""`ibflow terms …`: check, publish and look at partners, plans, symbols and rates."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import plans
from infra.cli.console import (
    DAILY,
    ExitCode,
    Json,
    Yes,
    complain,
    confirm,
    err,
    mendable_errors,
    out,
    print_json,
    warn,
)

app = typer.Typer(
    name="terms",
    help="Partners, plans, symbols and rates, from YAML.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)


@app.command("check")
def check(folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)]) -> None:
    """Check a folder of terms; every problem with its file and line; exit 1 on traps that nobody accepted."""
    from infra.plans.suite import read_cases
    from infra.plans.traps import traps_of, without_shown
    from ingest.terms.folder import load_terms

    with mendable_errors():
        broker = load_terms(folder)
        found = without_shown(broker.warnings, read_cases([folder]))
    for finding in found:
        trap = f"trap {finding.code}: " if finding.severity == "trap" else ""
        warn(f"{finding.file}:{finding.line}: {trap}{finding.text}")
    told = f", {len(traps)} traps" if (traps := traps_of(found)) else ""
    out.print(f"{len(broker.records)} records, {len(broker.servers)} servers: no errors{told}")
    if traps:
        raise typer.Exit(ExitCode.BROKEN)


@app.command("reference")
def reference() -> None:
    """Print every key of the terms files with its default and an example, as Markdown."""
    from ingest.terms.reference import reference as page

    typer.echo(page(), nl=False)


@app.command("publish")
def publish(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)], *, yes: Yes = False
) -> None:
    """Check a folder of terms, run its plans' golden cases, and publish it; the same as `plans publish`."""
    plans.publish(folder, yes=yes)


@app.command("publish-rates")
def publish_rates(
    paths: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="CSV of as_of,base,quote,rate and maybe source."),
    ],
    *,
    zone: Annotated[
        str, typer.Option(help="Zone of dates and of times without an offset, such as Europe/Nicosia.")
    ] = "UTC",
    only_check: Annotated[bool, typer.Option("--check", help="Only say what would be published.")] = False,
) -> None:
    """Publish reference rates of exchange: all of a file or nothing; repeating it changes nothing."""
    from infra.connect.settings import prepared_kafka
    from ingest.market import rates_csv
    from ingest.publish.publisher import publish_terms
    from schemas.settings import Settings

    with mendable_errors():
        records = rates_csv.read(paths, zone)
        for line in rates_csv.lines(records):
            out.print(line)
        if not only_check:
            publish_terms(records, prepared_kafka(Settings()))
    out.print(f"{'checked' if only_check else 'published'} {len(records)} rates")


@app.command("end-period")
def end_period(
    periods: Annotated[list[str], typer.Argument(help="Such as 2026-09; several in their order.")],
    *,
    early: Annotated[str, typer.Option(help="Why a period may end before its time has passed.")] = "",
    as_they_are: Annotated[
        bool,
        typer.Option("--as-they-are", help="Close although deals may be missing, as is shown."),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Close the statements of periods that are over, over everything that was ingested before.

    It waits until that is applied and stored, shows what would be closed, asks, and prints the statements.
    """
    from infra.commands import period_end
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    settings, now = Settings(), period_end.now()
    with mendable_errors():
        with err.status("waiting until everything written is applied and stored") as line:
            period_end.settle(
                settings, lambda at: line.update(f"{at.to_apply} messages to apply, {at.to_store} to store")
            )
        known = period_end.calendar(settings)
        period_end.check(known, periods, early, now)
        for period in periods:
            ending = period_end.preview(settings, known, period)
            if not as_json:
                print_tables(ending.table())
            if ending.waiting:
                warn(f"deals that wait, for a later period if it ends now: {', '.join(ending.waiting)}")
            for hole in ending.holes:
                warn(f"not known to be complete: {hole}")
            if ending.holes and not as_they_are:
                complain("nothing was ended: `ibflow reconcile` the stretches above, or add --as-they-are")
                raise typer.Exit(ExitCode.USAGE)
            confirm(f"{period} closes, and what arrives for it later counts in the next period", yes=yes)
            statements = period_end.end(settings, period, early, now)
            if as_json:
                print_json({"period": period, "statements": statements})
                continue
            print_tables(period_end.statements_table(period, statements))
            out.print(f"ended {period}: {len(statements)} statements")


@app.command("reopen-period")
def reopen_period(
    period: Annotated[str, typer.Argument(help="The newest that has ended, such as 2026-09.")],
    *,
    reason: Annotated[str, typer.Option(help="What was wrong, for whoever approves it.")],
    as_json: Json = False,
) -> None:
    """Propose to take back a wrong end: its statements are withdrawn once a second person approves.

    Only of the newest period that has ended, and while none of its payout lines was exported.
    """
    from infra.cli.proposals import create_proposal, print_proposal
    from infra.commands import period_end
    from schemas.settings import Settings

    settings = Settings()
    with mendable_errors():
        with err.status("waiting until everything written is applied and stored"):
            period_end.settle(settings)
        print_proposal(create_proposal(settings, reason, period), as_json=as_json)


@app.command("show")
def show(
    *,
    as_of: Annotated[str, typer.Option(help="Event time, such as 2026-09-01T12:00:00Z; now.")] = "",
    known_at: Annotated[str, typer.Option(help="Offset of the terms topic, or a time; the newest.")] = "",
    ib: Annotated[str, typer.Option(help="Only this IB and those above it.")] = "",
    plan: Annotated[str, typer.Option(help="Only this plan.")] = "",
    as_json: Json = False,
) -> None:
    """What the terms say of a time, as they were known at a point of their log, and where from."""
    from infra.commands.evidence import fetch_terms, terms_renderables
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    with mendable_errors():
        shown = fetch_terms(Settings(), as_of, known_at, ib, plan)
    if as_json:
        print_json(shown)
    else:
        print_tables(*terms_renderables(shown))
