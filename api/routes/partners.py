"""Partners: the tree of IBs."""

from typing import Any

from fastapi import APIRouter

from api.queries.partners import tree
from api.queries.periods import interval
from api.queries.unknown_ibs import unknown_ibs
from api.routes.context import LedgerHere, Period, ScopeHere
from api.shapes.reports import PartnerTree

router = APIRouter(prefix="/v1", tags=["partners"])


@router.get("/partners", response_model=PartnerTree)
def partners(ledger: LedgerHere, scope: ScopeHere, period: Period = "") -> Any:
    """The tree of IBs with clients, lots, earnings and balances, of all time or of one period."""
    items = tree(ledger, scope, interval(ledger, period))
    return {"items": items, "unknown": unknown_ibs(ledger, scope)}
