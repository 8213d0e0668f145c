"""What the push endpoint bears: a lost Kafka, too many at once, slow bodies, old keys, any bytes at all."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.push import app as push
from ingest.push import body as push_body
from ingest.push.body import MAX_ROWS, Row, to_rows
from ingest.push.idempotency import Answer, Answers
from ingest.push.problems import Refused
from ingest.push.rows import Outcome, client_events_of, deals_of, read_row
from ingest.push.senders import BridgesError, Senders
from schemas.dead_letters import DeadLetter
from schemas.topics import ACCOUNT_BOOK, CLIENT_BOOK, DEAD_LETTERS, TERMS
from tests.ingest.ingest_exports import mt4, mt5
from tests.ingest.push.push_server import CRM_TOKEN, MT5_TOKEN, push_server, senders

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PATH = "/v1/ingest/deals?dialect=ibflow"
LINES = "application/x-ndjson"
DEAL = {
    "type": "deal", "platform": "mt5", "server": "Demo-MT5", "login": 1, "deal_id": "1", "revision": "r",
    "kind": "balance", "occurred_at": "2025-06-01T00:00:00Z", "currency": "USD", "profit": "1",
}  # fmt: skip


class Cluster:
    """librdkafka's mock broker, which is gone once its producer is."""

    def __init__(self) -> None:
        self._producer: Producer | None = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        (first,) = self._producer.list_topics(timeout=10).brokers.values()
        for topic in (ACCOUNT_BOOK, CLIENT_BOOK, TERMS, DEAD_LETTERS):
            self._producer.list_topics(topic, timeout=10)
        self.address = f"{first.host}:{first.port}"

    def end(self) -> None:
        """Be gone."""
        self._producer = None


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = Cluster()
    yield found
    found.end()


QUICK = {"delivery.timeout.ms": 1_500, "log_level": 0}


def post(url: str, key: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {MT5_TOKEN}", "Content-Type": LINES}
    named = headers | ({"Idempotency-Key": key} if key else {})
    return httpx.post(f"{url}{PATH}", content=json.dumps(DEAL).encode(), headers=named, timeout=30)


def test_no_answer_is_given_before_kafka_has_it(cluster: Cluster, tmp_path: Path) -> None:
    """With Kafka gone a push is refused with 503 and its key stays free; nothing is called accepted."""
    with push_server(cluster.address, tmp_path, QUICK) as url:
        assert 200 == post(url).status_code
        cluster.end()
        for _ in range(2):  # the same key again: the failure was not remembered as an answer
            answer = post(url, "k")
            assert (503, "1") == (answer.status_code, answer.headers["Retry-After"])
            assert "same batch again" in answer.json()["detail"]
            assert "accepted" not in answer.text


def test_one_token_leaves_room_for_others(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token with too many bodies under way is told to wait, before another body is read; others are not."""
    monkeypatch.setattr(push, "MAX_REQUESTS_OF_ONE", 3)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {LINES}\r\nContent-Length: 9\r\n"
        f"Authorization: Bearer {MT5_TOKEN}\r\n\r\n"
    )
    with push_server(cluster.address, tmp_path) as url, ExitStack() as opened:
        host, port = url.removeprefix("http://").split(":")
        for _ in range(3):
            connection = opened.enter_context(socket.create_connection((host, int(port)), timeout=10))
            connection.sendall(head.encode())
        while (answer := post(url)).status_code == 200:
            pass  # until the server has seen all three heads
        assert (429, "1") == (answer.status_code, answer.headers["Retry-After"])
        crm = {"Authorization": f"Bearer {CRM_TOKEN}", "Content-Type": LINES}
        other = httpx.post(f"{url}/v1/ingest/crm", content=b"{}", headers=crm, timeout=30)
        assert 207 == other.status_code
        monkeypatch.setattr(push, "MAX_REQUESTS", 3)
        busy = httpx.post(f"{url}/v1/ingest/crm", content=b"{}", headers=crm, timeout=30)
        assert (503, "1") == (busy.status_code, busy.headers["Retry-After"])


def test_a_slow_body_is_given_up(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not come in time is refused, and its place is free again."""
    monkeypatch.setattr(push_body, "MAX_BODY_SECONDS", 0.2)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {LINES}\r\nContent-Length: 9\r\n"
        f"Authorization: Bearer {MT5_TOKEN}\r\n\r\n"
    )
    with push_server(cluster.address, tmp_path) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(head.encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 408")


def test_answers_are_forgotten_within_bounds() -> None:
    """Old, many and large answers make room; one under way stays; a failed one may begin again."""

    async def story() -> None:
        answers = Answers(max_answers=2, max_bytes=10, max_age_s=3_600)
        for number in range(3):
            answers.begin(("b", str(number)), b"d")
            answers.keep(("b", str(number)), Answer(200, b"1234"))
        assert [None, True, True] == [
            None if answers.find(("b", str(n)), b"d") is None else True for n in range(3)
        ]
        answers.begin(("b", "large"), b"d")
        answers.keep(("b", "large"), Answer(200, b"12345678"))
        assert answers.find(("b", "2"), b"d") is None
        with pytest.raises(Refused):
            answers.find(("b", "large"), b"another body")
        assert answers.find(("another", "large"), b"another body") is None
        answers.max_age_s = 0
        assert answers.find(("b", "large"), b"d") is None
        waiting = answers.begin(("b", "slow"), b"d")
        assert answers.find(("b", "slow"), b"d") is waiting
        answers.forget(("b", "slow"), Refused(503, "no"))
        assert answers.find(("b", "slow"), b"d") is None
        with pytest.raises(Refused):
            await waiting

    asyncio.run(story())


DIGEST = sha256(b"token").hexdigest()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bridges: [{name: a, server: Unknown, token_sha256: %s}]", "the terms know Demo-MT5"),
        ("bridges: [{name: a, server: Demo-MT5, token: secret-token}]", "token_sha256: Field required"),
        ("bridges: [{name: a, server: Demo-MT5, token_sha256: secret-token}]", "String should match"),
        ("crms: [{name: a, token_sha256: %s}, {name: b, token_sha256: %s}]", "token_sha256 of its own"),
        ("crms: [{name: a, token_sha256: %s}, {name: a, token_sha256: x}]", "crms.1.token_sha256"),
        ("[]x: {", "is not YAML"),
        ("owners: []", "Extra inputs"),
    ],
)
def test_a_wrong_file_of_senders_is_told(tmp_path: Path, text: str, told: str) -> None:
    """What is wrong is told with its place; what may be a token is not repeated."""
    path = tmp_path / "bridges.yaml"
    path.write_text(text.replace("%s", DIGEST), encoding="utf-8")
    with pytest.raises(BridgesError, match=told) as raised:
        Senders.read(path, {"Demo-MT5": mt5()})
    assert "secret-token" not in str(raised.value)


