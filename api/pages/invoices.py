"""Self-billing invoices, of the IBs that are seen."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.paging import decode_cursor, encode_cursor
from api.problems import Problem
from api.queries.partners import names_of
from api.views.payouts import invoice_view
from commission.payouts.log import Payouts

router = APIRouter(include_in_schema=False)

LISTED = 100


@router.get("/invoices")
def invoices(page: PageHere, cursor: Annotated[str, Query(max_length=2_000)] = "") -> HTMLResponse:
    """In the order of their numbers, the newest last."""
    log: Callable[[], Payouts] | None = page.request.app.state.payout_log
    if log is None:
        raise Problem(503, "This process does not read the log of payouts.")
    known, start = log(), int(decode_cursor(cursor, int)[0]) if cursor else 0
    found = [one for one in known.invoices.issued if page.scope.has(one.line.ib_id)]
    rows = [invoice_view(known, one) for one in found[start : start + LISTED]]
    end = start + LISTED
    return page.show(
        "invoices.html",
        rows=rows,
        count=len(found),
        sees_all=page.scope.is_whole,
        next=page.link.again(cursor=encode_cursor([end])) if end < len(found) else "",
        names=names_of(page.ledger, page.scope, (row["ib_id"] for row in rows)),
    )
