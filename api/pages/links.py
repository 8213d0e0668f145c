"""Tracking links: the list with what became of their clicks, the form of a new one, and conflicts."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from api.link_desk import Links
from api.pages.page import PageHere
from api.paging import decode_cursor, encode_cursor
from api.permissions import why_not
from api.queries import links as queries
from api.queries.partners import names_of
from api.routes.context import Asking, Ib
from api.routes.link_reports import FIRST, LAST
from api.routes.links import seen
from api.shapes.links import to_link

router = APIRouter(prefix="/links", include_in_schema=False)

LISTED = 50
CONFLICTS = 20


@router.get("")
def listed(
    request: Request,
    page: PageHere,
    by: Asking,
    ib: Ib = "",
    cursor: Annotated[str, Query(max_length=2_000)] = "",
    *,
    ended: bool = False,
) -> HTMLResponse:
    """Links, the newest first, each with its funnel; registrations where CRM and click named two IBs."""
    desk: Links | None = request.app.state.links
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    found = [] if desk is None else seen(desk.listed(), page.scope, ib, "", is_ended=ended)
    shown = found[start : start + LISTED]
    codes = [one.saved.code for one in shown]
    counts = queries.funnels(page.ledger, page.scope, codes, FIRST, LAST) if codes else {}
    conflicts = queries.attributions(page.ledger, page.scope, CONFLICTS, conflicts=True)["items"]
    now = datetime.now(UTC)
    ibs = [*(one.saved.ib_id for one in shown), *(row["ib_id"] for row in conflicts)]
    return page.show(
        "links.html",
        has_desk=desk is not None,
        rows=[
            (to_link(one, desk.address(one.saved.code)), counts[one.saved.code], one.saved.is_over(now))
            for one in shown
            if desk is not None
        ],
        conflicts=conflicts,
        may=not why_not(by, "POST", "/v1/links"),
        may_set_terms=by.role != "ib",
        own=by.ibs[0] if by.ibs else "",
        ib=ib,
        ended=ended,
        next=page.link.again(cursor=encode_cursor([start + LISTED])) if len(found) > start + LISTED else "",
        names=names_of(page.ledger, page.scope, ibs),
    )
