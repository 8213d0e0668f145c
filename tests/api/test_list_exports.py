"""Lists as long files: what their pages show, for whoever may read those, and no longer if they may not."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.views import exported_lists
from api.views.exported_lists import LISTS
from commission.payouts.tax import Tax
from schemas.payouts import BatchRequest
from schemas.people import Access
from tests.api.conftest import SOURCE, insert, utc
from tests.api.export_world import JSON, Here
from tests.build import ended, partner
from tests.commission.books.partner_rows import MONTHS, earned
from tests.payout_world import ANN, World

PAGES = {"postback-attempts": "/v1/postbacks/attempts"}
"""Where a list is shown, if not at /v1/ and its name."""
SMALL = 2
"""Rows read at once, so that each list is of several pages."""


@pytest.fixture
def here(ledger: Ledger, chdb: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """Three events, attempts and dead letters each; a batch of two lines; and what the ledger has."""
    here = Here(ledger, tmp_path / "exports", monkeypatch)
    monkeypatch.setattr(exported_lists, "PAGE_ROWS", SMALL)
    for number in range(3):
        insert(
            chdb, "client_events",
            {"client_id": f"c{number + 1}", "type": "deposit_announced", "event_id": f"e{number}",
             "occurred_at": utc(number + 1), "deposit_id": "d", "status": "", "amount": number,
             "currency": "USD", "reason": "", "verdict": "", "ib_id": None, "source": "crm"} | SOURCE,
        )  # fmt: skip
        insert(
            chdb, "postback_attempts",
            {"milestone_id": f"m{number}", "endpoint": "net-1", "attempt": 1, "attempted_at": utc(number + 1),
             "outcome": "retry", "http_status": 503 if number else None, "error": "=cmd", "duration_ms": 7,
             "next_attempt_at": None, "replay": "", "delivery_id": f"l{number}", "request": "GET x",
             "answer": ""} | SOURCE,
        )  # fmt: skip
        insert(
            chdb, "dead_letters",
            {"dead_letter_id": f"x{number}", "received_at": utc(number + 2), "source": "a.csv",
             "position": "1", "code": "bad_number", "reason": "r", "payload": "=1+1"} | SOURCE,
        )  # fmt: skip
    world = World(*MONTHS, partner("a.a USD"), partner("b.b USD"))
    for ib_id in ("a.a", "b.b"):
        world.feed([earned("9", ib_id=ib_id, credit=f"ib:{ib_id}:pending", transfer_id=ib_id)])
        world.pay_in(ib_id, "", Tax(kind="none"))
    world.feed([ended("2026-09")])
    here.desk.payouts = world.desk()
    here.batch = here.desk.payouts.create(BatchRequest(period="2026-09", currency="USD"), ANN, "").batch_id
    return here


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


@pytest.mark.parametrize(
    "name", ["clients", "statements", "rejections", "client-events", "postback-attempts", "dead-letters"]
)
def test_the_file_has_the_rows_of_the_page(here: Here, name: str) -> None:
    """In its order, all of them, though the file is of pages of two; Parquet has the types."""
    anna = here.world.signed_in("anna")
    shown = anna.ask("GET", f"{PAGES.get(name, f'/v1/{name}')}?limit=1000", JSON).json()["items"]
    assert len(shown) > SMALL or name == "statements"
    columns = list(LISTS[name].columns)
    found = rows_of(here.file(anna, name))
    assert list(found[0]) == columns
    key = columns[0]
    assert [row[key] for row in found] == [row[key] for row in shown]
    table = pl.read_parquet(io.BytesIO(here.file(anna, f"{name}?format=parquet&columns={key}")))
    assert table.columns == [key]
    assert table.height == len(shown)


def test_filters_are_those_of_the_page(here: Here) -> None:
    """A has c1 and c2; of the dead letters those since the 3rd are x1 and x2, newest first."""
    anna = here.world.signed_in("anna")
    assert {row["client_id"] for row in rows_of(here.file(anna, "clients?ib=A"))} == {"c1", "c2"}
    letters = rows_of(here.file(anna, "dead-letters?since=2026-09-03T00:00:00Z"))
    assert [row["dead_letter_id"] for row in letters] == ["x2", "x1"]
    assert anna.call("/v1/exports/clients?columns=passport", {}).status_code == 422


def test_what_comes_from_outside_is_no_formula(here: Here) -> None:
    anna = here.world.signed_in("anna")
    assert {row["payload"] for row in rows_of(here.file(anna, "dead-letters"))} == {"'=1+1", "x"}
    assert {row["error"] for row in rows_of(here.file(anna, "postback-attempts"))} == {"'=cmd"}


def test_batches_and_their_lines(here: Here) -> None:
    """9 + 9 in one batch; of a batch that there is none, the file says so."""
    fred = here.world.signed_in("fred")
    (batch,) = rows_of(here.file(fred, "payouts"))
    assert (batch["batch_id"], batch["total"], batch["created_by"]) == (here.batch, "18", "ann")
    lines = rows_of(here.file(fred, f"payout-lines?batch={here.batch}"))
    assert [(line["ib_id"], line["amount"]) for line in lines] == [("a.a", "9"), ("b.b", "9")]
    asked = here.ask(fred, "payout-lines?batch=b-0")
    here.desk.make_next()
    found = fred.ask("GET", f"/v1/exports/{asked['export_id']}", JSON).json()
    assert (found["state"], "b-0" in found["why"]) == ("failed", True)


def test_an_ib_has_its_clients_and_nothing_of_the_whole_broker(here: Here) -> None:
    iris, max_ = here.world.signed_in("iris"), here.world.signed_in("max")
    assert {row["client_id"] for row in rows_of(here.file(iris, "clients"))} == {"c1", "c2"}
    assert [row["ib_id"] for row in rows_of(here.file(iris, "statements"))] == ["A"]
    assert {row["client_id"] for row in rows_of(here.file(max_, "client-events"))} == {"c1", "c2"}
    for name in (name for name, of in LISTS.items() if of.is_whole):
        for who in (iris, max_):
            asked = f"?batch={here.batch}" if name == "payout-lines" else ""
            assert who.call(f"/v1/exports/{name}{asked}", {}).status_code == 403, name


def test_the_audit_log_is_for_who_may_read_it_when_it_is_taken(here: Here) -> None:
    """The auditor has all of it, the oldest first; finance has none, and whoever became finance no longer."""
    audrey, fred = here.world.signed_in("audrey"), here.world.signed_in("fred")
    assert fred.call("/v1/exports/audit-log", {}).status_code == 403
    asked = here.ask(audrey, "audit-log")
    here.desk.make_next()
    file = f"/v1/exports/{asked['export_id']}/file"
    found = rows_of(audrey.ask("GET", file, JSON).content)
    assert [row["number"] for row in found] == [str(number + 1) for number in range(len(found))]
    assert found[-1]["on"] == "POST /v1/exports/audit-log"
    here.world.desk.change("audrey", Access(role="finance"), "anna")
    refused: Any = audrey.ask("GET", file, JSON)
    assert (refused.status_code, refused.json()["code"]) == (403, "export_out_of_scope")


def test_the_page_offers_whom_it_has_lists_for(here: Here) -> None:
    """Whatever has a button is made for whoever sees it; whatever has none is refused."""
    needs_more = {"commissions", "transfers", "payout-lines"}
    for name in ("anna", "fred", "audrey", "iris"):
        visitor = here.world.signed_in(name)
        offered = {*re.findall(r'data-api="/v1/exports/([a-z-]+)"', visitor.page("/exports"))} - needs_more
        answers = {one: visitor.call(f"/v1/exports/{one}", {}).status_code for one in {*LISTS} - needs_more}
        assert {one for one, status in answers.items() if status != 403} == offered, name
        assert ("audit-log" in offered, "clients" in offered) == (name in ("anna", "audrey"), True)
        assert {answers[one] for one in offered} <= {202, 429}, name


def test_a_list_grows_no_more_than_a_file_may(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody counted it before; it ends where the rows are too many, and says so."""
    monkeypatch.setattr("infra.exports.desk.MAX_ROWS", {"csv": 2})
    anna = here.world.signed_in("anna")
    asked = here.ask(anna, "clients")
    here.desk.make_next()
    found = anna.ask("GET", f"/v1/exports/{asked['export_id']}", JSON).json()
    assert (found["state"], found["why"], found["file"]) == ("failed", "it has more than 2 rows", "")
