"""Saved views as a page: opened, renamed, shared, removed."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.routes.context import Asking
from api.routes.views import Desk, view_shown
from api.saved_views import seen

router = APIRouter(include_in_schema=False)


@router.get("/views")
def views(page: PageHere, desk: Desk, by: Asking) -> HTMLResponse:
    """All that are seen, by page and name."""
    return page.show("views.html", rows=[view_shown(one, by) for one in seen(desk, by, page.scope)])
