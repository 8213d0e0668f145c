"""Proposals: what would be corrected, by whom it was asked, and the decision of a second person."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.paging import decode_cursor, encode_cursor
from api.permissions import may_decide
from api.routes.context import WHOLE, Asking
from api.routes.proposals import Desk, ProposalId, proposal_page
from api.views.proposals import sums_of

router = APIRouter(prefix="/proposals", include_in_schema=False, dependencies=[WHOLE])

LISTED = 50
ROWS = 200
IBS = 200
"""Lines of one proposal; the API has all of them."""
After = Annotated[str, Query(max_length=2_000)]


@router.get("")
def listed(page: PageHere, desk: Desk, cursor: After = "") -> HTMLResponse:
    """All of them, newest first."""
    return page.show("proposals.html", page=proposal_page(desk, LISTED, cursor), shown_ibs=IBS)


@router.get("/{proposal_id}")
def one(page: PageHere, desk: Desk, by: Asking, proposal_id: ProposalId, cursor: After = "") -> HTMLResponse:
    """One proposal: who did what, what it changes by IB, a page of its rows, and the forms to decide it."""
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    found, end = desk.get(proposal_id), start + ROWS
    total = found.preview.rows
    return page.show(
        "proposal.html",
        p=found,
        sums=sums_of(found.preview.lines),
        shown_ibs=IBS,
        rows=desk.changes(proposal_id, start, end),
        start=start,
        total=total,
        may=may_decide(by, "/v1/proposals"),
        me=by.name,
        next=page.link.again(cursor=encode_cursor([end])) if end < total else "",
    )
