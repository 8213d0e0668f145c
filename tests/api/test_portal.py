"""The pages: the numbers are on them, and nothing comes from elsewhere."""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.portal import render
from api.portal.chart import HEIGHT, OTHERS, TOP, chart
from api.portal.marks import rounded
from api.queries import over_time as queries
from api.queries.over_time import OverTime, first_day, over_time, starts_of
from api.queries.periods import ALWAYS, interval
from api.scope import EVERYTHING
from tests.api.conftest import SOURCE, Browser, browser, insert, partner_row, per_lot


def test_the_overview_shows_the_ledgers_numbers(http: Browser) -> None:
    """Tiles, tree, deals and trial balance carry the sums of the hand-written ledger, in dollars."""
    page = http.get("/?period=2026-09").text
    text = re.sub(r"<[^>]+>", " ", page)
    for number in ("225.25", "14.00", "208.25", "3.50", "Trial balance 0.00"):
        assert number in text
    counts = re.findall(r"(rated|waiting|need someone|not paid by plan).*?</dt><dd class=\"num\">(\d+)", page)
    assert counts == [("rated", "3"), ("waiting", "1"), ("need someone", "0"), ("not paid by plan", "2")]
    assert "/transfers/t9?period=2026-09" in page


def test_another_currency_and_period_can_be_chosen(http: Browser) -> None:
    """Euros show B's earnings of 0.30 lots, dollars 1 and 2 lots of A's; October, that nothing happened."""
    euros = re.sub(r"<[^>]+>", "", http.get("/?currency=EUR").text)
    assert "2.00 EUR" in euros
    assert "0.30 lots that pay in EUR" in euros
    assert "3.00 lots that pay in USD" in re.sub(r"<[^>]+>", "", http.get("/?currency=USD").text)
    assert "No transfer in this period" in http.get("/?period=2026-10").text
    assert http.get("/?period=nonsense").status_code == 404


def test_an_empty_ledger_has_an_empty_state(empty_ledger: Ledger) -> None:
    """Before the first deal the page says what to start."""
    page = browser(empty_ledger).get("/")
    assert page.status_code == 200
    assert "Nothing booked yet" in page.text


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/transfers/t1/explain?format=html"])
def test_a_page_asks_for_nothing_elsewhere_and_has_no_inline_code(http: Browser, path: str) -> None:
    """Every address on a page is of this server; no style attribute, no inline script."""
    page = http.get(path).text
    addresses = re.findall(r"""(?:src|href|action)=["']([^"']*)""", page)
    assert addresses
    assert [address for address in addresses if not re.match(r"/(?!/)|#", address)] == []
    assert re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://", page) == []
    local = {address for address in addresses if address.startswith("/static/")}
    assert {http.get(address).status_code for address in local} == {200}


def test_static_files_ask_for_nothing_elsewhere(http: Browser) -> None:
    """Style and script hold no address of another server."""
    for name in ("portal.css", "portal.js", "forms.js"):
        assert re.findall(r"https?://|//[a-z]+\.|@import|url\(", http.get(f"/static/{name}").text) == []


def test_no_form_for_the_api_sends_what_it_holds_by_itself() -> None:
    """Without its script, what somebody typed would else be put into an address, and so into logs."""
    templates = (Path(render.__file__).parent / "templates").glob("*.html")
    forms = [form for page in templates for form in re.findall(r"<form\b[^>]*>", page.read_text("utf-8"))]
    asking = [form for form in forms if re.search(r"\bdata-(api|upload)\b", form)]
    assert len(asking) > 50
    assert [form for form in asking if 'method="dialog"' not in form] == []


def test_a_page_can_be_read_without_seeing_it(http: Browser) -> None:
    """Landmarks, one heading of the first level, named regions and table headers with scope are there."""
    page = http.get("/").text
    assert len(re.findall(r"<h1", page)) == 1
    for part in (
        '<main id="main"',
        "<header",
        "<nav aria-label",
        "<footer",
        'lang="en"',
        'href="#main"',
        'role="img"',
    ):
        assert part in page
    assert re.findall(r"<th(?=[ >])(?![^>]*scope=)", page) == []


def test_names_cannot_bring_markup(ledger: Ledger, chdb: Client) -> None:
    """An IB named like a script is shown, not run."""
    insert(chdb, "partners", partner_row("E", "<script>alert(1)</script>", None, kyc=True))
    page = browser(ledger).get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_docs_list_every_route(http: Browser) -> None:
    """The page of routes holds each path of the OpenAPI document."""
    page = http.get("/docs").text
    paths = http.get("/openapi.json").json()["paths"]
    assert "/v1/payouts" in paths
    assert [path for path in paths if path not in page] == []


def test_the_chart_stacks_to_scale() -> None:
    """Heights are proportional to money, stacks touch, and what is negative hangs below zero."""
    day = date(2026, 9, 1)
    rows = [(day, "A", Decimal(100)), (day, "B", Decimal(50)), (day, "C", Decimal(-50))]
    drawn = chart(OverTime("day", rows), {"A": "Atlas"})
    assert drawn is not None
    a, b, c = drawn.bars
    assert drawn.legend == ["Atlas", "B", "C"]
    assert a.height == pytest.approx(2 * b.height, abs=0.02)
    assert b.y + b.height == pytest.approx(a.y, abs=0.02)
    assert c.y == pytest.approx(drawn.zero, abs=0.02)
    assert all(bar.y >= TOP and bar.y + bar.height <= HEIGHT for bar in drawn.bars)


