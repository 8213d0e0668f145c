"""`ibflow keys`: machines' keys for the API."""

from typing import Annotated

import typer

from infra.cli.console import DAILY, Json, mendable_errors, print_json, say

app = typer.Typer(
    name="keys",
    help="Keys of machines: named, for what they need, for a time; rotated with overlap, and revoked.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

KeyId = Annotated[str, typer.Argument(help="The key's id, as `list` has it.")]
Days = Annotated[int, typer.Option(min=1, max=730, help="Days that the secret counts.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Which program has it.")],
    *,
    right: Annotated[
        list[str],
        typer.Option(
            "--right",
            help="read, payouts (no approval) or ingest (events, as a CRM pushes them). Repeatable.",
        ),
    ],
    days: Days = 90,
    ib: Annotated[list[str] | None, typer.Option("--ib", help="Read this IB and all below alone.")] = None,
) -> None:
    """Make a key. Its secret is printed once; what is kept is its hash."""
    from api.people import Wanted
    from infra.people.choices import rights
    from infra.people.direct import opened
    from schemas.settings import Settings

    with mendable_errors():
        wanted = Wanted(name, rights(right), days, tuple(ib) if ib else None)
        with opened(Settings()) as people:
            key_id, secret = people.desk.create_key(wanted, people.by)
            people.note("keys create", f"{key_id} {name}")
    _say_secret(key_id, secret)


@app.command("list")
def list_keys(*, as_json: Json = False) -> None:
    """Every key there was, with when it was last used."""
    from datetime import UTC, datetime

    from infra.people.direct import opened
    from infra.people.report import key_data, keys_table
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    with mendable_errors(), opened(Settings()) as people:
        found, now = people.desk.all_keys(), datetime.now(UTC)
    if as_json:
        print_json([key_data(one, now) for one in found])
    else:
        print_tables(keys_table(found, now))


@app.command("rotate")
def rotate(
    key_id: KeyId,
    *,
    days: Days = 90,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=720, help="Hours that the secret before counts as well.")
    ] = 24,
) -> None:
    """Make another secret of a key; the one before counts a while longer."""
    from infra.people.direct import opened
    from schemas.settings import Settings

    with mendable_errors(), opened(Settings()) as people:
        secret = people.desk.rotate_key(key_id, days, overlap_hours, people.by)
        people.note("keys rotate", key_id)
    _say_secret(key_id, secret)


@app.command("revoke")
def revoke(key_id: KeyId) -> None:
    """Let nobody in by it any more; a server that runs knows within two seconds."""
    from infra.people.direct import opened
    from schemas.settings import Settings

    with mendable_errors(), opened(Settings()) as people:
        people.desk.revoke_key(key_id, people.by)
        people.note("keys revoke", key_id)
    say(f"{key_id} is revoked")


def _say_secret(key_id: str, secret: str) -> None:
    say(f"key {key_id}, sent as `Authorization: Bearer …`, counts within two seconds, shown once:")
    typer.echo(secret)
