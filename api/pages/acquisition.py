"""The acquisition report as a page: the funnel and its cohorts."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.queries.acquisition import cohorts, funnel
from api.queries.partners import names_of
from api.routes.context import Ib

router = APIRouter(prefix="/reports", include_in_schema=False)

LABELS = {
    "registered": "Registered",
    "verified": "Verified",
    "deposited": "Deposited",
    "traded": "Traded",
    "qualified": "Qualified",
    "lost": "Taken back",
}


@router.get("/acquisition")
def acquisition(page: PageHere, ib: Ib = "") -> HTMLResponse:
    """Of the clients that registered in the period, or ever, how many came how far by now."""
    span = page.span
    rows = cohorts(page.ledger, page.scope, span, ib.strip())
    return page.show_of_period(
        "acquisition.html",
        span,
        rows=rows,
        total=funnel(rows),
        labels=LABELS,
        ib=ib,
        names=names_of(page.ledger, page.scope, [ib]),
    )
