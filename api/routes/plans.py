"""Plans: what the checks say of one, what a version changed, what the folder of terms would have cost."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.plans import PlanTools
from api.problems import Problem
from api.queries.periods import interval
from api.routes.context import WHOLE, Asking, LedgerHere
from api.shapes.plans import PlanChanges, PlanCheck, WhatIfState
from api.views.plan_book import PlanBook

router = APIRouter(prefix="/v1/plans", tags=["terms"], dependencies=[WHOLE])


def _desk(request: Request) -> PlanTools:
    desk: PlanTools | None = request.app.state.plans
    if desk is None:
        raise Problem(503, "This process tries no plans. Ask the one that `ibflow serve` started.")
    return desk


Desk = Annotated[PlanTools, Depends(_desk)]
PlanId = Annotated[str, Path(max_length=128)]
Version = Annotated[int, Query(ge=0, le=10**9, description="0: the newest.")]


class WhatIfWanted(BaseModel):
    """Which deals are compared."""

    model_config = ConfigDict(extra="forbid")

    period: str = Field(max_length=64, description="Those of a statement period, such as `2026-10`.")


@router.get("/what-if", response_model=WhatIfState | None)
def last_what_if(desk: Desk) -> Any:
    """The comparison that was made last, or the one under way; null if there was none since the start."""
    found = desk.what_if()
    return None if found is None else found._asdict()


@router.post("/what-if", response_model=WhatIfState, status_code=202)
def start_what_if(desk: Desk, ledger: LedgerHere, by: Asking, wanted: WhatIfWanted) -> Any:
    """Fold the history under the server's folder of terms, in the background; one at a time, 15 minutes."""
    span = interval(ledger, wanted.period)
    if not span.period:
        raise Problem(422, "Name the `period` whose deals are compared.")
    return desk.start_what_if(span.starts_at, span.ends_at, by.name)._asdict()


@router.get("/{plan_id}/check", response_model=PlanCheck)
def check(request: Request, ledger: LedgerHere, plan_id: PlanId) -> Any:
    """What the checks of terms find in a plan, and whether the folder's golden cases pass."""
    book = _known(ledger, plan_id)
    desk: PlanTools | None = request.app.state.plans
    cases = desk.cases() if desk is not None else None
    return {
        "findings": [
            {"severity": one.severity, "code": one.code, "text": one.text, "place": "/".join(one.subject)}
            for one in book.findings(plan_id)
        ],
        "cases": None
        if cases is None
        else [{**one._asdict(), "passed": not one.differs, "differs": [*one.differs]} for one in cases],
    }


@router.get("/{plan_id}/changes", response_model=PlanChanges)
def changes(desk: Desk, ledger: LedgerHere, plan_id: PlanId, version: Version = 0) -> Any:
    """How a version of a plan differs from the one before, in words and in what one lot pays."""
    book = _known(ledger, plan_id)
    versions = book.versions(plan_id)
    at = next((n for n, one in enumerate(versions) if one.version == version), None)
    if version and at is None:
        raise Problem(404, f"{plan_id} has no version {version}.")
    place = len(versions) - 1 if at is None else at
    if place == 0:
        raise Problem(404, f"Version {versions[0].version} is the first of {plan_id}: none is before it.")
    found = desk.changes(book.records(), versions[place - 1], versions[place])
    return {
        "fields": [one._asdict() for one in found.fields],
        "pays": [one._asdict() for one in found.pays],
        "same": found.same,
    }


def _known(ledger: LedgerHere, plan_id: str) -> PlanBook:
    book = PlanBook(ledger, datetime.now(UTC))
    if not book.versions(plan_id):
        raise Problem(404, f"No plan {plan_id} is known. `GET /v1/terms` has them.")
    return book
