"""`ibflow replay` and `ibflow what-if`: the books folded again, as they were and as they might have been."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.show import show
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
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True)

EXIT_BROKEN = 1
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


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
    from infra.archive.open import open_history
    from infra.cli.console import told
    from infra.replay.compare import parse_until, replay_table
    from infra.replay.compare import replay as run
    from infra.replay.pool import progress_bar

    with (
        told(),
        open_history(Settings(), from_kafka=from_kafka) as (where, source),
        progress_bar(err) as bar,
    ):
        found = run(where, source, until=parse_until(until or []), workers=workers, bar=bar)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        show(replay_table(found))
        is_other = found.hash != found.stored_hash
        out.print(f"hash of what moved {found.hash}" + (f", stored {found.stored_hash}" if is_other else ""))
        err.print(f"{found.messages:,} messages in {found.seconds:.1f} s", highlight=False)
    if not found.holds:
        raise typer.Exit(EXIT_BROKEN)


def what_if(
    terms: Annotated[
        Path, typer.Option("--terms", exists=True, file_okay=False, help="Folder of terms YAML to try.")
    ],
    *,
    since: Annotated[
        datetime | None, typer.Option("--from", help="Deals of this time and after, UTC.", formats=TIMES)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", help="Deals before this time, UTC.", formats=TIMES)
    ] = None,
    currency: Annotated[str, typer.Option(help="Of the totals.")] = "USD",
    from_kafka: Kafka = False,
    workers: Workers = None,
    as_json: Json = False,
    csv: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a spreadsheet.")] = None,
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with charts.")] = None,
) -> None:
    """Fold the real history under other terms: who would have earned what, and the margin left.

    Plans, partners and symbols of the folder are taken as known from the beginning; rates of exchange
    and periods stay those of the log. Nothing is posted.
    """
    from infra.archive.open import open_history
    from infra.cli.console import told
    from infra.replay.pool import progress_bar
    from infra.what_if.report import tables, to_csv_file, to_html, to_json
    from infra.what_if.result import Window
    from infra.what_if.simulate import what_if as run
    from ingest.terms.folder import load_terms

    window = Window(since and since.replace(tzinfo=UTC), until and until.replace(tzinfo=UTC))
    with told():
        broker = load_terms(terms)
        with open_history(Settings(), from_kafka=from_kafka) as (where, _), progress_bar(err) as bar:
            found = run(where, broker.records, window=window, currency=currency, workers=workers, bar=bar)
    if csv is not None:
        csv.write_bytes(to_csv_file(found))
    if html is not None:
        html.write_text(to_html(found), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(to_json(found), indent=2))
        return
    show(*tables(found))
    for path in (csv, html):
        if path is not None:
            err.print(f"wrote {path}", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel="Daily work")(replay)
    app.command("what-if", rich_help_panel="Daily work")(what_if)
