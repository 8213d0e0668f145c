"""The portal's first page."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.portal.overview import overview

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(page: PageHere) -> HTMLResponse:
    """What was earned, by whom, and whether the ledger balances."""
    span = page.span
    return page.show_of_period(
        "overview.html", span, page=overview(page.ledger, page.scope, span, page.currency)
    )
