"""What IBs owe, by age."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.paging import Cursor, Limit
from api.parameters import Time
from api.queries.ageing import owing
from api.routes.context import LedgerHere, ScopeHere
from api.routes.etags import TagsHere
from api.routes.reports import STATEMENTS
from api.shapes.reports import AgeingPage

router = APIRouter(prefix="/v1", tags=["reports"])


@router.get("/ageing", response_model=AgeingPage)
def ageing(
    ledger: LedgerHere,
    scope: ScopeHere,
    tags: TagsHere,
    as_of: Annotated[
        Time | None, Query(description="By the statements closed until then; empty: now.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """What closed statements leave below zero, by how long ago each part of it arose: 30, 60, 90 days, older.

    What is worked off is the oldest part first. The open statement is not in it.
    """
    if as_of is not None:  # else the answer is of now
        tags.of_tables(*STATEMENTS)
    return owing(ledger, scope, as_of or datetime.now(UTC), limit, cursor)
