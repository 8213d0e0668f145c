"""The payout file: exact bytes, blocked lines, totals, and cells that run nothing."""

import json
from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.app import create_app
from api.ledger import Ledger, Row
from api.views.csv_cells import to_cell
from schemas.payouts import PAYOUT_RECORD, PayoutExported
from schemas.settings import Settings
from streams.table_rows import _COLUMNS, Rows
from tests.api.conftest import Browser, browser, insert, statement_row, utc

PREVIEW = (
    "period,ib_id,name,currency,amount,statement_id,status,export_id\r\n"
    "2026-09,A,'=Atlas,USD,208.25,st-A,payable,\r\n"
    "2026-09,B,Boreal,EUR,2.00,st-B,blocked_kyc,\r\n"
    "2026-09,,,USD,208.25,,total,\r\n"
)
EXPORT = (
    "period,ib_id,name,currency,amount,statement_id,status\r\n"
    "2026-09,A,'=Atlas,USD,208.25,st-A,payable\r\n"
    "2026-09,,,USD,208.25,,total\r\n"
)


def exported(place: int, offset: int, *statement_ids: str) -> dict[str, Any]:
    """An export of September as the sink stores it; it counts if it is at its place."""
    export = PayoutExported(
        export_id=f"x-{offset}", place=place, period="2026-09", by="anna", at=utc(3), file=EXPORT,
        statement_ids=statement_ids, exported_before=0, blocked=1, over_limit=0,
        sha256=sha256(EXPORT.encode()).hexdigest(),
    )  # fmt: skip
    rows = Rows()
    rows.add("payouts", 0, offset, PAYOUT_RECORD.dump_json(export), "")
    (row,) = rows.rows["payout_exports"]
    return dict(zip(_COLUMNS["payout_exports"], row, strict=True))


def test_a_preview_names_every_line_and_what_the_next_export_would_hold(http: Browser) -> None:
    """A may be paid and B is blocked, so B is in no total; the digest and the name agree."""
    answer = http.get("/v1/payouts?period=2026-09")
    assert answer.content == PREVIEW.encode()
    assert answer.headers["x-content-sha256"] == sha256(PREVIEW.encode()).hexdigest()
    assert answer.headers["content-disposition"] == 'attachment; filename="payout-lines-2026-09.csv"'


def test_what_was_exported_is_in_no_total_and_can_be_had_again(ledger: Ledger, chdb: Client) -> None:
    """A's line is in x-0; x-2 was made at the same time as another, at 1, and does not count."""
    insert(chdb, "payout_exports", exported(0, 0, "st-A"), exported(1, 2, "st-B"))
    http = browser(ledger)
    lines = http.get("/v1/payouts?period=2026-09").text.split("\r\n")
    assert lines[1:] == [
        "2026-09,A,'=Atlas,USD,208.25,st-A,exported,x-0",
        "2026-09,B,Boreal,EUR,2.00,st-B,blocked_kyc,",
        "",
    ]
    (listed,) = http.get("/v1/payouts/exports?period=2026-09").json()["items"]
    assert (listed["export_id"], listed["lines"], listed["blocked"]) == ("x-0", 1, 1)
    again = http.get("/v1/payouts/exports/x-0")
    assert again.content == EXPORT.encode()
    assert again.headers["x-content-sha256"] == listed["sha256"]
    assert http.get("/v1/payouts/exports/x-2").status_code == 404


def test_nothing_payable_is_an_empty_preview_and_an_unknown_period_a_mistake(http: Browser) -> None:
    """October is defined and pays nothing; a typing error must not look like that."""
    assert http.get("/v1/payouts?period=2026-10").text == PREVIEW.splitlines(keepends=True)[0]
    assert http.get("/v1/payouts?period=2026-1O").status_code == 404
    assert http.get("/v1/payouts").status_code == 422


def test_only_a_server_exports(http: Browser) -> None:
    """What exports reads and writes the log, which this process does not have."""
    answer = http.post("/v1/payouts/exports", json={"period": "2026-09"})
    assert answer.status_code == 503
    assert "ibflow serve" in answer.json()["detail"]


def test_amounts_have_the_digits_of_their_currency(ledger: Ledger, chdb: Client) -> None:
    """Yen have none; an IB the terms do not know is blocked."""
    insert(chdb, "statements", statement_row("st-Z", "Z", "JPY", "1000", "1000"))
    lines = browser(ledger).get("/v1/payouts?period=2026-09").text.split("\r\n")
    assert "2026-09,Z,,JPY,1000,st-Z,blocked_kyc," in lines


def test_an_amount_that_cannot_be_paid_is_refused(ledger: Ledger, chdb: Client) -> None:
    """A statement with a fraction of a cent stops the export rather than being rounded here."""
    insert(chdb, "statements", statement_row("st-Z", "Z", "USD", "1.005", "1.005"))
    answer = browser(ledger).get("/v1/payouts?period=2026-09")
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


@pytest.mark.parametrize("period", ["2026-09\x00", "\ud800", "2026-1O", "", "x" * 65, None, 7])
def test_a_period_that_is_none_exports_nothing(ledger: Ledger, period: object) -> None:
    """Whatever is sent as a period, the answer is the caller's mistake, and the desk is not asked."""

    class Desk:
        def export(self, period: str, lines: Sequence[Row], by: str) -> PayoutExported:
            raise AssertionError((period, lines, by))

    app = create_app(ledger, Settings(_env_file=None), payout_desk=Desk())
    body = json.dumps({"period": period}).encode()
    answer = Browser(app).post(
        "/v1/payouts/exports", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (404, 422), answer.text
