"""The `ibflow` command: every process and every tool of the project, one sub-command each."""

import json
import logging
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from infra.cli import history, poll, proposals, reconcile
from infra.cli.book import book_app
from infra.cli.console import EXIT_BROKEN, EXIT_REJECTED, Json, err, interrupted, out, told
from infra.cli.dead_letters import letters_app
from infra.local_kafka.cli import app as kafka_app
from infra.show import show
from schemas.settings import Settings


class InOrder(TyperGroup):
    """Commands as a newcomer meets them: begin, feed, look, correct, then the tools."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All of them; what is not in `ORDER` comes last."""
        return sorted(super().list_commands(ctx), key=lambda name: ORDER.index(name) if name in ORDER else 99)


ORDER = (
    *("demo", "dev", "worker", "serve", "receive", "poll"),
    *("terms", "plans", "ingest", "dead-letters", "reconcile", "statement", "audit", "verify"),
    *("proposals", "what-if", "replay", "book", "normalise", "rate", "schema", "kafka"),
)

app = typer.Typer(
    name="ibflow",
    cls=InOrder,
    help="What clients trade on MetaTrader 4 and 5 → what you owe your IBs, every cent explained.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
terms_app = typer.Typer(
    name="terms", help="Partners, plans, symbols and rates, from YAML.", no_args_is_help=True
)
app.add_typer(kafka_app, name="kafka", rich_help_panel="Tools")
app.add_typer(terms_app, name="terms", rich_help_panel="Daily work")
app.add_typer(book_app, name="book", rich_help_panel="Daily work")
app.add_typer(letters_app, name="dead-letters", rich_help_panel="Daily work")
plans_app = typer.Typer(
    name="plans",
    help="Plans as files: lint them, run their golden cases, see what a change costs, publish.",
    no_args_is_help=True,
)
app.add_typer(plans_app, name="plans", rich_help_panel="Daily work")
history.register(app)
reconcile.register(app)


DEFAULT_TOLERANCE = "2s"

TermsDir = Annotated[
    Path, typer.Option("--terms", exists=True, file_okay=False, help="Folder of terms YAML.")
]
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


proposals.register(app, told, "Daily work")


poll.register(app, told, interrupted, "Processes")


@app.command(rich_help_panel="Processes")
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running until Ctrl-C.")] = False,
    data: Annotated[Path, typer.Option(help="Folder to work in; emptied first.")] = Path(".ibflow/demo"),
) -> None:
    """Run a synthetic broker through the whole pipeline and show who is owed what."""
    from infra.commands.demo import run

    settings = Settings(data_dir=data, partitions=4, api_port=0)

    def wait() -> None:
        out.print("running until Ctrl-C …")
        with interrupted() as stop:
            stop.wait()

    with told():
        report = run(Console(), settings, keep=wait if keep else None)
    if not report.holds:
        raise typer.Exit(EXIT_BROKEN)


@app.command(rich_help_panel="Processes")
def dev(workers: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 1) -> None:
    """Run everything on this machine: Kafka, workers, ClickHouse, API and portal."""
    from infra.processes.stack import Stack

    settings = Settings()
    with told(), interrupted() as stop, Stack(settings, workers, ended=stop) as stack:
        out.print(f"portal  {stack.server.url}\napi     {stack.server.url}/docs\nkafka   {stack.kafka}")
        out.print(f"data    {settings.data_dir}   logs {settings.data_dir}/worker-*.log")
        stack.probe()
        if not stop.is_set():
            out.print("up: a probe went through   stop with Ctrl-C")
        stop.wait()
        out.print("stopping …")
        stack.check()


@app.command(rich_help_panel="Processes")
def worker(
    instance: Annotated[
        str, typer.Option(help="This worker's lasting name; two workers need two.")
    ] = "worker-1",
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
) -> None:
    """Run the Faust agents: account, client and partner book."""
    import faust

    from infra.connect.settings import kafka_servers, prepare_topics
    from infra.gc_tuning import collect_rarely
    from streams.app import build_app

    collect_rarely()
    settings = Settings()
    with told():
        kafka = kafka_servers(settings)
        worker_app = build_app(
            kafka, prepare_topics(settings, kafka), instance=instance, state=settings.state_dir(instance)
        )
    faust.Worker(worker_app, loglevel=log_level).execute_from_commandline()


@app.command(rich_help_panel="Processes")
def serve() -> None:
    """Run the sink, the API with its portal, and the postbacks."""
    from infra.connect.settings import kafka_servers, prepare_topics
    from infra.processes.server import Server

    settings = Settings()
    with told(), interrupted() as stop:
        kafka = kafka_servers(settings)
        prepare_topics(settings, kafka)
        server = Server(settings, kafka)
        server.start()
        out.print(f"portal  {server.url}\napi     {server.url}/docs")
        stop.wait()
        server.stop()


