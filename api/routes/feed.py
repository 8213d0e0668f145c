"""A live feed of what is posted, by server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.feed import Feed
from api.feed_events import FIELDS, end_of, events, missed, place_of
from api.operators import Operator
from api.people import People
from api.problems import Problem
from api.pseudonymous import PseudonymousLedger
from api.routes.context import Asking, LedgerHere, ScopeHere

router = APIRouter(prefix="/v1", tags=["transfers"])

STREAM = "text/event-stream"
AFTER = "The same for who cannot send that header, such as a page that was just read."
PLACE = "Goes on behind this event, as EventSource does by itself after a break."


@router.get(
    "/feed",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {STREAM: {"schema": {"type": "string"}}},
            "description": f"`transfer` ({', '.join(FIELDS)}), `gap` where some are left out, `end`.",
        }
    },
)
async def feed(
    request: Request,
    ledger: LedgerHere,
    scope: ScopeHere,
    by: Asking,
    last_event_id: Annotated[str, Header(max_length=160, description=PLACE)] = "",
    after: Annotated[str, Query(max_length=160, description=AFTER)] = "",
) -> StreamingResponse:
    """What is posted from now on, a second after it is stored, as server-sent events.

    It lasts ten minutes, or until the session or key is over; then ask again with the last event's id.
    """
    source: Feed = request.app.state.feed
    begins = last_event_id or after
    place = place_of(begins)
    if begins and place is None:
        raise Problem(
            400, "Last-Event-ID, or `after`, is the id of an event of this feed.", code="invalid_cursor"
        )
    people: People | None = request.app.state.people
    shown = ledger.renamed if isinstance(ledger, PseudonymousLedger) else dict
    if not source.has_room(by.name):
        detail = "As many listen as may. Close another page that does, then ask again."
        raise Problem(429, detail, code="too_many_at_once")

    async def answer() -> AsyncIterator[str]:
        if not source.has_room(by.name):  # others came in between
            yield end_of("as many listen as may")
            return
        with source.listening(by.name, scope, shown) as reader:
            await source.begun()
            before = ([], False) if place is None else await run_in_threadpool(missed, ledger, scope, place)
            async for event in events(reader, before, lambda: still_may(people, by)):
                yield event

    return StreamingResponse(answer(), media_type=STREAM, headers={"X-Accel-Buffering": "no"})


def still_may(people: People | None, by: Operator) -> bool:
    """Whether whoever began to listen would be let in now, as the same; asking keeps no session awake."""
    if people is None or (not by.session and by.rights is None):
        return True
    if by.rights is not None:
        return any(key.name == by.name and key.revoked_at is None for key in people.desk.all_keys())
    if all(one.session != by.session for one in people.desk.sessions(by.name)):
        return False
    access = next((one.access for one in people.desk.people() if one.name == by.name), None)
    return access is not None and (access.role, access.ibs) == (by.role, by.ibs)
