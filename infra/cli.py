"""The `ibflow` command: every process and every tool of the project, one sub-command each."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.kafka.cli import app as kafka_app
from schemas.settings import Settings

app = typer.Typer(
    name="ibflow",
    help="What clients trade on MetaTrader 4 and 5 → what you owe your introducing brokers, every cent explained.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(kafka_app, name="kafka")

errors = Console(stderr=True)


@app.command()
def worker(
    instance: Annotated[
        str, typer.Option(help="This worker's lasting name; two workers need two.")
    ] = "worker-1",
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
) -> None:
    """Run the Faust agents: account, client and partner book."""
    import faust

    from infra.bootstrap import kafka_servers, prepare_topics
    from streams.worker import build_app

    settings = Settings()
    kafka = kafka_servers(settings)
    worker_app = build_app(kafka, prepare_topics(settings, kafka), instance=instance)
    faust.Worker(worker_app, loglevel=log_level).execute_from_commandline()


@app.command()
def rate(
    terms: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of terms YAML.")],
    events: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Events, one JSON object a line.")
    ],
) -> None:
    """Fold events through all books in memory, without Kafka; print transfers as JSON lines."""
    from infra.rate import InvalidEvents, rate, read_events
    from ingest.terms import load_terms
    from schemas.wire import encode

    try:
        outputs, digest = rate(load_terms(terms).records, read_events(events))
    except (InvalidEvents, ValueError) as error:
        errors.print(f"[red]{error}[/]")
        raise typer.Exit(2) from None
    for line, output in zip(encode(outputs), outputs, strict=True):
        if output.type == "transfer":
            sys.stdout.buffer.write(line + b"\n")
    errors.print(f"ledger hash {digest}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of every event."""
    import json

    from schemas.wire import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app()


if __name__ == "__main__":
    main()
