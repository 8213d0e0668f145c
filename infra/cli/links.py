"""`ibflow links`: tracking links of IBs, their QR codes, and what became of their clicks."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli.console import DAILY, TIMES, Json, mendable_errors, out, print_json, say

app = typer.Typer(
    name="links",
    help="Tracking links: where IBs send people, and whose clients they become.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

Code = Annotated[str, typer.Argument(help="The link's code.")]
Ib = Annotated[str, typer.Option("--ib", help="An IB's id.")]
Campaign = Annotated[str, typer.Option(help="A campaign's name.")]


@app.command("create")
def create(
    ib: Annotated[str, typer.Argument(help="Whose link it is.")],
    landing: Annotated[str, typer.Argument(help="Where it leads: https://broker.com/open?ref={click_id}")],
    *,
    campaign: Campaign = "",
    code: Annotated[str, typer.Option(help="Its code in /go/<code>; none: one is made.")] = "",
    plan: Annotated[str, typer.Option(help="A plan for its clients instead of the IB's own.")] = "",
    expires: Annotated[datetime | None, typer.Option(formats=TIMES, help="Over from then on, UTC.")] = None,
    window_days: Annotated[int, typer.Option(help="How long a click counts; 0: the setting.")] = 0,
    conflict: Annotated[str, typer.Option(help="Who wins: crm or click; none: the setting.")] = "",
    pass_query: Annotated[bool, typer.Option(help="Pass on parameters that no macro names.")] = True,
    key: Annotated[str, typer.Option(help="Idempotency key: the same again makes the same link.")] = "",
    as_json: Json = False,
) -> None:
    """Make a link, and print its address."""
    wanted = {
        "ib": ib,
        "landing": landing,
        "campaign": campaign,
        "code": code,
        "plan": plan or None,
        "expires_at": _utc(expires),
        "window_days": window_days or None,
        "conflict": conflict or None,
        "pass_query": pass_query,
    }
    headers = {"Idempotency-Key": key} if key else {}
    made = _ask("POST", "", json=wanted, headers=headers)
    if as_json:
        print_json(made)
    else:
        say(made["url"])


@app.command("list")
def list_links(
    *,
    ib: Ib = "",
    campaign: Campaign = "",
    ended: Annotated[bool, typer.Option("--ended", help="Also those that are over.")] = False,
    as_json: Json = False,
) -> None:
    """Links, the newest first."""
    from infra.links.report import list_table

    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"ib": ib, "campaign": campaign, "ended": ended, "limit": 1000}
    while True:
        page = _ask("GET", "", params=asked)
        found += page["items"]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
    if as_json:
        print_json(found)
    else:
        out.print(list_table(found))


@app.command("show")
def show(
    code: Code,
    *,
    qr: Annotated[Path | None, typer.Option(help="Write its QR code there: .svg or .png.")] = None,
) -> None:
    """One link with what became of its clicks."""
    from infra.links.client import image, path_of

    print_json(_ask("GET", path_of(code)) | {"funnel": _ask("GET", path_of(code, "/funnel"))})
    if qr is not None:
        if qr.suffix not in (".svg", ".png"):
            raise typer.BadParameter("the file's name ends in .svg or .png")
        with mendable_errors():
            qr.write_bytes(image(code, qr.suffix[1:]))


@app.command("end")
def end(code: Code) -> None:
    """Let clicks from now on count no more; those before count for their window."""
    from infra.links.client import path_of

    say(f"{code}: over since {_ask('POST', path_of(code, '/end'), json={})['expires_at']}")


@app.command("plan")
def plan(
    code: Code,
    plan_id: Annotated[str, typer.Argument(help="A plan's id; none: the IB's own again.")] = "",
    *,
    since: Annotated[datetime | None, typer.Option(formats=TIMES, help="From then on, UTC.")] = None,
) -> None:
    """Rate the link's clients by another plan from a time on."""
    from infra.links.client import path_of

    wanted = {"plan": plan_id or None, "since": _utc(since)}
    print_json(_ask("POST", path_of(code, "/plans"), json=wanted)["plans"])


@app.command("key")
def key() -> None:
    """Print a new key for IBFLOW_CLICK_KEYS; nothing keeps it but you."""
    from infra.connect.sealing import new_key

    typer.echo(new_key())


def _utc(at: datetime | None) -> str | None:
    return None if at is None else f"{at.isoformat()}Z"


def _ask(method: str, path: str, **options: Any) -> Any:
    from infra.links.client import ask
    from schemas.settings import Settings

    with mendable_errors():
        return ask(Settings(), method, path, **options)
