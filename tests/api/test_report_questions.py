"""Filters, the largest groups, the interval before, what was known then, and files."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zipfile import ZipFile

import polars
import pyarrow
import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries.commission_sql import ReportFilter
from api.queries.commissions import columns
from api.queries.periods import Interval
from api.scope import EVERYTHING
from api.views import report_files
from ingest.formats.xlsx import xlsx_rows
from tests.api.conftest import SOURCE, Browser, browser, insert, per_lot, utc

REPORT = "/v1/reports/commissions"


@pytest.mark.parametrize(
    ("query", "net"),
    [
        ("client=c2", {"A": "14"}),
        ("country=CY", {"A": "222.25", "B": "2.005", "M": "3"}),
        ("country=DE", {}),
        ("component=spread_share", {"A": "1.25"}),
        ("plan=gold&currency=USD", {"A": "225.75", "M": "3"}),
        ("server=live&symbol=XAUUSD", {"A": "14"}),
        ("currency=EUR", {"B": "2.005"}),
        ("ib=A&client=c1&component=cpa", {"A": "200"}),
    ],
)
def test_filters_leave_what_they_name(http: Browser, query: str, net: dict[str, str]) -> None:
    """Rows of the ledger's table that fit; a reversal (t6) has no plan, so by plan A keeps its 3.50."""
    report = http.get(f"{REPORT}?{query}").json()
    assert {row["ib_id"]: row["net"] for row in report["items"]} == net


@pytest.mark.parametrize(
    ("by", "first"), [("net", "A"), ("deals", "A"), ("lots", "A"), ("held", "A"), ("reversed", "A")]
)
def test_the_largest_groups_of_each_currency(http: Browser, by: str, first: str) -> None:
    """One of USD, of A and M, and one of EUR, where B is alone; totals are of all: 222.25 + 3."""
    report = http.get(f"{REPORT}?top=1&by={by}").json()
    assert [(row["ib_id"], row["currency"]) for row in report["items"]] in (
        [(first, "USD"), ("B", "EUR")],
        [("B", "EUR"), (first, "USD")],
    )
    assert {row["currency"]: row["net"] for row in report["totals"]} == {"USD": "225.25", "EUR": "2.005"}


def august(ledger: Ledger, chdb: Client) -> Browser:
    """A period before, in which A earned 10 with 1 lot, and N, which earned nothing since, 4 with 2 lots."""
    way = "broker:expense:per_lot > ib:{}:pending"
    then = {"occurred_at": utc(15, month=8)}
    insert(
        chdb,
        "transfers",
        per_lot("a1", "A", "live|91", "10", way.format("A"), **then),
        per_lot("a2", "N", "live|92", "4", way.format("N"), lots=Decimal(2), **then),
    )
    insert(
        chdb, "periods", {"period": "2026-08", "starts_at": utc(1, 0, month=8), "ends_at": utc(1, 0)} | SOURCE
    )
    return browser(ledger)


def test_a_period_beside_the_one_before(ledger: Ledger, chdb: Client) -> None:
    """Groups of either are on the pages, in one order."""
    http = august(ledger, chdb)
    rows, cursor = [], ""
    while cursor is not None:
        page = http.get(f"{REPORT}?period=2026-09&compare=before&limit=1&cursor={cursor}").json()
        rows += page["items"]
        cursor = page["next_cursor"]
    assert {row["ib_id"]: (row["net"], row["before"]["net"], row["before"]["lots"]) for row in rows} == {
        "A": ("222.25", "10", "1"),
        "B": ("2.005", "0", "0"),
        "M": ("3", "0", "0"),
        "N": ("0", "4", "2"),
    }
    assert [row["ib_id"] for row in rows] == ["A", "B", "M", "N"]
    assert page["before"] == {"from": "2026-08-01T00:00:00Z", "to": "2026-09-01T00:00:00Z"}
    totals = {row["currency"]: (row["net"], row["before"]["net"]) for row in page["totals"]}
    assert totals == {"EUR": ("2.005", "0"), "USD": ("225.25", "14")}


def test_dates_beside_as_long_a_time_before(ledger: Ledger, chdb: Client) -> None:
    """31 days from 1 September: the 31 days from 1 August."""
    http = august(ledger, chdb)
    query = "from=2026-09-01T00:00:00Z&to=2026-10-02T00:00:00Z&compare=before&ib=N"
    page = http.get(f"{REPORT}?{query}").json()
    assert page["before"] == {"from": "2026-08-01T00:00:00Z", "to": "2026-09-01T00:00:00Z"}
    assert [row["before"]["net"] for row in page["items"]] == ["4"]


