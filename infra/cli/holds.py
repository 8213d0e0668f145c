"""`ibflow hold` and `ibflow release`: payouts to an IB, or of one statement, stopped and let go."""

from typing import Annotated, Any

import typer

from infra.cli.console import DAILY, Json, mendable_errors, print_json, say

app = typer.Typer()

Ib = Annotated[str, typer.Argument(help="The IB's id.")]
StatementId = Annotated[str, typer.Option("--statement", help="Only this statement's money.")]
Why = Annotated[str, typer.Option(help="Why.")]


@app.command("hold", rich_help_panel=DAILY)
def hold(ib: Ib, *, reason: Why, statement_id: StatementId = "", as_json: Json = False) -> None:
    """Let no batch pay an IB, until another person releases it."""
    wanted = {"ib": ib, "statement_id": statement_id, "reason": reason}
    say_change(post("/holds", wanted), as_json=as_json)


@app.command("release", rich_help_panel=DAILY)
def release(ib: Ib, *, reason: Why, statement_id: StatementId = "", as_json: Json = False) -> None:
    """Let an IB be paid again: by somebody else than who held."""
    wanted = {"ib": ib, "statement_id": statement_id, "reason": reason}
    say_change(post("/releases", wanted), as_json=as_json)


def post(path: str, body: dict[str, str], key: str = "") -> dict[str, Any]:
    """Ask the running server for a change."""
    from infra.payouts.client import Client
    from schemas.settings import Settings

    with mendable_errors():
        return Client(Settings(), "/v1/balance-changes").post(path, body, key)


def say_change(found: dict[str, Any], *, as_json: bool) -> None:
    """What it is, and what comes next."""
    from infra.payouts.report import change_line

    if as_json:
        print_json(found)
        return
    say(change_line(found))
    if found["state"] == "requested":
        say(f"another person approves it: ibflow adjust approve {found['change_id']}")
