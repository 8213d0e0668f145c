"""`ibflow users`: who signs in to the portal, as what, and the audit log."""

from typing import Annotated

import typer

from infra.cli.console import DAILY, ExitCode, Json, complain, mendable_errors, print_json, say, warn

app = typer.Typer(
    name="users",
    help="Who signs in to the portal: roles, one-time codes, sessions, and the log of what they did.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

Name = Annotated[str, typer.Argument(help="The person, as they sign in.")]
RoleName = Annotated[
    str, typer.Option("--role", help="admin, finance, manager, auditor, ib or network.", show_default=False)
]
Ibs = Annotated[
    list[str] | None,
    typer.Option("--ib", help="Of a manager or an IB: sees this IB and all below. Repeatable."),
]
Endpoints = Annotated[
    list[str] | None, typer.Option("--endpoint", help="Of a network: its postback endpoint. Repeatable.")
]


@app.command("add")
def add(name: Name, role: RoleName, *, ib: Ibs = None, endpoint: Endpoints = None) -> None:
    """Add somebody, and print the one-time code by which they set a password at /set-password."""
    from infra.people.choices import access
    from infra.people.direct import opened
    from schemas.settings import Settings

    with mendable_errors():
        wanted = access(role, ib, endpoint)
        with opened(Settings()) as people:
            code = people.desk.add(name, wanted, people.by)
            has_admin = any(one.access.role == "admin" for one in people.desk.people())
            people.note("users add", f"{name} as {role}")
    _say_code(name, code)
    if not has_admin:
        warn("nobody is an admin yet, and this machine is asked who it is from now on: add one")


@app.command("list")
def list_people(*, as_json: Json = False) -> None:
    """Everybody, with roles and states."""
    from infra.people.direct import opened
    from infra.people.report import people_table, person_data
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    with mendable_errors(), opened(Settings()) as people:
        found = people.desk.people()
    if as_json:
        print_json([person_data(one) for one in found])
    else:
        print_tables(people_table(found))


@app.command("role")
def role(name: Name, role: RoleName, *, ib: Ibs = None, endpoint: Endpoints = None) -> None:
    """Give another role, or other IBs; it counts at once."""
    from infra.people.choices import access
    from infra.people.direct import opened
    from schemas.settings import Settings

    with mendable_errors():
        wanted = access(role, ib, endpoint)
        with opened(Settings()) as people:
            people.desk.change(name, wanted, people.by)
            people.note("users role", f"{name} as {role}")
    say(f"{name} is {role} now")


@app.command("disable")
def disable(name: Name) -> None:
    """Let nobody in by this name, and end the sessions; a reset lets it in again."""
    from infra.people.direct import opened
    from schemas.settings import Settings

    with mendable_errors(), opened(Settings()) as people:
        people.desk.disable(name, people.by)
        people.note("users disable", name)
    say(f"{name} is disabled")


@app.command("reset")
def reset(name: Name) -> None:
    """Forget password and second factor, end the sessions, and print a new one-time code."""
    from infra.people.direct import opened
    from schemas.settings import Settings

    with mendable_errors(), opened(Settings()) as people:
        code = people.desk.reset(name, people.by)
        people.note("users reset", name)
    _say_code(name, code)


@app.command("sessions")
def sessions(
    name: Annotated[str, typer.Argument(help="Of this person; empty: of all.")] = "",
    *,
    end: Annotated[str, typer.Option(help="End the one of this id.")] = "",
) -> None:
    """Who is signed in; one that rested too long since is listed until it is over."""
    from infra.people.direct import opened
    from infra.people.report import sessions_table
    from infra.terminal import show as print_tables
    from schemas.settings import Settings

    with mendable_errors(), opened(Settings()) as people:
        if end:
            people.desk.end_session(end, people.by)
            people.note("users sessions --end", end)
        found = people.desk.sessions(name)
    print_tables(sessions_table(found))


@app.command("audit")
def audit() -> None:
    """Read the whole audit log and check that no entry was changed, left out or put in between.

    Keep the head it prints: that none of the newest entries is missing shows only whoever compares it.
    """
    from infra.people.direct import opened
    from schemas.settings import Settings

    with mendable_errors(), opened(Settings()) as people:
        found = people.audit.check()
    for fault in found.faults:
        complain(fault)
    say(f"{found.entries:,} entries, head {found.head or '(none)'}")
    if found.faults:
        raise typer.Exit(ExitCode.BROKEN)
    say("every entry follows from the one before it")


def _say_code(name: str, code: str) -> None:
    say(f"{name} sets a password at /set-password with the code {code}, within 72 hours; it is shown once")
