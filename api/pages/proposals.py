"""Proposals: what would be corrected, by whom it was asked, and the decision of a second person."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.lists import AskedHere, Listed, of_memory
from api.pages.page import Page, PageHere
from api.paging import decode_cursor, encode_cursor
from api.permissions import may_decide
from api.queries.ordered import Asked
from api.routes.context import WHOLE, Asking
from api.routes.proposals import Desk, ProposalId
from api.views.proposals import sums_of
from schemas.proposals import Change, Proposal

router = APIRouter(prefix="/proposals", include_in_schema=False, dependencies=[WHOLE])

LISTED = 50
ROWS = 200
IBS = 200
"""Lines of one proposal; the API has all of them."""
MAX_PROPOSALS = 1_000
"""The newest; the API has all."""
MAX_ORDERED = 10_000
"""Rows of one that are read to order and search them."""
PROPOSALS: Mapping[str, Callable[[Proposal], Any]] = {
    "Title": lambda one: one.wanted.title,
    "State": lambda one: one.state,
    "Asked by": lambda one: one.created_by,
    "When": lambda one: one.created_at,
    "Rows": lambda one: one.preview.rows,
}
ROW_COLUMNS: Mapping[str, Callable[[Change], Any]] = {
    "Time": lambda row: row.occurred_at,
    "Kind": lambda row: row.code,
    "IB": lambda row: row.ib_id,
    "Client": lambda row: row.client_id,
    "Cause": lambda row: row.caused_by,
    "Amount": lambda row: row.amount or row.to_client,
    "Period": lambda row: row.period,
}


@router.get("")
def listed(page: PageHere, desk: Desk, asked: AskedHere) -> HTMLResponse:
    """All of them, newest first."""
    known = desk.newest(MAX_PROPOSALS)
    return page.show(
        "proposals.html",
        of=of_memory(
            page.link, asked, known, PROPOSALS, LISTED, key=lambda one: one.proposal_id, view=_with_sums
        ),
        is_cut=len(known) == MAX_PROPOSALS,
    )


@router.get("/{proposal_id}")
def one(page: PageHere, desk: Desk, by: Asking, proposal_id: ProposalId, asked: AskedHere) -> HTMLResponse:
    """One proposal: who did what, what it changes by IB, a page of its rows, and the forms to decide it."""
    found = desk.get(proposal_id)
    return page.show(
        "proposal.html",
        p=found,
        sums=sums_of(found.preview.lines),
        shown_ibs=IBS,
        of=_rows(page, asked, desk, found),
        may=may_decide(by, "/v1/proposals"),
        me=by.name,
    )


def _with_sums(one: Proposal) -> tuple[Proposal, list[Any]]:
    return one, [*sums_of(one.preview.lines)]


def _rows(page: Page, asked: Asked, desk: Desk, found: Proposal) -> Listed:
    """A page of its rows. Those of a long one are read as they were written, a page at a time."""
    total = found.preview.rows
    if total <= MAX_ORDERED:
        return of_memory(
            page.link,
            asked,
            desk.changes(found.proposal_id, 0, total),
            ROW_COLUMNS,
            ROWS,
            key=lambda row: row.transfer_id,
        )
    asked.by({}, "")
    start = int(decode_cursor(asked.cursor, int)[0]) if asked.cursor else 0
    rows = desk.changes(found.proposal_id, start, start + ROWS)
    after = page.link.again(cursor=encode_cursor([start + ROWS])) if start + ROWS < total else ""
    return Listed(rows, asked, {}, "", after, total)
