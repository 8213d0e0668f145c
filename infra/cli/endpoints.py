"""`ibflow endpoints`: where events are sent, tried out, paused, and asked to take something again."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from infra.cli.console import DAILY, TIMES, ExitCode, Json, mendable_errors, print_json, say, warn

if TYPE_CHECKING:
    from ibflow_client import Client

app = typer.Typer(
    name="endpoints",
    help="Where events are sent: partners' trackers, with their words, signatures and limits.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

EndpointId = Annotated[str, typer.Argument(help="Its id.")]
Why = Annotated[str, typer.Option(help="Why, for whoever looks later.")]
Event = Annotated[str, typer.Option(help="The kind of a sample event.")]


@app.command("list")
def list_endpoints(
    *,
    removed: Annotated[bool, typer.Option("--removed", help="Also those that were removed.")] = False,
    as_json: Json = False,
) -> None:
    """Every endpoint and how it stands."""
    from infra.postbacks.client import endpoints
    from infra.postbacks.report import list_table
    from infra.terminal import show as print_tables

    with mendable_errors():
        found = endpoints(removed=removed)
    if as_json:
        print_json(found)
    else:
        print_tables(list_table(found))


@app.command("add")
def add(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="YAML: `id`, `url`, `preset`, `events` …")
    ],
    *,
    change: Annotated[bool, typer.Option("--change", help="Another version of one that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Keep an endpoint. A secret that the server makes is shown this once."""
    from ibflow_client import models

    from infra.connect.api_client import filled
    from infra.postbacks.client import read_form

    with mendable_errors():
        form = filled(models.EndpointWanted, {"id": "", "url": "", **read_form(file)})
    made = _ask(lambda api: api.put_endpoint(form.id, form) if change else api.post_endpoints(form))
    _show(made, as_json=as_json)


@app.command("show")
def show(endpoint_id: EndpointId) -> None:
    """Everything of an endpoint but its secret."""
    print_json(_ask(lambda api: api.get_endpoint(endpoint_id)))


@app.command("preview")
def preview(endpoint_id: EndpointId, *, event: Event = "cpa.qualified", as_json: Json = False) -> None:
    """What would be sent for a sample event."""
    found = _ask(lambda api: api.get_endpoint_preview(endpoint_id, event=event))
    if as_json:
        print_json(found)
        return
    say(f"{found['method']} {found['url']}")
    for name, value in found["headers"].items():
        say(f"{name}: {value}")
    if found["body"]:
        say(f"\n{found['body']}")


@app.command("test")
def try_out(endpoint_id: EndpointId, *, event: Event = "cpa.qualified", as_json: Json = False) -> None:
    """Send a sample event now, and say what came of it."""
    made = _ask(lambda api: api.post_endpoint_deliveries_test(endpoint_id, event=event))
    if as_json:
        print_json(made)
    else:
        answer = f"HTTP {made['http_status']}" if made["http_status"] else made["error"]
        say(f"{made['request']}\n{answer}, {made['duration_ms']} ms: {made['outcome']}  {made['answer']}")
    if made["outcome"] != "delivered":
        raise typer.Exit(ExitCode.BROKEN)


@app.command("replay")
def replay(
    endpoint_id: EndpointId,
    *,
    milestone: Annotated[str, typer.Option(help="One event, by its milestone's id.")] = "",
    since: Annotated[datetime | None, typer.Option(formats=TIMES, help="Or those from here on, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=TIMES, help="And before this, UTC.")] = None,
) -> None:
    """Send again what was due there, under the same ids."""
    from ibflow_client import models

    wanted = models.Again(milestone=milestone, since=since, until=until)
    found = _ask(lambda api: api.post_endpoint_deliveries_replay(endpoint_id, wanted))
    say(f"{found['replayed']} are sent again")


@app.command("rotate")
def rotate(endpoint_id: EndpointId, *, as_json: Json = False) -> None:
    """Sign with a new secret; for a day the one before signs as well."""
    from ibflow_client import models

    _show(_ask(lambda api: api.post_endpoint_secret(endpoint_id, models.SecretWanted())), as_json=as_json)


@app.command("rotate-key")
def rotate_key() -> None:
    """Encrypt everything with the newest key of IBFLOW_POSTBACK_KEYS; the older ones can go then."""
    from infra.postbacks.client import reseal
    from schemas.settings import Settings

    with mendable_errors():
        say(f"{reseal(Settings())} endpoints are under the newest key now; the older ones can go")


@app.command("pause")
def pause(endpoint_id: EndpointId, *, reason: Why = "") -> None:
    """Send nothing there; what comes meanwhile waits."""
    _decide(endpoint_id, "pause", reason)


@app.command("resume")
def resume(endpoint_id: EndpointId, *, reason: Why = "") -> None:
    """Send again, what waited first; also after it was disabled."""
    _decide(endpoint_id, "resume", reason)


@app.command("remove")
def remove(endpoint_id: EndpointId, *, reason: Why = "") -> None:
    """Send nothing there any more; what waits is given up."""
    _decide(endpoint_id, "remove", reason)


@app.command("key")
def key() -> None:
    """Print a new key for IBFLOW_POSTBACK_KEYS; nothing keeps it but you."""
    from infra.connect.sealing import new_key

    typer.echo(new_key())


def _decide(endpoint_id: str, verb: Literal["pause", "resume", "remove"], reason: str) -> None:
    from ibflow_client import models

    found = _ask(lambda api: api.post_endpoint_verb(endpoint_id, verb, models.ReasonInput(reason=reason)))
    say(f"{found['id']}: {found['state']}")


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    say(f"{found['id']}, version {found['version']}: {found['method']} {found['url']}, {found['state']}")
    if found["public_key"]:
        say(f"verify with  {found['public_key']}")
    if found["secret"]:
        say(f"secret       {found['secret']}")
        warn("it is not shown again")


def _ask(question: "Callable[[Client], object]") -> Any:
    from infra.postbacks.client import ask_endpoints

    with mendable_errors():
        return ask_endpoints(question)
