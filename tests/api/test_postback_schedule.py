"""When a delivery is due: the schedule, filters, Retry-After and 410, decided without a clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.postbacks.endpoints import Endpoint
from api.postbacks.schedule import (
    MAX_ATTEMPTS,
    RETRY_DELAYS_S,
    Attempt,
    DueMilestone,
    Outcome,
    due,
    jitter_permille,
    next_attempt_at,
    retry_after_s,
)

NOW = datetime(2026, 9, 10, tzinfo=UTC)
ONE = Endpoint("one", "https://t.example/", b"k" * 24)
M1 = DueMilestone(
    milestone_id="m1", kind="ftd", client_id="c1", ib_id="A", occurred_at=NOW - timedelta(days=2)
)
M2 = replace(M1, milestone_id="m2", kind="first_trade", ib_id="B", occurred_at=NOW - timedelta(days=1))


def attempt(number: int, outcome: Outcome, wait_s: float | None = None, endpoint: str = "one") -> Attempt:
    later = None if wait_s is None else NOW + timedelta(seconds=wait_s)
    return Attempt(
        milestone_id="m1", endpoint_id=endpoint, attempt=number, attempted_at=NOW, outcome=outcome,
        next_attempt_at=later,
    )  # fmt: skip


def due_ids(attempts: list[Attempt], *endpoints: Endpoint) -> list[tuple[str, str, int]]:
    found = due([M2, M1], attempts, endpoints or [ONE], NOW)
    return [(d.milestone.milestone_id, d.endpoint.endpoint_id, d.attempt) for d in found]


def test_a_new_milestone_is_due_at_once_for_every_endpoint() -> None:
    """Oldest first, one delivery for each endpoint."""
    two = replace(ONE, endpoint_id="two")
    assert due_ids([], ONE, two) == [("m1", "one", 1), ("m1", "two", 1), ("m2", "one", 1), ("m2", "two", 1)]


def test_what_is_told_or_given_up_is_not_due_again() -> None:
    """Delivered and failed are final, for that endpoint only."""
    two = replace(ONE, endpoint_id="two")
    assert due_ids([attempt(1, "delivered")], ONE) == [("m2", "one", 1)]
    assert due_ids([attempt(10, "failed")], ONE) == [("m2", "one", 1)]
    assert ("m1", "two", 1) in due_ids([attempt(1, "delivered")], ONE, two)


def test_a_retry_waits_for_its_time() -> None:
    """A second too early it is not due; at its time it is, with the next number."""
    assert due_ids([attempt(1, "retry", 1)]) == [("m2", "one", 1)]
    assert due_ids([attempt(1, "retry", 0)]) == [("m1", "one", 2), ("m2", "one", 1)]
    assert due_ids([attempt(2, "retry", -5), attempt(1, "retry", -9)]) == [("m1", "one", 3), ("m2", "one", 1)]


def test_gone_disables_the_endpoint_until_since_is_later() -> None:
    """After a 410 nothing is due; a later `since` enables it and skips what is older."""
    gone = attempt(1, "disabled")
    assert due_ids([gone]) == []
    assert due_ids([gone], replace(ONE, since=NOW - timedelta(days=3))) == []
    fresh = replace(M1, milestone_id="m3", occurred_at=NOW + timedelta(hours=2))
    again = replace(ONE, since=NOW + timedelta(hours=1))
    assert [d.milestone.milestone_id for d in due([M1, M2, fresh], [gone], [again], NOW)] == ["m3"]


def test_filters_choose_events_ibs_and_time() -> None:
    """An endpoint hears what it asked for."""
    assert due_ids([], replace(ONE, events=frozenset({"ftd"}))) == [("m1", "one", 1)]
    assert due_ids([], replace(ONE, ibs=frozenset({"B"}))) == [("m2", "one", 1)]
    assert due_ids([], replace(ONE, since=NOW - timedelta(hours=30))) == [("m2", "one", 1)]


def test_the_schedule_is_the_standards() -> None:
    """Ten attempts over 75 h 35 min 5 s, each delay stretched by at most a tenth, then none."""
    assert sum(RETRY_DELAYS_S) == 75 * 3600 + 35 * 60 + 5
    for number in range(1, MAX_ATTEMPTS):
        at = next_attempt_at("m1", "one", number, NOW)
        assert at is not None
        assert RETRY_DELAYS_S[number] <= (at - NOW).total_seconds() <= RETRY_DELAYS_S[number] * 1.1
        assert at == next_attempt_at("m1", "one", number, NOW)
    assert next_attempt_at("m1", "one", MAX_ATTEMPTS, NOW) is None


def test_jitter_spreads_by_id_alone() -> None:
    """A thousand retries of one outage are spread over the whole range, the same way each time."""
    drawn = [jitter_permille(f"m{n}", "one", 1) for n in range(1_000)]
    assert drawn == [jitter_permille(f"m{n}", "one", 1) for n in range(1_000)]
    assert min(drawn) < 5
    assert max(drawn) > 95
    assert all(0 <= permille <= 100 for permille in drawn)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120), (" 7 ", 7), ("999999999999", 86_400), ("Thu, 10 Sep 2026 00:10:00 GMT", 600),
        ("Wed, 09 Sep 2026 00:00:00 GMT", 0), ("Fri, 10 Sep 2038 00:00:00 GMT", 86_400),
        ("", 0), ("soon", 0), ("-5", 0), ("\u0661\u0662", 0),
    ],
)  # fmt: skip
def test_retry_after_is_heard_and_bounded(header: str, seconds: float) -> None:
    """Seconds or a date, at most a day; nonsense and the past change nothing."""
    assert retry_after_s(header, NOW) == seconds


def test_retry_after_only_lengthens_a_delay() -> None:
    """A receiver may ask for more time, not for less."""
    longer, shorter = next_attempt_at("m1", "one", 1, NOW, "600"), next_attempt_at("m1", "one", 3, NOW, "1")
    assert longer == NOW + timedelta(seconds=600)
    assert shorter is not None
    assert shorter >= NOW + timedelta(seconds=1_800)
