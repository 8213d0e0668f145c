"""`ibflow adjust`: an IB's balance changed by hand, by two people."""

from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli.console import DAILY, Json, mendable_errors, print_json, say
from infra.cli.holds import ask_change, say_change

app = typer.Typer(
    name="adjust",
    help="Change an IB's balance by hand: one person asks with a reason, another approves.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

ChangeId = Annotated[str, typer.Argument(help="Such as c-1a2b3c4d5e6f7a8b.")]


@app.command("create", context_settings={"ignore_unknown_options": True})
def create(
    ib: Annotated[str, typer.Argument(help="The IB's id.")],
    amount: Annotated[str, typer.Argument(help="Such as 50 or -12.50: with a minus it takes.")],
    currency: Annotated[str, typer.Argument(help="Such as USD.")],
    *,
    reason: Annotated[str, typer.Option(help="Why.")],
    kind: Annotated[str, typer.Option(help="adjustment, advance or write_off.")] = "adjustment",
    attachment: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Document behind it, of which the SHA-256 is kept."),
    ] = None,
    key: Annotated[str, typer.Option(help="Any text: with the same again, the same change.")] = "",
    as_json: Json = False,
) -> None:
    """Ask for it; nothing moves before another person approves, on whose day's statement it will be."""
    from hashlib import sha256

    from ibflow_client import models

    named: Any = kind  # which there are, the server says
    wanted = models.ChangeRequest(kind=named, ib=ib, amount=amount, currency=currency.upper(), reason=reason)
    if attachment is not None:
        wanted.attachment_sha256 = sha256(attachment.read_bytes()).hexdigest()
    made = ask_change(lambda api: api.post_balance_changes(wanted, idempotency_key=key or None))
    say_change(made, as_json=as_json)


@app.command("approve")
def approve(change_id: ChangeId, *, as_json: Json = False) -> None:
    """Let the books do it: by somebody else than who asked."""
    say_change(ask_change(lambda api: api.post_balance_change_approve(change_id)), as_json=as_json)


@app.command("reject")
def reject(
    change_id: ChangeId, *, reason: Annotated[str, typer.Option(help="Why.")] = "", as_json: Json = False
) -> None:
    """Never do it."""
    from ibflow_client import models

    why = models.Note(reason=reason)
    say_change(ask_change(lambda api: api.post_balance_change_reject(change_id, why)), as_json=as_json)


@app.command("list")
def list_changes(
    *, limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50, as_json: Json = False
) -> None:
    """Changes and holds, newest first, each with what the books made of it."""
    from infra.payouts.client import items_of
    from infra.payouts.report import change_line

    with mendable_errors():
        found = items_of(lambda api, size, after: api.get_balance_changes(limit=size, cursor=after), limit)
    if as_json:
        print_json(found)
        return
    for one in found:
        say(change_line(one))
