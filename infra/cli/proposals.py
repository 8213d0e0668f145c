"""`ibflow proposals`: correct what is posted by terms that became known later; a second person approves."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from commission.money import minor_digits
from infra.show import show
from schemas.errors import Unusable
from schemas.proposals import PROPOSALS, Line, Proposal, Wanted
from schemas.settings import Settings
from schemas.wire import explain_validation

Json = Annotated[bool, typer.Option("--json", help="For machines.")]
ProposalId = Annotated[str, typer.Argument(help="Such as p-1a2b3c4d5e6f7a8b.")]

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)


def register(parent: typer.Typer, told: Callable[[], AbstractContextManager[None]], panel: str) -> None:
    """Add the commands to the `ibflow` command; `told` makes sentences of what a person can mend."""
    app = typer.Typer(
        name="proposals",
        help="Correct what is posted by terms or links that became known later; a second person approves.",
        no_args_is_help=True,
    )
    parent.add_typer(app, rich_help_panel=panel)

    @app.command()
    def create(
        *,
        title: Annotated[str, typer.Option(help="Why, for whoever approves it.")],
        since: Annotated[str, typer.Option("--from", help="Deals from here on: 2026-09-01[T12:00Z].")] = "",
        until: Annotated[str, typer.Option("--to", help="Deals before this.")] = "",
        ib: Annotated[str, typer.Option(help="Only what changes this IB's earnings.")] = "",
        client: Annotated[str, typer.Option(help="Only this client.")] = "",
        leave_undecided: Annotated[
            bool, typer.Option("--leave-undecided", help="Leave what cannot be rated again as it stands.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Preview what rating deals again, by the terms known now, would post; nothing is posted yet."""
        from infra.proposals.client import desk_of

        with told():
            wanted = _wanted(title, since, until, ib, client, leave_undecided=leave_undecided)
            with desk_of(Settings()) as desk, err.status("folding the archive again …"):
                _print(desk.create(wanted), as_json=as_json)

    @app.command("list")
    def listed(*, limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50, as_json: Json = False) -> None:
        """Proposals, newest first."""
        from infra.proposals.client import desk_of

        with told(), desk_of(Settings()) as desk:
            found = desk.newest(limit)
        if as_json:
            typer.echo(PROPOSALS.dump_json(found, indent=2))
        else:
            show(_list_table(found))

    @app.command()
    def show(proposal_id: ProposalId, *, as_json: Json = False) -> None:
        """One proposal: what it changes by IB, and who did what."""
        from infra.proposals.client import desk_of

        with told(), desk_of(Settings()) as desk:
            _print(desk.get(proposal_id), as_json=as_json)

    @app.command()
    def approve(proposal_id: ProposalId, *, as_json: Json = False) -> None:
        """Post it: by somebody other than who created it, if it is still what was previewed."""
        _decide(told, proposal_id, "approve", as_json=as_json)

    @app.command()
    def reject(
        proposal_id: ProposalId,
        *,
        note: Annotated[str, typer.Option(help="Why.")] = "",
        as_json: Json = False,
    ) -> None:
        """Never post it."""
        _decide(told, proposal_id, "reject", note, as_json=as_json)

    @app.command()
    def post(proposal_id: ProposalId, *, as_json: Json = False) -> None:
        """Post again what was approved and, for a failure, not posted to the end; it counts once."""
        _decide(told, proposal_id, "post", as_json=as_json)


def _decide(
    told: Callable[[], AbstractContextManager[None]],
    proposal_id: str,
    verb: str,
    note: str = "",
    *,
    as_json: bool,
) -> None:
    from infra.proposals.client import desk_of

    with told(), desk_of(Settings()) as desk, err.status("folding the archive again …"):
        _print(desk.decide(proposal_id, verb, note), as_json=as_json)


def _wanted(title: str, since: str, until: str, ib: str, client: str, *, leave_undecided: bool) -> Wanted:
    try:
        return Wanted(
            title=title,
            since=_time(since),
            until=_time(until),
            ib=ib,
            client=client,
            leave_undecided=leave_undecided,
        )
    except ValidationError as error:
        raise Unusable(explain_validation(error)) from None


def _time(text: str) -> datetime | None:
    """An ISO time; without a zone it is UTC."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Unusable(f"{text} is no time; write 2026-09-01 or 2026-09-01T12:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _print(proposal: Proposal, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(proposal.model_dump(mode="json"), indent=2))
        return
    preview = proposal.preview
    out.print(f"[bold]{escape(proposal.wanted.title)}[/]  {proposal.proposal_id}  {proposal.state}")
    out.print(f"{preview.corrected} of {preview.deals} looked at are corrected, by {preview.rows} rows")
    show(_lines_table(preview.lines))
    for doubt in preview.undecided:
        out.print(f"[yellow]left as it stands[/]: {escape(doubt.subject)}: {escape(doubt.text)}")
    for step in proposal.steps:
        out.print(
            f"{step.state} by {escape(step.by)}, {step.at:%Y-%m-%d %H:%M} UTC {escape(step.note)}".rstrip()
        )
    at = ", ".join(f"{place} {offset}" for place, offset in preview.positions.items())
    out.print(f"computed at {at}", highlight=False)
    if proposal.state == "created":
        out.print(f"a second person approves it: ibflow proposals approve {proposal.proposal_id}")
    elif proposal.state == "approved":
        out.print(f"not posted to the end: ibflow proposals post {proposal.proposal_id}")


def _lines_table(lines: tuple[Line, ...]) -> Table:
    table = Table("IB", title="What it changes", title_justify="left")
    for name in ("taken back", "given", "delta", "of it closed", "to clients"):
        table.add_column(name, justify="right")
    table.add_column("")
    for line in lines:
        digits = minor_digits(line.currency)
        amounts = (-line.taken_back, line.given, line.delta, line.of_closed, line.clients)
        table.add_row(escape(line.ib_id), *(f"{amount:+,.{digits}f}" for amount in amounts), line.currency)
    return table


def _list_table(found: list[Proposal]) -> Table:
    table = Table()
    table.add_column("id", no_wrap=True)
    for name in ("title", "state", "created by", "created (UTC)", "delta"):
        table.add_column(name)
    for p in found:
        delta = ", ".join(
            f"{line.ib_id} {line.delta:+,.{minor_digits(line.currency)}f} {line.currency}"
            for line in p.preview.lines
        )
        at = f"{p.created_at:%Y-%m-%d %H:%M}"
        table.add_row(p.proposal_id, escape(p.wanted.title), p.state, escape(p.created_by), at, escape(delta))
    return table
