"""Self-billing invoices: what the broker billed itself for the lines of batches."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from api.paging import Cursor, Limit, decode_cursor, encode_cursor
from api.problems import Problem
from api.routes.context import ScopeHere
from api.shapes.payouts import SelfBillingInvoicePage
from api.views.payouts import invoice_view
from commission.payouts.log import Payouts

router = APIRouter(prefix="/v1", tags=["payouts"])


@router.get("/invoices", response_model=SelfBillingInvoicePage)
def invoices(
    request: Request,
    scope: ScopeHere,
    statement_id: Annotated[str, Query(max_length=64, description="Only the one that has it.")] = "",
    year: Annotated[int, Query(ge=0, le=9999, description="Only of a year; 0: of all.")] = 0,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """Self-billing invoices: every line of an IB with a rule of tax has one, from its first file on."""
    start = int(decode_cursor(cursor, int)[0]) if cursor else 0
    log: Callable[[], Payouts] | None = request.app.state.payout_log
    if log is None:
        raise Problem(503, "This process does not read the log of payouts.", code="not_in_this_process")
    known = log()
    found = [
        one
        for one in known.invoices.issued
        if scope.has(one.line.ib_id)
        and year in (0, one.year)
        and (not statement_id or statement_id in one.line.statement_ids)
    ]
    page = [invoice_view(known, one) for one in found[start : start + limit]]
    return {
        "items": page,
        "next_cursor": encode_cursor([start + limit]) if start + limit < len(found) else None,
    }
