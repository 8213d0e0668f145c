"""Pushing deals and CRM events: real requests over sockets, real Kafka behind the answers."""

import gzip
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from commission.events import ClientRegistered, Deal
from infra.connect.topics import ensure_topics
from ingest.mt5 import deals_csv as mt5_deals_csv
from ingest.push.body import MAX_BODY_BYTES, MAX_ROW_BYTES, MAX_ROWS
from schemas.topics import ACCOUNT_BOOK, CLIENT_BOOK, TERMS, partition_of
from schemas.wire import encode
from tests import services
from tests.ingest.ingest_exports import mt5, row
from tests.ingest.push.push_server import CRM_TOKEN, MT4_TOKEN, MT5_TOKEN, Log, push_server

LINES = "application/x-ndjson"
JUNE = "2025-06-01T00:00:00Z"
AT_MS = 1_748_858_400_000
"""2025-06-02 10:00:00 on the server's clock, which is UTC in these tests."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        ensure_topics(bootstrap, 4, 1)
        yield bootstrap


@pytest.fixture(scope="module")
def url(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with push_server(kafka, tmp_path_factory.mktemp("push")) as address:
        yield address


@pytest.fixture
def log(kafka: str) -> Iterator[Log]:
    found = Log(kafka)
    yield found
    found.close()


def manager_deal(deal: int, login: int = 5001, **more: Any) -> dict[str, Any]:
    """A deal as the Web API writes it: every number a text."""
    usual = {
        "Deal": str(deal), "Login": str(login), "Order": "9", "Action": "0", "Entry": "0", "Reason": "0",
        "ContractSize": "100000.00000000", "Time": str(AT_MS // 1000), "TimeMsc": str(AT_MS),
        "Symbol": "EURUSD", "Price": "1.10000", "VolumeExt": "100000000", "Volume": "10000",
        "Profit": "0.00", "Storage": "0.00", "Commission": "-3.50", "Fee": "0.00", "RateProfit": "0",
        "PositionID": "7001", "Comment": "", "ModifyFlags": "0",
    }  # fmt: skip
    return usual | more


def added(deal: int, login: int = 5001, **more: Any) -> dict[str, Any]:
    return {"event": "OnDealAdd", "record": manager_deal(deal, login, **more)}


def lines(*rows: object) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in rows)


def post(
    url: str,
    body: bytes,
    *,
    path: str = "/v1/ingest/deals?dialect=mt5-manager",
    token: str = MT5_TOKEN,
    content_type: str = LINES,
    **headers: str,
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        named["Authorization"] = f"Bearer {token}"
    sent = {"Content-Type": content_type, **named}
    return httpx.post(f"{url}{path}", content=body, headers=sent, timeout=30)


def assert_problem(answer: httpx.Response, status: int, *words: str) -> None:
    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]
    problem = answer.json()
    assert {"type", "title", "status", "code", "detail"} == problem.keys()
    for word in words:
        assert word in problem["detail"]


def test_a_pushed_deal_is_the_deal_of_the_export(url: str, log: Log, tmp_path: Path) -> None:
    """A deal pushed by a bridge has the id, revision and amounts of the same row in the Manager's CSV."""
    answer = post(url, lines(added(1001, Profit="12.30", Entry="1")))
    assert (200, 1) == (answer.status_code, answer.json()["accepted"])
    (pushed,) = log.records(ACCOUNT_BOOK)

    export = tmp_path / "deals.csv"
    header = "Deal,ID,Order,Position,Login,Name,Time,Type,Entry,Symbol,Volume,Price,S / L,T / P,Reason,"
    header += "Commission,Fee,Swap,Profit,Dealer,Currency,Comment"
    cells = row(1001, Entry="out", Profit="12.3", Commission="-3.5", Price="1.1")
    export.write_text(f"{header}\n{cells}\n", encoding="utf-8")
    (read,) = mt5_deals_csv.read(export, mt5(), datetime(2025, 7, 1, tzinfo=UTC))
    assert isinstance(read, Deal)
    assert (read.deal_key, read.revision) == (pushed.deal_key, pushed.revision)
    assert (Decimal("12.3"), Decimal("-3.5"), 10**8) == (pushed.profit, pushed.commission, pushed.volume_e8)
    assert "push mt5-manager live5" == pushed.source


