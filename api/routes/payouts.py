"""Payout lines: what may be paid, what was given out, and the one route that gives out."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.paging import Cursor, Limit
from api.payouts import Payouts
from api.problems import Problem
from api.queries.payouts import exported_file, exports, exports_of_lines
from api.routes.context import Asking, LedgerHere, Period
from api.shapes.payouts import NewPayoutExport, PayoutExportPage
from api.views.payouts import PayoutFile, payout_lines, preview_file

router = APIRouter(prefix="/v1/payouts", tags=["payouts"])

CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}}, "description": "The file, as CSV."}
}


def _desk(request: Request) -> Payouts:
    desk: Payouts | None = request.app.state.payouts
    if desk is None:
        raise Problem(503, "This process exports no payouts. Ask the one that `ibflow serve` started.")
    return desk


class Wanted(BaseModel):
    """Which period's lines."""

    model_config = ConfigDict(extra="forbid")

    period: str = Field(min_length=1, max_length=64, examples=["2026-09"])


@router.get("", response_class=Response, responses=CSV)
def preview(
    ledger: LedgerHere, period: Annotated[str, Query(min_length=1, max_length=64, examples=["2026-09"])]
) -> Response:
    """Every payout line of a period and where it is: `payable`, `blocked_kyc`, or in an export, by its id.

    This is a look, not a file to pay by: the totals are what the next export would hold.
    """
    return _csv(preview_file(period, payout_lines(ledger, period), exports_of_lines(ledger, period)))


@router.post("/exports", response_model=NewPayoutExport, status_code=201)
def export(desk: Annotated[Payouts, Depends(_desk)], ledger: LedgerHere, by: Asking, wanted: Wanted) -> Any:
    """Give out the lines of a period that may be paid and that no export has: each line once.

    If the answer is lost, the export is in the list, and its file can be downloaded again.
    """
    made = desk.export(wanted.period, payout_lines(ledger, wanted.period), by.name)
    known = {name: getattr(made, name, None) for name in NewPayoutExport.model_fields}
    return {**known, "lines": len(made.statement_ids)}


@router.get("/exports", response_model=PayoutExportPage)
def listed(ledger: LedgerHere, period: Period = "", limit: Limit = 100, cursor: Cursor = "") -> Any:
    """Exports, newest first."""
    return exports(ledger, period, limit, cursor)


@router.get("/exports/{export_id}", response_class=Response, responses=CSV)
def again(ledger: LedgerHere, export_id: Annotated[str, Path(max_length=64)]) -> Response:
    """The file of an export, the same bytes every time."""
    found = exported_file(ledger, export_id)
    if found is None:
        raise Problem(404, f"No export {export_id[:64]}. `GET /v1/payouts/exports` lists them.")
    return _csv(PayoutFile(f"payouts-{export_id}.csv", found["file"].encode()))


def _csv(file: PayoutFile) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "X-Content-SHA256": file.sha256,
    }
    return Response(file.body, media_type="text/csv; charset=utf-8", headers=headers)
