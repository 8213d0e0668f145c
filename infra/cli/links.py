"""`ibflow links`: tracking links of IBs, their QR codes, and what became of their clicks."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from infra.cli.console import DAILY, TIMES, Json, mendable_errors, print_json, say

if TYPE_CHECKING:
    from ibflow_client import Client

DOES = "keeps links"

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
    from ibflow_client import models

    wanted: dict[str, Any] = {
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
    made = _ask(lambda api: api.post_links(models.LinkWanted(**wanted), idempotency_key=key or None))
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
    from infra.connect.api_client import every_item
    from infra.links.report import list_table
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    with mendable_errors():
        found = every_item(
            Settings(),
            DOES,
            lambda api, size, after: api.get_links(
                ib=ib, campaign=campaign, ended=ended, limit=size, cursor=after
            ),
        )
    if as_json:
        print_json(found)
    else:
        print_tables(list_table(found))


@app.command("show")
def show(
    code: Code,
    *,
    qr: Annotated[Path | None, typer.Option(help="Write its QR code there: .svg or .png.")] = None,
) -> None:
    """One link with what became of its clicks."""
    from infra.connect.api_client import running_api
    from schemas.settings import Settings

    form: Literal["svg", "png"] = "png"
    if qr is not None and qr.suffix != ".png":
        if qr.suffix != ".svg":
            raise typer.BadParameter("the file's name ends in .svg or .png")
        form = "svg"
    funnel = _ask(lambda api: api.get_link_funnel(code))
    print_json(_ask(lambda api: api.get_link(code)) | {"funnel": funnel})
    if qr is not None:
        with mendable_errors(), running_api(Settings(), DOES) as api:
            qr.write_bytes(api.get_link_qr(code, format_=form))


@app.command("end")
def end(code: Code) -> None:
    """Let clicks from now on count no more; those before count for their window."""
    say(f"{code}: over since {_ask(lambda api: api.post_link_end(code))['expires_at']}")


@app.command("plan")
def plan(
    code: Code,
    plan_id: Annotated[str, typer.Argument(help="A plan's id; none: the IB's own again.")] = "",
    *,
    since: Annotated[datetime | None, typer.Option(formats=TIMES, help="From then on, UTC.")] = None,
) -> None:
    """Rate the link's clients by another plan from a time on."""
    from ibflow_client import models

    wanted = models.PlanWanted(plan=plan_id or None, since=_utc(since))
    print_json(_ask(lambda api: api.post_link_plans(code, wanted))["plans"])


@app.command("key")
def key() -> None:
    """Print a new key for IBFLOW_CLICK_KEYS; nothing keeps it but you."""
    from infra.connect.sealing import new_key

    typer.echo(new_key())


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


def _ask(question: "Callable[[Client], object]") -> Any:
    from infra.connect.api_client import ask
    from schemas.settings import Settings

    with mendable_errors():
        return ask(Settings(), DOES, question)
