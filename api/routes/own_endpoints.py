"""An IB's own endpoints: made, looked at, tried out, paused; each of them its own alone."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request

from api.caller_limits import Rates
from api.own_endpoints import (
    OwnEndpointForm,
    check_resume,
    found,
    make,
    own_ibs,
    owned,
)
from api.paging import Cursor, Limit
from api.problems import Problem
from api.queries.ordered import Asked
from api.queries.postbacks import attempts as attempts_of
from api.routes.context import Asking, LedgerHere, ScopeHere
from api.routes.endpoints import Desk, Event, Reason
from api.shapes.endpoints import (
    OwnEndpointPage,
    OwnEndpointRow,
    OwnEndpointSecret,
    Preview,
    to_own,
    to_own_secret,
)
from api.shapes.quality import AttemptPage, AttemptRow

router = APIRouter(prefix="/v1/own-endpoints", tags=["postbacks"])

OwnId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


@router.get("", response_model=OwnEndpointPage)
def listed(desk: Desk, by: Asking, scope: ScopeHere) -> Any:
    """The endpoints of the IB that signs in."""
    return {"items": [to_own(one) for one in owned(desk, _ibs(by, scope))]}


@router.post("", response_model=OwnEndpointSecret, status_code=201)
def add(request: Request, desk: Desk, by: Asking, scope: ScopeHere, wanted: OwnEndpointForm) -> Any:
    """Keep a new one: events of one's sub-tree from now on are sent there. Its secret is told this once."""
    _ibs(by, scope)
    return to_own_secret(make(desk, by, wanted, request.app.state.ib_levels))


@router.get("/{endpoint_id}", response_model=OwnEndpointSecret)
def one(desk: Desk, by: Asking, scope: ScopeHere, endpoint_id: OwnId) -> Any:
    """One of them, with the public key of ed25519; never with a secret."""
    found(desk, _ibs(by, scope), endpoint_id)
    return to_own_secret(desk.get(endpoint_id))


@router.post("/{endpoint_id}/secret", response_model=OwnEndpointSecret)
def rotate(desk: Desk, by: Asking, scope: ScopeHere, endpoint_id: OwnId) -> Any:
    """Sign with a new secret, told this once. For a day requests have two signatures."""
    found(desk, _ibs(by, scope), endpoint_id)
    return to_own_secret(desk.rotate(endpoint_id, "", by))


@router.post("/{endpoint_id}/{verb}", response_model=OwnEndpointRow)
def decide(
    desk: Desk,
    by: Asking,
    scope: ScopeHere,
    endpoint_id: OwnId,
    verb: Literal["pause", "resume", "remove"],
    why: Reason,
) -> Any:
    """Pause, which keeps what comes meanwhile; resume what one paused oneself; or remove for ever."""
    known = found(desk, _ibs(by, scope), endpoint_id)
    if verb == "resume":
        check_resume(known, by)
    states: dict[str, Literal["paused", "active", "removed"]] = {
        "pause": "paused", "resume": "active", "remove": "removed",
    }  # fmt: skip
    return to_own(desk.set_state(endpoint_id, states[verb], why.reason, by))


@router.get("/{endpoint_id}/preview", response_model=Preview)
def preview(
    desk: Desk, by: Asking, scope: ScopeHere, endpoint_id: OwnId, event: Event = "cpa.qualified"
) -> Any:
    """What would be sent for a sample event."""
    found(desk, _ibs(by, scope), endpoint_id)
    made = desk.preview(endpoint_id, event)
    return Preview(method=made.method, url=made.url, headers=made.headers, body=made.body.decode())


@router.post("/{endpoint_id}/deliveries/test", response_model=AttemptRow)
def try_out(
    request: Request,
    desk: Desk,
    by: Asking,
    scope: ScopeHere,
    endpoint_id: OwnId,
    event: Event = "cpa.qualified",
) -> Any:
    """Send a sample event now, and say what came of it; ten times a minute."""
    found(desk, _ibs(by, scope), endpoint_id)
    tests: Rates = request.app.state.own_tests
    if tests.count(by.name).is_used_up:
        raise Problem(
            429, "Ten tests a minute are sent. Wait a minute, then test again.", code="rate_limited"
        )
    made = desk.test(endpoint_id, event, by)
    return {name: getattr(made, name) for name in AttemptRow.model_fields}


@router.get("/{endpoint_id}/attempts", response_model=AttemptPage)
def attempts(
    desk: Desk,
    ledger: LedgerHere,
    by: Asking,
    scope: ScopeHere,
    endpoint_id: OwnId,
    outcome: Annotated[str, Query(max_length=16)] = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Any:
    """What was sent there and what came back, newest first."""
    found(desk, _ibs(by, scope), endpoint_id)
    return attempts_of(ledger, endpoint_id, "", outcome, limit, Asked(cursor=cursor))


def _ibs(by: Asking, scope: ScopeHere) -> list[str]:
    """The IBs that somebody is, as far as they are seen."""
    return [ib for ib in own_ibs(by) if scope.has(ib)]
