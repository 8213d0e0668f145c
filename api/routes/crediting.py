"""Lines of batches paid to trading accounts by the broker's bridge."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from api.payouts import Credited, Crediting
from api.problems import Problem
from api.routes.context import WHOLE, Asking
from api.shapes.payouts import PayoutCredits

router = APIRouter(prefix="/v1/payouts", tags=["payouts"], dependencies=[WHOLE])


def _desk(request: Request) -> Crediting:
    desk: Crediting | None = request.app.state.crediting
    if desk is None:
        raise Problem(
            503,
            "This process credits nobody. Ask the one that `ibflow serve` started.",
            code="not_in_this_process",
        )
    return desk


Desk = Annotated[Crediting, Depends(_desk)]
BatchId = Annotated[str, Path(max_length=64)]


@router.post("/{batch_id}/credit", response_model=PayoutCredits)
def credit(desk: Desk, by: Asking, batch_id: BatchId) -> Any:
    """Ask the bridge to credit lines that it was not asked for, at most 200: each once, whatever happens.

    A line without a ticket back is unknown: it is looked up, and never asked for again.
    """
    return _shown(desk.credit(batch_id, by))


@router.post("/{batch_id}/sweep", response_model=PayoutCredits)
def sweep(
    desk: Desk,
    by: Asking,
    batch_id: BatchId,
    after: Annotated[str, Query(max_length=64, description="Only lines after this one: `last`.")] = "",
) -> Any:
    """Look up, by its reference, what became of lines of which nothing is known, at most 200."""
    return _shown(desk.sweep(batch_id, after, by))


def _shown(found: Credited) -> dict[str, Any]:
    unknown = [{"line_id": line_id, "why": why} for line_id, why in found.unknown]
    return {**found._asdict(), "unknown": unknown}
