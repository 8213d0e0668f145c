"""When a delivery is due: a pure function of what is known, so any process would decide the same."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Literal

from api.postbacks.endpoints import Endpoint

RETRY_DELAYS_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Delay before each attempt, the first included: the example of Standard Webhooks, 75 h 35 min 5 s in all."""
MAX_ATTEMPTS = len(RETRY_DELAYS_S)
JITTER_PERCENT = 10
"""A delay grows by up to this much; it never shrinks."""
MAX_RETRY_AFTER_S = 86_400

Outcome = Literal["delivered", "retry", "failed", "disabled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMilestone:
    """A milestone as the dispatcher needs it."""

    milestone_id: str
    kind: str
    client_id: str
    ib_id: str
    occurred_at: datetime
    amount: Decimal | None = None
    currency: str = ""
    country: str = ""
    click: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try that was made."""

    milestone_id: str
    endpoint_id: str
    attempt: int
    attempted_at: datetime
    outcome: Outcome
    http_status: int | None = None
    error: str = ""
    duration_ms: int = 0
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try that is due now."""

    milestone: DueMilestone
    endpoint: Endpoint
    attempt: int


def due(
    milestones: Iterable[DueMilestone],
    attempts: Iterable[Attempt],
    endpoints: Iterable[Endpoint],
    now: datetime,
) -> list[Delivery]:
    """Milestone x endpoint, less what is delivered, given up, disabled or waiting; oldest first."""
    made: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    disabled: dict[str, datetime] = {}
    for attempt in attempts:
        made[attempt.endpoint_id, attempt.milestone_id].append(attempt)
        if attempt.outcome == "disabled":
            known = disabled.get(attempt.endpoint_id, attempt.attempted_at)
            disabled[attempt.endpoint_id] = max(known, attempt.attempted_at)
    ordered = sorted(milestones, key=lambda milestone: (milestone.occurred_at, milestone.milestone_id))
    open_endpoints = [e for e in endpoints if not is_disabled(e, disabled.get(e.endpoint_id))]
    pairs = ((m, e) for m in ordered for e in open_endpoints if wants(e, m))
    return [
        Delivery(milestone, endpoint, number)
        for milestone, endpoint in pairs
        if (number := _next(made[endpoint.endpoint_id, milestone.milestone_id], now)) is not None
    ]


def wants(endpoint: Endpoint, milestone: DueMilestone) -> bool:
    """True if the endpoint's filters let the milestone through."""
    return (
        (not endpoint.events or milestone.kind in endpoint.events)
        and (not endpoint.ibs or milestone.ib_id in endpoint.ibs)
        and (endpoint.since is None or milestone.occurred_at >= endpoint.since)
    )


def is_disabled(endpoint: Endpoint, disabled_at: datetime | None) -> bool:
    """True after a 410 Gone, until the file says `since` a later moment."""
    return disabled_at is not None and (endpoint.since is None or endpoint.since <= disabled_at)


def _next(made: list[Attempt], now: datetime) -> int | None:
    """The number of the attempt that is due, or None."""
    if not made:
        return 1
    last = max(made, key=lambda attempt: attempt.attempt)
    if any(attempt.outcome in ("delivered", "failed") for attempt in made) or last.attempt >= MAX_ATTEMPTS:
        return None
    waits_until = last.next_attempt_at
    return last.attempt + 1 if waits_until is None or waits_until <= now else None


def next_attempt_at(
    milestone_id: str, endpoint_id: str, attempt: int, at: datetime, retry_after: str = ""
) -> datetime | None:
    """When to try again after `attempt` failed at `at`; None when the attempts are used up."""
    if attempt >= MAX_ATTEMPTS:
        return None
    jitter = 1 + jitter_permille(milestone_id, endpoint_id, attempt) / 1_000
    delay_s = RETRY_DELAYS_S[attempt] * jitter
    return at + timedelta(seconds=max(delay_s, retry_after_s(retry_after, at)))


def jitter_permille(milestone_id: str, endpoint_id: str, attempt: int) -> int:
    """0 to 100: spread by the ids, so that a thousand retries of one outage do not come at once."""
    seed = blake2b(f"{milestone_id}\x1f{endpoint_id}\x1f{attempt}".encode(), digest_size=4).digest()
    return int.from_bytes(seed) % (JITTER_PERCENT * 10 + 1)


def retry_after_s(header: str, now: datetime) -> float:
    """Seconds a receiver asks us to wait, as a number or a date; nonsense is 0, a day the most."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), MAX_RETRY_AFTER_S))
    try:
        asked = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    at = asked if asked.tzinfo is not None else asked.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), float(MAX_RETRY_AFTER_S))
