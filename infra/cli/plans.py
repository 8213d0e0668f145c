"""`ibflow plans …`: plans as files, with their golden cases."""

from pathlib import Path
from typing import Annotated

import typer

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
    say,
    warn,
)

app = typer.Typer(
    name="plans",
    help="Plans as files: lint them, run their golden cases, see what a change costs, publish.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

PlanPaths = Annotated[
    list[Path],
    typer.Argument(exists=True, help="Files of plans, folders of them, or folders of terms (broker.yaml)."),
]


@app.command("lint")
def lint(paths: PlanPaths, *, as_json: Json = False) -> None:
    """Check plans and their golden cases; every problem with its file and line; exit 1 on errors and traps.

    A trap pays more than is usually meant, shown with its worst case in money. It is not published unless
    the plan accepts it by its name: `accept: [{trap: overlap, because: agreed with sales}]`.
    """
    from infra.plans import suite

    with mendable_errors():
        found = suite.lint(paths)
    if as_json:
        print_json(found.to_json())
    else:
        for note in found.notes:
            say(f"{note} (note)")
        for warning in found.warnings:
            warn(warning)
        for trap in found.traps:
            complain(f"{trap.file}:{trap.line}: trap {trap.code}: {trap.text}")
        for problem in found.problems:
            complain(problem)
        out.print(
            f"{found.files} files, {found.plans} plans, {found.cases} cases: {len(found.problems)} errors"
            + (f", {len(found.traps)} traps" if found.traps else "")
        )
    if found.problems or found.traps:
        raise typer.Exit(ExitCode.BROKEN)


@app.command("test")
def golden_cases(paths: PlanPaths, *, as_json: Json = False) -> None:
    """Run the golden cases (`expect`) through the books in memory; exit 1 if one fails.

    A failing case names the IB, what was expected, what came, and the ledger rows that made it.
    """
    from infra.plans import suite
    from infra.terminal import show

    with mendable_errors():
        files = suite.read_cases(paths)
        if not (count := sum(len(file.cases) for file in files)):
            raise suite.no_cases(paths)
        with suite.progress_bar(count, err) as advance:
            results = suite.run_cases(files, advance)
    failed = sum(not result.passed for result in results)
    if as_json:
        print_json(suite.results_json(results))
    else:
        show(suite.results_table(results))
        for line in suite.failure_lines(results):
            say(line)
        if failed and not all(file.has_zone for file in files):
            err.print("dates without a zone are UTC here: no broker.yaml beside the file names the broker's")
        out.print(f"{count - failed} of {count} cases passed")
    if failed:
        raise typer.Exit(ExitCode.BROKEN)


@app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(exists=True, help="Folder of terms, or a file of plans.")],
    new: Annotated[Path, typer.Argument(exists=True, help="The same, changed.")],
    *,
    price: Annotated[
        list[str] | None,
        typer.Option(help="XAUUSD=4580: a price to trade the lot at; else the rate of exchange, or 1."),
    ] = None,
    charge: Annotated[str, typer.Option(help="Commission the client pays for the lot, in USD.")] = "0",
    as_json: Json = False,
) -> None:
    """Say what changed between two sets of plans, and what one lot pays before and after.

    The lot is opened and closed an hour later, 10 pips apart, without quotes, so that average spreads count.
    """
    from infra.plans import diff as plan_diff

    with mendable_errors():
        lot = plan_diff.to_lot(price or [], charge)
        found = plan_diff.diff(plan_diff.read_terms(old), plan_diff.read_terms(new), lot)
    if as_json:
        print_json([plan.to_json() for plan in found])
    else:
        for line in plan_diff.diff_lines(found):
            say(line)


@app.command("publish")
def publish(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)], *, yes: Yes = False
) -> None:
    """Lint and test a folder of terms, then publish it to the books; nothing unless all is well.

    Traps that `lint` finds are refused too, unless the plan accepts each by its name with the reason.
    The first publication of a folder with `broker:` in its broker.yaml names the log: from then on it takes
    no terms and no deals of another broker.
    """
    from infra.plans import suite
    from schemas.settings import Settings

    def to_name(broker: str) -> None:
        told = f"the terms that are there have no broker's name; from now on they would be those of {broker}"
        confirm(told, yes=yes)

    with mendable_errors():
        passed, published = suite.publish(folder, Settings(), to_name)
    out.print(suite.published_line(passed, published))


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of files of plans, for completion and checks in an editor."""
    from schemas.plan_schema import plan_file_schema

    print_json(plan_file_schema())
