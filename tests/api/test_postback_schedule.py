"""When a delivery is tried again, worked out by hand from the list of delays."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from api.postbacks.schedule import (
    JITTER_PERCENT,
    MAX_ATTEMPTS,
    RETRY_DELAYS_S,
    jitter_permille,
    next_attempt_at,
    retry_after_s,
)

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    """Ten attempts over 75 h 35 min 5 s: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""
    assert (MAX_ATTEMPTS, sum(RETRY_DELAYS_S)) == (10, 75 * 3600 + 35 * 60 + 5)


@pytest.mark.parametrize(("attempt", "delay_s"), [*enumerate(RETRY_DELAYS_S[1:], 1)])
def test_a_delay_grows_by_a_tenth_at_most(attempt: int, delay_s: int) -> None:
    """Never sooner than the list says."""
    at = next_attempt_at("d", attempt, NOON)
    assert at is not None
    waited = (at - NOON).total_seconds()
    assert delay_s <= waited <= delay_s * (1 + JITTER_PERCENT / 100)


def test_the_tenth_attempt_is_the_last() -> None:
    """Then the delivery is given up."""
    assert next_attempt_at("d", MAX_ATTEMPTS, NOON, "60") is None


def test_jitter_spreads_and_repeats() -> None:
    """A thousand deliveries of one outage come at many moments, each the same in every process."""
    found = [jitter_permille(f"d{number}", 1) for number in range(1_000)]
    assert found == [jitter_permille(f"d{number}", 1) for number in range(1_000)]
    assert len(set(found)) > 90
    assert (min(found) >= 0, max(found) <= 100) == (True, True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", 86_400),
        (format_datetime(NOON + timedelta(minutes=10), usegmt=True), 600),
        (format_datetime(NOON - timedelta(minutes=10), usegmt=True), 0),
        (format_datetime(NOON + timedelta(days=30), usegmt=True), 86_400),
        ("soon", 0),
        ("", 0),
        ("-5", 0),
        ("١٢٠", 0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str, seconds: float) -> None:
    """A day at most; nonsense asks for nothing."""
    assert retry_after_s(header, NOON) == seconds


def test_retry_after_makes_the_wait_longer_never_shorter() -> None:
    """The list says 5 s; an hour is waited, a second is not enough."""
    later, sooner = (next_attempt_at("d", 1, NOON, header) for header in ("3600", "1"))
    assert later == NOON + timedelta(hours=1)
    assert sooner is not None
    assert sooner >= NOON + timedelta(seconds=5)
