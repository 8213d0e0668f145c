"""What waits for an endpoint: breaker, rate, order of one client."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from commission.postbacks.records import Endpoint
from infra.postbacks.breaker import FAILURES, REST_S, REST_S_MAX, Breaker
from infra.postbacks.queue import MAX_SETTLING, Answered, Due, EndpointQueue
from schemas.attempts import Attempt, Outcome


def test_a_breaker_opens_rests_tries_once_and_closes() -> None:
    """After ten failures in a row; a failure after a rest doubles it, ten minutes at most."""
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.failed(0.0, 0.0, 500, 5.0)
    assert breaker.limit(0.0, 8) == 8
    breaker.failed(0.0, 0.0, None, 5.0)
    assert [breaker.limit(at, 8) for at in (0.0, REST_S - 1, REST_S)] == [0, 0, 1]
    breaker.failed(REST_S, REST_S, 500, 5.0)
    assert [breaker.limit(REST_S + rest, 8) for rest in (REST_S, 2 * REST_S)] == [0, 1]
    for _ in range(10):
        last = breaker.until
        breaker.failed(last, last, 500, 5.0)
    assert breaker.until == last + REST_S_MAX
    breaker.succeeded(last)
    assert breaker.limit(last, 8) == 8


def test_what_was_under_way_makes_no_rest_longer() -> None:
    """Twenty at once fail after 5 s: ten in a row, and one rest from then on, not doubled by the others."""
    breaker = Breaker()
    for _ in range(2 * FAILURES):
        breaker.failed(0.0, 5.0, None, 5.0)
    assert (breaker.until, breaker.rest_s) == (5.0 + REST_S, REST_S)


def test_what_takes_long_to_fail_is_no_failure_in_a_row() -> None:
    """Twenty hang from 0 s on, and meanwhile the endpoint takes another: it is not left alone."""
    breaker = Breaker()
    breaker.succeeded(1.0)
    for _ in range(2 * FAILURES):
        breaker.failed(0.0, 5.0, None, 5.0)
    assert breaker.limit(5.0, 8) == 8


def test_a_receiver_that_has_too_much_to_do_is_left_alone() -> None:
    """429 asks for a minute: nothing is sent to it meanwhile, and then everything may be."""
    breaker = Breaker()
    breaker.failed(0.0, 0.0, 429, 60.0)
    assert [breaker.limit(at, 8) for at in (59.0, 60.0)] == [0, 8]
    breaker.failed(0.0, 0.0, 429, 86_400.0)
    assert breaker.until == REST_S_MAX


def attempt_of(due: Due, outcome: Outcome) -> Attempt:
    """What came of it; another try is due at once."""
    now = datetime.now(UTC)
    again = now - timedelta(seconds=1) if outcome == "retry" else None
    return Attempt(
        milestone_id="m",
        endpoint="t",
        attempt=1,
        attempted_at=now,
        outcome=outcome,
        next_attempt_at=again,
        delivery_id=due.delivery_id,
    )


def run(endpoint: Endpoint, dues: list[Due], answers: dict[str, list[Outcome]], want: int) -> list[str]:
    """Send through a queue until so many tries were made; the deliveries in the order of their tries."""
    order: list[str] = []
    enough = asyncio.Event()

    async def send(due: Due, answered: Answered) -> Attempt:
        order.append(due.delivery_id)
        if len(order) >= want:
            enough.set()
        told = answers.get(due.delivery_id, [])
        attempt = attempt_of(due, told.pop(0) if told else "delivered")
        answered(attempt)
        return attempt

    async def go() -> None:
        queue = EndpointQueue("t", send)
        queue.set(endpoint, is_open=True)
        for due in dues:
            queue.add(due)
        task = asyncio.create_task(queue.run())
        await asyncio.wait_for(enough.wait(), 10)
        task.cancel()

    asyncio.run(go())
    return order


def due(name: str, owner: str = "c", at: float = 0.0, sequence: int = 1) -> Due:
    """A delivery that is due."""
    return Due(at, sequence, name, 0, owner)


def test_what_is_due_first_goes_first() -> None:
    """And what is not due yet does not go."""
    later = time.time() + 3_600
    dues = [due("b", at=2.0), due("late", at=later), due("a", at=1.0)]
    assert run(Endpoint(endpoint_id="t", concurrency=1), dues, {}, 2) == ["a", "b"]


def test_a_clients_events_wait_for_each_other_and_nobody_elses() -> None:
    """The first is tried three times before the second goes."""
    dues = [due("1"), due("2", sequence=2), due("x", owner="other")]
    order = run(Endpoint(endpoint_id="t", is_ordered=True, concurrency=4), dues, {"1": ["retry", "retry"]}, 5)
    assert [name for name in order if name != "x"] == ["1", "1", "1", "2"]


def test_the_next_goes_once_the_one_before_is_answered() -> None:
    """Not only when that is durable; but no more than a kill may repeat are answered and not durable."""

    async def go() -> tuple[int, int]:
        begun, most, asking, durable = 0, 0, 0, asyncio.Event()

        async def send(due: Due, answered: Answered) -> Attempt:
            nonlocal begun, most, asking
            begun, asking = begun + 1, asking + 1
            most = max(most, asking)
            await asyncio.sleep(0)
            asking -= 1
            answered(attempt := attempt_of(due, "delivered"))
            await durable.wait()
            return attempt

        queue = EndpointQueue("t", send)
        queue.set(Endpoint(endpoint_id="t", concurrency=2), is_open=True)
        for number in range(MAX_SETTLING + 100):
            queue.add(due(str(number), owner=str(number)))
        task = asyncio.create_task(queue.run())
        for _ in range(20 * MAX_SETTLING):
            await asyncio.sleep(0)
        first = begun
        durable.set()
        for _ in range(2_000):
            await asyncio.sleep(0)
        assert (begun, len(queue)) == (MAX_SETTLING + 100, 0)
        task.cancel()
        return first, most

    first, most = asyncio.run(go())
    assert MAX_SETTLING <= first < MAX_SETTLING + 2  # two may be asking while the last is answered
    assert most == 2


def test_a_failing_receiver_is_left_alone_as_soon_as_it_answers() -> None:
    """Ten failures open the breaker though none of them is durable yet: the eleventh is not sent."""

    async def go() -> int:
        begun = 0

        async def send(due: Due, answered: Answered) -> Attempt:
            nonlocal begun
            begun += 1
            answered(attempt_of(due, "failed"))
            await asyncio.Event().wait()
            raise AssertionError

        queue = EndpointQueue("t", send)
        queue.set(Endpoint(endpoint_id="t", concurrency=1), is_open=True)
        for number in range(3 * FAILURES):
            queue.add(due(str(number), owner=str(number)))
        task = asyncio.create_task(queue.run())
        for _ in range(1_000):
            await asyncio.sleep(0)
        task.cancel()
        return begun

    assert asyncio.run(go()) == FAILURES


def test_a_rate_is_kept() -> None:
    """600 a minute are ten a second: the sixth not before half a second."""
    started = time.monotonic()
    run(Endpoint(endpoint_id="t", rate_per_minute=600), [due(str(number)) for number in range(6)], {}, 6)
    assert 0.45 < time.monotonic() - started < 3


def test_another_process_takes_a_partition_with_all_that_waits() -> None:
    """Also the line behind a client's first: what comes back later begins anew."""

    async def send(one: Due, _answered: Answered) -> None:
        raise AssertionError(f"{one} is another's")

    async def go() -> None:
        queue = EndpointQueue("t", send)
        queue.set(Endpoint(endpoint_id="t", is_ordered=True), is_open=False)
        for number in range(3):
            queue.add(due(str(number), sequence=number))
        assert len(queue) == 3
        queue.forget(0)
        assert len(queue) == 0
        queue.add(due("0"))
        queue.set(Endpoint(endpoint_id="t"), is_open=False)
        assert len(queue) == 1

    asyncio.run(go())


def test_an_order_that_is_asked_no_more_lets_everything_go() -> None:
    """Those behind are due at once."""

    async def go() -> None:
        queue = EndpointQueue("t", lambda *_: asyncio.sleep(0))
        queue.set(Endpoint(endpoint_id="t", is_ordered=True), is_open=False)
        for number in range(3):
            queue.add(due(str(number), sequence=number))
        queue.set(Endpoint(endpoint_id="t"), is_open=False)
        assert [len(queue), len(queue._heap)] == [3, 3]

    asyncio.run(go())
