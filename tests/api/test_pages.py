"""The portal's pages over the hand-written ledger: what stands on each, and where its links lead."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger, LedgerUnavailable
from api.portal.marks import money, prose, volume, when
from api.problems import Problem
from api.queries import partners
from api.queries.partners import tree, walk
from api.queries.unpaid import BY_PLAN, kind_of
from api.scope import EVERYTHING
from commission.explain.reasons import REASONS
from tests.api.conftest import (
    SOURCE,
    Browser,
    browser,
    client_row,
    insert,
    partner_row,
    per_lot,
    transfer_row,
    utc,
)

PAGES = (
    "/", "/ibs", "/ibs?q=atlas", "/ibs/A", "/clients/c1", "/accounts?key=live/1001", "/deals?key=live|1",
    "/transfers/t1", "/reports", "/reports?group_by=day&then_by=symbol", "/reports/margin", "/reports/movers",
    "/statements", "/statements/st-A",
    "/unpaid", "/unpaid?kind=plan", "/balance", "/links", "/completeness",
    "/operations", "/dead-letters", "/search?q=live", "/docs", "/docs/reference", "/docs/problems",
)  # fmt: skip
ASKS_FOR_HTML = {"Accept": "text/html"}


def text_of(page: httpx.Response) -> str:
    """What a person reads: no tags, one space between words."""
    assert page.status_code == 200, page.text
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)))


def rows_of(page: httpx.Response, name: str) -> list[list[str]]:
    """The cells of a list, as text."""
    found = re.search(rf'data-list="{name}".*?<tbody>(.*?)</tbody>', page.text, re.S)
    return [
        [
            unescape(re.sub(r"<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)
        ]
        for row in re.findall(r"<tr.*?</tr>", found[1] if found else "", re.S)
    ]


def links_of(page: httpx.Response) -> Iterator[str]:
    """Where its links lead, of other pages of the portal."""
    for link in re.findall(r'<a[^>]* href="([^"]+)"', page.text):
        if link.startswith("/") and not link.startswith(("/v1/", "/static/", "/openapi")):
            yield unescape(link)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_keeps_the_chosen_period_in_every_link(http: Browser, path: str) -> None:
    """Whatever is read in September, its links lead to September."""
    page = http.get(f"{path}{'&' if '?' in path else '?'}period=2026-09")
    assert page.status_code == 200, page.text
    found = [link for link in links_of(page) if "period=2026-09" not in link]
    assert found == []
    assert len([*links_of(page)]) > 8


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_one_heading_named_lists_and_nothing_inline(http: Browser, path: str) -> None:
    """One h1, header cells with scope, no style or script in the page, no JSON."""
    page = http.get(path).text
    assert len(re.findall("<h1", page)) == 1
    assert re.findall(r"<th(?=[ >])(?![^>]*scope=)", page) == []
    assert re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://", page) == []
    assert "&#39;:" not in page.split("data-plot")[0], "a Python or JSON value was printed"


@pytest.mark.parametrize(
    ("path", "place"),
    [("/", "Overview"), ("/ibs/A", "IBs"), ("/clients/c1", "Clients"), ("/deals?key=live|1", "IBs"),
     ("/reports", "Reports"), ("/unpaid?kind=plan", "Unpaid"), ("/statements/st-A", "Statements")],
)  # fmt: skip
def test_the_menu_marks_where_one_is(http: Browser, path: str, place: str) -> None:
    """One entry is the current one."""
    assert re.findall(r'aria-current="page">(\w+)</a>', http.get(path).text.split("</nav>")[0]) == [place]


@pytest.mark.parametrize("path", [path for path in PAGES if "=live" not in path and path.count("/") == 1])
def test_every_page_has_an_empty_state(empty_ledger: Ledger, path: str) -> None:
    """Before anything is booked a page says so instead of failing."""
    page = browser(empty_ledger).get(path)
    assert page.status_code == 200, page.text


def test_a_persons_mistake_is_a_page_and_a_programs_a_problem(http: Browser) -> None:
    """A browser that asks for HTML gets a page with the same sentence; the API's answers stay JSON."""
    for path in ("/nope", "/ibs/none", "/?period=nonsense", "/transfers/none", "/reports?group_by=colour"):
        page = http.get(path, headers=ASKS_FOR_HTML)
        assert (page.status_code, page.headers["content-type"]) in [
            (404, "text/html; charset=utf-8"), (422, "text/html; charset=utf-8")
        ]  # fmt: skip
        assert http.get(path).json()["detail"].split(" ")[0] in text_of_error(page)
    problem = http.get("/v1/transfers/none", headers=ASKS_FOR_HTML)
    assert problem.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (403, "This is not yours to see"),
        (404, "Nothing is here"),
        (500, "Something broke on our side"),
        (503, "Not available just now"),
    ],
)
def test_an_error_says_what_to_do_next(http: Browser, status: int, title: str) -> None:
    """A heading in plain words, what is wrong, and a way on; once more only where that may help."""

    def fail() -> None:
        raise (
            LedgerUnavailable("busy")
            if status == 503
            else (ValueError("defect") if status == 500 else Problem(status, "Why it is so."))
        )

    http.app.router.add_api_route("/failing", fail, include_in_schema=False)
    page = http.get("/failing", headers=ASKS_FOR_HTML)
    assert page.status_code == status
    assert f"<h1>{title}</h1>" in page.text
    assert ('href="/failing">Try again</a>' in page.text) == (status >= 500)
    assert ">Overview</a>" in page.text
    assert 'class="next"' in page.text
    assert "defect" not in page.text


