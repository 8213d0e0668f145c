"""`ibflow proposals`: correct what is posted by terms that became known later; a second person approves."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.console import DAILY, Json, err, mendable_errors, out, print_json
from schemas.errors import Unusable

if TYPE_CHECKING:
    from schemas.proposals import Proposal, ProposalRequest
    from schemas.settings import Settings

app = typer.Typer(
    name="proposals",
    help="Correct what is posted by terms or links that became known later; a second person approves.",
    no_args_is_help=True,
    rich_help_panel=DAILY,
)

ProposalId = Annotated[str, typer.Argument(help="Such as p-1a2b3c4d5e6f7a8b.")]


@app.command("create")
def create(
    *,
    title: Annotated[str, typer.Option(help="Why, for whoever approves it.")],
    since: Annotated[str, typer.Option("--from", help="Deals from here on: 2026-09-01[T12:00Z].")] = "",
    until: Annotated[str, typer.Option("--to", help="Deals before this.")] = "",
    ib: Annotated[str, typer.Option(help="Only what changes this IB's earnings.")] = "",
    client: Annotated[str, typer.Option(help="Only this client.")] = "",
    leave_undecided: Annotated[
        bool, typer.Option("--leave-undecided", help="Leave what cannot be rated again as it is.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Preview what rating deals again, by the terms known now, would post; nothing is posted yet."""
    from infra.proposals.client import desk_of
    from schemas.settings import Settings

    with mendable_errors():
        wanted = _wanted(title, since, until, ib, client, leave_undecided=leave_undecided)
        with desk_of(Settings()) as desk, err.status("folding the archive again …"):
            print_proposal(desk.create(wanted), as_json=as_json)


@app.command("list")
def list_newest(*, limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50, as_json: Json = False) -> None:
    """Proposals, newest first."""
    from infra.proposals.client import desk_of
    from infra.proposals.report import list_table
    from infra.terminal import show as print_tables
    from schemas.proposals import PROPOSALS
    from schemas.settings import Settings

    with mendable_errors(), desk_of(Settings()) as desk:
        found = desk.newest(limit)
    if as_json:
        print_json(PROPOSALS.dump_python(found, mode="json"))
    else:
        print_tables(list_table(found))


@app.command("show")
def show(proposal_id: ProposalId, *, as_json: Json = False) -> None:
    """One proposal: what it changes by IB, and who did what."""
    from infra.proposals.client import desk_of
    from schemas.settings import Settings

    with mendable_errors(), desk_of(Settings()) as desk:
        print_proposal(desk.get(proposal_id), as_json=as_json)


@app.command("approve")
def approve(proposal_id: ProposalId, *, as_json: Json = False) -> None:
    """Post it: by somebody other than who created it, if it is still what was previewed."""
    _decide(proposal_id, "approve", as_json=as_json)


@app.command("reject")
def reject(
    proposal_id: ProposalId,
    *,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: Json = False,
) -> None:
    """Never post it."""
    _decide(proposal_id, "reject", note, as_json=as_json)


@app.command("post")
def post(proposal_id: ProposalId, *, as_json: Json = False) -> None:
    """Post again what was approved and, for a failure, not posted to the end; it counts once."""
    _decide(proposal_id, "post", as_json=as_json)


def create_proposal(settings: "Settings", title: str, reopen: str) -> "Proposal":
    """Propose to take back the end of a period; raise `Unusable` where that may not be."""
    from pydantic import ValidationError

    from infra.proposals.client import desk_of
    from schemas.proposals import ProposalRequest
    from schemas.wire import explain_validation

    try:
        wanted = ProposalRequest(title=title, reopen=reopen)
    except ValidationError as error:
        raise Unusable(explain_validation(error)) from None
    with desk_of(settings) as desk:
        return desk.create(wanted)


def _decide(proposal_id: str, verb: str, note: str = "", *, as_json: bool) -> None:
    from infra.proposals.client import desk_of
    from schemas.settings import Settings

    with mendable_errors(), desk_of(Settings()) as desk, err.status("folding the archive again …"):
        print_proposal(desk.decide(proposal_id, verb, note), as_json=as_json)


def _wanted(
    title: str, since: str, until: str, ib: str, client: str, *, leave_undecided: bool
) -> "ProposalRequest":
    from pydantic import ValidationError

    from schemas.proposals import ProposalRequest
    from schemas.wire import explain_validation

    try:
        return ProposalRequest(
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
        raise Unusable(f"`{text}` is not a time; write 2026-09-01 or 2026-09-01T12:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def print_proposal(proposal: "Proposal", *, as_json: bool) -> None:
    """What it changes, who did what, and the next step."""
    from infra.proposals.report import foot_lines, head_lines, lines_table
    from infra.terminal import show as print_tables

    if as_json:
        print_json(proposal.model_dump(mode="json"))
        return
    for line in head_lines(proposal):
        out.print(line)
    print_tables(lines_table(proposal.preview.lines))
    for line in foot_lines(proposal):
        out.print(line)