def test_records_arrive_in_their_partitions_in_order(url: str, log: Log) -> None:
    """Every deal of a batch is on the partition of its account, an account's deals in their order."""
    sent = [(number, 5000 + number % 7) for number in range(1, 501)]
    answer = post(url, lines(*(added(number, login) for number, login in sent)))
    assert (200, 500) == (answer.status_code, answer.json()["accepted"])
    arrived: dict[int, list[int]] = {}
    for partition, value in log.messages(ACCOUNT_BOOK):
        for line in value.split(b"\n"):
            record = json.loads(line)
            assert partition_of(f"Demo-MT5/{record['login']}", 4) == partition
            arrived.setdefault(record["login"], []).append(int(record["deal_id"]))
    for login in range(5000, 5007):
        assert [number for number, of in sent if of == login] == arrived[login]


def test_each_row_has_its_result(url: str, log: Log) -> None:
    """Good rows are taken beside bad ones: 207, a result for each row, the bad one a dead letter."""
    broken = b'{"event":"OnDealAdd","record":{"Deal":"3","Comment":"C:\\x"}}'
    rows = [lines(added(2001)), broken, lines(added(2002, Commission="1,5")), lines(added(2003))]
    answer = post(url, b"\n".join(rows))
    assert 207 == answer.status_code
    told = answer.json()
    assert (4, 2, 2) == (told["rows"], told["accepted"], told["dead_letters"])
    assert ["accepted", "dead_letter", "dead_letter", "accepted"] == [r["status"] for r in told["results"]]
    assert ["no_json", "bad_amount"] == [r["code"] for r in told["results"] if "code" in r]
    assert {"2001", "2003"} == {deal.deal_id for deal in log.records(ACCOUNT_BOOK)}
    letters = log.letters()
    assert [r["dead_letter_id"] for r in told["results"][1:3]] == [let.dead_letter_id for let in letters]
    assert broken == letters[0].payload
    kept = json.loads(letters[1].payload)["record"]
    assert ("2002", "1,5") == (kept["Deal"], kept["Commission"])
    assert {("push mt5-manager live5", "Demo-MT5")} == {(letter.source, letter.server) for letter in letters}


def test_updates_and_deletions_are_revisions(url: str, log: Log) -> None:
    """An update is another revision of the deal; a deletion is its tombstone."""
    answer = post(
        url,
        lines(
            added(3001),
            {"event": "OnDealUpdate", "record": manager_deal(3001, Price="1.20000")},
            {"event": "OnDealDelete", "record": manager_deal(3001, Price="1.20000")},
        ),
    )
    assert (200, [1, 1, 1]) == (answer.status_code, [r["events"] for r in answer.json()["results"]])
    first, edited, ended = log.records(ACCOUNT_BOOK)
    assert ["trade", "trade", "deleted"] == [deal.kind for deal in (first, edited, ended)]
    assert 3 == len({deal.revision for deal in (first, edited, ended)})


def test_a_cleaned_login_is_told_to_a_person(url: str, log: Log) -> None:
    """OnDealClean names no deals, so it becomes a dead letter that says to reconcile."""
    answer = post(url, lines({"event": "OnDealClean", "login": 5001}))
    (result,) = answer.json()["results"]
    assert (207, "deals_cleaned") == (answer.status_code, result["code"])
    assert "ibflow reconcile --server Demo-MT5" in result["reason"]
    assert [result["dead_letter_id"]] == [letter.dead_letter_id for letter in log.letters()]


def test_mt4_transactions(url: str, log: Log) -> None:
    """An MT4 ticket opens, closes and is erased; a pending order is skipped."""
    ticket = {
        "id": 801, "login": 77, "symbol": "EURUSD", "digits": 5, "cmd": 0, "volume": 50,
        "openTime": 1_748_858_400, "openPrice": 1.1, "closeTime": None, "closePrice": 1.1, "sl": 0, "tp": 0,
        "reason": 0, "convRates": [1, 0], "commission": -2.5, "swap": 0, "profit": 0, "taxes": 0,
        "magic": 0, "comment": "", "state": 0, "activation": 0,
    }  # fmt: skip
    closed = ticket | {"closeTime": 1_748_862_000, "closePrice": 1.2, "profit": 5000.25, "state": 3}
    answer = post(
        url,
        lines(
            {"event": "TRANS_ADD", "record": ticket},
            {"event": "TRANS_ADD", "record": ticket | {"id": 802, "cmd": 2}},
            {"event": "TRANS_UPDATE", "record": closed},
            {"event": "TRANS_DELETE", "record": ticket | {"id": 803}},
        ),
        path="/v1/ingest/deals?dialect=mt4manager",
        token=MT4_TOKEN,
    )
    assert 200 == answer.status_code, answer.text
    assert ["accepted", "skipped", "accepted", "accepted"] == [r["status"] for r in answer.json()["results"]]
    deals = [(deal.deal_id, deal.kind, deal.profit) for deal in log.records(ACCOUNT_BOOK)]
    assert [
        ("801:open", "trade", 0), ("801:open", "trade", 0), ("801:close", "trade", Decimal("5000.25")),
        ("803:open", "deleted", 0), ("803:close", "deleted", 0),
    ] == deals  # fmt: skip