@app.command(rich_help_panel="Processes")
def receive() -> None:
    """Take deals of bridges and events of CRMs over HTTP, on a machine of its own.

    POST /v1/ingest/deals and /v1/ingest/crm; `ibflow serve` takes them too.
    IBFLOW_BRIDGES_FILE names who may push, by digests of tokens;
    IBFLOW_TERMS_DIR is the folder of terms with their servers.
    """
    from infra.connect.settings import kafka_servers, prepare_topics
    from infra.processes.push_server import receive as run

    settings = Settings()
    with told(), interrupted() as stop:
        kafka = kafka_servers(settings)
        prepare_topics(settings, kafka)
        run(settings, kafka, stop, lambda url: out.print(f"push    {url}/v1/ingest/deals"))


@app.command(rich_help_panel="Daily work")
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
    """Publish what is in exports and CRM files; what is known already does nothing.

    Formats are told by content: MT5 Manager's deals CSV; MT5 reports as HTML,
    XLSX or CSV; MT4 statements as HTML or XLSX; dumps of mt5_deals and
    mt4_trades as CSV; JSON of the MetaTrader5 package (or CSV), the
    Web API, mt4manager or CPlugin; a CRM's CSV or XML. Exit 3 if rows could not be used:
    `ibflow dead-letters list` shows them, the others are published.
    """
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from infra.connect.settings import kafka_servers, prepare_topics
    from infra.sources.files import Input, Pace, feed, read_quotes
    from infra.sources.profiles import profile_of
    from ingest.counts import Counts
    from ingest.mt4.statement_columns import to_columns
    from ingest.sources import Said
    from ingest.terms.folder import load_terms

    settings, counts = Settings(), Counts()
    with told():
        broker = load_terms(terms)
        if server and server not in broker.servers:
            known = ", ".join(sorted(broker.servers))
            raise typer.BadParameter(f"broker.yaml has no server {server}; it has {known}")
        said = Said(login, currency, group, to_columns(columns) if columns else ())
        beside = None
        if quotes is not None:
            if not server:
                raise typer.BadParameter("quotes are a server's: say which with --server")
            clock = profile_of(broker.servers[server]).clock
            beside = read_quotes(quotes, clock, quote_tolerance)
        inputs = [Input(path, broker.servers.get(server), said, encoding, beside) for path in paths]
        kafka = kafka_servers(settings)
        prepare_topics(settings, kafka)
        pace = Pace()
        parts = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*parts, console=err) as bar:
            task = bar.add_task("reading")
            feed(inputs, kafka, counts, lambda done: bar.update(task, description=pace(done)))
    for line in counts.lines():
        out.print(escape(line), highlight=False)
    if counts.dead_letters:
        out.print("see why, and mend them: ibflow dead-letters list", highlight=False)
        raise typer.Exit(EXIT_REJECTED)


@app.command(rich_help_panel="Tools")
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
    for the very revisions of `ibflow ingest`, --terms; CRM files do not.
    Exit 2 if the file cannot be used, 3 if rows of it cannot.
    """
    from infra.sources.normalise import normalise as run
    from ingest.mt4.statement_columns import to_columns
    from ingest.sources import Said

    with told():
        counts = run(
            path,
            server,
            platform,
            timezone,
            Said(login, currency, group, to_columns(columns) if columns else ()),
            margin_mode,
            sys.stdout.buffer,
            err,
            encoding=encoding,
            quotes=quotes,
            tolerance=quote_tolerance,
            terms=terms,
        )
    for line in counts.lines():
        err.print(escape(line), highlight=False)
    if counts.dead_letters:
        raise typer.Exit(EXIT_REJECTED)


@app.command(rich_help_panel="Tools")
def rate(
    terms: TermsDir,
    events: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Events, one JSON object a line.")
    ],
) -> None:
    """Fold an events file through all books in memory, without Kafka; print transfers as JSON lines."""
    from infra.commands.rate import rate as run
    from infra.commands.rate import read_events
    from ingest.terms.folder import load_terms
    from schemas.wire import encode

    with told():
        outputs, digest = run(load_terms(terms).records, read_events(events))
    for line, output in zip(encode(outputs), outputs, strict=True):
        if output.type == "transfer":
            sys.stdout.buffer.write(line + b"\n")
    err.print(f"ledger hash {digest}", highlight=False)


@app.command(rich_help_panel="Tools")
def schema() -> None:
    """Print the JSON Schema of every event."""
    from schemas.wire import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command(rich_help_panel="Daily work")
def verify(
    *,
    statement: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Check a statement's file instead, without a server."),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The file of the statement before it."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Fold every book again, whatever its size: `ibflow replay`.")
    ] = False,
    workers: history.Workers = None,
    as_json: Json = False,
) -> None:
    """Check the ledger's invariants and print their figures; exit 1 if one does not hold."""
    if statement is not None:
        verify_file(statement, previous, as_json=as_json)
        return
    from infra.commands.demo import findings_table
    from infra.replay.pool import no_bar, progress_bar
    from infra.verify.client import fetch_report

    with told(), progress_bar(err) if deep else nullcontext(no_bar) as bar:
        report = fetch_report(Settings(), deep=deep, workers=workers, bar=bar)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        show(findings_table(report))
        out.print(f"ledger hash {report.ledger_hash}", highlight=False)
        for warning in report.warnings:
            out.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
    if not report.holds:
        raise typer.Exit(EXIT_BROKEN)


