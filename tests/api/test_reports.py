"""Reports add up to the hand-written ledger of conftest."""

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from tests.api.conftest import (
    Browser,
    browser,
    insert,
    partner_row,
    statement_row,
    transfer_row,
    transfer_rows,
    utc,
)


def test_commissions_by_ib_are_those_of_the_table(http: Browser) -> None:
    """Each IB's accrued, reversed, net, held, lots and deals are the sums of its rows."""
    report = http.get("/v1/reports/commissions").json()
    expected = [
        {"ib_id": "A", "lots": "3", "accrued": "225.75", "reversed": "3.5", "net": "222.25", "held": "14",
         "currency": "USD", "deals": 2},
        {"ib_id": "B", "lots": "0.3", "accrued": "2.005", "reversed": "0", "net": "2.005", "held": "0",
         "currency": "EUR", "deals": 1},
        {"ib_id": "M", "lots": "1", "accrued": "3", "reversed": "0", "net": "3", "held": "0",
         "currency": "USD", "deals": 1},
    ]  # fmt: skip
    assert report["items"] == expected
    assert report["next_cursor"] is None


def test_totals_count_a_deal_once_however_many_ibs_it_pays(http: Browser) -> None:
    """Deal 1 pays A twice and M once, and is one lot of one deal in the totals."""
    totals = {row["currency"]: row for row in http.get("/v1/reports/commissions").json()["totals"]}
    assert totals["USD"]["lots"] == "3"
    assert totals["USD"]["deals"] == 2
    assert totals["USD"]["net"] == "225.25"
    assert totals["EUR"]["net"] == "2.005"


@pytest.mark.parametrize(
    ("query", "net"),
    [
        ("ib=A&group_by=symbol", {"": "200", "EURUSD": "8.25", "XAUUSD": "14"}),
        ("ib=A&group_by=component", {"cpa": "200", "per_lot": "21", "spread_share": "1.25"}),
        ("ib=A&group_by=client", {"c1": "208.25", "c2": "14"}),
        ("ib=A&group_by=period", {"2026-09": "222.25"}),
        ("symbol=XAUUSD&group_by=ib", {"A": "14"}),
        ("ib=A&group_by=ib&from=2026-09-02T00:00:00Z&to=2026-09-06T00:00:00Z", {"A": "14"}),
    ],
)
def test_every_dimension_groups_and_every_filter_filters(
    http: Browser, query: str, net: dict[str, str]
) -> None:
    """The net of each group is the sum of the rows that belong to it."""
    report = http.get(f"/v1/reports/commissions?{query}").json()
    name = {"ib": "ib_id", "client": "client_id"}.get(report["group_by"][0], report["group_by"][0])
    assert {row[name]: row["net"] for row in report["items"]} == net


def test_groups_combine_and_page(http: Browser) -> None:
    """Two dimensions give one row a pair, and the pages together are the whole list."""
    whole = http.get("/v1/reports/commissions?group_by=ib,component").json()["items"]
    paged, cursor = [], ""
    while cursor is not None:
        page = http.get(
            f"/v1/reports/commissions?group_by=ib&group_by=component&limit=2&cursor={cursor}"
        ).json()
        assert len(page["items"]) <= 2
        paged += page["items"]
        cursor = page["next_cursor"]
    assert len(whole) == 5
    assert paged == whole


def test_a_period_is_its_interval_of_event_time(http: Browser) -> None:
    """October has no accruals, and a period nobody defined is refused with those that are."""
    assert http.get("/v1/reports/commissions?period=2026-10").json()["items"] == []
    unknown = http.get("/v1/reports/commissions?period=2031-01")
    assert unknown.status_code == 404
    assert "2026-10, 2026-09" in unknown.json()["detail"]


def test_a_sub_tree_is_the_ib_and_all_below_it(ledger: Ledger, chdb: Client) -> None:
    """M has A and B: all of it is the whole report, 3.00 + 222.25 USD and 2.005 EUR; A is 222.25.

    B is under M from 20 September only: until then M has 225.25 USD and nothing of B's EUR.
    Deal 1 pays A and M and counts once: with deal 2, which stands as well, 3 lots of 2 deals.
    """
    http = browser(ledger)
    assert nets(http, "scope=M") == {"USD": ("225.25", "3", 2), "EUR": ("2.005", "0.3", 1)}
    assert nets(http, "scope=A") == {"USD": ("222.25", "3", 2)}
    assert nets(http, "scope=A&scope=M") == nets(http, "scope=M")
    since = '{"parents": [{"ib_id": null}, {"since": "2026-09-20T00:00:00Z", "ib_id": "M"}]}'
    later = partner_row("B", "Boreal", "M", kyc=False) | {"definition": since, "_offset": 2}
    insert(chdb, "partners", later)
    assert nets(http, "scope=M&to=2026-09-20T00:00:00Z") == {"USD": ("225.25", "3", 2)}
    assert nets(http, "scope=M&to=2026-09-21T00:00:00Z")["EUR"] == ("2.005", "0.3", 1)
    assert http.get("/v1/reports/commissions?scope=nobody").status_code == 404


