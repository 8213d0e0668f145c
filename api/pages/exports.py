"""Files that are made in the background, and those that can be taken away."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.routes.context import Asking
from api.routes.exports import Desk, export_view

router = APIRouter(include_in_schema=False)


@router.get("/exports")
def exports(
    page: PageHere, desk: Desk, by: Asking, part: Annotated[str, Query(max_length=8)] = ""
) -> HTMLResponse:
    """Those of whoever looks; while one is made its list comes again by itself."""
    found = desk.listed(by.caller)
    return page.show(
        "exports_list.html" if part else "exports.html",
        rows=[export_view(one) for one in found],
        is_moving=any(one.is_unfinished for one in found),
    )