def test_what_was_stored_later_was_not_known(ledger: Ledger, chdb: Client) -> None:
    """A correction of a closed month: the report of that month as known before has none of it."""
    way = "broker:expense:per_lot > ib:A:pending"
    later = {"stored_at": datetime.now(UTC) + timedelta(hours=1)}
    insert(chdb, "transfers", {**per_lot("late", "A", "live|95", "50", way, occurred_at=utc(7)), **later})
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    http = browser(ledger)
    assert http.get(f"{REPORT}?ib=A&known_at={before}").json()["items"][0]["net"] == "222.25"
    assert http.get(f"{REPORT}?ib=A").json()["items"][0]["net"] == "272.25"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("top=3&compare=before&period=2026-09", "without"),
        ("format=parquet&limit=5", "whole report"),
        ("compare=before", "Give a `period`"),
        ("compare=before&period=2026-09", "No period is before 2026-09"),
        ("compare=before&period=2026-10&group_by=day", "not compared"),
        ("known_at=2199-01-01", "in the future"),
        ("by=ib", ""),
        ("top=0", ""),
    ],
)
def test_a_question_that_has_no_answer(http: Browser, query: str, says: str) -> None:
    """It says what to ask instead."""
    answer = http.get(f"{REPORT}?{query}")
    assert answer.status_code in (404, 422)
    assert says in answer.text


def test_files_hold_the_report(http: Browser) -> None:
    """Parquet and Arrow read by other libraries: the columns, types and rows of the JSON."""
    query = f"{REPORT}?group_by=ib,class"
    expected = [
        {**row, **{name: Decimal(row[name]) for name in ("lots", "accrued", "reversed", "net", "held")}}
        for row in http.get(query).json()["items"]
    ]
    parquet = http.get(f"{query}&format=parquet")
    assert parquet.headers["content-type"] == "application/vnd.apache.parquet"
    assert 'filename="commissions.parquet"' in parquet.headers["content-disposition"]
    found = polars.read_parquet(io.BytesIO(parquet.content))
    assert found.columns == columns(("ib", "class"))
    assert found.to_dicts() == expected
    arrow = pyarrow.ipc.open_file(http.get(f"{query}&format=arrow").content).read_all()
    assert arrow.to_pylist() == expected


def test_a_workbook_holds_the_report_and_no_formula(ledger: Ledger, chdb: Client, tmp_path: Path) -> None:
    """Numbers as numbers, an IB called =1+1 as text; the same bytes each time."""
    way = "broker:expense:per_lot > ib:=1+1:pending"
    insert(chdb, "transfers", per_lot("f", "=1+1", "live|96", "0.00000001", way, occurred_at=utc(7)))
    http = browser(ledger)
    file = http.get(f"{REPORT}?format=xlsx").content
    assert file == http.get(f"{REPORT}?format=xlsx").content
    path = tmp_path / "commissions.xlsx"
    path.write_bytes(file)
    head, *rows = (row.cells for row in xlsx_rows(path))
    assert list(head) == columns(("ib",))
    net = head.index("net")
    assert {str(row[0]): Decimal(str(row[net])) for row in rows} == {
        "'=1+1": Decimal("1E-8"), "A": Decimal("222.25"), "B": Decimal("2.005"), "M": Decimal(3),
    }  # fmt: skip
    assert b"<f>" not in ZipFile(path).read("xl/worksheets/sheet1.xml")


def test_a_file_that_would_be_too_long_is_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger stops at the limit; the answer says how to ask for less."""
    monkeypatch.setattr(report_files, "MAX_COLUMN_ROWS", 2)
    answer = browser(ledger).get(f"{REPORT}?format=parquet")
    assert answer.status_code == 422
    assert "more than 2 rows" in answer.text


def test_a_report_of_nothing_is_empty(ledger: Ledger) -> None:
    """No row, and no total."""
    long_ago = Interval(datetime(2001, 1, 1, tzinfo=UTC), datetime(2001, 2, 1, tzinfo=UTC))
    wanted = ReportFilter(EVERYTHING, long_ago, of={"country": "CY"})
    assert report_files.FILES["csv"].write(ledger, wanted, ("ib",), columns(("ib",))).count(b"\n") == 1
