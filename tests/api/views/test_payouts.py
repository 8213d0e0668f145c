"""The payout file: exact bytes, blocked lines, totals, and cells that run nothing."""

from decimal import Decimal
from hashlib import sha256

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.views.csv_cells import to_cell
from tests.api.conftest import Browser, browser, insert, statement_row

EXPECTED = (
    "period,ib_id,name,currency,amount,statement_id,status\r\n"
    "2026-09,A,'=Atlas,USD,208.25,st-A,payable\r\n"
    "2026-09,B,Boreal,EUR,2.00,st-B,blocked_kyc\r\n"
    "2026-09,,,EUR,0.00,,total\r\n"
    "2026-09,,,USD,208.25,,total\r\n"
)


def test_the_payout_file_is_these_bytes(http: Browser) -> None:
    """B is blocked and in no total; the digest, the name and a second export agree."""
    answer = http.get("/v1/payouts/export?period=2026-09")
    assert answer.content == EXPECTED.encode()
    assert answer.headers["x-content-sha256"] == sha256(EXPECTED.encode()).hexdigest()
    assert answer.headers["content-disposition"] == 'attachment; filename="payouts-2026-09.csv"'
    assert http.get("/v1/payouts/export?period=2026-09").content == answer.content


def test_nothing_payable_is_an_empty_file_and_an_unknown_period_a_mistake(http: Browser) -> None:
    """October is defined and pays nothing; a typing error must not look like that."""
    assert http.get("/v1/payouts/export?period=2026-10").text == EXPECTED.splitlines(keepends=True)[0]
    assert http.get("/v1/payouts/export?period=2026-1O").status_code == 404
    assert http.get("/v1/payouts/export").status_code == 422


def test_amounts_have_the_digits_of_their_currency(ledger: Ledger, chdb: Client) -> None:
    """Yen have none; an IB the terms do not know is blocked."""
    insert(chdb, "statements", statement_row("st-Z", "Z", "JPY", "1000", "1000"))
    lines = browser(ledger).get("/v1/payouts/export?period=2026-09").text.split("\r\n")
    assert "2026-09,Z,,JPY,1000,st-Z,blocked_kyc" in lines


def test_an_amount_that_cannot_be_paid_is_refused(ledger: Ledger, chdb: Client) -> None:
    """A statement with a fraction of a cent stops the export rather than being rounded here."""
    insert(chdb, "statements", statement_row("st-Z", "Z", "USD", "1.005", "1.005"))
    answer = browser(ledger).get("/v1/payouts/export?period=2026-09")
    assert answer.status_code == 500
    assert "1.005" in answer.json()["detail"]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\x00=1", "\u200b=1", "\uff1d1", "=X()"],
)
def test_text_that_could_run_is_defused(text: str) -> None:
    """Whatever a spreadsheet would take for a formula starts with an apostrophe."""
    assert to_cell(text) == f"'{text}"


def test_harmless_cells_stay_as_they_are() -> None:
    """Words and numbers, negative ones too, are written plainly."""
    cells = [to_cell("Atlas - EU"), to_cell(Decimal("-1.50")), to_cell(3), to_cell(None)]
    assert cells == ["Atlas - EU", "-1.5", "3", ""]
