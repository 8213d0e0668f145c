"""The dispatcher tells a real receiver what the ledger holds, and records every attempt."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.postbacks.dispatcher import Dispatcher
from api.postbacks.endpoints import Endpoint
from api.postbacks.public_addresses import Policy
from tests.api.conftest import browser, client_row, insert, milestone_row, utc
from tests.api.receiver import Receiver, receiving
from tests.eventually import eventually

KEY = b"k" * 24
OPEN = Policy(allow_http=True, allow_private=True)


class Clock:
    """A time that moves when told to."""

    def __init__(self) -> None:
        self.now = utc(10)

    def __call__(self) -> datetime:
        """What time it is."""
        return self.now


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def endpoint_of(
    receiver: Receiver, name: str = "tracker", path: str = "/p?txid={txid}&c={country}"
) -> Endpoint:
    return Endpoint(name, receiver.url + path, KEY, "GET", policy=OPEN)


def rows(ledger: Ledger, query: str = "") -> list[dict[str, object]]:
    return list(browser(ledger).get(f"/v1/postbacks/attempts{query}").json()["items"])


def test_each_milestone_is_told_once(empty_ledger: Ledger, chdb: Client, receiver: Receiver) -> None:
    """Two milestones, one of them inserted twice, make two requests; a second pass makes none."""
    insert(chdb, "clients", client_row("c1", "A"))
    insert(chdb, "milestones", milestone_row("m1"), milestone_row("m2", occurred_at=utc(2)))
    insert(chdb, "milestones", milestone_row("m1"))
    dispatcher = Dispatcher(empty_ledger, [endpoint_of(receiver)], now=Clock())
    assert dispatcher.dispatch(endpoint_of(receiver)) == 2
    assert dispatcher.dispatch(endpoint_of(receiver)) == 0
    assert [seen.target for seen in receiver.seen] == ["/p?txid=m1&c=CY", "/p?txid=m2&c=CY"]
    assert {row["outcome"] for row in rows(empty_ledger)} == {"delivered"}
    assert {row["http_status"] for row in rows(empty_ledger)} == {200}


def test_a_failure_is_tried_again_on_schedule(empty_ledger: Ledger, chdb: Client, receiver: Receiver) -> None:
    """500 waits 5 s, a redirect 5 min, then 204 is delivered; the id is the same in all three."""
    insert(chdb, "milestones", milestone_row("m1"))
    receiver.answers = [(500, {}, b"oops"), (302, {"location": "/x"}, b""), (204, {}, b"")]
    clock, endpoint = Clock(), endpoint_of(receiver)
    dispatcher = Dispatcher(empty_ledger, [endpoint], now=clock)
    made = []
    for wait_s in (0, 4, 2, 299, 60):
        clock.now += timedelta(seconds=wait_s)
        made.append(dispatcher.dispatch(endpoint))
    assert made == [1, 0, 1, 0, 1]
    told = [(row["attempt"], row["outcome"], row["http_status"]) for row in reversed(rows(empty_ledger))]
    assert told == [(1, "retry", 500), (2, "retry", 302), (3, "delivered", 204)]
    assert rows(empty_ledger)[2]["error"] == "HTTP 500: oops"
    assert {seen.headers["webhook-id"] for seen in receiver.seen} == {"msg_m1"}


def test_the_tenth_failure_is_the_last(empty_ledger: Ledger, chdb: Client, receiver: Receiver) -> None:
    """After ten attempts the delivery is given up and never due again."""
    insert(chdb, "milestones", milestone_row("m1"))
    receiver.answers = [(503, {}, b"")]
    clock, endpoint = Clock(), endpoint_of(receiver)
    dispatcher = Dispatcher(empty_ledger, [endpoint], now=clock)
    for _ in range(13):
        dispatcher.dispatch(endpoint)
        clock.now += timedelta(days=2)
    assert len(receiver.seen) == 10
    assert rows(empty_ledger)[0]["outcome"] == "failed"
    assert rows(empty_ledger)[0]["next_attempt_at"] is None
    assert len(rows(empty_ledger, "?outcome=retry")) == 9


def test_gone_disables_and_retry_after_waits(empty_ledger: Ledger, chdb: Client, receiver: Receiver) -> None:
    """429 with Retry-After is tried then and not before; 410 ends every delivery to the endpoint."""
    insert(chdb, "milestones", milestone_row("m1"), milestone_row("m2", occurred_at=utc(2)))
    receiver.answers = [(429, {"retry-after": "3600"}, b""), (410, {}, b"")]
    clock, endpoint = Clock(), endpoint_of(receiver)
    dispatcher = Dispatcher(empty_ledger, [endpoint], now=clock)
    assert dispatcher.dispatch(endpoint) == 2
    (waiting,) = rows(empty_ledger, "?outcome=retry")
    assert waiting["next_attempt_at"] == "2026-09-10T11:00:00Z"
    clock.now += timedelta(days=3)
    assert dispatcher.dispatch(endpoint) == 0
    assert [row["milestone_id"] for row in rows(empty_ledger, "?outcome=disabled")] == ["m2"]


def test_a_blocked_address_is_an_attempt_that_says_so(
    empty_ledger: Ledger, chdb: Client, receiver: Receiver
) -> None:
    """A name that leads inside is never dialled; the attempt records why."""
    insert(chdb, "milestones", milestone_row("m1"))
    endpoint = Endpoint("t", "https://t.example/", KEY)
    dispatcher = Dispatcher(
        empty_ledger, [endpoint], now=Clock(), resolver=lambda _h, _p: ["8.8.8.8", "10.0.0.7"]
    )
    assert dispatcher.dispatch(endpoint) == 1
    (row,) = rows(empty_ledger)
    assert (row["outcome"], row["http_status"]) == ("retry", None)
    assert row["error"] == "blocked: 10.0.0.7 is not a public address"


def test_what_is_stored_of_an_answer_is_short_and_without_secrets(
    empty_ledger: Ledger, chdb: Client, receiver: Receiver
) -> None:
    """A receiver that echoes the request puts no token of the URL into the ledger."""
    insert(chdb, "milestones", milestone_row("m1"))
    receiver.answers = [(400, {}, b"bad token s3cr3t-token \x00\n" + b"y" * 5_000)]
    endpoint = endpoint_of(receiver, path="/p?token=s3cr3t-token&txid={txid}")
    Dispatcher(empty_ledger, [endpoint], now=Clock()).dispatch(endpoint)
    (row,) = rows(empty_ledger)
    assert str(row["error"]).startswith("HTTP 400: bad token … yyy")
    assert len(str(row["error"])) == 200


def test_attempts_page(empty_ledger: Ledger, chdb: Client, receiver: Receiver) -> None:
    """The list of attempts is bounded and its pages follow one another."""
    insert(chdb, "milestones", *[milestone_row(f"m{n}") for n in range(5)])
    endpoint = endpoint_of(receiver)
    Dispatcher(empty_ledger, [endpoint], now=Clock()).dispatch(endpoint)
    http, seen, cursor = browser(empty_ledger), [], ""
    while cursor is not None:
        page = http.get(f"/v1/postbacks/attempts?endpoint=tracker&limit=2&cursor={cursor}").json()
        seen += [row["milestone_id"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["m4", "m3", "m2", "m1", "m0"]


def test_running_threads_tell_and_stop(empty_ledger: Ledger, chdb: Client, receiver: Receiver) -> None:
    """Started, it tells both endpoints; a dead one delays nobody; stopped, it sends nothing more."""
    dead = Endpoint("dead", "http://127.0.0.1:9/", KEY, "GET", policy=OPEN)
    endpoints = [dead, endpoint_of(receiver, "a"), endpoint_of(receiver, "b")]
    dispatcher = Dispatcher(empty_ledger, endpoints, poll_interval_s=0.05)
    dispatcher.start()
    insert(chdb, "milestones", milestone_row("m1"))
    eventually(lambda: len(receiver.seen) >= 2)
    dispatcher.stop()
    assert len(receiver.seen) == 2
    insert(chdb, "milestones", milestone_row("m2"))
    time.sleep(0.2)
    assert len(receiver.seen) == 2


def test_without_endpoints_nothing_runs() -> None:
    """No endpoint means no client and no thread."""

    def connect() -> Client:
        raise AssertionError("no client is needed")

    dispatcher = Dispatcher(Ledger(connect), ())
    dispatcher.start()
    dispatcher.stop()
    assert dispatcher._threads == []
