"""The push endpoint: bridges and CRMs post batches, and are answered once Kafka has every record.

1. whose token it is; 2. the body, within bounds; 3. each row to events or a dead letter; 4. Kafka's
acknowledgement of all of them; 5. the answer. A failure before 4 ends keeps nothing that counts: the sender
sends the same batch again, and what had arrived is known by key and revision.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from typing import cast

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException

from ingest.publish.outbox import PublishFailed
from ingest.publish.request_publisher import Parcel, Place, RequestPublisher
from ingest.push.body import read_body, to_rows
from ingest.push.idempotency import MAX_KEY_CHARS, Answer, Answers
from ingest.push.problems import Refused, refusal
from ingest.push.rows import (
    DEAL_DIALECTS,
    DealDialect,
    Outcome,
    Reading,
    client_events_of,
    deals_of,
    read_row,
)
from ingest.push.senders import Sender, Senders
from schemas.dead_letters import DeadLetter

log = logging.getLogger(__name__)

PREFIX = "/v1/ingest"
MAX_REQUESTS = 64
"""Requests in work at once; each may hold one body of `MAX_BODY_BYTES`, and what it became."""
MAX_REQUESTS_OF_ONE = 16
"""Of one token, so that one bridge catching up leaves room for the others."""
RETRY_AFTER_S = 1


class Desk:
    """Takes pushes: who may, how many at once, what was answered."""

    def __init__(self, senders: Senders, courier: RequestPublisher) -> None:
        self.senders = senders
        self.courier = courier
        self.answers = Answers()
        self._in_work: Counter[str] = Counter()
        # One thread: Python runs one at a time anyway, and a sender's requests stay in their order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="push")

    def close(self) -> None:
        """End, with everything sent that was taken."""
        self._thread.shutdown()
        self.courier.close()

    def sender(self, request: Request) -> Sender:
        """Whose token came with the request; raise `Refused` for nobody's."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        sender = self.senders.of_token(token.strip()) if scheme.lower() == "bearer" else None
        if sender is None:
            raise Refused(401, "Send this sender's token as `Authorization: Bearer <token>`.")
        return sender

    @contextmanager
    def place_for(self, sender: Sender) -> Iterator[None]:
        """Count a request in; raise `Refused` where there are too many, before its body is read."""
        if self._in_work.total() >= MAX_REQUESTS:
            raise Refused(503, "Too many batches are in work; send this one again shortly.", RETRY_AFTER_S)
        if self._in_work[sender.name] >= MAX_REQUESTS_OF_ONE:
            text = f"This token has {MAX_REQUESTS_OF_ONE} batches in work; wait for their answers."
            raise Refused(429, text, RETRY_AFTER_S)
        self._in_work[sender.name] += 1
        try:
            yield
        finally:
            self._in_work[sender.name] -= 1

    async def take(self, request: Request, sender: Sender, reading: Reading) -> Answer:
        """Answer a request, or repeat the answer its idempotency key has."""
        headers = request.headers
        body = await read_body(
            request.stream(), headers.get("content-encoding", "").lower(), headers.get("content-length", "")
        )
        key = headers.get("idempotency-key", "")
        if len(key) > MAX_KEY_CHARS:
            raise Refused(422, f"An Idempotency-Key has at most {MAX_KEY_CHARS} characters.")
        kind = headers.get("content-type", "")
        if not key:
            return await self._accept(body, kind, reading)
        place = (sender.name, key)
        digest = blake2b(b"\n".join((request.url.path.encode(), reading.source.encode(), body))).digest()
        if (known := self.answers.find(place, digest)) is not None:
            return await asyncio.shield(known)
        self.answers.begin(place, digest)
        try:
            answer = await self._accept(body, kind, reading)
        except BaseException as error:
            failure = error if isinstance(error, Exception) else Refused(503, "Send the same batch again.")
            self.answers.forget(place, failure)
            raise
        self.answers.keep(place, answer)
        return answer

    async def _accept(self, body: bytes, content_type: str, reading: Reading) -> Answer:
        received_at = datetime.now(UTC)

        def work() -> tuple[list[Outcome], list[tuple[Place, Parcel]]]:
            outcomes = [read_row(row, reading, received_at) for row in to_rows(body, content_type)]
            return outcomes, self.courier.pack(item for outcome in outcomes for item in outcome.items)

        outcomes, parcels = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            await self.courier.deliver(parcels)
        except PublishFailed as error:
            log.warning("%s: %s", reading.source, error)
            text = "Kafka has not taken all of the batch; send the same batch again."
            raise Refused(503, text, RETRY_AFTER_S) from None
        return _answer(outcomes)


def create_push_app(desk: Desk) -> FastAPI:
    """The endpoint as an application of its own, whether alone or beside the API."""
    app = FastAPI(
        title="ibflow ingest",
        description="Deals of bridges and events of CRMs, answered once Kafka has them.",
        version="1",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(_router(desk))
    app.add_exception_handler(Refused, refusal)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    return app


def _router(desk: Desk) -> APIRouter:
    router = APIRouter(prefix=PREFIX)

    @router.post("/deals", summary="Events of deals, from a bridge")
    async def deals(request: Request) -> Response:
        sender = desk.sender(request)
        if sender.profile is None:
            raise Refused(403, "This token is a CRM's; deals take a bridge's token.")
        dialect = request.query_params.get("dialect", "")
        if dialect not in DEAL_DIALECTS:
            raise Refused(422, f"Say how records are spelled: `?dialect=` {', '.join(DEAL_DIALECTS)}.")
        try:
            reading = deals_of(cast(DealDialect, dialect), sender.profile, sender.name)
        except ValueError as error:
            raise Refused(422, f"{error}.") from None
        return await _taken(desk, request, sender, reading)

    @router.post("/crm", summary="Client events and account links, from a CRM")
    async def crm(request: Request) -> Response:
        sender = desk.sender(request)
        if sender.profile is not None:
            raise Refused(403, "This token is a bridge's; CRM events take a CRM's token.")
        return await _taken(desk, request, sender, client_events_of(sender.name))

    return router


async def _taken(desk: Desk, request: Request, sender: Sender, reading: Reading) -> Response:
    with desk.place_for(sender):
        answer = await desk.take(request, sender, reading)
    return Response(answer.body, answer.status, media_type="application/json")


def _answer(outcomes: Sequence[Outcome]) -> Answer:
    results = [_result(row, outcome) for row, outcome in enumerate(outcomes)]
    counts = Counter(str(result["status"]) for result in results)
    body = {
        "rows": len(results),
        "accepted": counts["accepted"],
        "skipped": counts["skipped"],
        "dead_letters": counts["dead_letter"],
        "results": results,
    }
    status = 207 if counts["dead_letter"] else 200
    return Answer(status, json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode())


def _result(row: int, outcome: Outcome) -> dict[str, str | int]:
    if not outcome.items:
        return {"row": row, "status": "skipped", "reason": outcome.skipped}
    letter = outcome.items[0]
    if isinstance(letter, DeadLetter):
        told = {"code": letter.code, "reason": letter.reason, "dead_letter_id": letter.dead_letter_id}
        return {"row": row, "status": "dead_letter", **told}
    return {"row": row, "status": "accepted", "events": len(outcome.items)}


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        text = f"There is nothing here; post to {PREFIX}/deals or {PREFIX}/crm."
    else:
        text = "This route takes POST only."
    return refusal(request, Refused(error.status_code, text))


def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return refusal(request, Refused(500, "Something unexpected went wrong; the log holds the reason."))
