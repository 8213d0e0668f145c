"""Where events are sent: kept, looked at, tried out, paused, and asked to take something again."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.endpoints import MAX_REPLAYED, Endpoints, ReplayWanted
from api.paging import MAX_LIMIT, Cursor, Limit, page_of
from api.postbacks.form import EndpointForm
from api.problems import Problem
from api.queries.partners import is_known
from api.routes.context import WHOLE, Asking, LedgerHere
from api.routes.etags import IfNoneMatch, check, tag_of
from api.scope import EVERYTHING
from api.shapes.endpoints import (
    EndpointPage,
    EndpointRow,
    EndpointSecret,
    Preview,
    Replayed,
    Resealed,
    to_row,
    to_secret,
)
from api.shapes.quality import AttemptRow

router = APIRouter(prefix="/v1/endpoints", tags=["postbacks"], dependencies=[WHOLE])

keys = APIRouter(prefix="/v1/endpoint-keys", tags=["postbacks"], dependencies=[WHOLE])

FIRST = datetime(1971, 1, 1, tzinfo=UTC)
LAST = datetime(2199, 1, 1, tzinfo=UTC)


def _desk(request: Request) -> Endpoints:
    desk: Endpoints | None = request.app.state.endpoints
    if desk is None:
        raise Problem(
            503,
            "This process keeps no endpoints. Ask the one that `ibflow serve` started.",
            code="not_in_this_process",
        )
    return desk


Desk = Annotated[Endpoints, Depends(_desk)]
EndpointId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Event = Annotated[str, Query(max_length=64, description="The kind of a sample event.")]
SecretText = Annotated[str, Field(max_length=200)]


class EndpointWanted(EndpointForm):
    """An endpoint, and its secret if it has one already."""

    secret: SecretText = Field("", description="`whsec_…` or `whsk_…`; empty: one is made, or kept.")


class SecretWanted(BaseModel):
    """The secret to sign with from now on."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    secret: SecretText = Field("", description="Empty: one is made.")


class Reason(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=500)


class Again(BaseModel):
    """Which events to send again: one, or those of a time."""

    model_config = ConfigDict(extra="forbid")

    milestone: str = Field("", max_length=128, description="A milestone's id; empty: by time.")
    since: datetime | None = Field(None, description="Events of this time or later; UTC.")
    until: datetime | None = Field(None, description="Events before this time; UTC.")


@router.get("", response_model=EndpointPage)
def endpoints(
    desk: Desk,
    request: Request,
    response: Response,
    *,
    removed: bool = False,
    limit: Limit = MAX_LIMIT,
    cursor: Cursor = "",
    if_none_match: IfNoneMatch = "",
) -> Any:
    """Every endpoint that was not removed, or all of them."""
    known = [one for one in desk.listed().values() if removed or one.state != "removed"]
    response.headers.update(check(if_none_match, tag_of(request, known)))
    shown, after = page_of(known, limit, cursor, lambda one: one.endpoint.endpoint_id)
    return {"items": [to_row(one) for one in shown], "next_cursor": after}


@router.post("", response_model=EndpointSecret, status_code=201)
def add(desk: Desk, ledger: LedgerHere, by: Asking, wanted: EndpointWanted) -> Any:
    """Keep a new endpoint: events from now on are sent there. A secret that is made is told this once."""
    return to_secret(desk.save(_form(wanted, ledger), wanted.secret, by, is_new=True))


@router.get("/{endpoint_id}", response_model=EndpointSecret)
def endpoint(desk: Desk, endpoint_id: EndpointId) -> Any:
    """One endpoint, with the public key of ed25519; never with a secret."""
    return to_secret(desk.get(endpoint_id))


@router.put("/{endpoint_id}", response_model=EndpointSecret)
def change(
    desk: Desk, ledger: LedgerHere, by: Asking, endpoint_id: EndpointId, wanted: EndpointWanted
) -> Any:
    """Another version of an endpoint, written whole; it keeps its secret unless one is given."""
    if wanted.id != endpoint_id:
        raise Problem(422, f"The path names {endpoint_id}, the body {wanted.id}. An id is for ever.")
    return to_secret(desk.save(_form(wanted, ledger), wanted.secret, by, is_new=False))


@router.post("/{endpoint_id}/secret", response_model=EndpointSecret)
def rotate(desk: Desk, by: Asking, endpoint_id: EndpointId, wanted: SecretWanted) -> Any:
    """Sign with another secret. For a day requests have two signatures, so that the receiver can change."""
    return to_secret(desk.rotate(endpoint_id, wanted.secret, by))


@keys.post("/rotate", response_model=Resealed)
def reseal(desk: Desk, by: Asking) -> Any:
    """Seal with the newest key what is under an older one; ask again while some are left."""
    resealed, left = desk.reseal(by)
    return {"resealed": resealed, "left": left}


@router.post("/{endpoint_id}/{verb}", response_model=EndpointRow)
def decide(
    desk: Desk,
    by: Asking,
    endpoint_id: EndpointId,
    verb: Literal["pause", "resume", "remove"],
    why: Reason,
) -> Any:
    """Pause, which keeps what comes meanwhile; resume; or remove for ever."""
    states: dict[str, Literal["paused", "active", "removed"]] = {
        "pause": "paused", "resume": "active", "remove": "removed",
    }  # fmt: skip
    return to_row(desk.set_state(endpoint_id, states[verb], why.reason, by))


@router.get("/{endpoint_id}/preview", response_model=Preview)
def preview(desk: Desk, endpoint_id: EndpointId, event: Event = "cpa.qualified") -> Any:
    """What would be sent for a sample event."""
    found = desk.preview(endpoint_id, event)
    return Preview(method=found.method, url=found.url, headers=found.headers, body=found.body.decode())


@router.post("/{endpoint_id}/deliveries/test", response_model=AttemptRow)
def try_out(desk: Desk, by: Asking, endpoint_id: EndpointId, event: Event = "cpa.qualified") -> Any:
    """Send a sample event now, and say what came of it."""
    made = desk.test(endpoint_id, event, by)
    return {name: getattr(made, name) for name in AttemptRow.model_fields}


@router.post("/{endpoint_id}/deliveries/replay", response_model=Replayed)
def replay(desk: Desk, by: Asking, endpoint_id: EndpointId, again: Again) -> Any:
    """Send again what was due there, under the same ids: one event, or those of a time."""
    return {"replayed": desk.replay(endpoint_id, replay_of(again, MAX_REPLAYED), by)}


def replay_of(again: Again, most: int) -> ReplayWanted:
    """What is asked for, of so many events at the most; raise `Problem` if it is nothing."""
    if not again.milestone and again.since is None:
        raise Problem(422, "Name a `milestone`, or the time `since` which events are to be sent again.")
    return ReplayWanted(again.milestone, _utc(again.since) or FIRST, _utc(again.until) or LAST, most)


def _form(wanted: EndpointWanted, ledger: LedgerHere) -> EndpointForm:
    for ib in (*wanted.ibs, *wanted.subtrees):
        if not is_known(ledger, EVERYTHING, ib):
            raise Problem(422, f"There is no IB {ib}. `GET /v1/partners` has them.", code="unknown_ib_named")
    return EndpointForm.model_validate(wanted.model_dump(exclude={"secret"}))


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
