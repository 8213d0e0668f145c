"""Files that are made in the background, and those that can be taken away."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.exports import ListName
from api.pages.page import PageHere
from api.permissions import why_not
from api.routes.context import Asking
from api.routes.exports import Desk, export_view
from api.views.exported_lists import LISTS

router = APIRouter(include_in_schema=False)

WHOLE_LISTS: dict[ListName, str] = {
    "clients": "Clients",
    "statements": "Statements",
    "rejections": "Unpaid deals",
    "client-events": "Client events",
    "payouts": "Payouts",
    "postback-attempts": "Postback deliveries",
    "dead-letters": "Dead letters",
    "audit-log": "Audit log",
}
"""Those that need nothing else to be asked for, and what they are called."""


@router.get("/exports")
def exports(
    page: PageHere, desk: Desk, by: Asking, part: Annotated[str, Query(max_length=8)] = ""
) -> HTMLResponse:
    """Those of whoever looks; while one is made its list comes again by itself."""
    found = desk.listed(by.caller)
    lists = [
        (name, title)
        for name, title in WHOLE_LISTS.items()
        if (page.scope.is_whole or not LISTS[name].is_whole) and not why_not(by, "GET", LISTS[name].reads)
    ]
    return page.show(
        "exports_list.html" if part else "exports.html",
        lists=lists,
        rows=[export_view(one) for one in found],
        is_moving=any(one.is_unfinished for one in found),
    )