@terms_app.command("check")
def terms_check(folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)]) -> None:
    """Check a folder of terms; every problem with its file and line."""
    from ingest.terms.folder import load_terms

    with told():
        broker = load_terms(folder)
    for warning in broker.warnings:
        err.print(f"[yellow]{escape(str(warning))}[/]", highlight=False)
    out.print(f"{len(broker.records)} records, {len(broker.servers)} servers: no errors")


@terms_app.command("reference")
def terms_reference() -> None:
    """Print every key of the terms files with its default and an example, as Markdown."""
    from ingest.terms.reference import reference

    typer.echo(reference(), nl=False)


@terms_app.command("publish")
def terms_publish(folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)]) -> None:
    """Check a folder of terms, run its plans' golden cases, and publish it; the same as `plans publish`."""
    plans_publish(folder)


@terms_app.command("publish-rates")
def terms_publish_rates(
    paths: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="CSV of as_of,base,quote,rate and maybe source."),
    ],
    *,
    zone: Annotated[
        str, typer.Option(help="Zone of dates and of times without an offset, such as Europe/Nicosia.")
    ] = "UTC",
    check: Annotated[bool, typer.Option("--check", help="Only say what would be published.")] = False,
) -> None:
    """Publish reference rates of exchange: a file whole or not at all; what is known already does nothing."""
    from infra.connect.settings import kafka_servers, prepare_topics
    from ingest.market import rates_csv
    from ingest.publish.publisher import publish_terms

    settings = Settings()
    with told():
        records = rates_csv.read(paths, zone)
        for line in rates_csv.lines(records):
            out.print(line, highlight=False)
        if not check:
            kafka = kafka_servers(settings)
            prepare_topics(settings, kafka)
            publish_terms(records, kafka)
    out.print(f"{'checked' if check else 'published'} {len(records)} rates")


@terms_app.command("end-period")
def terms_end_period(periods: Annotated[list[str], typer.Argument(help="Such as 2026-09.")]) -> None:
    """Close the statements of periods that are over, once all their deals have been ingested."""
    from commission.terms.calendar import PeriodEnded
    from infra.connect.settings import kafka_servers, prepare_topics
    from ingest.publish.publisher import publish_terms

    settings = Settings()
    with told():
        kafka = kafka_servers(settings)
        prepare_topics(settings, kafka)
        publish_terms([PeriodEnded(period=period) for period in periods], kafka)
    out.print(f"ended {', '.join(periods)}")


PlanPaths = Annotated[
    list[Path],
    typer.Argument(exists=True, help="Files of plans, folders of them, or folders of terms (broker.yaml)."),
]


@plans_app.command("lint")
def plans_lint(paths: PlanPaths, *, as_json: Json = False) -> None:
    """Check plans and their golden cases; every problem with its file and line; exit 1 on errors."""
    from infra.plans.suite import lint

    with told():
        found = lint(paths)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        for warning in found.warnings:
            err.print(f"[yellow]{escape(str(warning))}[/]", highlight=False)
        for problem in found.problems:
            err.print(f"[red]{escape(str(problem))}[/]", highlight=False)
        out.print(
            f"{found.files} files, {found.plans} plans, {found.cases} cases: {len(found.problems)} errors"
        )
    if found.problems:
        raise typer.Exit(EXIT_BROKEN)