def text_of_error(page: httpx.Response) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", page.text))


@pytest.mark.parametrize("path", ["/nope<script>alert(1)</script>", "/ibs/<script>alert(1)</script>"])
def test_an_address_is_not_run(http: Browser, path: str) -> None:
    """What was asked for is shown, escaped."""
    page = http.get(path, headers=ASKS_FOR_HTML).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_no_name_from_outside_brings_markup(ledger: Ledger, chdb: Client) -> None:
    """An IB, a client and a symbol named like a script, on every page that shows them."""
    evil = "<script>x</script>"
    insert(chdb, "partners", partner_row("E", evil, "M", kyc=True))
    insert(chdb, "clients", client_row(evil, "E"))
    insert(
        chdb,
        "transfers",
        per_lot("evil", "E", f"live|{evil}", "1", "broker:expense:per_lot > ib:E:pending", client_id=evil,
                symbol=evil, account_key=f"live/{evil}"),
    )  # fmt: skip
    asked = browser(ledger)
    for path in ("/", "/ibs", "/ibs?q=script", "/ibs/E", f"/clients/{evil}", "/transfers/evil", "/reports",
                 "/reports?group_by=client&then_by=symbol", "/search?q=script", f"/search/found?q={evil}",
                 "/balance", "/reports?group_by=day&then_by=symbol"):  # fmt: skip
        page = asked.get(path)
        assert page.status_code == 200, path
        assert evil not in page.text, path


def test_the_overview_splits_what_is_not_paid(http: Browser) -> None:
    """Of the two rejected one is as the plan says, one was deleted, which is its end as well; one waits."""
    text = text_of(http.get("/?period=2026-09"))
    assert re.search(r"rated 3 waiting 1 need someone 0 not paid by plan 2", text)


def test_the_overview_shows_a_correction_by_when_it_was_posted(ledger: Ledger, chdb: Client) -> None:
    """A reversal of an old deal, posted after all else, is the first of what was posted last."""
    late = transfer_row(
        "late", "reversal", "A", "live|1", "7.00", "ib:A:pending > broker:expense:per_lot", reverses="t1",
        component="per_lot", occurred_at=utc(1),
    )  # fmt: skip
    insert(chdb, "transfers", late | {"stored_at": utc(20, month=12)})
    first = rows_of(browser(ledger).get("/"), "newest")[0]
    assert first[:4] == ["2026-09-01 10:00", "2026-12-20 10:00", "reversal", "=Atlas"]
    assert first[-3].startswith("\u22127.00")


def test_the_tree_opens_branch_by_branch(http: Browser) -> None:
    """M with A and B below; an IB's own come when it is opened; who earned nothing can be left out."""
    tree = http.get("/ibs?period=2026-09")
    assert re.findall(r'class="id">(\w+)', tree.text) == ["M", "A", "B"]
    branch = http.get("/ibs/branch?ib=M&period=2026-09")
    assert re.findall(r'class="id">(\w+)', branch.text) == ["A", "B"]
    assert "<html" not in branch.text
    earning = http.get("/ibs/branch?ib=M&currency=USD&hide=zero")
    assert re.findall(r'class="id">(\w+)', earning.text) == ["A"], "B earned euros only"
    assert re.findall(r'class="id">(\w+)', http.get("/ibs?q=REAL").text) == ["B"]
    orders = [
        re.findall(r'class="id">(\w+)', http.get(f"/ibs/branch?ib=M&currency=EUR&order={order}").text)
        for order in ("", "earned", "clients", "name")
    ]
    assert orders == [["B", "A"], ["B", "A"], ["A", "B"], ["A", "B"]], "B earned euros; A has two clients"
    assert http.get("/ibs/branch?ib=none").status_code == 404


