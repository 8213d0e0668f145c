"""Postback endpoints: where events are sent, what came of it, and what can be done about it."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from api.endpoints import Endpoints
from api.operators import Operator
from api.pages.lists import AskedHere, of_query
from api.pages.page import Page, PageHere
from api.permissions import may_decide
from api.postbacks.form import EVENTS, EndpointForm
from api.queries.postbacks import attempts
from api.routes.context import WHOLE, Asking
from api.routes.endpoints import Desk, EndpointId
from api.shapes.endpoints import EndpointRow, to_row
from commission.postbacks.presets import PRESETS
from schemas.errors import Unusable

router = APIRouter(prefix="/endpoints", include_in_schema=False, dependencies=[WHOLE])

ATTEMPTS = 100
SORTS = {"Time": "time", "Outcome": "outcome", "Status": "status", "Took": "took", "Try": "try"}
"""Of the log of deliveries."""
NEWEST = 50
"""Attempts of each endpoint that a network's first page has."""
EDITED = ("id", "url", "events", "ibs", "subtrees", "allow_private")
"""What the form of a change asks for anew; all else stays as it is."""


@router.get("")
def listed(page: PageHere, desk: Desk, by: Asking, *, removed: bool = False) -> HTMLResponse:
    """Every endpoint that was not removed, or all, and the form of a new one."""
    known = desk.listed().values()
    return page.show(
        "endpoints.html",
        rows=[to_row(one) for one in known if removed or one.state != "removed"],
        removed=removed,
        removed_count=sum(one.state == "removed" for one in known),
        presets=PRESETS,
        events=EVENTS,
        may=may_decide(by, "/v1/endpoints"),
    )


@router.get("/{endpoint_id}")
def one(
    page: PageHere,
    desk: Desk,
    by: Asking,
    endpoint_id: EndpointId,
    event: Annotated[str, Query(max_length=64)] = "cpa.qualified",
    outcome: Literal["", "delivered", "failed", "refused"] = "",
    *,
    asked: AskedHere,
) -> HTMLResponse:
    """One: what it would be sent, the log of its deliveries, and its forms."""
    saved = desk.get(endpoint_id)
    row = to_row(saved.known)
    event = event if event in EVENTS else "cpa.qualified"
    found = attempts(page.ledger, endpoint_id, "", outcome, ATTEMPTS, asked)
    request, why = preview_of(desk, endpoint_id, event)
    return page.show(
        "endpoint.html",
        row=row,
        public_key=saved.public_key,
        preview=request,
        why=why,
        event=event,
        events=EVENTS,
        of=of_query(page.link, asked, found, SORTS, "time"),
        base=json.dumps(_kept(row)),
        today=f"{datetime.now(UTC):%Y-%m-%d}",
        may=may_decide(by, "/v1/endpoints"),
    )


def of_network(page: Page, by: Operator) -> HTMLResponse:
    """The first page of a partner network: what was sent to each of its endpoints."""
    logs = {one: attempts(page.ledger, one, "", "", NEWEST)["items"] for one in by.endpoints}
    return page.show("network.html", logs=logs, most=NEWEST)


def preview_of(desk: Endpoints, endpoint_id: str, event: str) -> tuple[Any, str]:
    """The request, or why it cannot be made: such as a key that is not here."""
    try:
        return desk.preview(endpoint_id, event), ""
    except Unusable as error:
        return None, str(error)


def _kept(row: EndpointRow) -> dict[str, Any]:
    """What a change keeps, as the API takes it."""
    told = row.model_dump(mode="json")
    wanted = [name for name in EndpointForm.model_fields if name not in EDITED and name in told]
    return {name: told[name] for name in wanted if told[name] is not None}
