"""When a delivery is tried again: a pure function of its ids and what was answered."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import Literal

RETRY_DELAYS_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Delay before each attempt, the first included: the example of Standard Webhooks, 75 h 35 min 5 s in all."""
MAX_ATTEMPTS = len(RETRY_DELAYS_S)
JITTER_PERCENT = 10
"""A delay grows by up to this much; it never shrinks."""
MAX_RETRY_AFTER_S = 86_400

Outcome = Literal["delivered", "retry", "failed", "disabled"]


def next_attempt_at(delivery_id: str, attempt: int, at: datetime, retry_after: str = "") -> datetime | None:
    """When to try again after `attempt` failed at `at`; None when the attempts are used up."""
    if attempt >= MAX_ATTEMPTS:
        return None
    jitter = 1 + jitter_permille(delivery_id, attempt) / 1_000
    delay_s = RETRY_DELAYS_S[attempt] * jitter
    return at + timedelta(seconds=max(delay_s, retry_after_s(retry_after, at)))


def jitter_permille(delivery_id: str, attempt: int) -> int:
    """0 to 100: spread by the ids, so that a thousand retries of one outage do not come at once."""
    seed = blake2b(f"{delivery_id}\x1f{attempt}".encode(), digest_size=4).digest()
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
