"""What is not paid, and why: rejections and dead letters; and how postbacks fare."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query

from api.paging import Cursor, Limit
from api.parameters import Time
from api.problems import Problem
from api.queries import dead_letters as letters
from api.queries import postbacks, quality
from api.queries.ordered import Asked
from api.routes.context import Asking, Client, Code, LedgerHere, ScopeHere
from api.shapes.quality import (
    AttemptPage,
    ClientEventPage,
    DeadLetterCount,
    DeadLetterPage,
    FullDeadLetter,
    RejectionPage,
)
from api.shapes.transfers import DealExplanation
from api.views.explanation import explain_deal

router = APIRouter(prefix="/v1", tags=["quality"])


@router.get("/rejections", response_model=RejectionPage)
def rejections(
    ledger: LedgerHere,
    scope: ScopeHere,
    status: Literal["", "waiting", "rejected"] = "",
    code: Code = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """Deals that pay nothing, or nothing yet, each with its reason. Rated deals are not listed."""
    return quality.rejections(ledger, scope, status, code, limit, cursor)


@router.get("/rejections/explain", response_model=DealExplanation)
def rejection(
    ledger: LedgerHere,
    scope: ScopeHere,
    deal: Annotated[str, Query(max_length=256, description="A deal's key, `server|deal_id`.")],
) -> Any:
    """Why a deal pays nothing, or nothing yet: the reason's code, what it means, the engine's own words."""
    found = explain_deal(ledger, scope, deal)
    if found is None:
        raise Problem(
            404, f"Deal {deal} is paid or not known. Look at /v1/transfers?deal=…", code="unknown_deal"
        )
    told = found.to_data()
    return {name: told[name] for name in ("headline", "sentences", "inputs", "reason")} | {
        "text": found.to_text()
    }


def _wanted(
    code: Code = "",
    source: Annotated[
        str, Query(max_length=256, description="Part of a source, such as a file's name.")
    ] = "",
    since: Annotated[Time | None, Query(description="Received at this time or later; UTC.")] = None,
    state: Annotated[
        Literal["", "open", "closed"],
        Query(description="Replayed and dismissed ones are closed; empty: all."),
    ] = "",
) -> letters.LetterFilter:
    return letters.LetterFilter(code, source, since, state)


DeadLetterFilter = Annotated[letters.LetterFilter, Depends(_wanted)]


@router.get("/dead-letters", response_model=DeadLetterPage)
def dead_letters(
    ledger: LedgerHere, scope: ScopeHere, wanted: DeadLetterFilter, limit: Limit = 100, cursor: Cursor = ""
) -> Any:
    """Input that could not be used, with its place and what to do."""
    return letters.dead_letters(ledger, scope, wanted, limit, Asked(cursor=cursor))


@router.get("/dead-letters/counts", response_model=list[DeadLetterCount])
def dead_letter_counts(ledger: LedgerHere, scope: ScopeHere, wanted: DeadLetterFilter) -> Any:
    """How many there are of each code."""
    return letters.dead_letter_counts(ledger, scope, wanted)


@router.get("/dead-letters/{dead_letter_id}", response_model=FullDeadLetter)
def dead_letter(
    ledger: LedgerHere, scope: ScopeHere, dead_letter_id: Annotated[str, Path(max_length=64)]
) -> Any:
    """One dead letter with its bytes, and what people decided about it."""
    found = letters.dead_letter(ledger, scope, dead_letter_id)
    if found is None:
        raise Problem(
            404,
            f"No dead letter {dead_letter_id} is stored. Look at /v1/dead-letters.",
            code="unknown_dead_letter",
        )
    return found


@router.get("/client-events", response_model=ClientEventPage)
def client_events(
    ledger: LedgerHere,
    scope: ScopeHere,
    client: Client = "",
    kind: Annotated[
        str, Query(alias="type", max_length=64, description="Such as `deposit_announced`; empty: all.")
    ] = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """What the CRM reported of clients: also deposits under way and KYC, which are in no ledger row."""
    return quality.client_events(ledger, scope, client, kind, limit, cursor)


@router.get("/postbacks/attempts", response_model=AttemptPage, tags=["postbacks"])
def attempts(
    ledger: LedgerHere,
    scope: ScopeHere,
    by: Asking,
    endpoint: Annotated[str, Query(max_length=128, description="An endpoint's id; empty: all.")] = "",
    milestone: Annotated[str, Query(max_length=128, description="A milestone's id; empty: all.")] = "",
    outcome: Literal["", "delivered", "retry", "failed", "disabled"] = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """Every try to deliver a postback, newest first; a network asks for one of its own endpoints."""
    if not scope.is_whole and endpoint not in by.endpoints:
        raise Problem(
            404, "That endpoint is none of yours. Give one of them as `endpoint`.", code="unknown_endpoint"
        )
    return postbacks.attempts(ledger, endpoint, milestone, outcome, limit, Asked(cursor=cursor))
