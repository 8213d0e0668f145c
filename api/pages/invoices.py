"""Self-billing invoices, of the IBs that are seen."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.lists import AskedHere, of_memory
from api.pages.page import PageHere
from api.problems import Problem
from api.queries.partners import names_of
from api.views.payouts import invoice_view
from commission.payouts.invoices import Invoice
from commission.payouts.log import Payouts

router = APIRouter(include_in_schema=False)

LISTED = 100
COLUMNS: Mapping[str, Callable[[Invoice], Any]] = {
    "Number": lambda one: one.text,
    "Issued": lambda one: one.issued_at,
    "IB": lambda one: one.line.ib_id,
    "Owed": lambda one: one.line.amount,
    "Issuer": lambda one: one.issuer,
}


@router.get("/invoices")
def invoices(page: PageHere, asked: AskedHere) -> HTMLResponse:
    """In the order of their numbers, the newest last."""
    log: Callable[[], Payouts] | None = page.request.app.state.payout_log
    if log is None:
        raise Problem(503, "This process does not read the log of payouts.")
    known = log()
    seen = [one for one in known.invoices.issued if page.scope.has(one.line.ib_id)]
    of = of_memory(
        page.link,
        asked,
        seen,
        COLUMNS,
        LISTED,
        key=lambda one: one.text,
        view=lambda one: invoice_view(known, one),
    )
    return page.show(
        "invoices.html",
        of=of,
        sees_all=page.scope.is_whole,
        names=names_of(page.ledger, page.scope, (row["ib_id"] for row in of.rows)),
    )
