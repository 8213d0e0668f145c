"""One try: build the request, send it, and say what came of it."""

import time
from dataclasses import dataclass
from datetime import datetime

from api.postbacks.connection import Answer, NoAnswer
from api.postbacks.public_addresses import BlockedAddress, Policy
from api.postbacks.request import OutgoingRequest, to_request
from api.postbacks.safe_client import SafeClient
from api.postbacks.schedule import MAX_ATTEMPTS, Outcome, next_attempt_at
from api.postbacks.secrets import Secrets
from commission.postbacks.records import Delivery, Endpoint
from schemas.attempts import MAX_ANSWER, MAX_REQUEST, Attempt

ANY_2XX = range(200, 300)


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint with its secrets opened."""

    endpoint: Endpoint
    secrets: Secrets

    @property
    def policy(self) -> Policy:
        """What it may reach."""
        return Policy(self.endpoint.allow_http, self.endpoint.allow_private)


async def deliver(
    delivery: Delivery, target: Target, client: SafeClient, attempt: int, now: datetime
) -> Attempt:
    """Try once; every failure becomes an attempt that tells why, none an exception."""
    request = to_request(delivery, target.endpoint, target.secrets, now, attempt)
    started = time.monotonic()
    answer: Answer | None = None
    error = ""
    try:
        answer = await client.send(
            request.method,
            request.url,
            request.headers,
            request.body,
            target.endpoint.timeout_ms / 1_000,
        )
    except BlockedAddress as blocked:
        error = f"blocked: {blocked}"
    except NoAnswer as failed:
        error = str(failed)
    duration_ms = round((time.monotonic() - started) * 1_000)
    return _attempt(delivery, target, request, answer, error, (attempt, now, duration_ms))


def outcome_of(endpoint: Endpoint, answer: Answer | None, attempt: int) -> Outcome:
    """What an answer means to this endpoint: 3xx is a failure unless it is one of its own statuses."""
    if answer is not None and _is_taken(endpoint, answer):
        return "delivered"
    if answer is not None and answer.status == 410:
        return "disabled"
    return "retry" if attempt < MAX_ATTEMPTS else "failed"


def _is_taken(endpoint: Endpoint, answer: Answer) -> bool:
    is_status = answer.status in (endpoint.ok_statuses or ANY_2XX)
    body = answer.body.decode(errors="replace").casefold()
    has_word = endpoint.must_match.casefold() in body
    is_refused = bool(endpoint.must_not_match) and endpoint.must_not_match.casefold() in body
    return is_status and has_word and not is_refused


def _attempt(
    delivery: Delivery,
    target: Target,
    request: OutgoingRequest,
    answer: Answer | None,
    error: str,
    tried: tuple[int, datetime, int],
) -> Attempt:
    number, now, duration_ms = tried
    outcome = outcome_of(target.endpoint, answer, number)
    body = answer.body.decode(errors="replace") if answer is not None else ""
    if answer is not None and outcome != "delivered":
        error = f"HTTP {answer.status}: {body}"
    retry_after = answer.retry_after if answer is not None else ""
    at = next_attempt_at(delivery.delivery_id, number, now, retry_after) if outcome == "retry" else None
    return Attempt(
        milestone_id=delivery.event.milestone_id,
        endpoint=delivery.endpoint_id,
        attempt=number,
        attempted_at=now,
        outcome=outcome,
        http_status=answer.status if answer is not None else None,
        error=_kept(error, target, MAX_ANSWER),
        duration_ms=duration_ms,
        next_attempt_at=at,
        replay=delivery.replay,
        delivery_id=delivery.delivery_id,
        request=_kept(f"{request.method} {request.url}", target, MAX_REQUEST),
        answer=_kept(body, target, MAX_ANSWER),
    )


def _kept(text: str, target: Target, longest: int) -> str:
    """One line without secrets, as long as is kept."""
    clean = target.secrets.without(text) if text else ""
    if not clean.isprintable():
        clean = "".join(c if c.isprintable() else " " for c in clean)
    return " ".join(clean.split())[:longest]
