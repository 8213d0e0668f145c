"""The dispatcher on a real Kafka: nothing lost, nothing twice, and nobody waits for a sick receiver."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from api.endpoints import Own, ReplayWanted
from commission.postbacks.records import Delivery
from infra.connect.settings import prepare_topics
from infra.postbacks import dispatcher as dispatcher_module
from infra.postbacks.desk import EndpointDesk
from infra.postbacks.dispatcher import DispatcherThread, Place
from infra.postbacks.log import EndpointLog, KafkaLog, publish_deliveries
from schemas.attempts import Attempt
from schemas.kafka import client_config
from schemas.settings import OwnSettings
from schemas.topics import ATTEMPTS
from schemas.wire import decode_batch, encode
from streams.broker import log_range
from tests import services
from tests.api.receiver import Receiver, receiving
from tests.endpoint_world import ANNA, KEY, NOON, SECRET, delivery, keys, near
from tests.eventually import eventually
from tests.infra.postbacks.flaky_receiver import WRONG, Flaky, flaky

PARTITIONS = 2
FAILED = ("failing", "forgiven")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with our topics; each test has endpoints of its own."""
    with services.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        prepare_topics(OwnSettings(kafka=bootstrap, partitions=PARTITIONS), bootstrap)
        yield bootstrap


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def desk_of(kafka: str) -> EndpointDesk:
    """The desk of this broker."""
    return EndpointDesk(EndpointLog(KafkaLog(kafka)), keys, may_be_private=True)


@contextmanager
def dispatching(kafka: str, state: Path | None = None) -> Iterator[None]:
    """A dispatcher in a thread."""
    thread = DispatcherThread(Place(kafka, "test", state), desk_of(kafka))
    thread.start()
    try:
        yield
    finally:
        thread.stop()


def attempts(kafka: str, endpoint: str) -> list[Attempt]:
    """Every attempt of an endpoint on the log, by partition."""
    found: list[Attempt] = []
    consumer = Consumer({**client_config(kafka), "group.id": "test", "auto.offset.reset": "earliest"})
    try:
        for number in range(PARTITIONS):
            end = log_range(consumer, ATTEMPTS, number)[1]
            consumer.assign([TopicPartition(ATTEMPTS, number, 0)])
            read = 0
            while read < end:
                message = consumer.poll(10)
                assert message is not None
                found += [one for one in decode_batch(message.value()) if isinstance(one, Attempt)]
                read = message.offset() + 1
    finally:
        consumer.close()
    return [one for one in found if one.endpoint == endpoint]


def ids(seen: Receiver) -> Counter[str]:
    """How often each event arrived."""
    return Counter(one.headers["webhook-id"] for one in seen.seen)


def many(count: int, endpoint: str) -> list[Delivery]:
    """As many deliveries, of clients in both partitions."""
    return [delivery(endpoint=endpoint, client=f"c-{number}") for number in range(count)]


def test_what_is_due_is_sent_once(kafka: str, receiver: Receiver, tmp_path: Path) -> None:
    """Two hundred, also across a restart, which reads no delivery again; each attempt is on the log."""
    desk_of(kafka).save(near(receiver.url, id="once"), SECRET, ANNA, is_new=True)
    publish_deliveries(many(200, "once"), kafka)
    with dispatching(kafka, tmp_path / "state"):
        eventually(lambda: len(receiver.seen) >= 200)
        eventually(lambda: len(attempts(kafka, "once")) >= 200)
    with dispatching(kafka, tmp_path / "state"):
        publish_deliveries([delivery(endpoint="once", client="last")], kafka)
        eventually(lambda: len(receiver.seen) > 200)
        eventually(lambda: len(attempts(kafka, "once")) > 200)
    assert set(ids(receiver).values()) == {1}
    assert len(ids(receiver)) == 201
    assert {(one.outcome, one.http_status, one.attempt) for one in attempts(kafka, "once")} == {
        ("delivered", 200, 1)
    }
    body = json.loads(receiver.seen[0].body)
    assert (body["type"], body["data"]["payout"], body["data"]["click_id"]) == (
        "cpa.qualified", "300", "click-7",
    )  # fmt: skip


def test_an_ibs_own_is_changed_and_sends_again(kafka: str, receiver: Receiver, tmp_path: Path) -> None:
    """What was due goes to the new address under the same ids, and names the client to neither."""
    due = [delivery(endpoint="own-x", client=f"c-{number}") for number in range(2)]
    desk = EndpointDesk(
        EndpointLog(KafkaLog(kafka)),
        keys,
        may_be_private=True,
        stored=lambda *_: [encode([one])[0].decode() for one in due],
        publish=lambda again: publish_deliveries(again, kafka),
    )
    desk.save(near(receiver.url, id="own-x"), "", ANNA, is_new=True, own=Own("north", 0))
    publish_deliveries(due, kafka)
    with dispatching(kafka, tmp_path / "state"):
        eventually(lambda: len(attempts(kafka, "own-x")) == 2)
    with receiving() as moved:
        desk.save(near(moved.url, id="own-x", trades="daily"), "", ANNA, is_new=False)
        assert desk.replay("own-x", ReplayWanted("", NOON, NOON, most=2), ANNA) == 2
        with dispatching(kafka, tmp_path / "state"):
            eventually(lambda: len(attempts(kafka, "own-x")) == 4)
    assert ids(moved) == ids(receiver)
    assert len(receiver.seen) == 2
    bodies = [json.loads(one.body)["data"] for one in moved.seen]
    assert all(one["client_ref"] and "client_id" not in one for one in bodies)


