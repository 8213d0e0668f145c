"""What is not paid, and why: rejections and dead letters; and how postbacks fare."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from api.explanation import explain_deal
from api.paging import Cursor, Limit
from api.postbacks import store
from api.problems import Problem
from api.queries import quality
from api.routes.context import Code, LedgerHere
from api.shapes import AttemptPage, DeadLetterPage, DealExplanation, RejectionPage

router = APIRouter(prefix="/v1", tags=["quality"])


@router.get("/rejections", response_model=RejectionPage)
def rejections(
    ledger: LedgerHere,
    status: Literal["", "waiting", "rejected"] = "",
    code: Code = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """Deals that pay nothing, or nothing yet, each with its reason. Rated deals are not listed."""
    return quality.rejections(ledger, status, code, limit, cursor)


@router.get("/rejections/explain", response_model=DealExplanation)
def rejection(
    ledger: LedgerHere,
    deal: Annotated[str, Query(max_length=256, description="A deal's key, `server|deal_id`.")],
) -> Any:
    """Why a deal pays nothing, or nothing yet: the reason's code, what it means, what the engine said."""
    found = explain_deal(ledger, deal)
    if found is None:
        raise Problem(404, f"Deal {deal} is paid or not known. Look at /v1/transfers?deal=…")
    told = found.to_data()
    return {name: told[name] for name in ("headline", "sentences", "inputs", "reason")} | {
        "text": found.to_text()
    }


@router.get("/dead-letters", response_model=DeadLetterPage)
def dead_letters(ledger: LedgerHere, code: Code = "", limit: Limit = 100, cursor: Cursor = "") -> Any:
    """Input that could not be used, with its place and what to do."""
    return quality.dead_letters(ledger, code, limit, cursor)


@router.get("/postbacks/attempts", response_model=AttemptPage, tags=["postbacks"])
def attempts(
    ledger: LedgerHere,
    endpoint: Annotated[str, Query(max_length=128, description="An endpoint's id; empty: all.")] = "",
    milestone: Annotated[str, Query(max_length=128, description="A milestone's id; empty: all.")] = "",
    outcome: Literal["", "delivered", "retry", "failed", "disabled"] = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """Every try to deliver a postback, newest first."""
    return store.attempts(ledger, endpoint, milestone, outcome, limit, cursor)
