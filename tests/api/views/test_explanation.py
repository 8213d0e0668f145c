"""Explanations from the database: rows become values, and what only the database knows is added."""

from decimal import Decimal

from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries import transfers as queries
from api.scope import EVERYTHING
from api.views.explanation import explain_transfer, to_deal
from commission.terms.plans import PlanDefined
from schemas.columns import to_transfer
from schemas.wire import encode
from tests.api.conftest import (
    SOURCE,
    Browser,
    browser,
    deal_row,
    insert,
    partner_row,
    per_lot,
    rejection_row,
    transfer_row,
    utc,
)
from tests.build import per_lot as money_per_lot
from tests.build import plan

LOT = "broker:expense:per_lot"


def gold(version: int) -> dict[str, object]:
    """A plan row as the sink writes it."""
    published: PlanDefined = plan("gold USD", money_per_lot("class:forex=7"), version=version)
    return {"plan_id": "gold", "version": version, "definition": encode([published])[0].decode()} | SOURCE


def test_rows_become_the_values_they_were(ledger: Ledger) -> None:
    """A transfer and a deal are read whole: paths, factors, empty sides."""
    row = queries.transfer(ledger, EVERYTHING, "t2")
    assert row is not None
    found = to_transfer(row)
    assert (found.path, found.amount, found.depth) == (("A", "M"), Decimal("3.00"), 1)
    deal = queries.deal(ledger, EVERYTHING, "live|1")
    assert deal is not None
    assert (to_deal(deal).deal_key, to_deal(deal).entry) == ("live|1", "out")
    assert to_deal(deal | {"side": "", "entry": ""}).side is None


def test_the_answer_has_words_units_and_gates(ledger: Ledger, chdb: Client) -> None:
    """Text factors of the database are numbers again; the plan of the row's own version adds its words."""
    insert(chdb, "plans", gold(3), gold(4))
    factors = {"lots": "1.50000000", "rate": "7"}
    insert(
        chdb, "transfers",
        per_lot("n1", "A", "live|1", "10.50", f"{LOT} > ib:A:pending", plan_version=3, factors=factors),
    )  # fmt: skip
    found = browser(ledger).get("/v1/transfers/n1/explain").json()
    assert found["sentences"][1:3] == [
        "Rule fx of plan gold, version 3, pays 7 USD per lot for symbols of class forex.",
        "1.5 lots x 7 USD = 10.50 USD.",
    ]
    assert found["amount"] == "10.50 USD"
    assert found["factors"][1] == {
        "name": "rate", "label": "Rate", "value": "7", "shown": "7 USD per lot", "note": ""
    }  # fmt: skip
    assert [gate["name"] for gate in found["gates"]] == ["KYC hold"]
    assert {"name": "Source", "value": "deals.csv:2"} in found["inputs"]
    assert found["plan"]["definition"]["version"] == 3


def test_a_plan_of_another_form_is_no_obstacle(ledger: Ledger) -> None:
    """A definition this version cannot read, or none, leaves the row's own words."""
    found = explain_transfer(ledger, EVERYTHING, "t1")
    assert found is not None
    assert found.plan is not None
    assert found.plan["definition"] == {"plan_id": "gold"}
    assert "Rule fx of plan gold, version 2, pays" in found.text


def test_an_accrual_taken_back_in_part_says_how_much_stands(ledger: Ledger, chdb: Client) -> None:
    """A partial clawback reduces; both rows name each other."""
    back = transfer_row(
        "t1p", "reversal", "A", "cb-1", "2.00", f"ib:A:pending > {LOT}", reverses="t1", client_id="c1",
        component="per_lot", occurred_at=utc(8),
    )  # fmt: skip
    insert(chdb, "transfers", back)
    http = browser(ledger)
    original = http.get("/v1/transfers/t1/explain").json()
    assert original["state"] == "reduced"
    assert "It was taken back in part by cb-1 at 2026-09-08 10:00:00 UTC, transfer t1p." in original["text"]
    assert "2.00 USD of its own 7.00 USD goes back" in http.get("/v1/transfers/t1p/explain").json()["text"]


