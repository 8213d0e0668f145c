"""Tracking links: the list with what became of their clicks, the form of a new one, and conflicts."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.link_desk import KnownLink, Links
from api.pages.lists import AskedHere, of_memory
from api.pages.page import PageHere
from api.permissions import why_not
from api.queries import links as queries
from api.queries.partners import names_of
from api.routes.context import Asking, Ib
from api.routes.link_reports import FIRST, LAST
from api.routes.links import seen
from api.shapes.links import to_link

router = APIRouter(prefix="/links", include_in_schema=False)

LISTED = 50
COLUMNS: Mapping[str, Callable[[KnownLink], Any]] = {
    "Link": lambda one: one.saved.code,
    "IB": lambda one: one.saved.ib_id,
    "Campaign": lambda one: one.saved.campaign,
    "Leads to": lambda one: one.saved.landing,
}
CONFLICTS = 20


@router.get("")
def listed(
    request: Request,
    page: PageHere,
    by: Asking,
    ib: Ib = "",
    *,
    asked: AskedHere,
    ended: bool = False,
) -> HTMLResponse:
    """Links, the newest first, each with its funnel; registrations where CRM and click named two IBs."""
    desk: Links | None = request.app.state.links
    found = [] if desk is None else seen(desk.listed(), page.scope, ib, "", is_ended=ended)
    of = of_memory(page.link, asked, found, COLUMNS, LISTED, key=lambda one: one.saved.code)
    codes = [one.saved.code for one in of.rows]
    counts = queries.funnels(page.ledger, page.scope, codes, FIRST, LAST) if codes else {}
    conflicts = queries.attributions(page.ledger, page.scope, CONFLICTS, conflicts=True)["items"]
    now = datetime.now(UTC)
    ibs = [*(one.saved.ib_id for one in of.rows), *(row["ib_id"] for row in conflicts)]
    return page.show(
        "links.html",
        has_desk=desk is not None,
        of=of,
        rows=[
            (to_link(one, desk.address(one.saved.code)), counts[one.saved.code], one.saved.is_over(now))
            for one in of.rows
            if desk is not None
        ],
        conflicts=conflicts,
        may=not why_not(by, "POST", "/v1/links"),
        may_set_terms=by.role != "ib",
        own=by.ibs[0] if by.ibs else "",
        ib=ib,
        ended=ended,
        names=names_of(page.ledger, page.scope, ibs),
    )