def nets(http: Browser, query: str) -> dict[str, tuple[str, str, int]]:
    """Currency → net, lots and deals in all."""
    totals = http.get(f"/v1/reports/commissions?{query}").json()["totals"]
    return {row["currency"]: (row["net"], row["lots"], row["deals"]) for row in totals}


@pytest.mark.parametrize(
    "query",
    [
        "group_by=day,period",
        "group_by=password",
        "period=2026-09&from=2026-09-01T00:00:00Z",
        "limit=0",
        "limit=1001",
        "cursor=x",
    ],
)
def test_a_wrong_question_is_a_problem_that_says_what_to_do(http: Browser, query: str) -> None:
    """Every refusal is problem+json with a sentence."""
    answer = http.get(f"/v1/reports/commissions?{query}")
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")


def test_rows_inserted_twice_count_once(ledger: Ledger, chdb: Client) -> None:
    """A sink that repeats a batch changes no answer."""
    http = browser(ledger)
    paths = (
        "/v1/reports/commissions",
        "/v1/partners",
        "/v1/trial-balance",
        "/v1/transfers",
        "/v1/statements",
    )
    before = [http.get(path).json() for path in paths]
    insert(chdb, "transfers", *transfer_rows())
    assert [http.get(path).json() for path in paths] == before