def test_a_sick_endpoint_delays_no_other(kafka: str, receiver: Receiver) -> None:
    """Nobody listens at one, another never answers: the healthy one has everything while they fail."""
    desk = desk_of(kafka)
    desk.save(near("http://127.0.0.1:9/", id="dead"), SECRET, ANNA, is_new=True)
    with receiving() as hanging:
        hanging.delay_s = 3.0
        desk.save(near(hanging.url, id="slow", concurrency=2), SECRET, ANNA, is_new=True)
        desk.save(near(receiver.url, id="well"), SECRET, ANNA, is_new=True)
        for sick in ("dead", "slow"):
            publish_deliveries(many(50, sick), kafka)
        with dispatching(kafka):
            eventually(lambda: attempts(kafka, "dead"))
            started = time.monotonic()
            publish_deliveries(many(50, "well"), kafka)
            eventually(lambda: len(receiver.seen) >= 50)
            assert time.monotonic() - started < 10.0  # behind the 50 of the slow one it would be 75 s
        # ten failures in a row, and with those under way at the time the breaker leaves it alone
        dead = attempts(kafka, "dead")
        assert 10 <= len(dead) < 30
        assert {one.outcome for one in dead} == {"retry"}


def test_a_paused_endpoint_keeps_what_comes(kafka: str, receiver: Receiver) -> None:
    """Nothing is sent until it is resumed; then all of it is."""
    desk = desk_of(kafka)
    desk.save(near(receiver.url, id="paused"), SECRET, ANNA, is_new=True)
    desk.save(near(receiver.url, id="other"), SECRET, ANNA, is_new=True)
    desk.set_state("paused", "paused", "", ANNA)
    with dispatching(kafka):
        publish_deliveries(many(20, "paused"), kafka)
        publish_deliveries([delivery(endpoint="other", client="o")], kafka)
        eventually(lambda: receiver.seen)
        assert set(ids(receiver)) == {"msg_mo-1"}
        desk.set_state("paused", "active", "", ANNA)
        eventually(lambda: len(receiver.seen) >= 21)


def test_gone_disables_and_resuming_sends_what_was_refused(kafka: str, receiver: Receiver) -> None:
    """410 is the receiver's last word, until a person says otherwise."""
    desk = desk_of(kafka)
    receiver.answers = [(410, {}, b""), (200, {}, b"")]
    desk.save(near(receiver.url, id="gone"), SECRET, ANNA, is_new=True)
    publish_deliveries([delivery(endpoint="gone")], kafka)
    with dispatching(kafka):
        eventually(lambda: desk.listed()["gone"].state == "disabled")
        assert desk.listed()["gone"].reason == "it answered 410 Gone"
        assert len(receiver.seen) == 1
        desk.set_state("gone", "active", "they are back", ANNA)
        eventually(lambda: len(receiver.seen) >= 2)
        eventually(lambda: [one.outcome for one in attempts(kafka, "gone")] == ["disabled", "delivered"])


