"""The pages of plans: the list, one in plain words with what the checks say, its versions and who has it."""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from api.app import create_app
from api.desks import Desks
from api.ledger import Ledger
from api.plans import PlanRefused, WhatIfRun
from infra.plans.desk import PlanDesk
from infra.what_if.report import to_json
from infra.what_if.result import Line, WhatIf
from schemas import topics
from schemas.settings import Settings
from schemas.wire import encode
from tests.api.conftest import Browser, insert
from tests.build import TERMS, D, at, partner, per_lot, plan, rates

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


def ended(desk: PlanDesk) -> WhatIfRun:
    """The run, once its thread has ended."""
    for thread in threading.enumerate():
        if thread.name == "what-if":
            thread.join(10)
    found = desk.what_if()
    assert found is not None
    return found


def what_if_of(before: str, after: str) -> WhatIf:
    """One IB's commission, which would have been another; the broker took 2,000."""
    by = {"ib": (Line("a", "USD", D(before), D(after)),), "country": (), "symbol": (), "plan": ()}
    return WhatIf(
        currency="USD", since=at(1), until=at(30), deals=1_234, messages=1, by=by, charged=D("2000"),
        spread=D(0), spread_unknown=0, cost_before=D(before), cost_after=D(after), unconverted=0,
        fates={"before": {}, "after": {}}, moves=(), seconds=0.1,
    )  # fmt: skip


def page_after(ledger: Ledger, folder: Path, after: str) -> str:
    """What the page says in words once the folder of terms was tried: it was 1,234.50000001."""

    def run(arguments: Sequence[str], _: dict[str, str]) -> bytes:
        assert tuple(arguments[:3]) == ("what-if", "--terms", str(folder))
        return json.dumps(to_json(what_if_of("1234.50000001", after)), default=str).encode()

    desk = PlanDesk(folder, {}, run)
    http = Browser(create_app(ledger, Settings(_env_file=None), desks=Desks(plans=desk)))
    assert http.post("/v1/plans/what-if", json={"period": "2026-09"}).status_code == 202
    assert ended(desk).state == "done"
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", http.get("/plans").text))


SAME = "pay every IB what the published terms pay"


def test_a_what_if_is_read_in_the_digits_of_its_currency(ledger: Ledger, tmp_path: Path) -> None:
    """1,300.75 - 1,234.50 = 66.25 more; 2,000 - 1,234.50 = 765.50 of margin before, 699.25 after."""
    text = page_after(ledger, tmp_path, "1300.75")
    assert "Commission before 1,234.50 USD" in text
    assert "Margin before 765.50 USD" in text
    assert "Margin after 699.25 USD" in text
    assert " +66.25 USD" in text
    assert SAME not in text


def test_a_what_if_of_the_same_terms_says_so(ledger: Ledger, tmp_path: Path) -> None:
    assert SAME in page_after(ledger, tmp_path, "1234.50000001")


def test_a_what_if_that_fails_says_why(ledger: Ledger, tmp_path: Path) -> None:
    def run(_: Sequence[str], __: dict[str, str]) -> bytes:
        raise PlanRefused("plans.yaml:3: no such plan `gold`")

    desk = PlanDesk(tmp_path, {}, run)
    http = Browser(create_app(ledger, Settings(_env_file=None), desks=Desks(plans=desk)))
    http.post("/v1/plans/what-if", json={"period": "2026-09"})
    assert ended(desk).state == "failed"
    assert "plans.yaml:3: no such plan `gold`" in http.get("/plans").text