def own_deal(**more: Any) -> Deal:
    usual: dict[str, Any] = {
        "platform": "mt5", "server": "Demo-MT5", "login": 5001, "deal_id": "4001", "revision": "mine",
        "kind": "balance", "currency": "USD", "occurred_at": datetime(2025, 6, 2, 10, tzinfo=UTC),
        "profit": Decimal("100.10"),
    }  # fmt: skip
    return Deal(**(usual | more))


def test_normalised_deals_are_taken_for_their_own_server_only(url: str, log: Log) -> None:
    """The wire's own JSON is taken; another server's deals are refused, and revisions are ours."""
    answer = post(
        url,
        b"\n".join(encode([own_deal(), own_deal(server="Other"), own_deal(revision="another")])),
        path="/v1/ingest/deals?dialect=ibflow",
    )
    assert ["accepted", "dead_letter", "accepted"] == [r["status"] for r in answer.json()["results"]]
    assert "wrong_server" == answer.json()["results"][1]["code"]
    one, other = log.records(ACCOUNT_BOOK)
    assert one == other
    assert "mine" != one.revision


def test_no_trade_has_a_price_of_0(url: str) -> None:
    """Not from a platform's record and not from one who normalises himself."""
    trade = {
        "kind": "trade",
        "side": "buy",
        "entry": "in",
        "symbol": "EURUSD",
        "volume_e8": 1,
        "price": Decimal(0),
    }
    answer = post(url, encode([own_deal(**trade)])[0], path="/v1/ingest/deals?dialect=ibflow")
    assert ["bad_price"] == [result["code"] for result in answer.json()["results"]]
    answer = post(url, lines(added(5001, Price="0.00000")))
    assert ["bad_price"] == [result["code"] for result in answer.json()["results"]]


def test_json_is_taken_as_well_as_lines(url: str, log: Log) -> None:
    """`{"rows": […]}` says the same as lines, and amounts stay exact."""
    amount = b"0.10000001"
    body = b'{"rows":[' + lines(added(5001)).replace(b'"-3.50"', amount) + b"]}"
    assert 200 == post(url, body, content_type="application/json").status_code
    (deal,) = log.records(ACCOUNT_BOOK)
    assert Decimal("0.10000001") == deal.commission


def test_a_repeated_key_repeats_the_answer(url: str, log: Log) -> None:
    """The same key and body are answered alike and sent once; another body under the key is refused."""
    body = lines(added(6001), {"event": "what"})
    first = post(url, body, Idempotency_Key="k-1")
    again = post(url, body, Idempotency_Key="k-1")
    assert (207, first.content) == (again.status_code, again.content)
    assert 1 == len(log.records(ACCOUNT_BOOK))
    assert_problem(post(url, lines(added(6002)), Idempotency_Key="k-1"), 409, "key of its own")
    assert [] == log.records(ACCOUNT_BOOK)


def test_requests_at_once_share_messages(url: str, log: Log) -> None:
    """Twelve requests of one account sent together are acknowledged, and need fewer messages than that."""
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: post(url, lines(added(7000 + n))).status_code, range(12)))
    assert [200] * 12 == answers
    values = [value for _, value in log.messages(ACCOUNT_BOOK)]
    assert 12 == sum(value.count(b"\n") + 1 for value in values)
    assert len(values) < 12


def test_crm_events_go_by_client(url: str, log: Log) -> None:
    """A CRM's registration lands in the client book, an account link in the account book, a deal nowhere."""
    rows = [
        {"type": "client_registered", "event_id": "e1", "client_id": "c1", "occurred_at": JUNE},
        {"type": "account_linked", "event_id": "e2", "client_id": "c1", "server": "Demo-MT5", "login": 5001,
         "occurred_at": JUNE},
        {"type": "client_registered", "event_id": "e3", "client_id": "c2", "occurred_at": JUNE,
         "full_name": "Ada Example"},
        json.loads(encode([own_deal()])[0]),
    ]  # fmt: skip
    answer = post(url, lines(*rows), path="/v1/ingest/crm", token=CRM_TOKEN)
    assert ["accepted", "accepted", "dead_letter", "dead_letter"] == [
        r["status"] for r in answer.json()["results"]
    ]
    (client,) = log.records(CLIENT_BOOK)
    expected = ClientRegistered(
        event_id="e1", client_id="c1", occurred_at=datetime(2025, 6, 1, tzinfo=UTC), source="push crm office"
    )
    assert expected == client
    (link,) = log.records(ACCOUNT_BOOK)
    assert ("account_linked", 5001) == (link.type, link.login)
    assert "Ada" not in answer.text
    assert not any(b"Ada" in letter.payload for letter in log.letters())