def test_a_branch_of_a_large_tree_is_read_apart(
    http: Browser, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows what it shows of a tree that is read whole."""
    paths = [f"/ibs/branch?ib={ib}{more}" for ib in ("M", "A", "B") for more in ("", "&period=2026-09")]
    of_whole = [http.get(path).text for path in paths]
    assert {*"MAB"} == {node["ib_id"] for node in walk(tree(ledger, EVERYTHING, of="A"))}
    monkeypatch.setattr(partners, "MAX_WHOLE", 1)
    assert [http.get(path).text for path in paths] == of_whole
    assert ["A"] == [node["ib_id"] for node in tree(ledger, EVERYTHING, of="A")]
    assert http.get("/ibs/branch?ib=nobody").status_code == 404


def test_an_ib_page_adds_up(http: Browser) -> None:
    """A: 222.25 earned, 14 of it held, from c1 208.25 net and c2 14; M's downline is 225.25 dollars."""
    page = http.get("/ibs/A?period=2026-09")
    text = text_of(page)
    assert "Earned 222.25 USD" in text
    assert "Held 14.00 USD" in text
    assert [(row[0], row[5]) for row in rows_of(page, "clients")] == [("c1", "208.25"), ("c2", "14.00")]
    assert [(row[0], row[2]) for row in rows_of(page, "components")] == [
        ("cpa", "200.00"), ("per lot", "21.00"), ("spread share", "1.25")
    ]  # fmt: skip
    assert rows_of(page, "statements")[0][:2] == ["2026-09", "0.00"]
    assert "With downline 225.25 USD" in text_of(http.get("/ibs/M?period=2026-09"))


def test_a_running_period_has_a_draft(ledger: Ledger, chdb: Client) -> None:
    """October is not closed: 5.00 earned in it would be stated now, after nothing was carried."""
    insert(
        chdb,
        "transfers",
        per_lot(
            "oct", "A", "live|9", "5", "broker:expense:per_lot > ib:A:pending", occurred_at=utc(2, month=10)
        ),
    )
    text = text_of(browser(ledger).get("/ibs/A?period=2026-10"))
    assert "Draft of the statement of 2026-10" in text
    assert "Would be stated now 5.00 USD" in text
    assert "Draft of" not in text_of(browser(ledger).get("/ibs/A?period=2026-09"))


def test_a_draft_has_what_matures_in_its_period(ledger: Ledger, chdb: Client) -> None:
    """5.00 of a deal of September mature in October, of which 2.00 were advanced; 4.00 mature in November."""
    way, october = "broker:expense:per_lot > ib:A:pending", utc(12, month=10)
    insert(
        chdb, "transfers",
        per_lot("sep", "A", "live|8", "5", way, occurred_at=utc(28), matures_at=october),
        per_lot("oct", "A", "live|9", "4", way, occurred_at=october, matures_at=utc(8, month=11)),
    )  # fmt: skip
    way = "ib:A:pending > ib:A:payable"
    insert(chdb, "transfers", transfer_row("x", "advance", "A", "change|c-1", "2", way, occurred_at=october))
    text = text_of(browser(ledger).get("/ibs/A?period=2026-10"))
    assert "Carried from before 0.00 USD Earned, taken back and changed since 3.00 USD" in text
    assert "Would be stated now 3.00 USD Matures later, not in the sum 4.00 USD" in text


def test_a_client_page_tells_who_earned_from_it(http: Browser) -> None:
    """c1: A 211.75 accrued and 3.50 of it taken back, M 3.00; one account."""
    page = http.get("/clients/c1")
    nets = {(row[0], row[1]): row[6] for row in rows_of(page, "earned")}
    assert nets == {
        ("=Atlas", "cpa"): "200.00 USD", ("=Atlas", "per lot"): "7.00 USD",
        ("=Atlas", "spread share"): "1.25 USD", ("Meridian", "per lot"): "3.00 USD",
    }  # fmt: skip
    assert [row[0] for row in rows_of(page, "accounts")] == ["live/1001"]
    assert http.get("/clients/nobody").status_code == 404


def test_a_deal_page_leads_to_each_reason(http: Browser) -> None:
    """Deal 1 pays A 7.00 and 1.25 and M 3.00; deal 6 says in words why it pays nothing; no JSON."""
    paid = rows_of(http.get("/deals?key=live|1"), "rows")
    assert sorted(row[6] for row in paid) == ["1.25 USD", "3.00 USD", "7.00 USD"]
    text = text_of(http.get("/deals?key=live|6"))
    assert "The plan pays for the other side of a position" in text
    assert "{" not in text
    assert http.get("/deals?key=live|77").status_code == 404


def test_a_reversal_names_what_the_crm_reported(ledger: Ledger, chdb: Client) -> None:
    """The chargeback of a deposit took a CPA back; its page says so and on which statement it is."""
    insert(
        chdb,
        "transfers",
        transfer_row("back", "reversal", "A", "crm-7", "200.00", "ib:A:pending > broker:expense:cpa",
                     reverses="t9", client_id="c1", component="cpa", occurred_at=utc(9)),
    )  # fmt: skip
    event = {
        "client_id": "c1", "type": "chargeback_received", "event_id": "crm-7", "occurred_at": utc(9),
        "deposit_id": "dep-1", "status": "", "amount": None, "currency": "", "reason": "", "verdict": "",
        "ib_id": None, "jurisdiction": "", "expires_at": None, "source": "", "_topic": "t", "_partition": 0,
        "_offset": 1,
    }  # fmt: skip
    insert(chdb, "client_events", event)
    try:
        text = text_of(browser(ledger).get("/transfers/back"))
    finally:
        chdb.command("TRUNCATE TABLE client_events")
    assert "caused by the chargeback of deposit dep-1 (crm-7)" in text
    assert "The chargeback of deposit dep-1 (crm-7) undid an earlier accrual" in text


def test_unpaid_deals_keep_to_their_kind_and_period(ledger: Ledger) -> None:
    """Deal 5 waits in September, and not in October; 3 and 6 are not paid by plan; 1 was paid since."""
    asked = browser(ledger)
    assert [row[2] for row in rows_of(asked.get("/unpaid?period=2026-09"), "unpaid")] == ["live|5"]
    assert rows_of(asked.get("/unpaid?period=2026-10"), "unpaid") == []
    plan = asked.get("/unpaid?kind=plan")
    assert [row[2] for row in rows_of(plan, "unpaid")] == ["live|6", "live|3"]
    assert {row[0]: row[-1] for row in rows_of(plan, "reasons")} == {"entry not paid": "1", "deleted": "1"}
    only = asked.get("/unpaid?kind=plan&code=deleted")
    assert [row[2] for row in rows_of(only, "unpaid")] == ["live|3"]


def test_a_page_of_unpaid_deals_goes_on_where_it_ended(ledger: Ledger, chdb: Client) -> None:
    """250 that need someone are three pages of a hundred, each deal once."""
    rows = [
        {"deal_key": f"live|n{n:03}", "revision": "", "status": "rejected", "code": "incomplete_deal",
         "text": "", "account_key": "", "client_id": "", "occurred_at": utc(2) + timedelta(seconds=n // 3),
         "_topic": "t", "_partition": 0, "_offset": 1}
        for n in range(250)
    ]  # fmt: skip
    insert(chdb, "rejections", *rows)
    asked, path, seen = browser(ledger), "/unpaid?kind=someone", []
    while path:
        page = asked.get(path)
        seen += [row[2] for row in rows_of(page, "unpaid")]
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = unescape(following[1]) if following else ""
    assert len(seen) == 250
    assert sorted(seen) == sorted(row["deal_key"] for row in rows)


def test_every_reason_is_somebodys() -> None:
    """What is as the plan says is a reason that exists; a new reason needs someone until it is said whose."""
    assert BY_PLAN - REASONS.keys() == set()
    assert kind_of("rejected", "a_new_reason") == "someone"
    assert kind_of("rejected", "entry_not_paid") == "plan"
    assert kind_of("waiting", "entry_not_paid") == "waiting"


@pytest.mark.parametrize(
    ("asked", "group", "title"),
    [("atlas", "IBs", "=Atlas"), ("c1", "Clients", "c1"), ("1001", "Logins", "1001"),
     ("4", "Deals", "live|4"), ("live|4", "Deals", "live|4"), ("st-A", "Statements", "st-A")],
)  # fmt: skip
def test_search_finds(http: Browser, asked: str, group: str, title: str) -> None:
    """Each kind by its name, id or number; each hit leads to a page."""
    for path in ("/search", "/search/found"):
        page = http.get(path, params={"q": asked})
        assert re.search(rf"<h3>{group}</h3>.*?class=\"hit\">{re.escape(title)}<", page.text, re.S), page.text
    hits = [unescape(link) for link in re.findall(r'<li><a href="([^"]+)"', page.text)]
    assert {http.get(link).status_code for link in hits} == {200}


def test_search_finds_a_transfer_by_its_whole_id(ledger: Ledger, chdb: Client) -> None:
    """And nothing by a part of it, which would read every row."""
    whole = "0123456789abcdef0123456789abcdef"
    insert(chdb, "transfers", per_lot(whole, "A", "live|8", "1", "broker:expense:per_lot > ib:A:pending"))
    asked = browser(ledger)
    assert f"/transfers/{whole}" in asked.get(f"/search/found?q={whole}").text
    assert "Nothing is named" in asked.get(f"/search/found?q={whole[:20]}").text
    assert text_of(asked.get("/search/found?q=")).strip() == ""


def test_a_report_groups_by_two_and_says_all_in_its_address(http: Browser) -> None:
    """By IB and symbol in dollars; the files ask the API the same."""
    page = http.get("/reports?group_by=ib&then_by=symbol&period=2026-09&currency=USD")
    nets = {(row[0], row[1]): row[6] for row in rows_of(page, "report")}
    assert nets == {
        ("=Atlas", "none"): "200.00", ("=Atlas", "EURUSD"): "8.25", ("=Atlas", "XAUUSD"): "14.00",
        ("Meridian", "EURUSD"): "3.00",
    }  # fmt: skip
    assert "Net 225.25 USD" in text_of(page)
    files = [unescape(link) for link in re.findall(r'href="(/v1/reports/commissions[^"]+)"', page.text)]
    asked = [parse_qs(urlsplit(link).query) for link in files]
    assert [one["format"] for one in asked] == [["csv"], ["xlsx"], ["parquet"]]
    assert all(one["group_by"] == ["ib,symbol"] and one["period"] == ["2026-09"] for one in asked)
    assert http.get(files[0]).text.count("\n") == 5


def test_a_report_orders_compares_and_filters(http: Browser) -> None:
    """Most lots first; October beside September; an IB with all below; days instead of a period."""
    by_lots = http.get("/reports?group_by=symbol&by=lots&currency=USD")
    assert [row[0] for row in rows_of(by_lots, "report")][:2] == ["XAUUSD", "EURUSD"]
    beside = rows_of(http.get("/reports?group_by=ib&compare=before&period=2026-10&currency=USD"), "report")
    assert {row[0]: (row[5], row[6]) for row in beside}["=Atlas"] == ("0.00", "222.25")
    below = rows_of(http.get("/reports?group_by=ib&below=B"), "report")
    assert [row[0] for row in below] == ["Boreal"]
    days = rows_of(http.get("/reports?group_by=day&from=2026-09-02&to=2026-09-03&period=2026-10"), "report")
    assert [(row[0], row[5]) for row in days] == [("2026-09-02", "14.00")], "dates win over the period"
    assert http.get("/reports?from=yesterday").status_code == 422
    assert http.get("/reports?group_by=day&then_by=month").status_code == 422


def test_a_report_by_days_is_drawn(http: Browser) -> None:
    """The chart's data is in the page, as text of an attribute, and the table has the same."""
    page = http.get("/reports?group_by=day&currency=USD").text
    assert "uplot-1.6.32.min.js" in page
    assert '"label": "net"' in unescape(re.search(r'data-plot="([^"]+)"', page)[1])  # type: ignore[index]
    assert "uplot" not in http.get("/reports?group_by=symbol").text
    by_ib = http.get("/reports?group_by=day&then_by=ib&currency=USD").text
    drawn = unescape(re.search(r'data-plot="([^"]+)"', by_ib)[1])  # type: ignore[index]
    assert '"label": "Meridian"' in drawn, "lines of IBs have their names"


def test_a_statement_page_adds_up(http: Browser) -> None:
    """B: 2.005 accrued, 2.00 payable, 0.005 rounded, nothing carried; with its file."""
    page = http.get("/statements/st-B")
    text = text_of(page)
    for said in ("Opening carried from the statement before 0.00 EUR", "Carried to the next 0.00 EUR"):
        assert said in text
    assert "/v1/statements/st-B/export" in page.text
    assert [row[1] for row in rows_of(http.get("/statements?ib=B"), "statements")] == ["Boreal"]
    assert http.get("/statements/none").status_code == 404


def test_the_trial_balance_is_a_page(http: Browser) -> None:
    """It proves, and its accounts can be searched by how they begin."""
    page = http.get("/balance?account=ib:B")
    assert "It proves" in text_of(page)
    assert [row[0] for row in rows_of(page, "accounts")] == ["ib:B:held", "ib:B:payable", "ib:B:pending"]


def test_operations_lead_to_each_dead_letter(ledger: Ledger, chdb: Client) -> None:
    """One is open, of the reason bad number; its page has what was read, escaped, and what to do."""
    chdb.command(
        "ALTER TABLE dead_letters UPDATE payload_base64 = 'PGI+eDwvYj4=', payload_bytes = 8 WHERE 1 "
        "SETTINGS mutations_sync = 2"
    )  # `<b>x</b>`
    asked = browser(ledger)
    assert "nothing is stopped" in text_of(asked.get("/operations"))
    assert [row[:2] for row in rows_of(asked.get("/operations"), "letters")] == [["bad number", "1"]]
    assert [row[4] for row in rows_of(asked.get("/dead-letters?code=bad_number"), "dead-letters")] == ["9"]
    assert rows_of(asked.get("/dead-letters?state=closed"), "dead-letters") == []
    page = asked.get("/dead-letters/d1")
    assert "&lt;b&gt;x&lt;/b&gt;" in page.text
    assert "Nobody decided anything yet." in text_of(page)
    assert asked.get("/dead-letters/none").status_code == 404


def test_times_in_sentences_are_times() -> None:
    """What a sentence says in UTC is in the reader's zone once the script ran; names stay escaped."""
    said = prose("at 2026-09-01 10:00:00 UTC of `<b>`, approved 2026-09-02 08:30 UTC")
    assert said == (
        'at <time datetime="2026-09-01T10:00:00Z" data-to="s">2026-09-01 10:00:00 UTC</time> of '
        '<code>&lt;b&gt;</code>, approved <time datetime="2026-09-02T08:30:00Z" data-to="m">'
        "2026-09-02 08:30 UTC</time>"
    )


def test_a_report_says_whose_its_days_are(ledger: Ledger, chdb: Client) -> None:
    """Its days are of UTC, beside a period that begins at 21:00 UTC, the broker's midnight."""
    span = {"starts_at": utc(30, 21, month=9), "ends_at": utc(31, 22, month=10)}
    insert(chdb, "periods", {"period": "2026-10n"} | span | SOURCE)
    page = browser(ledger).get("/reports?group_by=day&period=2026-10n")
    said = text_of(page)
    assert "Commissions by day (UTC)" in said
    assert "its first day is cut: 2026-10n begins at 2026-09-30 21:00" in said
    assert "its first day" not in text_of(browser(ledger).get("/reports?group_by=ib&period=2026-10n"))
    assert "Reports count days, weeks and months in UTC" in said


def test_values_are_written_for_people() -> None:
    """Amounts in their currency's digits with the exact one on hover, lots in two, times with their zone."""
    assert str(money(Decimal("-1234.5678"), "USD", named=True)) == (
        '<span class="num neg" title="-1234.5678 USD">\u22121,234.57 <span class="cur">USD</span></span>'
    )
    assert str(money(Decimal("-0.001"), "USD")) == '<span class="num" title="-0.001 USD">0.00</span>'
    assert str(money(Decimal(1500), "JPY", signed=True)) == '<span class="num" title="1500 JPY">+1,500</span>'
    assert str(volume(Decimal("874.7926"))) == '<span class="num" title="874.7926 lots">874.79</span>'
    assert str(when(utc(1))) == (
        '<time class="num" datetime="2026-09-01T10:00:00Z" data-to="m">2026-09-01 10:00</time>'
    )
    assert str(when(None)) == '<span class="dim">never</span>'
