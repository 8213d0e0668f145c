"""The acquisition report: registered, verified, deposited, traded, qualified, taken back."""

from typing import Any

from fastapi import APIRouter

from api.queries.acquisition import cohorts, funnel
from api.queries.periods import interval
from api.routes.context import From, Ib, LedgerHere, Period, ScopeHere, To
from api.routes.etags import of_tables
from api.shapes.acquisition import Acquisition

router = APIRouter(prefix="/v1/reports", tags=["reports"])


@router.get(
    "/acquisition",
    response_model=Acquisition,
    dependencies=[of_tables("clients", "milestones", "periods")],
)
def acquisition(
    ledger: LedgerHere, scope: ScopeHere, period: Period = "", from_: From = None, to: To = None, ib: Ib = ""
) -> Any:
    """Of the clients that registered in a time, how many came how far by now; by month of registration."""
    rows = cohorts(ledger, scope, interval(ledger, period, from_, to), ib)
    return {"total": funnel(rows), "cohorts": rows}
