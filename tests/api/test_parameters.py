"""What a request may carry: every parameter is read, or the request is refused."""

import json
from base64 import urlsafe_b64encode
from decimal import Decimal

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries.over_time import over_time
from api.queries.periods import ALWAYS
from api.scope import EVERYTHING
from api.views import report_files
from tests.api.conftest import Browser, browser, insert, transfer_row


def cursor(*parts: object) -> str:
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def test_a_parameter_nobody_reads_is_refused(http: Browser) -> None:
    """`clients=` of a report, and `ib=` of the list of batches, would have answered for everybody."""
    for path, name in (
        ("/v1/reports/commissions?clients=c1", "clients"),
        ("/v1/payouts?period=2026-09&ib=A", "ib"),
        ("/?periode=2026-09", "periode"),
        ("/health?x=1", "x"),
    ):
        answer = http.get(path)
        assert answer.status_code == 422
        assert f"`{name}` is not a parameter of" in answer.json()["detail"]
    assert (
        "it takes by, class, client, columns, compare"
        in http.get("/v1/reports/commissions?q=1").json()["detail"]
    )


def test_every_route_refuses_what_it_does_not_read(http: Browser) -> None:
    """Routes added later as well: the application asks, not the route."""
    paths = [path for path, methods in http.app.openapi()["paths"].items() if "get" in methods]
    assert len(paths) > 20
    for path in (*paths, "/", "/docs", "/proposals", "/completeness"):
        assert http.get(f"{path.replace('{', '').replace('}', '')}?zzz=1").status_code == 422, path


def test_a_parameter_is_given_once_unless_it_is_a_list(http: Browser) -> None:
    """Of two values one would be read, and nobody knows which."""
    twice = http.get("/v1/transfers?ib=A&ib=B")
    assert (twice.status_code, twice.json()["detail"]) == (422, "Give `ib` once.")
    grouped = http.get("/v1/reports/commissions?group_by=ib&group_by=symbol")
    assert grouped.json()["group_by"] == ["ib", "symbol"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/transfers?ib=%00",
        "/v1/transfers/a%1b",
        "/v1/transfers/a%00b/explain",
        "/v1/reports/commissions?from=0001-01-01T00:00:00Z",
        "/v1/reports/commissions?to=9999-12-31T23:59:59",
        "/v1/dead-letters?since=1820-01-01T00:00:00Z",
        "/v1/terms?as_of=0001-01-01T00:00:00%2B10:00",
        f"/v1/transfers?cursor={cursor(2**70, 'x')}",
        f"/v1/transfers?cursor={cursor(-1, 'x')}",
        f"/v1/transfers?cursor={cursor(1, chr(0xD800))}",
        f"/v1/statements?cursor={cursor('2026-09', chr(0), 'USD')}",
        f"/v1/reports/commissions?cursor={cursor('text')}",
        f"/v1/trial-balance?cursor={'W1tb' * 300}",
        "/v1/trial-balance?cursor=%F0%9F%92%A9",
    ],
)
def test_bad_input_is_the_callers(http: Browser, path: str) -> None:
    """A year the ledger cannot hold, half a character, a cursor of another's making: 4xx with a reason."""
    answer = http.get(path)
    assert 400 <= answer.status_code < 500
    assert len(answer.json()["detail"]) > 10


def test_csv_is_the_whole_report_or_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never cut in silence; pages are JSON's."""
    http = browser(ledger)
    path = "/v1/reports/commissions?group_by=ib,component,client&format=csv"
    whole = http.get(path)
    assert whole.status_code == 200
    rows = len(whole.text.splitlines()) - 1
    assert http.get(f"{path}&limit=1").status_code == http.get(f"{path}&cursor=x").status_code == 422
    monkeypatch.setattr(report_files, "MAX_TABLE_ROWS", rows)
    assert http.get(path).text == whole.text
    monkeypatch.setattr(report_files, "MAX_TABLE_ROWS", rows - 1)
    refused = http.get(path)
    assert (refused.status_code, f"more than {rows - 1} rows" in refused.json()["detail"]) == (422, True)


def test_the_charts_rows_are_bounded_and_whole(ledger: Ledger, chdb: Client) -> None:
    """Ten more IBs of 1 to 10 USD, 55 in all: two are asked for, the rest is one sum."""
    before = sum(net for _, _, net in over_time(ledger, EVERYTHING, ALWAYS, "USD", []).rows)
    for number in range(1, 11):
        way = f"broker:expense:per_lot > ib:many-{number}:pending"
        insert(
            chdb,
            "transfers",
            transfer_row(f"many-{number}", "accrual", f"many-{number}", f"x{number}", f"{number}", way),
        )
    rows = over_time(ledger, EVERYTHING, ALWAYS, "USD", ["A", "many-10"]).rows
    assert sum(net for _, _, net in rows) == before + Decimal(55)
    assert {series for _, series, _ in rows} == {"A", "many-10", ""}


def test_a_cursor_does_not_shift_while_rows_arrive(ledger: Ledger, chdb: Client) -> None:
    """A group that is new and comes before the page's end neither repeats nor hides another one."""
    http = browser(ledger)
    path = "/v1/reports/commissions?group_by=ib&limit=1"
    first = http.get(path).json()
    assert [row["ib_id"] for row in first["items"]] == ["A"]
    way = "broker:expense:per_lot > ib:0-new:pending"
    insert(chdb, "transfers", transfer_row("new", "accrual", "0-new", "x", "1", way))
    rest = http.get(f"{path[:-1]}9&cursor={first['next_cursor']}").json()
    assert [row["ib_id"] for row in rest["items"]] == ["B", "M"]
