"""An IB's own endpoints: where its tracker is told of its sub-tree, and what came of it."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.own_endpoints import found, own_ibs, owned
from api.pages.endpoints import ATTEMPTS, SORTS, preview_of
from api.pages.lists import AskedHere, of_query
from api.pages.page import PageHere
from api.permissions import may_decide
from api.postbacks.form import EVENTS
from api.queries.postbacks import attempts
from api.routes.context import Asking
from api.routes.endpoints import Desk
from api.routes.own_endpoints import OwnId
from api.shapes.endpoints import to_own
from commission.postbacks.presets import PRESETS
from commission.postbacks.records import MAX_OWN

router = APIRouter(prefix="/own-endpoints", include_in_schema=False)


@router.get("")
def listed(page: PageHere, desk: Desk, by: Asking) -> HTMLResponse:
    """All of them, and the form of a new one."""
    ibs = [ib for ib in own_ibs(by) if page.scope.has(ib)]
    return page.show(
        "own_endpoints.html",
        rows=[to_own(one) for one in owned(desk, ibs)],
        ibs=ibs,
        most=MAX_OWN,
        presets=PRESETS,
        events=EVENTS,
        may=may_decide(by, "/v1/own-endpoints"),
    )


@router.get("/{endpoint_id}")
def one(
    page: PageHere,
    desk: Desk,
    by: Asking,
    endpoint_id: OwnId,
    event: Annotated[str, Query(max_length=64)] = "cpa.qualified",
    *,
    asked: AskedHere,
) -> HTMLResponse:
    """One: what it would be sent, what was sent, and its forms."""
    known = found(desk, [ib for ib in own_ibs(by) if page.scope.has(ib)], endpoint_id)
    event = event if event in EVENTS else "cpa.qualified"
    sent = attempts(page.ledger, endpoint_id, "", "", ATTEMPTS, asked)
    request, why = preview_of(desk, endpoint_id, event)
    return page.show(
        "own_endpoint.html",
        row=to_own(known),
        public_key=desk.get(endpoint_id).public_key if request else "",
        preview=request,
        why=why,
        event=event,
        events=EVENTS,
        of=of_query(page.link, asked, sent, SORTS, "time"),
        may=may_decide(by, "/v1/own-endpoints"),
    )