def test_tokens_tell_senders_apart(tmp_path: Path) -> None:
    """A token is one sender's; an empty one is nobody's."""
    known = senders(tmp_path)
    assert [("live5", "Demo-MT5"), ("office", None)] == [
        (found.name, found.profile.server if found.profile else None)
        for token in (MT5_TOKEN, CRM_TOKEN)
        if (found := known.of_token(token)) is not None
    ]
    assert [None, None] == [known.of_token(token) for token in ("", "token")]


READINGS = (
    deals_of("mt5-manager", mt5(), "b"),
    deals_of("mt5-terminal", mt5(), "b"),
    deals_of("mt4manager", mt4(), "b"),
    deals_of("mt4-cplugin", mt4(), "b"),
    deals_of("ibflow", mt5(), "b"),
    client_events_of("crm"),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_WORDS = (
    "event record type Deal Login Action Entry Reason Time TimeMsc Symbol Price Volume VolumeExt Profit"
    " Commission Storage ticket time id order login cmd volume openTime closeTime convRates client_id"
    " event_id occurred_at amount click"
)
NAMES = st.sampled_from(_WORDS.split(" "))
WORDS = VALUES | st.sampled_from(
    ["OnDealAdd", "OnDealDelete", "TRANS_ADD", "TRANS_DELETE", "registration", "deposit", "deal", "1", 0]
)


def check(outcomes: list[Outcome]) -> None:
    """Each row is events, one dead letter with a reason, or skipped with one."""
    for outcome in outcomes:
        letters = [item for item in outcome.items if isinstance(item, DeadLetter)]
        assert len(letters) in (0, len(outcome.items))
        assert all(letter.code and letter.reason for letter in letters)
        assert bool(outcome.items) != bool(outcome.skipped)


@given(st.binary(max_size=300), st.sampled_from(["application/json", LINES]))
@example(b'{"rows":[1e99999999999999999999]}', "application/json")
@example(b'{"event":"OnDealAdd","record":{"Deal":' + b"9" * 5_000 + b"}}", LINES)
@example(b'{"a":"\\ud800"}', LINES)
@example(b'{"rows":[' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"]}", "application/json")
def test_any_bytes_are_rows_or_refused(body: bytes, kind: str) -> None:
    """No body brings anything but rows or a refusal, and every row has an outcome in every dialect."""
    try:
        rows = to_rows(body, kind)
    except Refused:
        return
    assert 0 < len(rows) <= MAX_ROWS
    for reading in READINGS:
        check([read_row(row, reading, NOW) for row in rows])


@given(st.dictionaries(NAMES, WORDS | st.dictionaries(NAMES, WORDS, max_size=12), max_size=4))
def test_any_row_has_an_outcome(value: dict[str, object]) -> None:
    """A row of known names with any values is an event or a dead letter in every dialect, never a failure."""
    line = json.dumps(value, allow_nan=False, default=str) if _is_finite(value) else '{"a":1}'
    for row in to_rows(line.encode(errors="surrogatepass"), LINES):
        assert isinstance(row, Row)
        for reading in READINGS:
            check([read_row(row, reading, NOW)])


def _is_finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
