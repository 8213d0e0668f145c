"""`ibflow poll`: read a live server again and again, and publish what is new."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from schemas.settings import Settings

if TYPE_CHECKING:
    import threading
    from datetime import datetime

    from ingest.counts import Counts

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

EXIT_REJECTED = 3


def register(
    app: typer.Typer,
    told: Callable[[], AbstractContextManager[None]],
    interrupted: "Callable[[], AbstractContextManager[threading.Event]]",
    panel: str,
) -> None:
    """Add the command to the application."""

    @app.command(rich_help_panel=panel)
    def poll(
        server: Annotated[
            str, typer.Argument(metavar="SERVER", help="A server with a feed, as broker.yaml names it.")
        ],
        terms: Annotated[
            Path, typer.Option("--terms", exists=True, file_okay=False, help="Folder of terms YAML.")
        ],
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

        Where it stands is kept in IBFLOW_DATA_DIR/feeds. After a stop, a crash or a lost connection it
        goes on from there; what is read twice counts once. broker.yaml has the feed below the server, the
        environment its password:

            feed:
              kind: mt5-sql    # or mt4-sql, mt5-web-api
              host: db.example.com
              database: mt5
              user: ibflow
              password_env: MT5_PASSWORD
        """
        with told(), interrupted() as stop:
            counts = _poll(server, terms, stop, since, once=once)
        for line in counts.lines()[1:]:  # less the rows of files, of which there are none
            out.print(escape(line), highlight=False)
        if counts.dead_letters:
            raise typer.Exit(EXIT_REJECTED)


def _poll(name: str, terms: Path, stop: "threading.Event", since: str, *, once: bool) -> "Counts":
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from infra.connect.settings import kafka_servers, prepare_topics
    from infra.reconcile.poller_sweep import sweeper
    from infra.sources.live import interval_s, open_source
    from ingest.live.cursor_file import PlaceFile
    from ingest.live.poller import Polling
    from ingest.terms.folder import load_terms

    settings, begin = Settings(), _moment(since)
    servers = load_terms(terms).servers
    if name not in servers:
        raise typer.BadParameter(f"broker.yaml has no server {name}; it has {', '.join(sorted(servers))}")
    source = open_source(servers[name])

    def tell(sentence: str) -> None:
        err.print(f"[yellow]{escape(sentence)}[/]", highlight=False)

    kafka = kafka_servers(settings)
    prepare_topics(settings, kafka)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=err) as bar:
        task = bar.add_task(f"reading {escape(name)}", total=None)
        polling = Polling(
            source,
            kafka,
            PlaceFile(settings.data_dir / "feeds" / f"{name}.json"),
            interval_s=interval_s(servers[name]),
            since=begin,
            told=tell,
            sweep=sweeper(settings, servers[name], source, tell),
            on_progress=lambda counts: bar.update(task, description=f"{escape(name)}: {_told(counts)}"),
        )
        polling.run(stop, once=once)
    return polling.counts


def _moment(text: str) -> "datetime | None":
    from ingest.terms.yaml_page import to_moment

    if not text:
        return None
    if (moment := to_moment(text, UTC)) is None:
        raise typer.BadParameter(f"--from is `{text[:40]}`; write a time such as 2026-09-01T00:00:00Z")
    return moment


def _told(counts: "Counts") -> str:
    deals, letters = sum(counts.deals.values()), sum(counts.dead_letters.values())
    return f"{deals:,} deals published" + (f", {letters:,} dead letters" if letters else "")
