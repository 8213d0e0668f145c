"""`ibflow poll`: read a live server again and again, and publish what is new."""

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from infra.cli.console import PROCESSES, ExitCode, TermsDir, err, mendable_errors, say, warn
from infra.cli.signals import interrupted
from schemas.errors import Unusable

if TYPE_CHECKING:
    import threading
    from datetime import datetime

    from ingest.counts import Counts

app = typer.Typer()


@app.command(rich_help_panel=PROCESSES)
def poll(
    server: Annotated[
        str, typer.Argument(metavar="SERVER", help="A server with a feed, as broker.yaml names it.")
    ],
    terms: TermsDir,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Stop when there is nothing more for now; fail if it cannot.")
    ] = False,
    since: Annotated[
        str,
        typer.Option(
            "--from",
            help="Begin with what changed since this time, such as 2026-09-01T00:00:00Z, if the server"
            " was never read; else the beginning.",
        ),
    ] = "",
) -> None:
    """Read a live server, its database or its Web API, and publish what is new, until Ctrl-C or SIGTERM.

    How far it is, it keeps in IBFLOW_DATA_DIR/feeds. After a stop, a crash or a lost connection it
    goes on from there; what is read twice counts once. broker.yaml has the feed below the server, the
    environment its password:

        feed:
          kind: mt5-sql    # or mt4-sql, mt5-web-api
          host: db.example.com
          database: mt5
          user: ibflow
          password_env: MT5_PASSWORD
    """
    with mendable_errors(), interrupted() as stop:
        counts = _poll(server, terms, stop, since, once=once)
    for line in counts.lines()[1:]:  # less the rows of files, of which there are none
        say(line)
    if counts.dead_letters:
        raise typer.Exit(ExitCode.REJECTED)


def _poll(name: str, terms: Path, stop: "threading.Event", since: str, *, once: bool) -> "Counts":
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from infra.connect.broker_name import check_broker
    from infra.connect.settings import prepared_kafka
    from infra.reconcile.poller_sweep import sweeper
    from infra.sources.live import interval_s, open_source
    from infra.sources.profiles import server_of
    from ingest.live.cursor_file import CursorFile
    from ingest.live.poller import Polling
    from ingest.terms.folder import load_terms
    from schemas.settings import Settings

    settings, begin = Settings(), _moment(since)
    broker = load_terms(terms)
    server = server_of(broker, name)
    source = open_source(server)
    kafka = prepared_kafka(settings)
    check_broker(kafka, broker.name)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=err) as bar:
        task = bar.add_task(f"reading {escape(name)}", total=None)
        polling = Polling(
            source,
            kafka,
            CursorFile(settings.data_dir / "feeds" / f"{name}.json"),
            interval_s=interval_s(server),
            since=begin,
            told=warn,
            sweep=sweeper(settings, server, source, warn),
            on_progress=lambda counts: bar.update(task, description=f"{escape(name)}: {_sentence(counts)}"),
        )
        polling.run(stop, once=once)
    return polling.counts


def _moment(text: str) -> "datetime | None":
    from ingest.terms.yaml_page import to_moment

    if not text:
        return None
    if (moment := to_moment(text, UTC)) is None:
        raise Unusable(f"--from is `{text[:40]}`; write a time such as 2026-09-01T00:00:00Z")
    return moment


def _sentence(counts: "Counts") -> str:
    deals, letters = sum(counts.deals.values()), sum(counts.dead_letters.values())
    return f"{deals:,} deals published" + (f", {letters:,} dead letters" if letters else "")
