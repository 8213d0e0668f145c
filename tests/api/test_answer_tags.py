"""Tags of reads: 304 only of an answer that is the same, whether its tables say so or its bytes."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from tests.api.conftest import (
    SOURCE,
    browser,
    client_row,
    deal_row,
    insert,
    partner_row,
    per_lot,
    rejection_row,
    statement_row,
    utc,
)

SEPTEMBER = "from=2026-09-01T00:00:00Z&to=2026-10-01T00:00:00Z"
BY_TABLES = (
    "/v1/clients?limit=3",
    "/v1/clients?state=qualified&sort=qualified",
    "/v1/ageing?as_of=2026-11-01T00:00:00Z",
    f"/v1/reports/margin?currency=USD&{SEPTEMBER}",
    f"/v1/reports/margin?currency=USD&{SEPTEMBER}&below=M&group_by=country",
)
BY_BYTES = ("/v1/rejections", "/v1/transfers?limit=2", "/v1/partners", "/v1/me")


def arrivals(dice: random.Random) -> list[Callable[[Client, int], None]]:
    """What may come between two looks, each a row of a table of its own."""

    def milestone(kind: str) -> Callable[[Client, int], None]:
        return lambda chdb, n: insert(
            chdb, "milestones",
            {"milestone_id": f"m{n}", "kind": kind, "occurred_at": utc(2), "ib_id": "A",
             "client_id": dice.choice(("c1", "c2"))} | SOURCE,
        )  # fmt: skip

    def event(chdb: Client, n: int) -> None:
        insert(
            chdb, "client_events",
            {"client_id": "c1", "type": dice.choice(("kyc_changed", "client_reassigned")),
             "event_id": f"e{n}", "occurred_at": utc(3) + timedelta(seconds=n),
             "deposit_id": "", "status": "approved",
             "amount": None, "currency": "", "reason": "", "verdict": "", "ib_id": "B", "source": "crm"}
            | SOURCE,
        )  # fmt: skip

    way = "broker:expense:per_lot > ib:A:pending"
    return [
        milestone("ftd"),
        milestone("cpa.qualified"),
        event,
        lambda chdb, n: insert(chdb, "clients", client_row(f"new{n}", dice.choice("AB"))),
        lambda chdb, n: insert(chdb, "transfers", per_lot(f"n{n}", "A", f"live|{n + 50}", "1.5", way)),
        lambda chdb, n: insert(chdb, "deals", deal_row(n + 50, 4, "1")),
        lambda chdb, n: insert(chdb, "rejections", rejection_row(n + 50, "rejected", "deleted")),
        lambda chdb, n: insert(chdb, "partners", partner_row(f"P{n}", "New", "M", kyc=True)),
        lambda chdb, n: insert(chdb, "statements", statement_row(f"s{n}", "A", "USD", "-5", "0")),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_304_is_only_said_of_the_same_answer(ledger: Ledger, chdb: Client, seed: int) -> None:
    """After each row that comes, answers at hand are asked for again; what holds is made the same."""
    dice, http = random.Random(seed), browser(ledger)
    paths = BY_TABLES + BY_BYTES
    known = {path: (one.headers["ETag"], one.content) for path in paths if (one := http.get(path))}
    held = 0
    for number in range(8):
        if dice.random() < 0.8:
            dice.choice(arrivals(dice))(chdb, number)
        for path in dice.sample(paths, 4):
            tag, body = known[path]
            again, now = http.get(path, headers={"If-None-Match": tag}), http.get(path)
            assert now.status_code == 200, now.text
            if again.status_code == 304:
                held += 1
                assert (again.content, now.content) == (b"", body), path
            known[path] = now.headers["ETag"], now.content
    assert held > 0


def test_a_margin_at_rates_of_now_has_the_tag_of_its_bytes(ledger: Ledger) -> None:
    """It says of when its rates are, so each is another; one of the past holds."""
    http = browser(ledger)
    for path, status in ((BY_TABLES[3], 304), ("/v1/reports/margin?currency=USD", 200)):
        tag = http.get(path).headers["ETag"]
        assert http.get(path, headers={"If-None-Match": tag}).status_code == status


def test_what_is_no_short_json_has_no_tag(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a refusal, a change, and an answer that is too long pass as they are; none is kept."""
    http = browser(ledger)
    assert "ETag" not in http.get("/v1/transfers/t1/explain?format=text").headers
    assert "ETag" not in http.get("/v1/transfers/none").headers
    kept = http.get("/v1/me")
    assert kept.headers["Cache-Control"] == "no-store", "a browser keeps no answer by a tag of bytes"
    monkeypatch.setattr("api.answer_tags.MAX_BYTES", 10)
    assert "ETag" not in http.get("/v1/me").headers
