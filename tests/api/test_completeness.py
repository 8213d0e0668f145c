"""Completeness: sweeps, their holes, volumes side by side, and what the platform pays by itself."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from schemas.reconciliations import DayVolume, Difference
from tests.api.conftest import Browser, browser, deal_row, insert, utc
from tests.api.sweeps import store, sweep

LOT = 100_000_000


def agent(number: int, comment: str, amount: str = "2.50", at: datetime | None = None) -> dict[str, Any]:
    """A payment of the platform to the IB's login 9001."""
    row = deal_row(number, 5, "0") | {
        "kind": "agent",
        "login": 9001,
        "comment": comment,
        "side": "",
        "entry": "",
    }
    return row | {"profit": Decimal(amount), **({"occurred_at": at} if at else {})}


def test_a_server_never_swept_shows_what_is_held(http: Browser) -> None:
    """Four deals on four days, the volumes by hand; theirs is not known, and nothing is called complete."""
    (server,) = http.get("/v1/completeness").json()["items"]
    assert ("live", "2026-09-04T10:00:00Z", None) == (
        server["server"],
        server["last_event"],
        server["last_sweep"],
    )
    days = [(day["day"], day["ours"], day["ours_e8"], day["theirs"]) for day in server["days"]]
    assert [
        ("2026-09-04", 1, 30_000_000, None),
        ("2026-09-03", 1, 50_000_000, None),
        ("2026-09-02", 1, 2 * LOT, None),
        ("2026-09-01", 1, LOT, None),
    ] == days
    assert "never swept" in http.get("/completeness").text


def test_volumes_stand_side_by_side(ledger: Ledger, chdb: Client) -> None:
    """What the newest sweep found at the platform beside ours; a day swept in part tells nothing."""
    whole = DayVolume(day=utc(2).date(), theirs=2, ours=1, theirs_e8=5 * LOT, ours_e8=2 * LOT)
    part = DayVolume(day=utc(3).date(), theirs=7, ours=1, theirs_e8=9 * LOT, ours_e8=LOT)
    store(chdb, sweep(1, ends_at=utc(3, 12), days=(whole, part), missing=1, ingested=1))
    (server,) = browser(ledger).get("/v1/completeness").json()["items"]
    told = {day["day"]: (day["theirs"], day["theirs_e8"]) for day in server["days"]}
    assert {(2, 5 * LOT)} == {told["2026-09-02"]}
    assert (None, None) == told["2026-09-03"]
    assert (1, 0, 0) == (server["missing_found"], server["open_holes"], len(server["holes"]))
    assert "differs" in browser(ledger).get("/completeness").text


def test_an_open_hole_flags_the_statements_of_its_time(ledger: Ledger, chdb: Client) -> None:
    """September's statements are flagged everywhere until a later sweep of the same time closes the hole."""
    extra = Difference(deal_id="41", verdict="extra", occurred_at=utc(2))
    store(chdb, sweep(1, extra=1, examples=(extra,)))
    http = browser(ledger)
    items = http.get("/v1/statements").json()["items"]
    assert [1, 1] == [row["open_holes"] for row in items]
    assert "1 open hole in the deals of this time" in http.get("/?period=2026-09").text
    assert "open hole" not in http.get("/?period=2026-10").text
    assert "1 unresolved" in http.get("/completeness").text
    (meter,) = http.get("/health").json()["completeness"]
    assert ("live", 1) == (meter["server"], meter["open_holes"])
    store(chdb, sweep(1, extra=1), sweep(2))
    assert [0, 0] == [row["open_holes"] for row in http.get("/v1/statements").json()["items"]]
    assert "open hole" not in http.get("/?period=2026-09").text


def test_sweeps_are_listed_newest_first(ledger: Ledger, chdb: Client) -> None:
    """Page by page, whole, of one server or of all."""
    store(chdb, sweep(1), sweep(2, server="demo", logins=(7,)), sweep(3))
    http = browser(ledger)
    first = http.get("/v1/reconciliations?limit=2").json()
    assert ["sweep-3", "sweep-2"] == [row["reconciliation_id"] for row in first["items"]]
    rest = http.get(f"/v1/reconciliations?limit=2&cursor={first['next_cursor']}").json()
    assert (["sweep-1"], None) == ([row["reconciliation_id"] for row in rest["items"]], rest["next_cursor"])
    (demo,) = http.get("/v1/reconciliations?server=demo").json()["items"]
    assert ([7], "mt5-deals-csv deals.csv") == (demo["logins"], demo["source"])


