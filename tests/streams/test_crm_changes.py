"""What a CRM changes of IBs, through the whole pipeline and into the database.

Own pays 5 USD a lot, gold 7: above own it earns the difference, 2.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from api.ledger import Ledger
from api.queries import quality
from api.scope import EVERYTHING
from commission.outputs import Transfer
from commission.terms.partners import ParentLink, PartnerChanged, PlanAssignment
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from streams.table_rows import Rows
from tests import services
from tests.build import ANNA, SYMBOLS, at, deal, deposit, kyc, partner, per_lot, period, plan

TERMS = (
    *SYMBOLS, period("2026-09"), plan("own USD", per_lot("*=5")), plan("gold USD", per_lot("*=7")),
    partner("ib-north USD own"), partner("ib-south USD gold"),
)  # fmt: skip


def changed(day: int, ib_id: str = "ib-north", event_id: str = "", **told: Any) -> PartnerChanged:
    return PartnerChanged(event_id=event_id or f"e{day}", ib_id=ib_id, occurred_at=at(day), **told)


def earned(pipeline: LocalPipeline, *records: Record) -> list[str]:
    """What the records cause, as `IB amount`."""
    rows = [row for row in pipeline.feed(records) if isinstance(row, Transfer)]
    return [f"{row.ib_id} {row.amount.normalize():f}" for row in rows]


def test_a_new_tier_counts_for_deals_from_its_day_on() -> None:
    """One lot on the 3rd earns 5; gold from the 5th: one lot on the 6th earns 7, a late one of the 4th 5."""
    pipeline = LocalPipeline()
    assert earned(pipeline, *TERMS, *ANNA, deal("1 buy 1 EURUSD out", day=3)) == ["ib-north 5"]
    gold = changed(5, schedule=(PlanAssignment(since=at(5), plan_id="gold"),))
    late = (deal("2 buy 1 EURUSD out", day=6), deal("3 buy 1 EURUSD out", day=4))
    assert earned(pipeline, gold, *late) == ["ib-north 7", "ib-north 5"]
    assert earned(pipeline, partner("ib-north USD own"), deal("4 buy 1 EURUSD out", day=6)) == ["ib-north 7"]


def test_deals_wait_for_an_ib_that_is_approved() -> None:
    """anna's IB is an applicant: her deal waits; approved with a plan from the 1st, it earns 2 x 5."""
    pipeline = LocalPipeline()
    without = [record for record in TERMS if getattr(record, "ib_id", "") != "ib-north"]
    received = changed(1, event_id="a1", application="received", name="North", currency="USD")
    assert earned(pipeline, *without, *ANNA, received, deal("1 buy 2 EURUSD out", day=3)) == []
    approved = replace(
        received,
        event_id="a2",
        application="approved",
        schedule=(PlanAssignment(since=at(1), plan_id="own"),),
    )
    assert earned(pipeline, approved) == ["ib-north 10"]


def test_a_refused_change_is_a_dead_letter_and_reaches_no_book() -> None:
    """north under south, then south under north: the second is buried with what to do; the first counts."""
    pipeline = LocalPipeline()
    under = changed(2, parents=(ParentLink(since=at(2), ib_id="ib-south"),))
    circle = changed(4, "ib-south", parents=(ParentLink(since=at(4), ib_id="ib-north"),))
    assert earned(pipeline, *TERMS, *ANNA, under, circle, deal("1 buy 1 EURUSD out", day=5)) == [
        "ib-north 5", "ib-south 2"
    ]  # fmt: skip
    (letter,) = pipeline.dead_letters
    assert (letter.code, letter.source) == ("refused_change", "topic terms")
    assert "circle" in letter.reason
    assert json.loads(letter.payload)["event_id"] == "e4"


@pytest.fixture(params=services.ledger_kinds())
def connected(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    with services.ledger(tmp_path, request.param) as client:
        yield client


def test_the_database_knows_ibs_as_the_books_do(connected: Client) -> None:
    """Published, changed and approved IBs are one view; a refused change is not in it, nor an applicant."""
    rows, pipeline = Rows(), LocalPipeline(lambda message, offset: rows.add(
        message.topic, 0, offset, message.value, message.source
    ))  # fmt: skip
    list(pipeline.feed((
        *TERMS,
        changed(2, parents=(ParentLink(since=at(2), ib_id="ib-south"),), kyc_approved=True),
        changed(1, event_id="e0", parents=(ParentLink(since=at(1), ib_id="ib-east"),), name="North Ltd"),
        changed(4, "ib-south", parents=(ParentLink(since=at(4), ib_id="ib-north"),)),
        changed(5, "ib-new", application="approved", name="New", currency="EUR"),
        changed(5, "ib-not", application="received", name="Not", currency="EUR"),
        *ANNA, kyc("anna expired", day=5), deposit("anna d1 500 USD", day=2),
    )))  # fmt: skip
    rows.store(connected)
    rows.store(connected)
    told = "SELECT ib_id, name, currency, parent, kyc_approved FROM partners_known ORDER BY ib_id"
    assert [tuple(row) for row in connected.query(told).result_rows] == [
        ("ib-new", "New", "EUR", None, False),
        ("ib-north", "North Ltd", "USD", "ib-south", True),
        ("ib-south", partner("ib-south USD").name, "USD", None, False),
    ]
    ledger = Ledger(lambda: connected)
    found = quality.client_events(ledger, EVERYTHING, "anna", "kyc_changed", 10)["items"]
    assert [(event["event_id"], event["status"]) for event in found] == [("kyc anna expired 5", "expired")]
    assert quality.client_events(ledger, EVERYTHING, "ben", "", 10)["items"] == []
    events = (
        "SELECT type, event_id, status FROM client_events FINAL WHERE type != 'account_linked' ORDER BY ALL"
    )
    assert ("kyc_changed", "kyc anna expired 5", "expired") in connected.query(events).result_rows
    assert ("deposit_cleared", "deposit d1", "") in connected.query(events).result_rows
