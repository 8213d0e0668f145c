"""What clients brought, what IBs cost and what is left, by hand.

c1 of A, in Cyprus, brings 4 (commission 3, swap 1, on an opening), 12 (a closing of 1 lot of EURUSD at
1.10000 / 1.10012) and 11 (a closing of DE40 at 100 / 101: 1 / 0.5 x 5 = 10 EUR at 1.10): 27 USD. c2 of B,
in Germany, is charged 10 by itself; a closing without quotes, of a symbol that has no usual spread, brings
nothing that is known, nor do 100 JPY without a rate. A deal of October is of no account. In September A
earned 21 of EURUSD and had 1 taken back, M 2.20 EUR of DE40, which are 2.42 USD, both of c1; B 12 of c2.
"""

import re
from hashlib import sha256
from typing import Any, Literal

import pytest
from clickhouse_connect.driver.client import Client

from api.app import create_app
from api.ledger import Ledger
from api.operators import Operator, Operators
from schemas.settings import Settings
from schemas.wire import encode
from tests.api.conftest import (
    SOURCE,
    Browser,
    client_row,
    deal_row,
    insert,
    partner_row,
    per_lot,
    transfer_row,
    utc,
)
from tests.build import D, exchange, partner, plan, symbol
from tests.build import per_lot as lots

QUOTES = {"bid": D("1.10000"), "ask": D("1.10012")}
TERMS = (
    symbol("EURUSD forex 100000 USD 0.0001"),
    symbol("DE40 indices 1 EUR 1", tick_size=D("0.5"), tick_value=D(5)),
    exchange("EUR/USD 1.10", day=30),
    plan("own USD", lots("*=5")),
    partner("M USD"), partner("A USD own M"), partner("B USD"),
)  # fmt: skip
WAY = "broker:expense:per_lot > ib:{}:pending"


@pytest.fixture
def http(empty_ledger: Ledger, chdb: Client) -> Browser:
    """The ledger above; M is above A."""
    told = {"_topic": "terms", "message": b"\n".join(encode(TERMS)).decode(), "source": ""}
    insert(chdb, "books", SOURCE | told)
    insert(chdb, "periods", {"period": "2026-09", "starts_at": utc(1, 0), "ends_at": utc(1, 0, 10)} | SOURCE)
    insert(
        chdb, "partners",
        partner_row("M", "Meridian", None, kyc=True),
        partner_row("A", "Atlas", "M", kyc=True),
        partner_row("B", "Boreal", None, kyc=True),
    )  # fmt: skip
    insert(chdb, "clients", client_row("c1", "A"), client_row("c2", "B") | {"country": "DE"})
    of_b: dict[str, Any] = {"login": 1002}
    insert(
        chdb, "deals",
        deal_row(1, 2, "1", "EURUSD") | {"entry": "in", "commission": D(-3), "swap": D(-1), **QUOTES},
        deal_row(2, 3, "1", "EURUSD") | QUOTES,
        deal_row(3, 5, "1", "DE40") | {"bid": D(100), "ask": D(101)},
        deal_row(4, 6, "1", "") | of_b | {"kind": "commission", "profit": D(-10), "entry": ""},
        deal_row(5, 6, "1", "DE40") | of_b,
        deal_row(6, 7, "1", "EURUSD") | of_b | {"entry": "in", "commission": D(-100), "currency": "JPY"},
        deal_row(7, 7, "1", "EURUSD") | QUOTES | {"occurred_at": utc(1, 0, 10)},
    )  # fmt: skip
    own, of_c2 = {"plan_id": "own"}, {"client_id": "c2", "account_key": "live/1002", "plan_id": ""}
    insert(
        chdb, "transfers",
        per_lot("a", "A", "live|2", "21", WAY.format("A"), **own),
        transfer_row("r", "reversal", "A", "live|2", "1", "ib:A:pending > broker:expense:per_lot",
                     client_id="c1", symbol="EURUSD", factors={"share": "x"}, reverses="a", **own),
        per_lot("m", "M", "live|3", "2.20", WAY.format("M"), symbol="DE40", currency="EUR", plan_id="top"),
        per_lot("b", "B", "live|4", "12", WAY.format("B"), symbol="", **of_c2),
    )  # fmt: skip
    return Browser(create_app(empty_ledger, Settings(_env_file=None)))


def rows(http: Browser, query: str) -> dict[str, tuple[str, str, str]]:
    found = http.get(f"/v1/reports/margin?period=2026-09&currency=USD&{query}").json()
    assert found["next_cursor"] is None
    (column,) = found["items"][0].keys() - {"revenue", "cost", "net"}
    return {row[column]: (row["revenue"], row["cost"], row["net"]) for row in found["items"]} | {
        "all": (found["total"]["revenue"], found["total"]["cost"], found["total"]["net"])
    }


