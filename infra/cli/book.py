"""`ibflow book …`: see which partitions are stopped, and decide what becomes of the message at fault."""

import json
from typing import Annotated

import typer

from infra.show import show
from schemas.settings import Settings
from schemas.stops import Action

book_app = typer.Typer(
    name="book",
    help="Partitions of the books: how far they are, and what to do with a message that stops one.",
    no_args_is_help=True,
)

Place = Annotated[str, typer.Argument(metavar="TOPIC/PARTITION", help="Such as client-book/3.")]
Offset = Annotated[int, typer.Argument(min=0, help="The offset it is stopped at.")]
By = Annotated[str, typer.Option("--by", help="Who decides.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit.")]


@book_app.command("status")
def book_status(*, as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Show each partition's progress and every stop; exit 1 if a partition is stopped."""
    from infra.cli.console import EXIT_BROKEN, out, told
    from infra.commands import book
    from infra.connect.settings import kafka_servers, prepare_topics

    settings = Settings()
    with told():
        kafka = kafka_servers(settings)
        prepare_topics(settings, kafka)
        found = book.status(kafka)
    if as_json:
        typer.echo(json.dumps([partition.to_json() for partition in found], indent=2))
    else:
        show(book.status_table(found))
        for line in book.stop_lines(found):
            out.print(line, highlight=False)
    if any(partition.stop for partition in found):
        raise typer.Exit(EXIT_BROKEN)


@book_app.command("retry")
def book_retry(place: Place, offset: Offset, by: By, reason: Reason) -> None:
    """Apply the message a partition stopped at again, once the cause is mended."""
    _decide("retry", place, offset, by, reason)


@book_app.command("skip")
def book_skip(place: Place, offset: Offset, by: By, reason: Reason) -> None:
    """Leave the message a partition stopped at out of the book, for good; its lines become dead letters."""
    _decide("skip", place, offset, by, reason)


def _decide(action: Action, place: str, offset: int, by: str, reason: str) -> None:
    from infra.cli.console import out, told
    from infra.commands import book
    from infra.connect.settings import kafka_servers, prepare_topics

    settings = Settings()
    with told():
        kafka = kafka_servers(settings)
        prepare_topics(settings, kafka)
        command = book.decide(kafka, action, place, offset, by, reason)
    out.print(f"{action} of {place} {offset} by {command.by} is written; see `ibflow book status`")
