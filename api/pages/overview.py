"""The portal's first page."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.feed_events import place_now
from api.pages import endpoints, room
from api.pages.page import PageHere
from api.portal.overview import overview
from api.routes.context import Asking

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(page: PageHere, by: Asking) -> HTMLResponse:
    """What was earned, by whom, and whether the ledger balances; of an IB or a network its own."""
    if by.role == "ib":
        return room.home(page, by)
    if by.role == "network":
        return endpoints.of_network(page, by)
    span, after = page.span, place_now()
    return page.show_of_period(
        "overview.html",
        span,
        page=overview(page.ledger, page.scope, span, page.currency),
        after=after,
    )
