"""The acquisition report: who registered when, and how far each month's clients came."""

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from tests.api.conftest import Browser, client_row, insert, milestone_row, utc


@pytest.fixture
def http(ledger: Ledger, chdb: Client, http: Browser) -> Browser:
    """Of September c1 came to a CPA and lost it, c3 is verified, c2 only registered; c4 is of October."""
    insert(chdb, "clients", client_row("c4", "A") | {"occurred_at": utc(3, month=10)})
    reached = [
        ("c1", kind) for kind in ("kyc.approved", "ftd", "first_trade", "cpa.qualified", "cpa.clawback")
    ]
    for number, (client, kind) in enumerate([*reached, ("c3", "kyc.approved"), ("c4", "ftd")]):
        ib = "B" if client == "c3" else "A"
        insert(chdb, "milestones", milestone_row(f"m{number}", kind, ib, client_id=client))
    return http


def counts(row: dict[str, int]) -> list[int]:
    return [row[name] for name in ("registered", "verified", "deposited", "traded", "qualified", "lost")]


def test_each_month_is_a_cohort_and_all_are_the_funnel(http: Browser) -> None:
    found = http.get("/v1/reports/acquisition").json()
    assert [row["cohort"] for row in found["cohorts"]] == ["2026-10-01", "2026-09-01"]
    assert [counts(row) for row in found["cohorts"]] == [[1, 0, 1, 0, 0, 0], [3, 2, 1, 1, 1, 1]]
    assert counts(found["total"]) == [4, 2, 2, 1, 1, 1]


def test_it_is_of_an_ib_and_a_period_if_asked(http: Browser) -> None:
    found = http.get("/v1/reports/acquisition?ib=B&period=2026-09").json()
    assert counts(found["total"]) == [1, 1, 0, 0, 0, 0]
    page = http.get("/reports/acquisition?period=2026-09").text
    assert "33.3 % of those registered" in page, "one of three deposited"
    assert "2026-09" in page
    assert "2026-10-03" not in page
