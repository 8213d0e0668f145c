"""`ibflow payees`: where each IB is paid; one person proposes, another approves, numbers are shown masked."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli.console import DAILY, Json, mendable_errors, print_json, say

app = typer.Typer(
    name="payees",
    help="Where each IB is paid: proposed by one person, approved by another, encrypted, shown masked.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

IbId = Annotated[str, typer.Argument(help="The IB.")]
Version = Annotated[int, typer.Argument(min=1, help="Its number, as `list` has it.")]


@app.command("list")
def list_payees(
    ib_id: Annotated[str, typer.Argument(help="Every version of this IB's details.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """What is valid and what waits to be approved; with an IB, every version."""
    from infra.payees.client import history, payees
    from infra.payees.report import list_table
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    with mendable_errors():
        found = history(Settings(), ib_id) if ib_id else payees(Settings())
    if as_json:
        print_json(found)
    else:
        print_tables(list_table(found))


@app.command("set")
def set_payee(
    ib_id: IbId,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            help="YAML or JSON: `type: bank`, `holder`, `iban`, `currency`, `tax`; none: standard input."
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="Why, for whoever approves it.")] = "",
    as_json: Json = False,
) -> None:
    """Propose where an IB is paid. The details are read from a file or standard input, never from options."""
    from infra.fields_file import read_bytes
    from infra.payees.client import MAX_BYTES, propose, read_details
    from schemas.settings import Settings

    with mendable_errors():
        text = read_bytes(file, MAX_BYTES) if file is not None else sys.stdin.buffer.read(MAX_BYTES + 1)
        details = read_details(text, str(file or "standard input"))
        _show(propose(Settings(), ib_id, details, note), as_json=as_json)


@app.command("approve")
def approve(ib_id: IbId, version: Version, *, as_json: Json = False) -> None:
    """Pay to it from now on; by somebody other than who proposed it."""
    from infra.payees.client import approve as approve_version
    from schemas.settings import Settings

    with mendable_errors():
        _show(approve_version(Settings(), ib_id, version), as_json=as_json)


@app.command("reject")
def reject(
    ib_id: IbId,
    version: Version,
    *,
    note: Annotated[str, typer.Option(help="Why, for whoever proposed it.")] = "",
    as_json: Json = False,
) -> None:
    """Never pay to it; the one before stays valid."""
    from infra.payees.client import reject as reject_version
    from schemas.settings import Settings

    with mendable_errors():
        _show(reject_version(Settings(), ib_id, version, note), as_json=as_json)


@app.command("key")
def key() -> None:
    """Print a new key for IBFLOW_PAYEE_KEYS; nothing keeps it but you."""
    from infra.connect.sealing import new_key

    typer.echo(new_key())


@app.command("rotate")
def rotate() -> None:
    """Encrypt everything with the newest key of the server; the older ones can go then."""
    from infra.payees.client import rotate as rotate_all
    from schemas.settings import Settings

    with mendable_errors():
        say(f"{rotate_all(Settings())} versions are under the newest key now; the older ones can go")


def _show(one: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    more = (f" in {one['currency']}" if one["currency"] else "") + (
        f", tax {one['tax']}" if one["tax"] else ""
    )
    say(f"{one['ib_id']}, version {one['version']}: {one['kind']} {one['masked']}{more}, {one['state']}")
