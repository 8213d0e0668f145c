"""The pages of plans: the list, one in plain words with what the checks say, its versions and who has it."""

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from infra.plans.desk import PlanDesk
from schemas import topics
from schemas.settings import Settings
from schemas.wire import encode
from tests.api.conftest import Browser, insert
from tests.build import TERMS, at, partner, per_lot, plan, rates

OLD = plan("silver USD", per_lot("*=5"))
NEW = replace(OLD, version=2, since=at(2), components=(replace(OLD.components[0], rates=rates("*=7")),))


@pytest.fixture
def http(ledger: Ledger, chdb: Client) -> Iterator[Browser]:
    """Two versions of one plan in the log of terms, which one IB has."""
    chdb.command("TRUNCATE TABLE books")
    lines = b"\n".join(encode([*TERMS, OLD, NEW, partner("a USD silver")])).decode()
    row = {"_topic": topics.TERMS, "_partition": 0, "_offset": 0, "message": lines, "source": ""}
    insert(chdb, "books", row)
    yield Browser(create_app(ledger, Settings(_env_file=None), desks=Desks(plans=PlanDesk(None, {}))))
    chdb.command("TRUNCATE TABLE books")


def test_plans_are_listed_and_read(http: Browser) -> None:
    page = http.get("/plans").text
    assert 'href="/plans/silver"' in page
    assert "per lot" in page
    one = http.get("/plans/silver").text
    assert "7 USD a lot" in one
    assert "version 2, counts now" in one
    assert 'href="/ibs/a"' in one
    assert "5 USD a lot" in http.get("/plans/silver?version=1").text
    assert http.get("/plans/nope").status_code == 404
    assert http.get("/plans/silver?version=9").status_code == 404


def test_what_a_version_changed_is_a_part_of_its_page(http: Browser) -> None:
    """From 5 to 7, in words and for one lot; the first version has nothing before it."""
    found = http.get("/v1/plans/silver/changes?version=2").json()
    assert [(one["old"], one["new"]) for one in found["fields"] if "lot" in one["field"]] == [("5", "7")]
    part = http.get("/plans/silver/changes?version=2").text
    assert "What one lot pays" in part
    assert http.get("/v1/plans/silver/changes?version=1").status_code == 404
    check = http.get("/v1/plans/silver/check").json()
    assert check["cases"] is None, "this server has no folder"
    assert {one["severity"] for one in check["findings"]} <= {"error", "trap", "warning", "note"}


def test_a_what_if_needs_a_folder_and_a_period(http: Browser) -> None:
    assert http.get("/v1/plans/what-if").json() is None
    refused = http.post("/v1/plans/what-if", json={"period": "2026-09"})
    assert refused.status_code == 409
    assert "IBFLOW_TERMS_DIR" in refused.text
    assert http.post("/v1/plans/what-if", json={"period": "nope"}).status_code == 404
