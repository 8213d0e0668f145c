"""`ibflow kafka`: start, stop and look at the local Kafka."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.console import TOOLS, ExitCode, Yes, confirm
from infra.local_kafka.errors import KafkaUnavailable
from infra.local_kafka.ports import PORT_MAX

if TYPE_CHECKING:
    from infra.local_kafka.local import RunningKafka

HEAP_MB_MIN = 128

app = typer.Typer(
    name="kafka",
    no_args_is_help=True,
    rich_help_panel=TOOLS,
    help="A local Apache Kafka of one node, for development and tests: no Docker, Java or Maven needed.\n\n"
    "The first start fetches Kafka once (about 54 MB); later starts are offline and take a few seconds. "
    "It listens on this machine only.\n\n"
    "Exit codes: 0 fine, 2 wrong usage, 4 not running (status) or no Kafka to be had.",
)

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The broker's folder: topics, settings, log. One broker each. By default `kafka` in"
        " IBFLOW_DATA_DIR.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Port = Annotated[
    int,
    typer.Option(
        "--port", min=0, max=PORT_MAX, help="Port on 127.0.0.1; 0 takes last time's, else a free one."
    ),
]
HeapMb = Annotated[
    int, typer.Option("--heap-mb", min=HEAP_MB_MIN, help="Memory of the broker's Java heap, in MB.")
]


def _folder(data: Path | None) -> Path:
    """The folder asked for, else that of the settings."""
    if data is not None:
        return data
    from schemas.settings import Settings

    return Settings().kafka_dir


@app.command()
def start(*, data: Data = None, port: Port = 0, heap_mb: HeapMb = 768, as_json: Json = False) -> None:
    """Start Kafka in the background and wait until it answers; if it runs already, say where."""
    from infra.local_kafka.local import LocalKafka

    data = _folder(data)
    with _unavailable_exits(as_json=as_json):
        kafka = LocalKafka(heap_mb=heap_mb).start(data, port)
    sentence = f"Kafka runs at {kafka.bootstrap_servers} (pid {kafka.pid}, data in {data})"
    _say(_facts(kafka), sentence, as_json=as_json)


@app.command()
def stop(*, data: Data = None, as_json: Json = False, yes: Yes = False) -> None:
    """Stop Kafka cleanly; topics and offsets stay for the next start."""
    from infra.local_kafka.local import LocalKafka
    from infra.processes.owner import owner_of

    data = _folder(data)
    if owner := owner_of(data.parent):
        confirm(f"the ibflow of process {owner} works with this Kafka, which would stop", yes=yes)
    with _unavailable_exits(as_json=as_json):
        stopped = LocalKafka().stop(data)
    sentence = "Kafka stopped" if stopped else f"No Kafka was running in {data}"
    _say({"stopped": stopped}, sentence, as_json=as_json)


@app.command()
def status(*, data: Data = None, as_json: Json = False) -> None:
    """Say whether Kafka runs, and where; exit with 4 if it does not."""
    from infra.local_kafka.local import LocalKafka

    data, local = _folder(data), LocalKafka()
    kafka = local.status(data)
    if kafka is None:
        sentence = f"No Kafka is running in {data}; `ibflow kafka start` starts one"
        _say({"running": False}, sentence, as_json=as_json)
        raise typer.Exit(ExitCode.UNAVAILABLE)
    answers = local.answers(data)
    how = "runs" if answers else "lives but does not answer yet"
    sentence = f"Kafka {how} at {kafka.bootstrap_servers} (pid {kafka.pid}, log {kafka.log_file})"
    _say({"running": True, "answers": answers, **_facts(kafka)}, sentence, as_json=as_json)


def _facts(kafka: "RunningKafka") -> dict[str, Any]:
    return {name: str(fact) if isinstance(fact, Path) else fact for name, fact in asdict(kafka).items()}


def _say(facts: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(facts) if as_json else sentence)


@contextmanager
def _unavailable_exits(*, as_json: bool) -> Iterator[None]:
    try:
        yield
    except KafkaUnavailable as error:
        if as_json:
            typer.echo(json.dumps({"error": str(error)}))
        else:
            typer.echo(f"No Kafka: {error}", err=True)
        raise typer.Exit(ExitCode.UNAVAILABLE) from error
