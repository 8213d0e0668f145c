"""The routes of payouts over a desk in memory, and what the ledger tells of what is payable."""

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.operators import Operator, Operators
from api.paging import encode_cursor
from api.queries.payouts import answers, payable
from commission.payouts.commands import PayoutAnswer
from commission.payouts.tax import Tax
from schemas.payouts import BatchRequest
from schemas.settings import Settings
from schemas.wire import encode
from streams.table_rows import Rows
from tests.api.conftest import Browser, insert, statement_row
from tests.build import at, ended, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.payout_world import World

TOKENS = {"ann": "of-ann", "ben": "of-ben", "vic": "of-vic"}


class Http:
    """The application as one of the people asks it."""

    def __init__(self, app: Any) -> None:
        self._browser = Browser(app)

    def get(self, path: str) -> Any:
        """As ann; what is answered."""
        answer = self._browser.get(f"/v1/payouts{path}", headers={"Authorization": "Bearer of-ann"})
        return answer.json()

    def post(self, path: str, body: dict[str, Any], who: str = "ann", code: int = 200, key: str = "") -> Any:
        """As somebody; what is answered, with the status that is expected."""
        headers = {"Authorization": f"Bearer {TOKENS[who]}"} | ({"Idempotency-Key": key} if key else {})
        answer = self._browser.post(f"/v1/payouts{path}", json=body, headers=headers)
        assert answer.status_code == code, answer.text
        return answer.json()


@pytest.fixture
def app(ledger: Ledger, tmp_path: Path) -> Any:
    """An application whose desk pays a.a 12.34 and b.b 9 of September."""
    people = "\n".join(
        f"  - {{name: {name}, role: {'viewer' if name == 'vic' else 'operator'}, "
        f"token_sha256: {sha256(token.encode()).hexdigest()}}}"
        for name, token in TOKENS.items()
    )
    path = tmp_path / "operators.yaml"
    path.write_text(f"operators:\n{people}\n", encoding="utf-8")
    world = World(*MONTHS, partner("a.a USD"), partner("b.b USD"))
    for ib_id, amount in (("a.a", "12.34"), ("b.b", "9")):
        row = earned(amount, ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)
        world.feed([row])
    world.feed([ended("2026-09")])
    settings = Settings(_env_file=None, operators_file=path)
    return create_app(ledger, settings, desks=Desks(payouts=world.desk()))


WANTED = {"period": "2026-09", "currency": "USD"}


def test_an_ib_sees_its_own_invoices(ledger: Ledger) -> None:
    """A and B below it are billed; whoever sees B sees B's number alone, and may credit nobody."""
    world = World(*MONTHS, partner("A USD"), partner("B USD"))
    for ib_id in ("A", "B"):
        world.feed([earned("5", ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)])
        world.pay_in(ib_id, "", Tax(kind="none"))
    world.feed([ended("2026-09")])
    ann, ben = (Operator(name, is_person=True) for name in ("ann", "ben"))
    batch_id = world.desk().create(BatchRequest(**WANTED), ann, "").batch_id
    world.desk().submit(batch_id, ann)
    world.desk().approve(batch_id, ben)
    world.desk().export(batch_id, "csv", "", ben)
    al = Operator("al", is_person=True, may_write=False, ibs=("B",))
    operators = Operators("", [(sha256(f"of-{one.name}".encode()).hexdigest(), one) for one in (al, ann)])
    app = create_app(
        ledger, Settings(_env_file=None), operators=operators, desks=Desks(payout_log=world.known)
    )
    found = {}
    for who in ("al", "ann"):
        answer = (
            Browser(app).get("/v1/invoices?limit=1", headers={"Authorization": f"Bearer of-{who}"}).json()
        )
        found[who] = ([(one["ib_id"], one["number"]) for one in answer["items"]], bool(answer["next_cursor"]))
    assert found == {
        "al": ([("B", "SB-2026-000002")], False), "ann": ([("A", "SB-2026-000001")], True),
    }  # fmt: skip
    asked = Browser(app).post(
        f"/v1/payouts/{batch_id}/credit", json={}, headers={"Authorization": "Bearer of-al"}
    )
    assert asked.status_code == 403


def test_a_batch_goes_its_way_by_requests(app: Any) -> None:
    """Made, approved by another, exported, and its results told; the viewer decides nothing."""
    http = Http(app)
    made = http.post("", WANTED, code=201, key="k")
    assert made == http.post("", WANTED, code=201, key="k")
    assert (made["total"], made["lines"], made["state"]) == ("21.34", {"included": 2}, "created")
    batch = f"/{made['batch_id']}"
    assert http.post(f"{batch}/exclude", {"ibs": ["b.b"], "reason": "disputed"})["total"] == "12.34"
    http.post(f"{batch}/submit", {})
    assert "another person approves it" in http.post(f"{batch}/approve", {}, code=409)["detail"]
    http.post(f"{batch}/approve", {}, who="vic", code=403)
    http.post(f"{batch}/approve", {}, who="ben")
    given = http.post(f"{batch}/export", {})
    file = b64decode(given["file_base64"])
    assert given["shortened"] == []
    assert (sha256(file).hexdigest(), given["files"]) == (given["sha256"], {"csv": given["sha256"]})
    line = next(one for one in http.get(f"{batch}/lines")["items"] if one["state"] == "included")
    assert (line["ib_id"], line["amount"]) == ("a.a", "12.34")
    told = [
        {"line_id": line["line_id"], "outcome": "settled"},
        {"line_id": "x", "outcome": "unknown", "reason": "late"},
    ]
    assert http.post("/results", {"source": "camt", "results": told}) == {
        "recorded": 1, "repeated": 0,
        "refused": [{"line_id": "x", "why": "no line has this id", "is_danger": False}],
    }  # fmt: skip
    shown = http.get(batch)
    assert shown["lines"] == {"settled": 1, "excluded": 1}
    assert [step["what"] for step in shown["steps"]] == [
        "created", "excluded", "submitted", "approved", "exported", "results",
    ]  # fmt: skip
    assert http.post(f"{batch}/resume", {}) == {"commands": 0}
    assert "its file may be paid by" in http.post(f"{batch}/cancel", {"reason": "x"}, code=409)["detail"]


