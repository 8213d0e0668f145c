"""Whose commission changed most, against September of conftest's ledger."""

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from tests.api.conftest import SOURCE, Browser, insert, partner_row, per_lot, utc

WAY = "broker:expense:per_lot > ib:{}:pending"


@pytest.fixture
def http(ledger: Ledger, chdb: Client, http: Browser) -> Browser:
    """October: A has 210.25 after 222.25, M nothing after 3, B 3.005 EUR after 2.005; C is new with 40 USD.

    D has 5 in both.
    """
    in_october = {"occurred_at": utc(3, month=10)}
    insert(chdb, "partners", partner_row("C", "Castor", "B", kyc=True))
    insert(
        chdb, "transfers",
        per_lot("o1", "A", "live|11", "210.25", WAY.format("A"), **in_october),
        per_lot("o2", "B", "live|12", "3.005", WAY.format("B"), **in_october, currency="EUR"),
        per_lot("o3", "C", "live|13", "40", WAY.format("C"), **in_october),
        per_lot("o4", "D", "live|14", "5", WAY.format("D"), **in_october),
        per_lot("s4", "D", "live|15", "5", WAY.format("D"), occurred_at=utc(9)),
    )  # fmt: skip
    return http


def moved(http: Browser, query: str) -> list[tuple[str, str, str, str]]:
    rows = http.get(f"/v1/reports/movers?{query}").json()["items"]
    return [(row["ib_id"], row["before"], row["net"], row["change"]) for row in rows]


def test_the_largest_changes_come_first_of_each_currency(http: Browser) -> None:
    """EUR: +1. USD: +40, -12, -3; D did not move."""
    october = [
        ("B", "2.005", "3.005", "1"),
        ("C", "0", "40", "40"),
        ("A", "222.25", "210.25", "-12"),
        ("M", "3", "0", "-3"),
    ]
    found = http.get("/v1/reports/movers?period=2026-10").json()
    assert moved(http, "period=2026-10") == october
    assert found["moved"] == 4
    assert found["before"] == {"from": "2026-09-01T00:00:00Z", "to": "2026-10-01T00:00:00Z"}
    assert moved(http, "period=2026-10&limit=1") == october[:2]
    assert http.get("/v1/reports/movers?period=2026-10&limit=1").json()["moved"] == 4
    dates = "from=2026-10-01T00:00:00Z&to=2026-10-31T00:00:00Z"
    assert moved(http, dates) == october, "30 days each: 1 September's rows are among them"


def test_it_is_narrowed_as_other_reports(http: Browser) -> None:
    """Below B are B and C; of gold, and of the client c2, A's 14 of September is all there was."""
    assert moved(http, "period=2026-10&scope=B") == [("B", "2.005", "3.005", "1"), ("C", "0", "40", "40")]
    assert moved(http, "period=2026-10&symbol=XAUUSD") == [("A", "14", "0", "-14")]
    assert moved(http, "period=2026-10&client=c2") == [("A", "14", "0", "-14")], "by rows"


def test_there_must_be_a_time_before(http: Browser) -> None:
    assert http.get("/v1/reports/movers").status_code == 422
    first = http.get("/v1/reports/movers?period=2026-09")
    assert (first.status_code, first.json()["code"]) == (404, "unknown_period")


def test_the_page_shows_the_newest_period(http: Browser, chdb: Client) -> None:
    """The newest that has begun. Of each change its share of what was before: -12 of 222.25 is 5 %."""
    far = {"period": "2199-01", "starts_at": utc(1).replace(year=2199), "ends_at": utc(9).replace(year=2199)}
    insert(chdb, "periods", far | {"days": [], "first_weekday": 0} | SOURCE)
    page = http.get("/reports/movers").text
    assert "Net commission of 2026-10 beside" in page
    assert "-5 %" in page
    assert "2199-01" not in page, "nobody is asked to choose what has not begun"
    assert "2199-01" in http.get("/reports/movers?period=2199-01").text
    assert page.index("Castor") < page.index("=Atlas")
    assert "nothing to compare with" in http.get("/reports/movers?period=2026-09").text
    assert "/reports/movers" in http.get("/reports").text