def test_a_crms_own_words_become_events(url: str, log: Log) -> None:
    """Records in the words of the CRM formats are taken too; what is told of an IB goes to the terms."""
    rows = [
        {"event": "registration", "event_id": "r1", "client_id": "c7", "occurred_at": JUNE, "ib_id": "ib-1"},
        {"event": "deposit", "event_id": "d1", "client_id": "c7", "occurred_at": JUNE, "deposit_id": "p1",
         "amount": 250.50, "currency": "USD"},
        {"event": "ib_status", "event_id": "s1", "ib_id": "ib-1", "occurred_at": JUNE, "status": "suspended"},
        {"event": "deposit", "event_id": "d2", "client_id": "c7", "occurred_at": JUNE, "deposit_id": "p2"},
    ]  # fmt: skip
    answer = post(url, lines(*rows), path="/v1/ingest/crm", token=CRM_TOKEN)
    assert ["accepted", "accepted", "accepted", "dead_letter"] == [
        r["status"] for r in answer.json()["results"]
    ]
    registered, deposited = log.records(CLIENT_BOOK)
    assert ("ib-1", Decimal("250.50")) == (registered.ib_id, deposited.amount)
    (change,) = log.records(TERMS)
    assert ("ib-1", "suspended") == (change.ib_id, change.statuses[0].status)


def test_rows_named_twice_are_refused(url: str, log: Log) -> None:
    """Of two arrays one would be lost, and the answer would say that all were taken."""
    one, other = (json.dumps([added(number)]) for number in (4001, 4002))
    body = f'{{"rows":{one},"rows":{other}}}'.encode()
    assert_problem(post(url, body, content_type="application/json"), 400, "rows", "once")
    assert [] == log.records(ACCOUNT_BOOK)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("client_id", "c 1"),
        ("client_id", "<b>c1</b>"),
        ("client_id", "c1\x00"),
        ("client_id", "c\u202e1"),
        ("client_id", "c1\n"),
        ("ib_id", "../ib"),
        ("event_id", "e|1"),
        ("identity", "x\ny"),
        ("country", "N" * 1001),
    ],
)
def test_an_event_as_an_event_has_the_ids_of_every_door(url: str, log: Log, field: str, text: str) -> None:
    """What a CRM's own words may not hold, its wire events may not: a dead letter, and nothing is booked."""
    event = {"type": "client_registered", "event_id": "e1", "client_id": "c1", "ib_id": "north",
             "occurred_at": "2026-09-01T10:00:00Z"}  # fmt: skip
    answer = post(url, lines(event | {field: text}), path="/v1/ingest/crm", token=CRM_TOKEN)
    (result,) = answer.json()["results"]
    assert (207, "dead_letter") == (answer.status_code, result["status"])
    assert result["code"] in ("bad_id", "bad_text")
    good = post(url, lines(event), path="/v1/ingest/crm", token=CRM_TOKEN)
    assert "accepted" == good.json()["results"][0]["status"]


@pytest.mark.parametrize("country", ["us", "USA", "840", "Norway", "XX"])
def test_an_event_as_an_event_names_its_country_by_its_code(url: str, country: str) -> None:
    """Spelled otherwise it would be none of those that a plan names or excludes: nothing is booked."""
    event = {"type": "client_registered", "event_id": "e2", "client_id": "c2", "ib_id": "north",
             "occurred_at": "2026-09-01T10:00:00Z"}  # fmt: skip
    answer = post(url, lines(event | {"country": country}), path="/v1/ingest/crm", token=CRM_TOKEN)
    (result,) = answer.json()["results"]
    assert (result["status"], result["code"]) == ("dead_letter", "bad_country")
    good = post(url, lines(event | {"country": "NO"}), path="/v1/ingest/crm", token=CRM_TOKEN)
    assert "accepted" == good.json()["results"][0]["status"]