@plans_app.command("test")
def plans_test(paths: PlanPaths, *, as_json: Json = False) -> None:
    """Run the golden cases (`expect`) through the books in memory; exit 1 if one fails.

    A failing case tells the IB, what was expected, what came, and the ledger rows that made it.
    """
    from infra.plans import suite

    with told():
        files = suite.read_cases(paths)
        if not (count := sum(len(file.cases) for file in files)):
            raise suite.no_cases(paths)
        with suite.progress_bar(count, err) as advance:
            results = suite.run_cases(files, advance)
    failed = sum(not result.passed for result in results)
    if as_json:
        typer.echo(json.dumps(suite.results_json(results), indent=2))
    else:
        show(suite.results_table(results))
        for line in suite.failure_lines(results):
            out.print(escape(line), highlight=False)
        out.print(f"{count - failed} of {count} cases passed")
    if failed:
        raise typer.Exit(EXIT_BROKEN)


@plans_app.command("diff")
def plans_diff(
    old: Annotated[Path, typer.Argument(exists=True, help="Folder of terms, or a file of plans.")],
    new: Annotated[Path, typer.Argument(exists=True, help="The same, changed.")],
    *,
    price: Annotated[
        list[str] | None,
        typer.Option(help="XAUUSD=4580: a price to trade the lot at; else the rate of exchange, or 1."),
    ] = None,
    charge: Annotated[str, typer.Option(help="Commission the client pays for the lot, in USD.")] = "0",
    as_json: Json = False,
) -> None:
    """Say what changed between two sets of plans, and what one lot pays before and after.

    The lot is opened and closed an hour later, 10 pips apart, without quotes, so that average spreads count.
    """
    from infra.plans import diff

    with told():
        lot = diff.to_lot(price or [], charge)
        found = diff.diff(diff.read_terms(old), diff.read_terms(new), lot)
    if as_json:
        typer.echo(json.dumps([plan.to_json() for plan in found], indent=2))
    else:
        for line in diff.diff_lines(found):
            out.print(escape(line), highlight=False)


@plans_app.command("publish")
def plans_publish(folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)]) -> None:
    """Lint and test a folder of terms, then publish it to the books; nothing unless all is well."""
    from infra.plans.suite import publish

    with told():
        passed, published = publish(folder, Settings())
    out.print(f"{passed} cases passed; published {published} records")


@plans_app.command("schema")
def plans_schema() -> None:
    """Print the JSON Schema of files of plans, for completion and checks in an editor."""
    from schemas.plan_schema import plan_file_schema

    typer.echo(json.dumps(plan_file_schema(), indent=2))


@app.command(rich_help_panel="Daily work")
def statement(
    ib_id: Annotated[str, typer.Argument(metavar="IB")],
    period: Annotated[str, typer.Argument(help="Such as 2026-09.")],
    output: Annotated[Path, typer.Option("-o", "--output", dir_okay=False, help="File to write.")],
    currency: Annotated[str, typer.Option(help="Needed where the IB has several.")] = "",
) -> None:
    """Write an IB's statement with all of its transfers, for the IB to check by itself."""
    from infra.verify.statement_file import write_statement

    with told():
        out.print(write_statement(Settings(), ib_id, period, currency, output), highlight=False)


def verify_file(path: Path, previous: Path | None, *, as_json: bool) -> None:
    """Check a statement's file by itself."""
    from infra.verify.statement_file import check_files, checks_table

    with told():
        found, checks = check_files(path, previous)
    if as_json:
        typer.echo(json.dumps([check._asdict() for check in checks], indent=2))
    else:
        show(checks_table(found, checks))
    if not all(check.holds for check in checks):
        raise typer.Exit(EXIT_BROKEN)


@terms_app.command("show")
def terms_show(
    *,
    as_of: Annotated[str, typer.Option(help="Event time, such as 2026-09-01T12:00:00Z; now.")] = "",
    known_at: Annotated[str, typer.Option(help="Offset of the terms topic, or a time; the newest.")] = "",
    ib: Annotated[str, typer.Option(help="Only this IB and those above it.")] = "",
    plan: Annotated[str, typer.Option(help="Only this plan.")] = "",
    as_json: Json = False,
) -> None:
    """What the terms say of a time, as they were known at a point of their log, and where from."""
    from infra.commands.evidence import fetch_terms, terms_renderables

    with told():
        shown = fetch_terms(Settings(), as_of, known_at, ib, plan)
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
    else:
        show(*terms_renderables(shown))


@app.command(rich_help_panel="Daily work")
def audit(transfer_id: str, *, as_json: Json = False) -> None:
    """Follow a transfer back to the lines it came from: topic, partition, offset, bytes, source."""
    from infra.commands.evidence import audit_lines, fetch_audit

    with told():
        found = fetch_audit(Settings(), transfer_id)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        for line in audit_lines(found):
            out.print(line, highlight=False)


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app()
