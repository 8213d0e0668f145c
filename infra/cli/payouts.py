"""`ibflow payouts`: give out what a period's statements let you pay, each line once."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.console import (
    DAILY,
    Json,
    Yes,
    confirm_overwrite,
    mendable_errors,
    out,
    print_json,
    say,
    warn,
)

app = typer.Typer(
    name="payouts",
    help="Export what a period's statements let you pay: each line once, every export on record.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

Period = Annotated[str, typer.Argument(help="Such as 2026-09.")]
Output = Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="CSV file to write.")]


@app.command("preview")
def preview(period: Period) -> None:
    """Print every payout line of a period as CSV: payable, blocked, or in which export; exports nothing."""
    from infra.payouts.client import lines
    from schemas.settings import Settings

    with mendable_errors():
        typer.echo(lines(Settings(), period), nl=False)


@app.command("export")
def export(period: Period, output: Output, *, yes: Yes = False, as_json: Json = False) -> None:
    """Write the lines of a period that may be paid and were never exported; they are not exported again."""
    from infra.payouts.client import export as export_lines
    from infra.payouts.client import write
    from schemas.settings import Settings

    confirm_overwrite(output, yes=yes)
    with mendable_errors():
        made = export_lines(Settings(), period)
        write(output, str(made["file"]).encode(), made["export_id"])
    if as_json:
        print_json({name: value for name, value in made.items() if name != "file"})
        return
    say(f"{output}: {made['lines']} lines of {period}, export {made['export_id']}, sha256 {made['sha256']}")
    if made["left_out"]:
        warn(f"left out: {made['left_out']}")


@app.command("list")
def list_exports(
    period: Annotated[str, typer.Option(help="Only of this period.")] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    as_json: Json = False,
) -> None:
    """Exports, newest first: who took how many lines, when, and what was left out."""
    from infra.payouts.client import exports
    from infra.payouts.report import list_table
    from schemas.settings import Settings

    with mendable_errors():
        found = exports(Settings(), period, limit)
    if as_json:
        print_json(found)
    else:
        out.print(list_table(found))


@app.command("file")
def file(
    export_id: Annotated[str, typer.Argument(help="Such as x-1a2b3c4d5e6f7a8b.")],
    output: Output,
    *,
    yes: Yes = False,
) -> None:
    """Write the file of an export again, the same bytes; do not pay it twice."""
    from infra.payouts.client import file_again, write
    from schemas.settings import Settings

    confirm_overwrite(output, yes=yes)
    with mendable_errors():
        write(output, file_again(Settings(), export_id), export_id)
    say(f"{output}: the file of export {export_id} again")