def test_what_a_bridge_adds_to_a_bad_record_is_not_kept(url: str, log: Log) -> None:
    """A dead letter holds the platform's fields only, for others may be a client's name."""
    bad = {"event": "OnDealAdd", "record": manager_deal(8001, Symbol="", Name="Ada Example")}
    answer = post(url, lines(bad))
    (letter,) = log.letters()
    assert "bad_symbol" == letter.code
    kept = json.loads(letter.payload)
    assert "Name" not in kept["record"]
    assert "8001" == kept["record"]["Deal"]
    assert "Ada" not in answer.text


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        ("", "/v1/ingest/deals?dialect=ibflow", 401),
        ("wrong", "/v1/ingest/deals?dialect=ibflow", 401),
        (CRM_TOKEN, "/v1/ingest/deals?dialect=ibflow", 403),
        (MT5_TOKEN, "/v1/ingest/crm", 403),
        (MT5_TOKEN, "/v1/ingest/deals?dialect=mt4manager", 422),
        (MT5_TOKEN, "/v1/ingest/deals", 422),
        (MT5_TOKEN, "/v1/ingest/other", 404),
    ],
)
def test_who_may_not_is_told(url: str, log: Log, token: str, path: str, status: int) -> None:
    """Nobody's token, another kind's token, another platform's dialect: refused, and nothing is kept."""
    answer = post(url, lines(added(1)), token=token, path=path)
    assert_problem(answer, status)
    assert "token-of" not in answer.text
    assert [] == log.records(ACCOUNT_BOOK)


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "status"),
    [
        (b"", LINES, "identity", 422),
        (b"{}\n" * (MAX_ROWS + 1), LINES, "identity", 422),
        (b" " * (MAX_BODY_BYTES + 1), LINES, "identity", 413),
        (gzip.compress(b" " * (MAX_BODY_BYTES + 1), mtime=0), LINES, "gzip", 413),
        (gzip.compress(b"{}", mtime=0) + b"more", LINES, "gzip", 400),
        (gzip.compress(b"{}" * 99, mtime=0)[:-9], LINES, "gzip", 400),
        (b"no gzip", LINES, "gzip", 400),
        (b"{}", LINES, "br", 415),
        (b"{}", "text/plain", "identity", 415),
        (b"[" * 100_000, "application/json", "identity", 400),
        (b'{"rows":[NaN]}', "application/json", "identity", 400),
        (b'{"rows":[1' + b"0" * 5_000 + b"]}", "application/json", "identity", 400),
        (b'{"rows":[],"more":1}', "application/json", "identity", 400),
        (b"\xff", "application/json", "identity", 400),
    ],
)
def test_a_body_out_of_bounds_is_refused(
    url: str, body: bytes, kind: str, encoding: str, status: int
) -> None:
    """Too large, too many, packed wrongly, no JSON: a problem that says what to do, and the server lives."""
    assert_problem(post(url, body, content_type=kind, Content_Encoding=encoding), status)
    assert 200 == post(url, lines(added(9001))).status_code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"[]", "no_object"),
        (b"[" * 9_000, "no_json"),
        (b'{"event":"OnDealAdd","record":{"Deal":1,"Deal":2}}', "repeated_field"),
        (b'{"a":{"b":{"c":{"d":1}}}}', "too_deep"),
        (b'{"a":"' + b"x" * MAX_ROW_BYTES + b'"}', "too_long"),
        (b'{"event":"OnDealAdd"}', "no_record"),
        (b'{"event":["OnDealAdd"],"record":{}}', "unknown_event"),
        (b'{"event":"OnDealAdd","record":{"Deal":Infinity}}', "no_json"),
    ],
)
def test_a_bad_line_is_one_dead_letter(url: str, log: Log, line: bytes, code: str) -> None:
    """Damage stays in its line."""
    answer = post(url, line + b"\n" + lines(added(9101)))
    assert ["dead_letter", "accepted"] == [r["status"] for r in answer.json()["results"]]
    assert [code] == [letter.code for letter in log.letters()]


def test_a_zip_bomb_is_refused_early(url: str) -> None:
    """200 MB of zeros in one is refused once it passes the bound, long before it is unpacked."""
    bomb = gzip.compress(b"\0" * 200_000_000, 1)
    assert len(bomb) < MAX_BODY_BYTES
    assert_problem(post(url, bomb, Content_Encoding="gzip"), 413)


def test_a_length_over_the_bound_is_refused_unread(url: str) -> None:
    """A body that announces too much is refused before its first byte."""
    host, port = url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/ingest/deals?dialect=ibflow HTTP/1.1\r\nHost: {host}\r\nContent-Type: {LINES}\r\n"
        f"Authorization: Bearer {MT5_TOKEN}\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")
