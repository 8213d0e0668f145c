"""`ibflow book …`: see which partitions are stopped, and decide what becomes of the message at fault."""

from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.console import DAILY, ExitCode, Json, Yes, confirm, mendable_errors, out, print_json

if TYPE_CHECKING:
    from schemas.stops import Action

app = typer.Typer(
    name="book",
    help="Partitions of the books: how far they are, and what to do with a message that stops one.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

Place = Annotated[str, typer.Argument(metavar="TOPIC/PARTITION", help="Such as client-book/3.")]
Offset = Annotated[int, typer.Argument(min=0, help="The offset it is stopped at.")]
By = Annotated[str, typer.Option("--by", help="Who decides.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit.")]


@app.command("status")
def status(*, as_json: Json = False) -> None:
    """Show each partition's progress and every stop; exit 1 if a partition is stopped."""
    from infra.commands import book
    from infra.connect.settings import prepared_kafka
    from infra.terminal import show
    from schemas.settings import Settings

    with mendable_errors():
        found = book.status(prepared_kafka(Settings()))
    if as_json:
        print_json([partition.to_json() for partition in found])
    else:
        show(book.status_table(found))
        for line in book.stop_lines(found):
            out.print(line)
    if any(partition.stop for partition in found):
        raise typer.Exit(ExitCode.BROKEN)


@app.command("retry")
def retry(place: Place, offset: Offset, by: By, reason: Reason) -> None:
    """Apply the message a partition stopped at again, once the cause is removed."""
    _decide("retry", place, offset, by, reason)


@app.command("skip")
def skip(place: Place, offset: Offset, by: By, reason: Reason, *, yes: Yes = False) -> None:
    """Leave the message a partition stopped at out of the book, for good; its lines become dead letters."""
    confirm(f"{place} {offset} would be left out of the book for good", yes=yes)
    _decide("skip", place, offset, by, reason)


def _decide(action: "Action", place: str, offset: int, by: str, reason: str) -> None:
    from infra.commands import book
    from infra.connect.settings import prepared_kafka
    from schemas.settings import Settings

    with mendable_errors():
        command = book.decide(prepared_kafka(Settings()), action, place, offset, by, reason)
    out.print(f"{action} of {place} {offset} by {command.by} is written; see `ibflow book status`")
