"""What a client still lacks for a CPA: each condition beside what is known, and until when."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace

from api.ledger import Ledger
from api.portal.qualification import checks_of
from api.scope import EVERYTHING, NOTHING
from commission.links.records import LinkPlan, LinkSaved
from commission.terms.components import Cpa, CpaAmount
from schemas import topics
from schemas.wire import encode
from tests.api.conftest import SOURCE, insert, utc
from tests.build import TERMS, D, partner, plan

CPA = Cpa(
    name="cpa",
    amounts=(CpaAmount(amount=D("400"), min_deposit=D("500")),),
    min_lots=D("3"), min_trades=2, qualification_days=10, business_days=True, countries=("CY", "DE"),
)  # fmt: skip
CLIENT = {"client_id": "q1", "ib_id": "a", "country": "CY", "occurred_at": utc(1), "link": ""}
"""Registered on Tuesday, 1 September 2026."""

LINKS = tuple(
    LinkSaved(code=code, version=1, ib_id=ib, plans=plans, by="ann", at=utc(1, 0))
    for code, ib, plans in (
        ("own", "a", ()),
        ("ads", "a", (LinkPlan(plan_id="better"),)),
        ("next", "a", (LinkPlan(since=utc(2), plan_id="better"),)),
        ("theirs", "b", (LinkPlan(plan_id="better"),)),
    )
)


@pytest.fixture
def terms(ledger: Ledger, chdb: Client) -> Iterator[Ledger]:
    chdb.command("TRUNCATE TABLE books")
    better = replace(CPA, amounts=(CpaAmount(amount=D("500"), min_deposit=D("200")),))
    plans = plan("cpas USD", CPA), plan("better USD", better)
    lines = b"\n".join(encode([*TERMS, *plans, partner("a USD cpas"), partner("b USD"), *LINKS])).decode()
    row = {"_topic": topics.TERMS, "_partition": 0, "_offset": 0, "message": lines, "source": ""}
    insert(chdb, "books", row)
    yield ledger
    chdb.command("TRUNCATE TABLE books")
    chdb.command("TRUNCATE TABLE client_events")


def event(number: int, kind: str, **more: object) -> dict[str, object]:
    row = {"event_id": f"e{number}", "type": kind, "client_id": "q1", "occurred_at": utc(2, 9 + number)}
    return row | more | SOURCE


def test_nothing_is_there_yet(terms: Ledger) -> None:
    """Ten business days from a Tuesday end on the Tuesday after the next."""
    (found,) = checks_of(terms, EVERYTHING, CLIENT, [], [])
    assert found.until == utc(1) + timedelta(days=14)
    assert {one.label: one.state for one in found.checks} == {
        "Deposit": "no", "KYC": "no", "Lots closed": "no", "Deals closed": "no", "Country": "yes",
    }  # fmt: skip
    assert checks_of(terms, NOTHING, CLIENT, [], []) == [], "of IBs that are not seen nothing is told"
    (elsewhere,) = checks_of(terms, EVERYTHING, CLIENT | {"country": "US"}, [], [])
    assert elsewhere.checks[-1].state == "late"


def test_deposits_of_a_day_are_added_and_kyc_in_time_counts(terms: Ledger, chdb: Client) -> None:
    """200 and 300 within 24 hours are 500; approved a day later is in time."""
    insert(chdb, "client_events", event(1, "deposit_cleared", amount=Decimal(200), currency="USD"))
    insert(chdb, "client_events", event(2, "deposit_cleared", amount=Decimal(300), currency="USD"))
    insert(chdb, "client_events", event(3, "kyc_changed", status="approved"))
    (found,) = checks_of(terms, EVERYTHING, CLIENT, [], [])
    states = {one.label: (one.state, one.found) for one in found.checks}
    assert states["Deposit"] == ("yes", "500.00 USD")
    assert states["KYC"][0] == "yes"


@pytest.mark.parametrize(
    ("link", "plan_id", "said", "deposit"),
    [
        ("ads", "better", "ads", "200.00"),
        ("own", "cpas", "", "500.00"),
        ("next", "cpas", "", "500.00"),
        ("theirs", "cpas", "", "500.00"),
        ("gone", "cpas", "", "500.00"),
    ],
)
def test_the_plan_of_the_link_counts(terms: Ledger, link: str, plan_id: str, said: str, deposit: str) -> None:
    """Of the IB's own link, from when it has one; not of another IB's, which the CRM overruled."""
    (found,) = checks_of(terms, EVERYTHING, CLIENT | {"link": link}, [], [])
    assert (found.plan_id, found.link) == (plan_id, said)
    assert found.checks[0].wanted == f"{deposit} USD within 24 h of the first"


def test_a_cpa_that_another_took_the_place_of_stands(terms: Ledger) -> None:
    """A deal of the 9th, told late, qualifies the client on the 16th instead of the 24th."""
    rows: list[dict[str, object]] = [
        {"kind": "cpa.qualified", "milestone_id": "m1", "takes_back": "", "occurred_at": utc(24)},
        {"kind": "cpa.qualified", "milestone_id": "m2", "takes_back": "", "occurred_at": utc(16)},
        {"kind": "cpa.clawback", "milestone_id": "m3", "takes_back": "m1", "occurred_at": utc(9)},
    ]
    (found,) = checks_of(terms, EVERYTHING, CLIENT, [], rows)
    assert (found.qualified_at, found.lost_at) == (utc(16), None)
    rows.insert(0, {"kind": "cpa.clawback", "milestone_id": "m4", "takes_back": "m2", "occurred_at": utc(28)})
    (found,) = checks_of(terms, EVERYTHING, CLIENT, [], rows)
    assert (found.qualified_at, found.lost_at) == (None, utc(28))