def test_lists_go_on_by_their_cursor(app: Any) -> None:
    """Two batches, one a page; two lines, one a page."""
    http = Http(app)
    first = http.post("", WANTED, code=201)["batch_id"]
    http.post(f"/{first}/exclude", {"ibs": ["b.b"], "reason": "disputed"})
    second = http.post("", WANTED, code=201)["batch_id"]
    page = http.get("?limit=1")
    rest = http.get(f"?limit=1&cursor={page['next_cursor']}")
    assert [page["items"][0]["batch_id"], rest["items"][0]["batch_id"]] == [second, first]
    assert (rest["next_cursor"], http.get("?period=2026-10")["items"]) == (None, [])
    far = encode_cursor([2**63 - 1])
    for path in ("", f"/{first}/lines"):
        assert http.get(f"{path}?cursor={far}") == {"items": [], "next_cursor": None}
    lines = http.get(f"/{first}/lines?limit=1")
    more = http.get(f"/{first}/lines?limit=1&cursor={lines['next_cursor']}")
    assert [one["items"][0]["ib_id"] for one in (lines, more)] == ["a.a", "b.b"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("", {"period": "2026-09"}, 422),
        ("", {"period": "2026-09", "currency": "usd"}, 422),
        ("", WANTED | {"minimum": "1e5"}, 422),
        ("", WANTED | {"minimum": "NaN"}, 422),
        ("", WANTED | {"minimum": "٣"}, 422),
        ("", WANTED | {"period": "2026-10"}, 409),
        ("/b-none/submit", {}, 404),
        ("/b-none/cancel", {}, 422),
        ("/results", {"source": "x", "results": [{"line_id": "x", "outcome": "lost"}]}, 422),
    ],
)
def test_what_cannot_be_done_is_told(app: Any, path: str, body: dict[str, Any], code: int) -> None:
    """A mistake of the request, an unknown batch, or nothing that could be paid."""
    assert Http(app).post(path, body, code=code)["detail"]


@pytest.mark.parametrize("period", ["2026-09\x00", "\ud800", "", "x" * 65, None, 7])
def test_a_period_that_is_none_makes_no_batch(app: Any, period: object) -> None:
    """Whatever is sent as a period, the answer is the caller's mistake."""
    body = json.dumps(WANTED | {"period": period}).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer of-ann"}
    answer = Browser(app).post("/v1/payouts", content=body, headers=headers)
    assert answer.status_code in (404, 409, 422), answer.text


def test_only_a_server_makes_payouts(http: Browser) -> None:
    """What makes them reads and writes the log, which this process does not have."""
    for answer in (http.post("/v1/payouts", json=WANTED), http.get("/v1/payouts")):
        assert answer.status_code == 503
        assert "ibflow serve" in answer.json()["detail"]


def test_the_ledger_tells_what_is_payable(ledger: Ledger, chdb: Client) -> None:
    """A's 208.25 of September in USD; B's 2.00 are euros, its KYC is open; the terms do not know Z."""
    insert(chdb, "statements", statement_row("st-Z", "Z", "USD", "1.00", "1.00"))
    dollars = payable(ledger, "2026-09", "USD")
    assert [(row["ib_id"], row["amount"], bool(row["kyc_approved"])) for row in dollars] == [
        ("A", pytest.approx(208.25), True), ("Z", 1, False),
    ]  # fmt: skip
    (euros,) = payable(ledger, "2026-09", "EUR")
    assert (euros["ib_id"], euros["amount"], euros["kyc_approved"]) == ("B", 2, False)
    assert payable(ledger, "2026-10", "USD") == []


def test_answers_of_the_books_are_stored(ledger: Ledger, chdb: Client) -> None:
    """By batch: one was done, one refused."""
    told = [
        PayoutAnswer(
            answer_id=f"a{n}", command="lock_line", subject_id="l", batch_id=batch, ib_id="A",
            is_accepted=not why, reason=why, at=at(40),
        )
        for n, (batch, why) in enumerate((("b-1", ""), ("b-1", "held"), ("b-2", "")))
    ]  # fmt: skip
    rows = Rows()
    rows.add("settlements", 0, 0, b"\n".join(encode(told)), "partner-book/0/0/0")
    rows.store(chdb)
    assert answers(ledger, "b-1") == {"a0": "", "a1": "held"}
