"""Proposals: what would be corrected, by whom it was asked, and the decision of a second person."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.paging import decode_cursor, encode_cursor
from api.routes.context import WHOLE
from api.routes.proposals import Desk, ProposalId, proposal_page

router = APIRouter(prefix="/proposals", include_in_schema=False, dependencies=[WHOLE])

LISTED = 50
ROWS = 200
After = Annotated[str, Query(max_length=2_000)]


@router.get("")
def listed(page: PageHere, desk: Desk, cursor: After = "") -> HTMLResponse:
    """All of them, newest first."""
    return page.show("proposals.html", page=proposal_page(desk, LISTED, cursor))


@router.get("/{proposal_id}")
def one(page: PageHere, desk: Desk, proposal_id: ProposalId, cursor: After = "") -> HTMLResponse:
    """One proposal: who did what, what it changes by IB, and a page of its rows."""
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    found, rows = desk.get(proposal_id), desk.changes(proposal_id)
    end = start + ROWS
    return page.show(
        "proposal.html",
        p=found,
        rows=rows[start:end],
        start=start,
        total=len(rows),
        next=page.link.again(cursor=encode_cursor([end])) if end < len(rows) else "",
    )