def test_a_wide_chart_stays_readable() -> None:
    """Many IBs become few series, and units without a row are there."""
    rows = [
        (date(2020 + n % 6, 1, 1), f"IB{n}" if n < 7 else "", Decimal(1)) for n in range(30) if n % 6 != 2
    ]
    drawn = chart(OverTime("year", sorted(rows)), {})
    assert drawn is not None
    assert drawn.legend[-1] == OTHERS
    assert len(drawn.legend) == 7
    assert starts_of("year", date(2020, 1, 1), date(2025, 1, 1))[2] == date(2022, 1, 1)
    assert chart(OverTime("day", []), {}) is None


@pytest.mark.parametrize(
    ("last", "unit", "starts"),
    [
        (date(2026, 10, 31), "day", ["2026-09-01", "2026-09-02", "2026-10-31"]),
        (date(2026, 12, 31), "week", ["2026-08-31", "2026-12-28"]),
        (date(2028, 2, 29), "month", ["2026-09-01", "2028-02-01"]),
        (date(2033, 1, 1), "year", ["2026-01-01", "2033-01-01"]),
    ],
)
def test_a_long_time_is_drawn_in_larger_units(
    empty_ledger: Ledger, chdb: Client, last: date, unit: str, starts: list[str]
) -> None:
    """1 on the first day, 2 on the second, 4 on the last, of two IBs of which one is asked for."""
    days = (date(2026, 9, 1), date(2026, 9, 2), last)
    way = "broker:expense:per_lot > ib:{}:pending"
    insert(
        chdb,
        "transfers",
        *(
            per_lot(f"{ib}{n}", ib, f"live|{n}", str(2**n), way.format(ib), occurred_at=_noon(day))
            for n, day in enumerate(days)
            for ib in "AB"
        ),
    )
    insert(chdb, "day_marks", *({"day": day, "mark": 1, "is_open": True} for day in days))
    found = over_time(empty_ledger, EVERYTHING, ALWAYS, "USD", ["A"])
    assert found.unit == unit
    assert [str(start) for start, series, _ in found.rows if series == "A"] == starts
    sums = {series: sum(net for _, name, net in found.rows if name == series) for series in ("A", "")}
    assert sums == {"A": Decimal(7), "": Decimal(7)}


def test_a_period_is_drawn_by_the_brokers_days(
    empty_ledger: Ledger, chdb: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """October in Nicosia: three hours before UTC until the 25th at 01:00, two from then on.

    1 at 00:30 on the 1st; 2 at 00:30 and 4 at 23:30 on the 25th, which has 25 hours. By days of UTC they are
    of the 30th of September, the 24th and the 25th, and so they are drawn where rows are too many.
    """
    midnights = [datetime(2026, 9, 30, 21, tzinfo=UTC) + timedelta(days=n) for n in range(25)]
    midnights += [datetime(2026, 10, 25, 22, tzinfo=UTC) + timedelta(days=n) for n in range(6)]
    own = {"period": "2026-10", "starts_at": midnights[0], "ends_at": datetime(2026, 10, 31, 22, tzinfo=UTC)}
    insert(chdb, "periods", own | {"days": midnights, "first_weekday": 3} | SOURCE)
    first_night = over_time(empty_ledger, EVERYTHING, interval(empty_ledger, "2026-10"), "", [])
    assert first_night.rows == [], "nothing was traded in it yet"
    times = (midnights[0], midnights[24], datetime(2026, 10, 25, 21, tzinfo=UTC))
    way = "broker:expense:per_lot > ib:A:pending"
    rows = [
        per_lot(f"x{n}", "A", f"live|{n}", str(2**n), way, occurred_at=at + timedelta(minutes=30))
        for n, at in enumerate(times)
    ]
    insert(chdb, "transfers", *rows)
    span = interval(empty_ledger, "2026-10")
    found = over_time(empty_ledger, EVERYTHING, span, "USD", ["A"])
    assert [(str(day), int(net)) for day, _, net in found.rows] == [("2026-10-01", 1), ("2026-10-25", 6)]
    assert (found.unit, found.is_local) == ("day", True)
    monkeypatch.setattr(queries, "MAX_ROWS", 2)
    found = over_time(empty_ledger, EVERYTHING, span, "USD", ["A"])
    assert [str(day) for day, _, _ in found.rows] == ["2026-09-30", "2026-10-24", "2026-10-25"]
    drawn = chart(found, {})
    assert drawn is not None
    assert drawn.bucket == "day, UTC", "and the page says so"
    assert [first_day(midnights[0], 3), first_day(datetime(2026, 10, 1, 5, tzinfo=UTC), 3)] == [
        date(2026, 10, 1)
    ] * 2, "east and west of Greenwich"


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def test_amounts_are_shown_in_their_currencys_digits() -> None:
    """Thousands are grouped, a true minus stands before a debt, and nothing shows as minus zero."""
    shown = [rounded(Decimal(amount), currency) for amount, currency in
             (("1234.5", "USD"), ("-1234.5", "USD"), ("-0.001", "USD"), ("1500", "JPY"))]  # fmt: skip
    assert shown == ["1,234.50", "\u22121,234.50", "0.00", "1,500"]


def test_a_closed_period_lists_its_statements(http: Browser) -> None:
    """A's statement of September, in the page's currency, leads to its page; all periods list none."""
    page = http.get("/?period=2026-09").text
    assert "/statements/st-A?" in page
    assert "/statements/st-B?" not in page
    assert "/statements/st-" not in http.get("/").text
