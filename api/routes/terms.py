"""The terms as they were known, and the way from a transfer back to what was read."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from api.parameters import Time
from api.problems import Problem
from api.routes.context import Ib, LedgerHere, ScopeHere
from api.routes.etags import IfNoneMatch, check, tag_of
from api.shapes.terms import TermsAnswer
from api.shapes.transfers import AuditAnswer
from api.views.audit import audit
from api.views.terms import newest_terms, terms_view

router = APIRouter(prefix="/v1")


@router.get("/terms", response_model=TermsAnswer, tags=["terms"])
def terms(
    request: Request,
    response: Response,
    ledger: LedgerHere,
    scope: ScopeHere,
    as_of: Annotated[Time | None, Query(description="Event time; now.")] = None,
    known_at: Annotated[
        str, Query(max_length=64, description="Offset of the terms topic, or when it was stored; the newest.")
    ] = "",
    ib: Ib = "",
    plan: Annotated[str, Query(max_length=128, description="A plan's id; empty: all.")] = "",
    if_none_match: IfNoneMatch = "",
) -> Any:
    """What the terms say of a time as they were known at a point of their log, and where each came from."""
    if as_of is not None:  # else the answer says when it was made
        tag = tag_of(request, scope.parameters, newest_terms(ledger))
        response.headers.update(check(if_none_match, tag))
    return terms_view(ledger, scope, as_of or datetime.now(UTC), known_at, ib, plan)


@router.get("/transfers/{transfer_id}/audit", response_model=AuditAnswer, tags=["transfers"])
def trail(ledger: LedgerHere, scope: ScopeHere, transfer_id: Annotated[str, Path(max_length=128)]) -> Any:
    """Every message on the way from this transfer back to what was read, with its lines as they stood."""
    found = audit(ledger, scope, transfer_id)
    if found is None:
        raise Problem(
            404,
            f"No transfer {transfer_id}. Find its id with /v1/transfers?deal=… or ?client=…",
            code="unknown_transfer",
        )
    return found
