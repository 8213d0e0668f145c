"""Transfers: lists, single rows, and explanations a partner understands."""

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.shapes.transfers import TransferRow
from schemas.columns import TRANSFER_COLUMNS
from tests.api.conftest import Browser, browser, insert, per_lot


def test_pages_together_are_the_whole_ledger_once(http: Browser) -> None:
    """Following the cursor visits every transfer once, newest first, whatever shares an instant."""
    seen, cursor = [], ""
    while cursor is not None:
        page = http.get(f"/v1/transfers?limit=5&cursor={cursor}").json()
        seen += [row["transfer_id"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["s2", "s1", "r2", "t9", "t8", "t7", "t6", "t5", "t4", "t3", "t2", "t1"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("ib=M", ["t2"]),
        ("client=c2", ["t4"]),
        ("deal=live|3", ["t6", "t5"]),
        ("ib=A&deal=live|1", ["t3", "t1"]),
    ],
)
def test_transfers_filter(http: Browser, query: str, ids: list[str]) -> None:
    """Each filter lets through what carries its value, and filters combine."""
    assert [row["transfer_id"] for row in http.get(f"/v1/transfers?{query}").json()["items"]] == ids


def test_a_hostile_filter_is_a_value_not_sql(http: Browser) -> None:
    """Quotes and braces travel as parameters: they match nothing and break nothing."""
    answer = http.get("/v1/transfers", params={"ib": "A' OR 1=1 --", "client": "{ib:String}"})
    assert answer.status_code == 200
    assert answer.json()["items"] == []


def test_one_transfer_keeps_its_exact_amount(http: Browser) -> None:
    """Money is text with the ledger's digits, never a float."""
    row = http.get("/v1/transfers/t7").json()
    assert row["amount"] == "2.005"
    assert row["factors"]["amount"] == "2.005 USD"
    missing = http.get("/v1/transfers/none")
    assert missing.status_code == 404
    assert "/v1/transfers?deal=" in missing.json()["detail"]


def test_an_accrual_is_explained_with_its_deal_factors_and_path(http: Browser) -> None:
    """The override of M tells the deal, plan and version, the way up and each factor in order."""
    found = http.get("/v1/transfers/t2/explain").json()
    assert found["headline"] == "Meridian (M) earned 3.00 USD"
    assert found["state"] == "stands"
    assert found["deal"]["deal_key"] == "live|1"
    assert found["plan"] == {
        "plan_id": "gold", "version": 2, "rule": "fx/class:forex", "definition": {"plan_id": "gold"}
    }  # fmt: skip
    assert [(step["ib_id"], step["is_this"]) for step in found["path"]] == [("A", False), ("M", True)]
    assert [factor["name"] for factor in found["factors"]] == ["lots", "rate per lot", "amount"]
    assert "1 level above the client's direct IB" in found["text"]
    assert "Client c1 bought 1 lot of EURUSD.x at 1.1" in found["text"]


def test_a_reversed_accrual_says_what_took_it_back(http: Browser) -> None:
    """Both ends of a reversal name each other."""
    original = http.get("/v1/transfers/t5/explain").json()
    assert original["state"] == "reversed"
    assert [row["transfer_id"] for row in original["chain"]] == ["t5", "t6"]
    assert "taken back in full by live|3" in original["text"]
    reversal = http.get("/v1/transfers/t6/explain?format=text").text
    assert reversal.startswith("3.50 USD was taken back from =Atlas (A)")
    assert "The original is transfer t5" in reversal


def test_a_deal_revised_since_is_said_to_be(ledger: Ledger, chdb: Client) -> None:
    """The deal's row is its newest revision; an amount of an older one says so."""
    way = "broker:expense:per_lot > ib:A:pending"
    insert(chdb, "transfers", per_lot("o", "A", "live|1", "1", way, revision="r0"))
    assert "revised the deal since" in browser(ledger).get("/v1/transfers/o/explain").json()["text"]
    assert "revised" not in browser(ledger).get("/v1/transfers/t1/explain").json()["text"]


def test_a_held_accrual_says_when_it_was_released(http: Browser) -> None:
    """Hold, the release that ended it, and the closing are told in words."""
    assert "released" in http.get("/v1/transfers/t7/explain?format=text").text
    assert "it waits for the client's KYC" in http.get("/v1/transfers/t4/explain?format=text").text
    assert "released from hold" in http.get("/v1/transfers/t8/explain").json()["headline"]
    assert (
        http.get("/v1/transfers/s1/explain").json()["headline"]
        == "208.25 USD became payable to =Atlas (A) for 2026-09"
    )
    assert "rounding residue" in http.get("/v1/transfers/r2/explain").json()["headline"]
    assert "CPA conditions for client c1 were met" in http.get("/v1/transfers/t9/explain").json()["text"]


def test_the_explanation_page_shows_words_and_numbers(http: Browser) -> None:
    """The page holds headline, factors, path and the exact amount."""
    page = http.get("/v1/transfers/t2/explain?format=html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for text in ("Meridian (M) earned 3.00 USD", "rate per lot", "broker:expense:per_lot", "3.00000000 USD"):
        assert text in page.text
    assert http.get("/v1/transfers/none/explain?format=html").status_code == 404


def test_a_transfer_is_shown_with_every_column() -> None:
    """The answer's shape is written out for its readers, and has what the table has."""
    assert set(TRANSFER_COLUMNS) == {*TransferRow.model_fields}
