"""One delivery: build the request, send it, and say what came of it."""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from api.postbacks import signing
from api.postbacks.macros import SUBS, canonical_query, fill
from api.postbacks.public_addresses import BlockedAddress
from api.postbacks.safe_client import Answer, Resolve, resolve, send
from api.postbacks.schedule import MAX_ATTEMPTS, Attempt, Delivery, Outcome, next_attempt_at
from commission.money import plain

MAX_ERROR_CHARACTERS = 200
CLICK_NAMES = ("click_id", "clickid", "affclickid", "subid", "cid", "tid")
"""What trackers call their click id, in the order we look."""
USER_AGENT = "ibflow-postbacks/1"


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A postback ready to send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def deliver(delivery: Delivery, now: datetime, resolver: Resolve = resolve) -> Attempt:
    """Try once; every failure becomes an attempt that tells why, none an exception."""
    request = to_request(delivery, now)
    endpoint = delivery.endpoint
    started = time.monotonic()
    answer: Answer | None = None
    error = ""
    try:
        answer = send(
            request.method,
            request.url,
            headers=request.headers,
            body=request.body,
            policy=endpoint.policy,
            timeout_s=endpoint.timeout_s,
            resolver=resolver,
        )
    except BlockedAddress as blocked:
        error = f"blocked: {blocked}"
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as failed:
        error = f"{type(failed).__name__}: {failed}"
    return _attempt(delivery, now, answer, error, round((time.monotonic() - started) * 1_000))


def to_request(delivery: Delivery, now: datetime) -> OutgoingRequest:
    """The request of a delivery: only the timestamp and its signature differ between attempts."""
    endpoint, values = delivery.endpoint, macro_values(delivery)
    unsigned = fill(endpoint.url.replace("{sig}", "\x00"), values).replace("\x00", "{sig}")
    url = unsigned.replace("{sig}", signing.sign_query(endpoint.key, canonical_query(unsigned)))
    body = _body(values) if endpoint.method == "POST" else b""
    webhook_id = webhook_id_of(delivery)
    headers = signing.headers(endpoint.key, webhook_id, int(now.timestamp()), body)
    headers |= {"user-agent": USER_AGENT, "accept-encoding": "identity"}
    if body:
        headers["content-type"] = "application/json"
    return OutgoingRequest(endpoint.method, url, headers, body)


def webhook_id_of(delivery: Delivery) -> str:
    """The receiver's dedupe key: the same for every attempt."""
    return f"msg_{delivery.milestone.milestone_id.replace('.', '_')}"


def macro_values(delivery: Delivery) -> dict[str, str]:
    """Every macro's value. `payout` is what the IB earns (a CPA); a client's deposit is `amount`."""
    milestone, click = delivery.milestone, delivery.milestone.click
    amount = plain(milestone.amount) if milestone.amount is not None else ""
    values = {
        "click_id": next((click[name] for name in CLICK_NAMES if click.get(name)), ""),
        "event": milestone.kind,
        "txid": milestone.milestone_id,
        "payout": _payout(milestone.kind, amount),
        "amount": amount,
        "currency": milestone.currency,
        "ib_id": milestone.ib_id,
        "client_ref": signing.client_ref(delivery.endpoint.key, milestone.client_id),
        "event_time_unix": str(int(milestone.occurred_at.timestamp())),
        "event_time_iso": milestone.occurred_at.isoformat().replace("+00:00", "Z"),
        "country": milestone.country,
    }
    return values | {name: click.get(name, "") for name in SUBS}


def _payout(kind: str, amount: str) -> str:
    if not kind.startswith("cpa."):
        return ""
    return f"-{amount}" if kind == "cpa.clawback" else amount


def _body(values: dict[str, str]) -> bytes:
    facts = {name: value for name, value in values.items() if name not in ("event", "event_time_unix")}
    timestamp = facts.pop("event_time_iso")
    payload: dict[str, Any] = {"type": values["event"], "timestamp": timestamp, "data": facts}
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def _attempt(
    delivery: Delivery, now: datetime, answer: Answer | None, error: str, duration_ms: int
) -> Attempt:
    outcome = _outcome(delivery, answer)
    ids = (delivery.milestone.milestone_id, delivery.endpoint.endpoint_id)
    retry_after = answer.retry_after if answer is not None else ""
    if answer is not None and outcome != "delivered":
        error = f"HTTP {answer.status}: {answer.body.decode(errors='replace')}"
    return Attempt(
        milestone_id=ids[0],
        endpoint_id=ids[1],
        attempt=delivery.attempt,
        attempted_at=now,
        outcome=outcome,
        http_status=answer.status if answer is not None else None,
        error=_without_secrets(error, delivery)[:MAX_ERROR_CHARACTERS],
        duration_ms=duration_ms,
        next_attempt_at=next_attempt_at(*ids, delivery.attempt, now, retry_after)
        if outcome == "retry"
        else None,
    )


def _outcome(delivery: Delivery, answer: Answer | None) -> Outcome:
    if answer is not None and 200 <= answer.status < 300:
        return "delivered"
    if answer is not None and answer.status == 410:
        return "disabled"
    return "retry" if delivery.attempt < MAX_ATTEMPTS else "failed"


def _without_secrets(error: str, delivery: Delivery) -> str:
    """A receiver may echo what it was sent; tokens of the URL's own query are cut from what is kept."""
    query = delivery.endpoint.url.partition("?")[2]
    constants = [pair.partition("=")[2] for pair in query.split("&") if "{" not in pair]
    for secret in sorted((text for text in constants if len(text) >= 6), key=len, reverse=True):
        error = error.replace(secret, "…")
    printable = "".join(c if c.isprintable() else " " for c in error)
    return " ".join(printable.split())