def test_an_endpoint_that_only_fails_is_disabled(
    kafka: str, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since its first failure, also through a restart; one that takes something in between begins anew."""
    desk = desk_of(kafka)
    receiver.answers = [(500, {}, b"")]
    desk.save(near(receiver.url, id="failing"), SECRET, ANNA, is_new=True)
    with receiving() as now_and_then:
        now_and_then.answers = [(500, {}, b""), (200, {}, b""), (500, {}, b"")]
        desk.save(near(now_and_then.url, id="forgiven", concurrency=1), SECRET, ANNA, is_new=True)
        publish_deliveries([delivery(1, "failing"), delivery(1, "forgiven")], kafka)
        with dispatching(kafka, tmp_path / "state"):
            (first,) = eventually(lambda: attempts(kafka, "failing"))
            (other,) = eventually(lambda: attempts(kafka, "forgiven"))
            publish_deliveries([delivery(2, "forgiven")], kafka)
            eventually(lambda: len(attempts(kafka, "forgiven")) >= 2)
        assert {one.state for one in desk.listed().values() if one.endpoint.endpoint_id in FAILED} == {
            "active"
        }
        days = datetime.now(UTC) - max(first.attempted_at, other.attempted_at)
        monkeypatch.setattr(dispatcher_module, "DISABLE_AFTER", days)
        publish_deliveries([delivery(3, "failing"), delivery(3, "forgiven")], kafka)
        with dispatching(kafka, tmp_path / "state"):
            eventually(lambda: desk.listed()["failing"].state == "disabled")
            eventually(lambda: len(attempts(kafka, "forgiven")) >= 3)
    since = f"{first.attempted_at:%Y-%m-%d %H:%M}"
    assert desk.listed()["failing"].reason == f"it has only failed since {since} UTC"
    assert desk.listed()["forgiven"].state == "active"


def test_a_removed_endpoint_gives_up_what_waits(kafka: str, receiver: Receiver) -> None:
    """It says so: an event that is not sent is an attempt that failed."""
    desk = desk_of(kafka)
    desk.save(near(receiver.url, id="removed"), SECRET, ANNA, is_new=True)
    desk.set_state("removed", "removed", "", ANNA)
    publish_deliveries([delivery(endpoint="removed")], kafka)
    with dispatching(kafka):
        (attempt,) = eventually(lambda: attempts(kafka, "removed"))
    assert (attempt.outcome, attempt.error) == ("failed", "the endpoint was removed: not sent")
    assert receiver.seen == []


def test_a_clients_events_keep_their_order_where_that_is_asked(kafka: str, receiver: Receiver) -> None:
    """The first is refused once; the second and third wait for it, and another client's do not."""
    receiver.answers = [(500, {}, b""), (200, {}, b"")]
    desk_of(kafka).save(near(receiver.url, id="ordered", ordered=True), SECRET, ANNA, is_new=True)
    publish_deliveries([delivery(number, "ordered") for number in (1, 2, 3)], kafka)
    with dispatching(kafka):
        eventually(lambda: receiver.seen)
        publish_deliveries([delivery(1, "ordered", "c-2")], kafka)
        eventually(lambda: len(receiver.seen) >= 5)
    order = [one.headers["webhook-id"] for one in receiver.seen]
    assert order == ["msg_mc-1-1", "msg_mc-2-1", "msg_mc-1-1", "msg_mc-1-2", "msg_mc-1-3"]


def test_a_killed_dispatcher_loses_nothing(kafka: str, tmp_path: Path) -> None:
    """kill -9 three times while a receiver fails every third request: each event arrives; what arrives twice
    has one id."""
    settings = {
        **os.environ, "IBFLOW_DATA_DIR": str(tmp_path / "data"), "IBFLOW_KAFKA": kafka,
        "IBFLOW_PARTITIONS": str(PARTITIONS), "IBFLOW_POSTBACK_KEYS": KEY,
    }  # fmt: skip
    command = [sys.executable, "-m", "infra.cli", "dispatch"]
    with receiving() as receiver:
        receiver.fails_each = 3
        desk_of(kafka).save(near(receiver.url, id="killed", concurrency=4), SECRET, ANNA, is_new=True)
        publish_deliveries(many(600, "killed"), kafka)
        for kill in range(1, 4):
            process = subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL)  # ours
            eventually(lambda kill=kill: len(receiver.taken) >= 120 * kill, 60)
            process.send_signal(signal.SIGKILL)
            process.wait()
        process = subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL)  # ours
        try:
            eventually(lambda: len(set(receiver.taken)) >= 600, 90)
        finally:
            process.terminate()
            process.wait(30)
        assert set(receiver.taken) == {f"msg_mc-{number}-1" for number in range(600)}
        twice = len(receiver.taken) - 600
        assert twice <= 3 * 500  # what one group of results holds, at each kill


def test_a_receiver_that_does_everything_wrong_gets_everything_once(kafka: str, receiver: Receiver) -> None:
    """It fails, hangs, resets, redirects, says no with 200, drips, lies about lengths and talks garbage: 600
    events arrive, one that it took is not sent again, and a healthy endpoint beside it waits for nothing."""
    desk, count = desk_of(kafka), 600
    with flaky(Flaky(seed=7)) as sick:
        desk.save(
            near(sick.url, id="sick", timeout=3, concurrency=32, must_not_match="success=false"),
            SECRET,
            ANNA,
            is_new=True,
        )
        desk.save(near(receiver.url, id="beside"), SECRET, ANNA, is_new=True)
        publish_deliveries(many(count, "sick"), kafka)
        with dispatching(kafka):
            eventually(lambda: sum(sick.asked.values()) > 100, 60)
            started = time.monotonic()
            publish_deliveries(many(20, "beside"), kafka)
            eventually(lambda: len(receiver.seen) >= 20)
            assert time.monotonic() - started < 5.0
            eventually(lambda: len(sick.taken) >= count, 120, why=lambda: sick.did)
    assert set(sick.taken) == {f"msg_mc-{number}-1" for number in range(count)}
    assert [name for name, times in sick.taken.items() if times > 1] == []
    assert set(WRONG) <= set(sick.did)  # each of them happened