ALL = ("37", "34.42", "2.58")


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("ib", {"A": ("27", "20", "7"), "B": ("10", "12", "-2"), "M": ("0", "2.42", "-2.42")}),
        ("plan", {"own": ("27", "20", "7"), "": ("10", "12", "-2"), "top": ("0", "2.42", "-2.42")}),
        ("symbol", {"EURUSD": ("16", "20", "-4"), "DE40": ("11", "2.42", "8.58"), "": ("10", "12", "-2")}),
        ("country", {"CY": ("27", "22.42", "4.58"), "DE": ("10", "12", "-2")}),
    ],
)
def test_each_group_has_what_it_brought_and_cost(http: Browser, by: str, expected: dict[str, Any]) -> None:
    """In all 27 + 10 - (20 + 12 + 2.42) = 2.58, whatever it is grouped by."""
    assert rows(http, f"group_by={by}") == expected | {"all": ALL}


def test_dates_inside_a_month_are_read_by_rows(http: Browser) -> None:
    """Deals of 2 September bring 4, those before the 5th another 12: with and without the month's own key."""
    asked = "/v1/reports/margin?currency=USD&group_by=ib&from=2026-09-01T00:00:00Z&to="
    revenue = {
        to: http.get(f"{asked}{to}T00:00:00Z").json()["total"]["revenue"]
        for to in ("2026-09-03", "2026-09-05", "2026-09-30", "2026-10-01", "2026-10-02")
    }
    assert revenue["2026-09-30"] == revenue["2026-10-01"] == "37"
    assert [revenue[to] for to in ("2026-09-03", "2026-09-05")] == ["4", "16"]
    assert revenue["2026-10-02"] == "49", "October's closing of EURUSD brings 12, of an account that is c1's"


def test_a_sub_tree_has_a_margin_of_its_own(http: Browser) -> None:
    """M and A: 27 - 22.42; B alone 10 - 12."""
    assert rows(http, "below=M")["all"] == ("27", "22.42", "4.58")
    assert rows(http, "below=B&group_by=symbol")["all"] == ("10", "12", "-2")


def test_what_is_left_out_is_named(http: Browser) -> None:
    """JPY without a rate, DE40 of B without a spread; in EUR 37 USD / 1.10 = 33.63636364."""
    found = http.get("/v1/reports/margin?period=2026-09&currency=USD&limit=2").json()
    assert (found["lacks_rate"], found["lacks_spread"]) == (["JPY"], 1)
    assert found["rates_at"] == "2026-10-01T00:00:00Z"
    rest = http.get(
        f"/v1/reports/margin?period=2026-09&currency=USD&limit=2&cursor={found['next_cursor']}"
    ).json()
    assert [row["ib_id"] for row in found["items"] + rest["items"]] == ["A", "B", "M"]
    in_euros = http.get("/v1/reports/margin?period=2026-09&currency=EUR&group_by=country").json()
    assert [row["cost"] for row in in_euros["items"]] == ["20.38181818", "10.90909091"], (
        "20 / 1.1 + 2.2, 12 / 1.1"
    )
    assert http.get("/v1/reports/margin?period=2026-09").status_code == 422


def test_only_who_sees_the_whole_broker_is_shown_it(http: Browser) -> None:
    """Neither an IB nor a manager of sub-trees, nor a link to it."""
    roles: tuple[Literal["ib", "manager"], ...] = ("ib", "manager")
    for role in roles:
        who = Operator("max", is_person=True, ibs=("M",), role=role)
        operators = Operators("", [(sha256(b"secret").hexdigest(), who)])
        limited = Browser(create_app(http.app.state.ledger, Settings(_env_file=None), operators=operators))
        token = {"Authorization": "Bearer secret"}
        refused = limited.get("/v1/reports/margin?currency=USD", headers=token)
        assert (refused.status_code, refused.json()["code"]) == (403, "whole_broker_only")
        assert limited.get("/reports/margin", headers=token).status_code == 403
        assert "/reports/margin" not in limited.get("/reports", headers=token).text


def test_the_page_shows_what_leaves_least_first(http: Browser) -> None:
    page = http.get("/reports/margin?period=2026-09").text
    assert page.index("Meridian") < page.index("Boreal") < page.index("Atlas")
    assert "no rate is known for JPY, left out" in page
    assert "93.0 % of revenue" in page, "34.42 of 37"
    assert "Margin by country" in http.get("/reports/margin?period=2026-09&group_by=country").text
    assert "/reports/margin" in http.get("/reports").text


def test_pages_are_in_the_currency_with_the_most_deals(http: Browser, chdb: Client) -> None:
    """Four deals pay in USD and one in EUR; one that pays 9,000 JPY makes no page one of yen.

    Nor is the chart of a report of the currency that comes first in the alphabet.
    """
    of_c2 = {"client_id": "c2", "symbol": ""}
    insert(
        chdb, "transfers",
        per_lot("y", "B", "live|9", "9000", WAY.format("B"), currency="JPY", **of_c2),
        per_lot("u", "B", "live|10", "5", WAY.format("B"), **of_c2) | {"occurred_at": utc(9)},
    )  # fmt: skip
    for period in ("2026-09", ""):
        page = http.get(f"/reports/margin?period={period}").text
        assert "<option>JPY</option><option selected>USD</option>" in page, period
        chart = http.get(f"/reports?period={period}&group_by=day").text
        assert re.findall(r'id="h-plot">([^<]+)<', chart) == ["Net by day (UTC), USD"], period