def test_native_payments_are_summed_by_logins(ledger: Ledger, chdb: Client) -> None:
    """Two for client 1001, of them one names its deal; one comment tells nothing."""
    insert(
        chdb, "deals",
        agent(51, "agent '1001' - #1"), agent(52, "agent from '1001' 2026.09.05", "1.25"),
        agent(53, "bonus", "9"),
    )  # fmt: skip
    rows = browser(ledger).get("/v1/native-payments?server=live").json()["items"]
    told = [
        (row["ib_login"], row["client_login"], row["payments"], row["of_deals"], row["amount"])
        for row in rows
    ]
    assert [(9001, "", 1, 0, "9"), (9001, "1001", 2, 1, "3.75")] == told
    assert [] == browser(ledger).get("/v1/native-payments?server=other").json()["items"]


def test_a_deal_paid_natively_and_here_is_told(ledger: Ledger, chdb: Client) -> None:
    """Deal 1 pays A 8.25 and M 3; deal 3 was reversed, deal 6 pays nobody: those two are paid once."""
    insert(chdb, "deals", *(agent(50 + n, f"agent '1001' - #{n}") for n in (1, 3, 6)))
    http = browser(ledger)
    rows = http.get("/v1/native-payments/twice").json()["items"]
    told = [
        (row["native_deal"], row["client_deal"], row["basis"], row["ib_id"], row["amount"]) for row in rows
    ]
    assert [("51", "1", "deal", "A", "8.25"), ("51", "1", "deal", "M", "3")] == told
    assert "1 native agent payment for what is paid here" in http.get("/?period=2026-09").text
    assert "Paid twice" in http.get("/completeness").text


def test_payments_by_day_or_month_are_told_by_the_account(ledger: Ledger, chdb: Client) -> None:
    """Without a deal's number the account decides, in the 32 days before the payment and not after it."""
    comment = "agent from '1001' [0.5 lots]"
    late = utc(7) + timedelta(days=32)
    insert(chdb, "deals", agent(51, comment), agent(52, comment, at=utc(1, 1)), agent(53, comment, at=late))
    rows = browser(ledger).get("/v1/native-payments/twice").json()["items"]
    assert {("51", "login")} == {(row["native_deal"], row["basis"]) for row in rows}


def test_native_payments_stand_beside_ours_by_ib_and_day(ledger: Ledger, chdb: Client) -> None:
    """Deal 1: 2.50 of the platform, paid on the 5th, A has 7.00 + 1.25 here: 5.75 more.

    For 2, 3 and 4 the platform pays nothing: A has 14.00 of the 2nd, of the 3rd 3.50 - 3.50, B 2.005 EUR.
    """
    insert(chdb, "deals", agent(51, "agent '1001' - #1"), agent(52, "agent from '1001' 2026.09.05", "1.25"))
    http = browser(ledger)
    rows = http.get("/v1/native-payments/days").json()["items"]
    told = [
        (row["day"], row["ib_id"], row["deals"], row["native_amount"], row["amount"], row["difference"])
        for row in rows
    ]
    assert [
        ("2026-09-02", "A", 1, "0", "14", "14"),
        ("2026-09-03", "A", 1, "0", "0", "0"),
        ("2026-09-04", "B", 1, "0", "2.005", "2.005"),
        ("2026-09-05", "A", 1, "2.5", "8.25", "5.75"),
    ] == told
    assert [True, False, True, True] == [row["differs"] for row in rows]
    paged = http.get("/v1/native-payments/days?limit=1&differing=true").json()
    assert ["2026-09-02"] == [row["day"] for row in paged["items"]]
    rest = f"/v1/native-payments/days?differing=true&cursor={paged['next_cursor']}"
    assert ["2026-09-04", "2026-09-05"] == [row["day"] for row in http.get(rest).json()["items"]]
    for where in ("server=other", "from=2026-10-01T00:00:00Z"):
        assert [] == http.get(f"/v1/native-payments/days?{where}").json()["items"]


def test_where_no_platform_pays_nothing_is_compared(http: Browser) -> None:
    """Whatever the ledger pays."""
    assert {"items": [], "next_cursor": None} == http.get("/v1/native-payments/days").json()


def test_a_comment_that_may_be_cut_names_no_deal(ledger: Ledger, chdb: Client) -> None:
    """31 characters are all a platform keeps: `#1` there may be the beginning of another number."""
    comment = "agent '123456789012345678' - #1"
    assert 31 == len(comment)
    insert(chdb, "deals", agent(51, comment))
    http = browser(ledger)
    assert [] == http.get("/v1/native-payments/twice").json()["items"]
    (row,) = http.get("/v1/native-payments").json()["items"]
    assert (0, 1) == (row["of_deals"], row["payments"])
