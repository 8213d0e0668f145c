"""`ibflow replay` and `ibflow what-if`: the books folded again, as they were and as they might have been."""

import json
from typing import Annotated

import typer
from rich.console import Console

from schemas.settings import Settings

Kafka = Annotated[
    bool,
    typer.Option(
        "--from-kafka/--from-archive",
        help="Read Kafka, which needs no ClickHouse, or the archive in ClickHouse.",
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=0, max=64, help="Processes; one a core unless told; 0: this one only.")
]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]
out = Console()
err = Console(stderr=True, soft_wrap=True)

EXIT_BROKEN = 1


def replay(
    *,
    from_kafka: Kafka = False,
    until: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOPIC/PARTITION/OFFSET", help="Fold this partition up to and with this message."
        ),
    ] = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Fold the books again and compare every partition with the stored ledger; exit 1 if one differs."""
    from infra.cli import told
    from infra.history import open_history
    from infra.replay import parse_until, replay_table
    from infra.replay import replay as run

    with told(), open_history(Settings(), from_kafka=from_kafka) as (where, source):
        found = run(where, source, until=parse_until(until or []), workers=workers, console=err)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        out.print(replay_table(found))
        err.print(f"{found.messages:,} messages in {found.seconds:.1f} s", highlight=False)
    if not found.holds:
        raise typer.Exit(EXIT_BROKEN)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel="Daily work")(replay)