def test_a_cpa_says_that_another_client_of_the_person_is_paid(ledger: Ledger, chdb: Client) -> None:
    """200 for c1 went back, as c0 had qualified before; once c0 is charged back, they are due again."""
    factors = {"claim": "taken", "accrual": "t9", "qualified_at": "2026-09-05 10:00 UTC", "paid_client": "c0",
               "paid_since": "2026-09-02 10:00 UTC", "trigger": "cpa|c0|cpa"}  # fmt: skip
    pending, expense = "ib:A:pending", "broker:expense:cpa"
    taken = transfer_row(
        "p1", "true_up", "A", "cpa|c1", "200.00", f"{pending} > {expense}", client_id="c1", component="cpa",
        occurred_at=utc(6), factors=factors,
    )  # fmt: skip
    insert(chdb, "transfers", taken)
    http = browser(ledger)
    accrual = http.get("/v1/transfers/t9/explain").json()
    assert accrual["state"] == "reversed"
    said = "It was taken back at 2026-09-06 10:00:00 UTC, transfer p1: one CPA for one person."
    assert said in accrual["sentences"]
    row = http.get("/v1/transfers/p1/explain").json()
    assert "Client c1 qualified at 2026-09-05 10:00 UTC, client c0 at 2026-09-02 10:00 UTC." in row["text"]
    assert [other["transfer_id"] for other in row["chain"]] == ["t9", "p1"]
    due = factors | {"claim": "due", "instead_of": "c0", "trigger": "cb-0"}
    again = transfer_row(
        "p2", "true_up", "A", "cpa|c1", "200.00", f"{expense} > {pending}", client_id="c1", component="cpa",
        occurred_at=utc(9), factors=due,
    )  # fmt: skip
    insert(chdb, "transfers", again)
    found = http.get("/v1/transfers/t9/explain").json()
    assert found["state"] == "stands"
    assert (
        "It was given again at 2026-09-09 10:00:00 UTC, transfer p2: one CPA for one person." in found["text"]
    )


def test_a_deal_without_pay_is_explained_by_its_key(http: Browser) -> None:
    """A waiting and a rejected deal have code and meaning; a paid or unknown one is no such deal."""
    waiting = http.get("/v1/rejections/explain", params={"deal": "live|5"}).json()
    assert waiting["headline"] == "Deal live|5 waits: nothing is paid yet"
    assert waiting["reason"] == {
        "code": "unknown_symbol",
        "status": "waiting",
        "meaning": "The broker's terms do not know the symbol yet.",
        "text": "why 5",
    }
    reversed_since = http.get("/v1/rejections/explain", params={"deal": "live|3"}).json()
    assert reversed_since["sentences"][0].startswith("A client not known yet bought 0.5 lots of EURUSD.x")
    for key in ("live|1", "live|99"):
        missing = http.get("/v1/rejections/explain", params={"deal": key})
        assert missing.status_code == 404
        assert "/v1/transfers?deal=" in missing.json()["detail"]


def test_hostile_text_is_shown_not_run(ledger: Ledger, chdb: Client) -> None:
    """A comment, a symbol and a name with markup are escaped on the page."""
    evil = "<img src=x onerror=alert(1)>"
    insert(chdb, "deals", deal_row(8, 8, "1", evil) | {"comment": evil})
    insert(chdb, "partners", partner_row("E", evil, None, kyc=True))
    insert(chdb, "transfers", per_lot("e1", "E", "live|8", "1", f"{LOT} > ib:E:pending", path=["E"]))
    insert(chdb, "rejections", rejection_row(9, "waiting", "unknown_symbol") | {"text": evil})
    page = browser(ledger).get("/v1/transfers/e1/explain?format=html").text
    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 4