def test_the_report_as_csv_is_defused(ledger: Ledger, chdb: Client) -> None:
    """A client's id that is a formula comes out as text; negative numbers stay numbers."""
    evil = transfer_row(
        "x", "reversal", "M", "e", "9", "ib:M:pending > broker:expense:cpa", client_id="=cmd|'x'!A1"
    )
    insert(chdb, "transfers", evil)
    answer = browser(ledger).get("/v1/reports/commissions?group_by=client&format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = answer.text.split("\r\n")
    assert lines[0] == "client_id,lots,accrued,reversed,net,held,currency,deals"
    assert lines[1] == "'=cmd|'x'!A1,0,0,9,-9,0,USD,0"


def test_partners_are_a_tree_with_balances(http: Browser) -> None:
    """M stands above A and B; each carries its clients and the balances of its accounts."""
    (root,) = http.get("/v1/partners").json()["items"]
    assert root["ib_id"] == "M"
    a, b = root["children"]
    assert (a["clients"], b["clients"]) == (2, 1)
    assert a["totals"] == [
        {"currency": "USD", "earned": "222.25", "reversed": "3.5", "held": "14", "pending": "0",
         "payable": "208.25", "lots": "3", "deals": 2}
    ]  # fmt: skip
    assert (b["totals"][0]["pending"], b["totals"][0]["payable"]) == ("0", "2")


def test_the_closing_belongs_to_its_period(http: Browser) -> None:
    """Statement rows carry the instant the period ended, and count for that period, not the next."""
    (september,) = http.get("/v1/partners?period=2026-09").json()["items"]
    (october,) = http.get("/v1/partners?period=2026-10").json()["items"]
    assert september["children"][0]["totals"][0]["payable"] == "208.25"
    assert october["children"][0]["totals"] == []


def test_partners_that_loop_are_shown_not_lost(ledger: Ledger, chdb: Client) -> None:
    """Terms that make two IBs each other's master IB still list every IB."""
    insert(chdb, "partners", partner_row("X", "X", "Y", kyc=True), partner_row("Y", "Y", "X", kyc=True))
    roots = [node["ib_id"] for node in browser(ledger).get("/v1/partners").json()["items"]]
    assert roots == ["M", "X", "Y"]


def test_statements_filter_and_page(http: Browser) -> None:
    """Pages follow one another in order, and the identity of every statement holds."""
    first = http.get("/v1/statements?limit=1").json()
    second = http.get(f"/v1/statements?limit=1&cursor={first['next_cursor']}").json()
    assert [row["ib_id"] for row in first["items"] + second["items"]] == ["A", "B"]
    assert second["next_cursor"] is None
    assert http.get("/v1/statements?order=newest&limit=1").json()["items"] == first["items"], "one period"
    assert [
        row["statement_id"] for row in http.get("/v1/statements?ib=B&period=2026-09").json()["items"]
    ] == ["st-B"]


def test_the_trial_balance_is_zero(http: Browser) -> None:
    """Debits equal credits in each currency, accounts have the balances of the table, no row is unsound."""
    balance = http.get("/v1/trial-balance").json()
    assert balance["balanced"] is True
    assert {row["currency"]: row["difference"] for row in balance["currencies"]} == {"EUR": "0", "USD": "0"}
    accounts = {(row["account"], row["currency"]): row["balance"] for row in balance["accounts"]}
    assert accounts["ib:A:payable", "USD"] == "208.25"
    assert accounts["broker:expense:per_lot", "USD"] == "-24"  # 7 + 3 + 14 + 3.50 - 3.50
    assert accounts["rounding", "EUR"] == "0.005"
    only_a = http.get("/v1/trial-balance?account=ib:A:").json()["accounts"]
    assert [row["account"] for row in only_a] == ["ib:A:held", "ib:A:payable", "ib:A:pending"]


def test_unsound_rows_unbalance_the_ledger(ledger: Ledger, chdb: Client) -> None:
    """A reversal of nothing and an original reversed twice are counted, and `balanced` is false."""
    way = "ib:A:pending > broker:expense:per_lot"
    insert(
        chdb, "transfers",
        transfer_row("x1", "reversal", "A", "e", "1", way, reverses="nowhere"),
        transfer_row("x2", "reversal", "A", "e", "3.50", way, reverses="t5"),
    )  # fmt: skip
    balance = browser(ledger).get("/v1/trial-balance").json()
    assert balance["balanced"] is False
    assert balance["checks"] == {
        "amounts_not_positive": 0,
        "accounts_missing": 0,
        "reversals_without_original": 1,
        "originals_reversed_twice": 1,
    }


def test_rejections_leave_out_rated_deals(http: Browser) -> None:
    """A deal that waited and was rated since is no rejection; one whose accrual was reversed is."""
    assert [row["deal_key"] for row in http.get("/v1/rejections").json()["items"]] == [
        "live|6",
        "live|5",
        "live|3",
    ]
    assert [row["code"] for row in http.get("/v1/rejections?status=waiting").json()["items"]] == [
        "unknown_symbol"
    ]
    first = http.get("/v1/rejections?limit=2").json()
    rest = http.get(f"/v1/rejections?limit=2&cursor={first['next_cursor']}").json()
    assert [row["deal_key"] for row in rest["items"]] == ["live|3"]


def test_dead_letters_are_listed(http: Browser) -> None:
    """Unusable input is shown with its place and reason."""
    (letter,) = http.get("/v1/dead-letters?code=bad_number").json()["items"]
    assert (letter["source"], letter["position"], letter["reason"]) == ("deals.csv", "9", "not a number")
    assert http.get("/v1/dead-letters?code=other").json()["items"] == []


def test_dead_letters_are_filtered_counted_and_shown_whole(http: Browser) -> None:
    """By part of the source, by time and by what was decided; an id leads to the bytes and the decisions."""
    for wanted, found in (("source=DEALS", 1), ("source=crm", 0), ("state=open", 1), ("state=closed", 0),
                          ("since=2026-09-01", 1), ("since=2027-01-01T00:00:00Z", 0)):  # fmt: skip
        counts = http.get(f"/v1/dead-letters/counts?{wanted}").json()
        assert sum(count["letters"] for count in counts) == found, wanted
        assert len(http.get(f"/v1/dead-letters?{wanted}").json()["items"]) == found, wanted
    whole = http.get("/v1/dead-letters/d1").json()
    assert (whole["code"], whole["decisions"]) == ("bad_number", [])
    assert http.get("/v1/dead-letters/d2").status_code == 404


def test_events_of_clients_are_listed(http: Browser) -> None:
    """Nothing was told of these clients after their registration."""
    assert http.get("/v1/client-events?client=c1&type=kyc_changed").json() == {
        "items": [],
        "next_cursor": None,
    }


def test_a_statement_file_needs_the_archive(http: Browser) -> None:
    """Rows whose messages are not archived belong nowhere; neither does a statement nobody closed."""
    unknown = http.get("/v1/statements/nothing/export")
    assert (404, True) == (unknown.status_code, "/v1/statements?" in unknown.json()["detail"])
    without = http.get("/v1/statements/st-A/export")
    assert (409, True) == (without.status_code, "archive lacks" in without.json()["detail"])


def test_refusals_of_paid_deals_are_left_out_of_pages(ledger: Ledger, chdb: Client) -> None:
    """Of refusals 1, 3, 5 and 6 deal 1 is paid: a page of one shows 6, 5 and 3, and none follows."""
    http, found, cursor = browser(ledger), [], ""
    while cursor is not None:
        page = http.get(f"/v1/rejections?limit=1&cursor={cursor}").json()
        found += [row["deal_key"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert found == ["live|6", "live|5", "live|3"]


def test_statements_are_paged_newest_first_too(empty_ledger: Ledger, chdb: Client) -> None:
    """Three periods of A and B, pages of two: the newest period first, IBs by name in each."""
    for month in (7, 8, 9):
        for ib in ("A", "B"):
            times = {
                "period": f"2026-0{month}",
                "starts_at": utc(1, 0, month),
                "ends_at": utc(1, 0, month + 1),
            }
            insert(chdb, "statements", statement_row(f"{ib}{month}", ib, "USD", "1", "1") | times)
    http, found, cursor = browser(empty_ledger), [], ""
    while cursor is not None:
        page = http.get(f"/v1/statements?order=newest&limit=2&cursor={cursor}").json()
        found += [row["statement_id"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert found == ["A9", "B9", "A8", "B8", "A7", "B7"]
    shown = http.get("/statements?sort=period").text
    turned = "/statements?sort=period&amp;order=asc"
    assert f'<th scope="col" aria-sort="descending"><a class="sort" href="{turned}">' in shown
