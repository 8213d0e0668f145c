"""The margin report: what the broker keeps of what clients of IBs brought."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.paging import Cursor, Limit, decode_place, page
from api.queries.commission_sql import ReportFilter
from api.queries.dimensions import tables_of
from api.queries.periods import interval
from api.queries.subtrees import subtrees
from api.routes.context import WHOLE, From, Ib, LedgerHere, Period, ScopeHere, To
from api.routes.etags import OF_ROWS, TagsHere
from api.shapes.margin import Margin
from api.views.margin import COLUMNS, By, margin
from api.views.terms import newest_terms

router = APIRouter(prefix="/v1/reports", tags=["reports"], dependencies=[WHOLE])

TABLES = (*OF_ROWS, "deals", "account_clients", "clients", "client_events", "milestones", "periods")
Currency = Annotated[str, Query(min_length=3, max_length=16, description="All amounts are converted to it.")]


@router.get("/margin", response_model=Margin, response_model_exclude_unset=True)
def margin_report(
    ledger: LedgerHere,
    scope: ScopeHere,
    tags: TagsHere,
    currency: Currency,
    group_by: By = "ib",
    period: Period = "",
    from_: From = None,
    to: To = None,
    below: Ib = "",
    limit: Limit = 500,
    cursor: Cursor = "",
) -> Any:
    """What clients of IBs brought the broker, what IBs earned, and the difference; only for the whole broker.

    Revenue is an estimate of the deals as stored: commission, fees, swaps and the spread of closings, at the
    rates of the interval's end. Of an IB it is what its own clients brought, and the cost what it earned
    itself; `below` reports an IB and all below it, whose total is the margin of the sub-tree.
    """
    span = interval(ledger, period, from_, to)
    ibs = subtrees(ledger, scope, [below], span.ends_at) if below else ()
    if span.ends_at <= datetime.now(UTC):  # else it is at rates of now
        tags.of_tables(*TABLES, *tables_of((group_by,)), of=(span, ibs, newest_terms(ledger)))
    found = margin(ledger, ReportFilter(scope, span, ibs), group_by, currency)
    column, after = COLUMNS[group_by], decode_place(cursor, 1)
    rows = [row for row in found.rows if not after or row[column] > after[0]][: limit + 1]
    return {
        **page(rows, limit, key=lambda row: [row[column]]),
        "total": found.total,
        "currency": currency,
        "rates_at": found.at,
        "lacks_rate": found.lacks_rate,
        "lacks_spread": found.lacks_spread,
    }
