"""`ibflow replay` and `ibflow what-if`: the books folded again, as they were and as they might have been."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.console import (
    DAILY,
    TIMES,
    ExitCode,
    Json,
    TermsDir,
    Workers,
    Yes,
    confirm_overwrite,
    err,
    mendable_errors,
    out,
    print_json,
)

app = typer.Typer()

Kafka = Annotated[
    bool,
    typer.Option(
        "--from-kafka/--from-archive",
        help="Read Kafka, which needs no ClickHouse, or the archive in ClickHouse.",
    ),
]


@app.command("what-if", rich_help_panel=DAILY)
def what_if(
    terms: TermsDir,
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
    yes: Yes = False,
) -> None:
    """Fold the real history under other terms: who would have earned what, and the margin left.

    Plans, partners and symbols of the folder count from the beginning; rates of exchange and periods stay
    those of the log. Nothing is posted.
    """
    from infra.archive.open import open_history
    from infra.replay.pool import progress_bar
    from infra.terminal import show
    from infra.what_if.report import tables, to_csv_file, to_html, to_json
    from infra.what_if.result import Window
    from infra.what_if.simulate import what_if as run
    from ingest.terms.folder import load_terms
    from schemas.settings import Settings

    window = Window(since and since.replace(tzinfo=UTC), until and until.replace(tzinfo=UTC))
    confirm_overwrite(csv, html, yes=yes)
    with mendable_errors():
        broker = load_terms(terms)
        with open_history(Settings(), from_kafka=from_kafka) as (where, _), progress_bar(err) as bar:
            found = run(where, broker.records, window=window, currency=currency, workers=workers, bar=bar)
    if csv is not None:
        csv.write_bytes(to_csv_file(found))
    if html is not None:
        html.write_text(to_html(found), encoding="utf-8")
    if as_json:
        print_json(to_json(found))
        return
    show(*tables(found))
    for path in (csv, html):
        if path is not None:
            err.print(f"wrote {path}")


@app.command(rich_help_panel=DAILY)
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
    from infra.connect.ledger_at import empty_ledger
    from infra.replay.compare import parse_until
    from infra.replay.compare import replay as run
    from infra.replay.pool import progress_bar
    from infra.replay.table import replay_table
    from infra.terminal import show
    from schemas.settings import Settings

    settings = Settings()
    with (
        mendable_errors(),
        open_history(settings, from_kafka=from_kafka) as (where, source),
        progress_bar(err) as bar,
    ):
        found = run(where, source, until=parse_until(until or []), workers=workers, bar=bar)
        if not found.messages:
            raise empty_ledger(settings, "Kafka" if from_kafka else None)
    if as_json:
        print_json(found.to_json())
    else:
        show(replay_table(found))
        is_other = found.hash != found.stored_hash
        out.print(f"hash of what moved {found.hash}" + (f", stored {found.stored_hash}" if is_other else ""))
        err.print(f"{found.messages:,} messages in {found.seconds:.1f} s")
    if not found.holds:
        raise typer.Exit(ExitCode.BROKEN)
