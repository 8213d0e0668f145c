"""Whether the ledger has all deals: the meters of each server."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.queries import completeness, native, native_by_day
from api.queries.periods import ALWAYS

router = APIRouter(include_in_schema=False)

SHOWN = 100
"""Rows of each table; the routes have all."""


@router.get("/completeness")
def meters(page: PageHere) -> HTMLResponse:
    """Each server's sweeps, holes and days, and what the platforms paid by themselves."""
    return page.show(
        "completeness.html",
        servers=completeness.completeness(page.ledger, page.scope),
        twice=native.paid_twice(page.ledger, page.scope, ALWAYS, "", SHOWN),
        has_native=native_by_day.has_native(page.ledger),
        native=native.payments(page.ledger, page.scope, ALWAYS, "", SHOWN),
    )
