"""`ibflow hold` and `ibflow release`: payouts, or what a client earns, stopped and let go."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.console import DAILY, Json, mendable_errors, print_json, say

if TYPE_CHECKING:
    from ibflow_client import Client, models

app = typer.Typer()

Ib = Annotated[str, typer.Argument(help="The IB's id; of a client, without one, all IBs.")]
StatementId = Annotated[str, typer.Option("--statement", help="Only this statement's money.")]
ClientId = Annotated[str, typer.Option("--client", help="Only what this client earns the IB.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
        help="Of a client: accruals from this time in UTC on; else those that no statement has.",
    ),
]
Why = Annotated[str, typer.Option(help="Why.")]


@app.command("hold", rich_help_panel=DAILY)
def hold(
    ib: Ib = "",
    *,
    reason: Why,
    statement_id: StatementId = "",
    client_id: ClientId = "",
    since: Since = None,
    as_json: Json = False,
) -> None:
    """Let no batch pay an IB, or keep a client's accruals back, until another person releases it."""
    from ibflow_client import models

    wanted = models.HoldRequest(ib=ib, statement_id=statement_id, client=client_id, reason=reason)
    if since is not None:
        wanted.since = since.replace(tzinfo=UTC)
    say_change(ask_change(lambda api: api.post_balance_changes_holds(wanted)), as_json=as_json)


@app.command("release", rich_help_panel=DAILY)
def release(
    ib: Ib = "",
    *,
    reason: Why,
    statement_id: StatementId = "",
    client_id: ClientId = "",
    as_json: Json = False,
) -> None:
    """Let it be paid again: by somebody else than who held, and of a client for whom it was held."""
    from ibflow_client import models

    wanted = models.HoldRequest(ib=ib, statement_id=statement_id, client=client_id, reason=reason)
    say_change(ask_change(lambda api: api.post_balance_changes_releases(wanted)), as_json=as_json)


def ask_change(question: "Callable[[Client], models.BalanceChange]") -> dict[str, Any]:
    """Ask the running server for a change."""
    from infra.payouts.client import ask_payouts

    with mendable_errors():
        made: dict[str, Any] = ask_payouts(question)
        return made


def say_change(found: dict[str, Any], *, as_json: bool) -> None:
    """What it is, and what comes next."""
    from infra.payouts.report import change_line

    if as_json:
        print_json(found)
        return
    say(change_line(found))
    if found["state"] == "requested":
        say(f"another person approves it: ibflow adjust approve {found['change_id']}")
