"""Top movers as a page: whose commission went up, and whose down."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.queries.commission_sql import ReportFilter
from api.queries.movers import movers
from api.queries.partners import names_of
from api.queries.periods import Interval, begun, periods
from api.queries.subtrees import subtrees
from api.routes.context import Ib

router = APIRouter(prefix="/reports", include_in_schema=False)

SHOWN = 50
"""IBs of each currency."""


@router.get("/movers")
def top_movers(page: PageHere, below: Ib = "") -> HTMLResponse:
    """Against the period before; without a period the newest that has begun, if one is before it."""
    every = periods(page.ledger)
    known = begun(every) or every
    span = page.span
    if not page.period and len(known) > 1:
        span = Interval(known[0]["starts_at"], known[0]["ends_at"], known[0]["period"])
    has_before = bool(span.period) and span.period != known[-1]["period"]
    ibs = subtrees(page.ledger, page.scope, [below.strip()], span.ends_at) if below.strip() else ()
    wanted = ReportFilter(page.scope, span, ibs, page.currency)
    found = movers(page.ledger, wanted, SHOWN) if has_before else {"items": [], "moved": 0, "before": None}
    rows = found["items"]
    return page.show_of_period(
        "movers.html",
        span,
        of=span.period,
        rows=rows,
        moved=found["moved"],
        before=found["before"],
        below=below.strip(),
        currencies=sorted({row["currency"] for row in rows} | {page.currency} - {""}),
        currency=page.currency,
        names=names_of(page.ledger, page.scope, (row["ib_id"] for row in rows)),
    )
