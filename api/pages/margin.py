"""The margin report as a page."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.ledger import Row
from api.pages.lists import AskedHere, of_memory
from api.pages.page import PageHere
from api.queries.commission_sql import ReportFilter
from api.queries.commissions import busiest, totals
from api.queries.partners import names_of
from api.queries.subtrees import subtrees
from api.routes.context import WHOLE, Ib
from api.views.margin import COLUMNS, By, margin

router = APIRouter(prefix="/reports", include_in_schema=False, dependencies=[WHOLE])

LABELS: dict[By, str] = {"ib": "IB", "plan": "Plan", "symbol": "Symbol", "country": "Country"}
ROWS = 200


@router.get("/margin")
def margin_page(page: PageHere, group_by: By = "ib", below: Ib = "", *, asked: AskedHere) -> HTMLResponse:
    """Those that leave the broker least first; in the currency with the most deals, if none is chosen."""
    span = page.span
    ibs = subtrees(page.ledger, page.scope, [below.strip()], span.ends_at) if below.strip() else ()
    wanted = ReportFilter(page.scope, span, ibs)
    known = totals(page.ledger, wanted)
    currency = page.currency or busiest(known, "USD")
    found = margin(page.ledger, wanted, group_by, currency)
    column = COLUMNS[group_by]
    columns: dict[str, Callable[[Row], Any]] = {
        LABELS[group_by]: lambda row: row[column] or "",
        "Revenue": lambda row: row["revenue"],
        "IB cost": lambda row: row["cost"],
        "Net": lambda row: row["net"],
    }
    least_first = sorted(found.rows, key=lambda row: (row["net"], row[column]))
    of = of_memory(page.link, asked, least_first, columns, ROWS, key=lambda row: str(row[column]))
    return page.show_of_period(
        "margin.html",
        span,
        group_by=group_by,
        labels=LABELS,
        column=column,
        of=of,
        found=found,
        below=below.strip(),
        currencies=sorted({*(row["currency"] for row in known), currency}),
        currency=currency,
        names=names_of(page.ledger, page.scope, (row.get("ib_id", "") for row in of.rows)),
    )
