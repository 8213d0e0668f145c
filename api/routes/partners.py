"""Partners and what may be paid to them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.queries.partners import tree
from api.queries.periods import interval
from api.routes.context import LedgerHere, Period
from api.shapes.reports import PartnerTree
from api.views.payouts import payout_file

router = APIRouter(prefix="/v1", tags=["partners"])


@router.get("/partners", response_model=PartnerTree)
def partners(ledger: LedgerHere, period: Period = "") -> Any:
    """The tree of IBs with clients, lots, earnings and balances, of all time or of one period."""
    return {"items": tree(ledger, interval(ledger, period))}


@router.get(
    "/payouts/export",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "The payout file."}},
)
def payouts(
    ledger: LedgerHere, period: Annotated[str, Query(min_length=1, max_length=64, examples=["2026-09"])]
) -> Response:
    """Download what the period's statements let you pay, as CSV.

    One line per IB and currency; `blocked_kyc` lines are not in the totals. `X-Content-SHA256` is
    the digest of the bytes, and the same ledger always gives the same bytes.
    """
    file = payout_file(ledger, period)
    headers = {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "X-Content-SHA256": file.sha256,
    }
    return Response(file.body, media_type="text/csv; charset=utf-8", headers=headers)
