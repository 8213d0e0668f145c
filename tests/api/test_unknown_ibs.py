"""IBs that are named and that nobody knows are shown: what waits for them is on no statement."""

from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.app import create_app
from api.ledger import Ledger
from api.queries.unknown_ibs import unknown_ibs
from api.scope import EVERYTHING, Scope
from schemas.settings import Settings
from tests.api.conftest import SOURCE, Browser, client_row, insert, partner_row, utc


def reassigned(number: int, client: str, ib: str | None, day: int) -> dict[str, Any]:
    told = {"event_id": f"r{number}", "type": "client_reassigned", "client_id": client, "ib_id": ib}
    return (
        told | {"occurred_at": utc(day), "_offset": number} | {k: SOURCE[k] for k in SOURCE if k != "_offset"}
    )


@pytest.fixture
def told(empty_ledger: Ledger, chdb: Client) -> Ledger:
    """B is below `gone`; c2 and c3 are `nope`'s now, c4 was until the 5th, c5 is nobody's since then."""
    insert(
        chdb, "partners",
        partner_row("A", "Atlas", None, kyc=True), partner_row("B", "Boreal", "gone", kyc=True),
    )  # fmt: skip
    insert(chdb, "clients", *(client_row(f"c{n}", ib) for n, ib in ((1, "A"), (2, "nope"), (3, "A"))))
    insert(chdb, "clients", client_row("c4", "nope"), client_row("c5", "nope"))
    insert(
        chdb, "client_events",
        reassigned(1, "c3", "nope", 4), reassigned(2, "c4", "A", 5), reassigned(3, "c5", None, 5),
        # Of two of one time the one told last counts, as in the client's book.
        reassigned(4, "c1", "typo", 6), reassigned(5, "c1", "A", 6),
    )  # fmt: skip
    return empty_ledger


def test_who_is_named_and_unknown_is_listed(told: Ledger) -> None:
    """Two clients of `nope`, one sub-IB of `gone`; whoever sees a part of the broker is told nothing."""
    assert unknown_ibs(told, EVERYTHING) == [
        {"ib_id": "nope", "clients": 2, "sub_ibs": 0},
        {"ib_id": "gone", "clients": 0, "sub_ibs": 1},
    ]
    assert unknown_ibs(told, Scope(frozenset({"A"}))) == []


def test_the_api_and_operations_show_them_until_they_are_known(told: Ledger, chdb: Client) -> None:
    """With how many they concern; once the terms have both, nothing is said any more."""
    http = Browser(create_app(told, Settings(_env_file=None)))
    assert [row["ib_id"] for row in http.get("/v1/partners").json()["unknown"]] == ["nope", "gone"]
    page = " ".join(http.get("/operations").text.split())
    assert "2 IBs that nobody knows" in page
    assert "<code>nope</code>: 2 clients</li>" in page
    assert "<code>gone</code>: 1 sub-IB</li>" in page
    insert(chdb, "partners", *(partner_row(ib, ib, None, kyc=True) for ib in ("nope", "gone")))
    assert http.get("/v1/partners").json()["unknown"] == []
    assert "that nobody knows" not in http.get("/operations").text
