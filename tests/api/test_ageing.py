"""What IBs owe by age, over a real ClickHouse.

A owes 100 USD since August (ended on 1 September) and 20 more since September (on 1 October); B owes 7 EUR
since September, and owed dollars that it has worked off. On 15 October, 44 and 14 days later:
"""

from typing import Any

from clickhouse_connect.driver.client import Client

from api.app import create_app
from api.ledger import Ledger
from schemas.settings import Settings
from tests.api.conftest import Browser, insert, statement_row, utc


def closed(ib: str, currency: str, month: int, closing: str) -> dict[str, Any]:
    """A statement that leaves so much."""
    row = statement_row(f"{ib} {currency} {month}", ib, currency, "0", "0")
    times = {"starts_at": utc(1, 0, month=month), "ends_at": utc(1, 0, month=month + 1)}
    return {**row, **times, "period": f"2026-{month:02}", "closing": closing}


def test_debts_are_shown_by_age(chdb: Client, empty_ledger: Ledger) -> None:
    """By IB and page; before September had ended A owed its 100 alone."""
    insert(
        chdb, "statements",
        closed("A", "USD", 8, "-100"), closed("A", "USD", 9, "-120"), closed("B", "EUR", 9, "-7"),
        closed("B", "USD", 8, "-5"), closed("B", "USD", 9, "0"),
    )  # fmt: skip
    browser = Browser(create_app(empty_ledger, Settings(_env_file=None)))

    def asked(path: str) -> Any:
        return browser.get(f"/v1/ageing?{path}").json()

    first = asked("as_of=2026-10-15T00:00:00Z&limit=1")
    nothing = {"until_30_days": "0", "until_60_days": "0", "until_90_days": "0", "older": "0"}
    assert first["items"] == [
        {
            "ib_id": "A", "currency": "USD", **nothing, "until_30_days": "20", "until_60_days": "100",
            "total": "120", "oldest_days": 44,
        }
    ]  # fmt: skip
    second = asked(f"as_of=2026-10-15T00:00:00Z&limit=1&cursor={first['next_cursor']}")
    assert [(one["ib_id"], one["until_30_days"], one["oldest_days"]) for one in second["items"]] == [
        ("B", "7", 14)
    ]
    assert second["next_cursor"] is None
    early = asked("as_of=2026-09-30T23:00:00Z")["items"]
    assert [(one["ib_id"], one["currency"], one["total"]) for one in early] == [
        ("A", "USD", "100"),
        ("B", "USD", "5"),
    ]
    assert asked("as_of=2027-02-01T00:00:00Z")["items"][0]["older"] == "120"
