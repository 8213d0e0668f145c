"""Proposals for people: what one changes by IB, and a list of them."""

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from api.views.proposals import sums_of
from infra.terminal import money, new_table
from schemas.proposals import Line, Proposal


def head_lines(proposal: Proposal) -> Iterator[str]:
    """What it is and how much it changes."""
    preview = proposal.preview
    yield f"[bold]{escape(proposal.wanted.title)}[/]  {proposal.proposal_id}  {proposal.state}"
    if proposal.wanted.reopen:
        yield f"the end of {proposal.wanted.reopen} is taken back: {preview.deals} statements are withdrawn"
    else:
        yield f"{preview.corrected} of {preview.deals} looked at are corrected, by {preview.rows} rows"


def foot_lines(proposal: Proposal) -> Iterator[str]:
    """What is left as it is, who did what, and the next step."""
    preview = proposal.preview
    for doubt in preview.undecided:
        yield f"[yellow]left as it is[/]: {escape(doubt.subject)}: {escape(doubt.text)}"
    for step in proposal.steps:
        yield f"{step.state} by {escape(step.by)}, {step.at:%Y-%m-%d %H:%M} UTC {escape(step.note)}".rstrip()
    at = ", ".join(f"{place} {offset}" for place, offset in preview.positions.items())
    if at:
        yield f"computed at {at}"
    if proposal.state == "created":
        yield f"a second person approves it: ibflow proposals approve {proposal.proposal_id}"
    elif proposal.state == "approved":
        yield f"not posted to the end: ibflow proposals post {proposal.proposal_id}"


def lines_table(lines: tuple[Line, ...]) -> Table:
    """What it changes, a line an IB and currency."""
    table = new_table("What it changes")
    table.add_column("IB")
    for name in ("taken back", "given", "delta", "of it closed", "to clients"):
        table.add_column(name, justify="right")
    table.add_column("")
    for line in lines:
        amounts = (-line.taken_back, line.given, line.delta, line.of_closed, line.clients)
        table.add_row(
            escape(line.ib_id), *(money(one, line.currency, signed=True) for one in amounts), line.currency
        )
    return table


def list_table(found: list[Proposal]) -> Table:
    """A line each."""
    table = new_table()
    table.add_column("id", no_wrap=True)
    for name in ("title", "state", "created by", "created (UTC)", "delta"):
        table.add_column(name)
    for p in found:
        delta = ", ".join(
            f"{money(one.delta, one.currency, signed=True)} {one.currency}"
            for one in sums_of(p.preview.lines)
        )
        at = f"{p.created_at:%Y-%m-%d %H:%M}"
        table.add_row(p.proposal_id, escape(p.wanted.title), p.state, escape(p.created_by), at, escape(delta))
    return table
