"""`ibflow demo`, `dev`, `worker`, `serve` and `receive`: the processes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.console import PROCESSES, ExitCode, mendable_errors, out
from infra.cli.signals import interrupted

if TYPE_CHECKING:
    from infra.processes.server import ApiServer

app = typer.Typer()


@app.command(rich_help_panel=PROCESSES)
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running until Ctrl-C.")] = False,
    data: Annotated[Path, typer.Option(help="Folder to work in: a new one, or an earlier demo's.")] = Path(
        ".ibflow/demo"
    ),
) -> None:
    """Run a synthetic broker through the whole pipeline and show who is owed what.

    It uses nothing that the environment or a `.env` names, works only in a folder that it made, and
    empties that first.
    """
    from rich.console import Console

    from infra.commands.demo import demo_settings, run

    def wait() -> None:
        out.print("running until Ctrl-C …")
        with interrupted() as stop:
            stop.wait()

    with mendable_errors():
        report = run(Console(), demo_settings(data), keep=wait if keep else None)
    if not report.holds:
        raise typer.Exit(ExitCode.BROKEN)


@app.command(rich_help_panel=PROCESSES)
def dev(
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="Worker processes; by default one a core, at most 4."),
    ] = None,
) -> None:
    """Run everything on this machine: Kafka, workers, ClickHouse, API and portal."""
    from infra.processes.stack import Stack, one_a_core
    from schemas.settings import Settings

    settings = Settings()
    with (
        mendable_errors(),
        interrupted() as stop,
        Stack(settings, workers or one_a_core(), ended=stop) as stack,
    ):
        out.print(f"portal  {stack.server.url}\napi     {stack.server.url}/docs\nkafka   {stack.kafka}")
        _say_how_to_begin(stack.server)
        out.print(f"data    {settings.data_dir}   logs {settings.data_dir}/worker-*.log")
        stack.probe()
        if not stop.is_set():
            out.print("up: a probe went through   stop with Ctrl-C")
        stop.wait()
        out.print("stopping …")
        stack.check()


@app.command(rich_help_panel=PROCESSES)
def worker(
    instance: Annotated[
        str, typer.Option(help="This worker's lasting name; two workers need two.")
    ] = "worker-1",
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
) -> None:
    """Run the Faust agents: account, client and partner book."""
    import faust

    from infra.connect.settings import kafka_servers, prepare_topics
    from schemas.settings import Settings
    from streams.app import build_app

    if sys.platform != "win32":
        import uvloop

        uvloop.install()  # for every thread's loop: Faust consumes in one of its own
    settings = Settings()
    with mendable_errors():
        kafka = kafka_servers(settings)
        worker_app = build_app(
            kafka, prepare_topics(settings, kafka), instance=instance, state=settings.state_dir(instance)
        )
    process = faust.Worker(worker_app, loglevel=log_level)
    process.spinner = None  # it turns for records of every level, and so has all of them made
    process.execute_from_commandline()


@app.command(rich_help_panel=PROCESSES)
def serve() -> None:
    """Run the sink, the API with its portal, and the postbacks."""
    from infra.connect.settings import prepared_kafka
    from infra.processes.server import ApiServer
    from infra.processes.setting_files import check_setting_files
    from schemas.settings import Settings

    settings = Settings()
    with mendable_errors(), interrupted() as stop:
        check_setting_files(settings)
        server = ApiServer(settings, prepared_kafka(settings))
        server.start()
        out.print(f"portal  {server.url}\napi     {server.url}/docs")
        _say_how_to_begin(server)
        stop.wait()
        server.stop()


def _say_how_to_begin(server: "ApiServer") -> None:
    if line := server.people.how_to_begin(server.url):
        out.print(line)


@app.command(rich_help_panel=PROCESSES)
def receive() -> None:
    """Take deals of bridges and events of CRMs over HTTP, on a machine of its own.

    POST /v1/ingest/deals and /v1/ingest/crm; `ibflow serve` takes them too.
    IBFLOW_BRIDGES_FILE names who may push, by digests of tokens;
    IBFLOW_TERMS_DIR is the folder of terms with their servers.
    """
    from infra.connect.settings import prepared_kafka
    from infra.processes.push_server import receive as run
    from schemas.settings import Settings

    settings = Settings()
    with mendable_errors(), interrupted() as stop:
        run(settings, prepared_kafka(settings), stop, lambda url: out.print(f"push    {url}/v1/ingest/deals"))


@app.command(rich_help_panel=PROCESSES)
def dispatch() -> None:
    """Send postbacks, beside the server, which sends them too: processes share the work.

    IBFLOW_POSTBACK_KEYS opens the endpoints' secrets.
    """
    from infra.connect.settings import prepared_kafka
    from infra.postbacks.start import dispatcher_of, endpoint_desk
    from schemas.settings import Settings

    settings = Settings()
    with mendable_errors(), interrupted() as stop:
        kafka = prepared_kafka(settings)
        dispatcher = dispatcher_of(settings, kafka, endpoint_desk(settings, kafka))
        dispatcher.start()
        out.print("sending postbacks")
        stop.wait()
        dispatcher.stop()
