"""`ibflow ingest` and `normalise`: files of platforms and CRMs, published or only looked at."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from infra.cli.console import DAILY, TOOLS, ExitCode, TermsDir, err, mendable_errors, out, say

if TYPE_CHECKING:
    from infra.sources.files import Input
    from ingest.counts import Counts

app = typer.Typer()

DEFAULT_TOLERANCE = "2s"

FileLogin = Annotated[int | None, typer.Option("--login", min=1, help="Account, if the files name none.")]
FileCurrency = Annotated[str, typer.Option("--currency", help="Deposit currency, if the files name none.")]
FileGroup = Annotated[str, typer.Option("--group", help="The account's group, if the files name none.")]
FileColumns = Annotated[
    str, typer.Option("--columns", help="Columns of an MT4 statement, left to right: ticket,open_time,type,…")
]
Encoding = Annotated[str, typer.Option(help="Code page of an MT4 statement, such as gbk.")]
Quotes = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="CSV of time,symbol,bid,ask, for deals without them."),
]
Tolerance = Annotated[str, typer.Option(help="How old a quote may be at its deal, such as 500ms, 2s or 1m.")]


@app.command(rich_help_panel=DAILY)
def ingest(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Exports or CRM files."),
    ],
    terms: TermsDir,
    server: Annotated[
        str,
        typer.Option(help="The server the exports are from, as broker.yaml names it; CRM files name theirs."),
    ] = "",
    login: FileLogin = None,
    currency: FileCurrency = "",
    group: FileGroup = "",
    columns: FileColumns = "",
    encoding: Encoding = "",
    quotes: Quotes = None,
    quote_tolerance: Tolerance = DEFAULT_TOLERANCE,
) -> None:
    """Publish what is in exports and CRM files; publishing the same again changes nothing.

    A format is recognised by its content: MT5 Manager's deals CSV; MT5 reports as HTML,
    XLSX or CSV; MT4 statements as HTML or XLSX; dumps of mt5_deals and
    mt4_trades as CSV; JSON of the MetaTrader5 package (or CSV), the
    Web API, mt4manager or CPlugin; a CRM's CSV or XML. Exit 3 if rows could not be used:
    `ibflow dead-letters list` shows them, the others are published.
    """
    from infra.sources.files import Input, read_quotes
    from infra.sources.profiles import profile_of, server_of
    from ingest.counts import Counts
    from ingest.mt4.statement_columns import to_columns
    from ingest.named_ibs import NamedIbs
    from ingest.sources import AccountOptions
    from ingest.terms.folder import load_terms

    with mendable_errors():
        broker = load_terms(terms)
        from_server = server_of(broker, server) if server else None
        said = AccountOptions(login, currency, group, to_columns(columns) if columns else ())
        beside = None
        if quotes is not None:
            if from_server is None:
                raise typer.BadParameter("quotes are a server's: say which with --server")
            beside = read_quotes(quotes, profile_of(from_server).clock, quote_tolerance)
        inputs = [Input(path, from_server, said, encoding, beside) for path in paths]
        counts = _publish(inputs, broker.name, Counts(ibs=NamedIbs.beside(broker.records)))
    for line in counts.lines():
        say(line)
    if counts.dead_letters:
        out.print("see why, and correct them: ibflow dead-letters list")
        raise typer.Exit(ExitCode.REJECTED)


@app.command(rich_help_panel=TOOLS)
def normalise(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A platform export or CRM file."),
    ],
    server: Annotated[str, typer.Option(help="Name of the server it was exported from.")] = "",
    platform: Annotated[str, typer.Option(help="mt4 or mt5.")] = "",
    timezone: Annotated[str, typer.Option(help="The server's clock, such as America/New_York+7h.")] = "",
    login: FileLogin = None,
    currency: FileCurrency = "",
    group: FileGroup = "",
    columns: FileColumns = "",
    terms: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Folder of terms YAML: the server is as they have it."
        ),
    ] = None,
    margin_mode: Annotated[str, typer.Option(help="hedging or netting, if all groups are one.")] = "",
    encoding: Encoding = "",
    quotes: Quotes = None,
    quote_tolerance: Tolerance = DEFAULT_TOLERANCE,
) -> None:
    """Print the events of a file as JSON lines, and on stderr what was rejected and a summary.

    Nothing is published: a look at a file before `ibflow ingest`, which reads
    the same formats. Exports of a platform need --server, and --timezone or,
    for the same revisions as `ibflow ingest`, --terms; CRM files do not.
    Exit 2 if the file cannot be used, 3 if rows of it cannot.
    """
    from infra.sources.normalise import normalise as run
    from ingest.mt4.statement_columns import to_columns
    from ingest.sources import AccountOptions

    with mendable_errors():
        counts = run(
            path,
            server,
            platform,
            timezone,
            AccountOptions(login, currency, group, to_columns(columns) if columns else ()),
            margin_mode,
            sys.stdout.buffer,
            err,
            encoding=encoding,
            quotes=quotes,
            tolerance=quote_tolerance,
            terms=terms,
        )
    for line in counts.lines():
        err.print(escape(line))
    if counts.dead_letters:
        raise typer.Exit(ExitCode.REJECTED)


def _publish(inputs: "list[Input]", broker: str, counts: "Counts") -> "Counts":
    """Feed the files to Kafka under a bar."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from infra.connect.broker_name import check_broker
    from infra.connect.settings import prepared_kafka
    from infra.links.keys import click_keys
    from infra.sources.files import Pace, feed
    from schemas.settings import Settings

    settings = Settings()
    kafka, pace, keys = prepared_kafka(settings), Pace(), click_keys(settings)
    check_broker(kafka, broker)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task("reading")
        feed(inputs, kafka, counts, lambda done: bar.update(task, description=pace(done)), keys)
    return counts
