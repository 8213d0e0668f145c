"""Plans: the list, one in plain words with its findings, cases and changes, and a what-if on the history."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse

from api.pages.page import PageHere
from api.permissions import why_not
from api.plans import PlanTools
from api.problems import Problem
from api.queries.partners import names_of
from api.queries.periods import begun, periods
from api.routes.context import WHOLE, Asking
from api.views.plan_book import MAX_HOLDERS, PlanBook
from api.views.plan_words import plan_words

router = APIRouter(prefix="/plans", include_in_schema=False, dependencies=[WHOLE])

PlanId = Annotated[str, Path(max_length=128)]
Version = Annotated[int, Query(ge=0, le=10**9)]
LINES = 20
"""Of a what-if, in each dimension: those that would move most."""


@router.get("")
def listed(page: PageHere, by: Asking) -> HTMLResponse:
    """Every plan, who has it, and the last what-if."""
    now = datetime.now(UTC)
    desk: PlanTools | None = page.request.app.state.plans
    known = begun(periods(page.ledger))
    run = desk.what_if() if desk is not None else None
    by_ib = run.found["by"]["ib"] if run is not None and run.found is not None else []
    return page.show(
        "plans.html",
        rows=PlanBook(page.ledger, now).lines(),
        run=run,
        is_same=not any(Decimal(row["difference"]) for row in by_ib),
        names=names_of(page.ledger, page.scope, (row["name"] for row in by_ib[:LINES])),
        has_desk=desk is not None,
        lines=LINES,
        periods=[row["period"] for row in known[:24]],
        before=next((row["period"] for row in known if row["ends_at"] <= now), ""),
        may=by.is_person and not why_not(by, "POST", "/v1/plans/what-if"),
    )


@router.get("/{plan_id}")
def one(page: PageHere, plan_id: PlanId, version: Version = 0) -> HTMLResponse:
    """A version of a plan, the one that counts now unless another is asked for."""
    book = PlanBook(page.ledger, datetime.now(UTC))
    versions = book.versions(plan_id)
    if not versions:
        raise Problem(404, f"There is no plan {plan_id}. The list of plans has them all.")
    current = book.now(plan_id) or versions[0]
    plan = next((one for one in versions if one.version == version), None if version else current)
    if plan is None:
        raise Problem(404, f"{plan_id} has no version {version}.")
    holders = book.holders(plan_id)
    place = versions.index(plan)
    return page.show(
        "plan_one.html",
        plan=plan,
        words=plan_words(plan),
        versions=versions[::-1],
        current=current,
        has_before=place > 0,
        findings=book.findings(plan_id),
        holders=holders[:MAX_HOLDERS],
        holder_count=len(holders),
        names=names_of(page.ledger, page.scope, holders[:MAX_HOLDERS]),
    )


@router.get("/{plan_id}/cases")
def cases(page: PageHere, plan_id: PlanId) -> HTMLResponse:
    """The golden cases, which take a while to run: a part of the page that comes by itself."""
    desk: PlanTools | None = page.request.app.state.plans
    return page.show("plan_cases.html", cases=desk.cases() if desk is not None else None, plan_id=plan_id)


@router.get("/{plan_id}/changes")
def changes(page: PageHere, plan_id: PlanId, version: Version) -> HTMLResponse:
    """What a version changed, as a part of its page."""
    desk: PlanTools | None = page.request.app.state.plans
    book = PlanBook(page.ledger, datetime.now(UTC))
    versions = book.versions(plan_id)
    place = next((n for n, one in enumerate(versions) if one.version == version), 0)
    if desk is None or not place:
        raise Problem(404, f"Nothing is before version {version} of {plan_id} here.")
    found = desk.changes(book.records(), versions[place - 1], versions[place])
    return page.show("plan_changes.html", found=found, old=versions[place - 1], new=versions[place])
