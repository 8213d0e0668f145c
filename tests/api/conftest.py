"""A ledger written by hand, small enough to add up in one's head, in the embedded ClickHouse.

The tree: master M, under it IB A and IB B. Client c1 (of A) passed KYC, c2 (of A) did not, c3 is B's.

| transfer | code      | IB | cause        | amount       | from → to                 |
|----------|-----------|----|--------------|--------------|---------------------------|
| t1       | accrual   | A  | live\\|1      | 7.00 USD     | expense → A pending       |
| t2       | accrual   | M  | live\\|1      | 3.00 USD     | expense → M pending       |
| t3       | accrual   | A  | live\\|1      | 1.25 USD     | expense → A pending, spread share |
| t4       | accrual   | A  | live\\|2      | 14.00 USD    | expense → A held          |
| t5       | accrual   | A  | live\\|3      | 3.50 USD     | expense → A pending       |
| t6       | reversal  | A  | live\\|3      | 3.50 USD     | A pending → expense       |
| t7       | accrual   | B  | live\\|4      | 2.005 EUR    | expense → B held          |
| t8       | release   | B  | kyc-c3       | 2.005 EUR    | B held → B pending        |
| t9       | accrual   | A  | cpa\\|c1      | 200.00 USD   | expense → A pending, CPA  |
| s1       | statement | A  | period       | 208.25 USD   | A pending → A payable     |
| s2       | statement | B  | period       | 2.00 EUR     | B pending → B payable     |
| r2       | rounding  | B  | period       | 0.005 EUR    | B pending → rounding      |

So A: accrued 7 + 1.25 + 14 + 3.50 + 200 = 225.75, reversed 3.50, net 222.25, held 14; pending
7 + 1.25 + 3.50 - 3.50 + 200 - 208.25 = 0; payable 208.25. M: 3.00 pending. B: 2.005 EUR earned, 2.00 payable.
Lots that stand: deal 1 has 1.00, deal 2 has 2.00 (deal 3 was reversed), deal 4 has 0.30.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from clickhouse_connect.driver.client import Client
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from api.app import ROUTERS, Api, create_app
from api.ledger import Ledger
from schemas.reconciliations import RECONCILIATION, Reconciliation
from schemas.settings import Settings
from schemas.stops import OPERATION, Operation
from streams.table_rows import _COLUMNS, Rows
from tests import services

ENDLESS = "/v1/feed"
"""Its answer does not end by itself; test_feed.py has what it shows to whom."""
SOURCE = {"_topic": "t", "_partition": 0, "_offset": 1}
TABLES = (
    "deals",
    "deal_revisions",
    "transfers",
    "transfer_keys",
    "taken_back",
    "agent_deals",
    "moved_deals",
    "day_marks",
    "day_builds",
    "month_builds",
    "day_stretches",
    "ledger_checks",
    "day_sums",
    "day_deals",
    "day_accounts",
    "day_refusals",
    "rejections",
    "milestones",
    "client_milestones",
    "account_clients",
    "statements",
    "clients",
    "client_events",
    "books",
    "partners",
    "plans",
    "periods",
    "dead_letters",
    "operations",
    "reconciliations",
    "payout_log",
    "payout_answers",
    "postback_attempts",
    "clicks",
)


def utc(day: int, hour: int = 10, month: int = 9) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def insert(client: Client, table: str, *rows: dict[str, Any]) -> None:
    columns = list(rows[0])
    client.insert(table, [[row[name] for name in columns] for row in rows], column_names=columns)


def operation_row(operation: Operation, offset: int) -> dict[str, Any]:
    """An operation as the sink stores it, at its offset in the log."""
    rows = Rows()
    rows.add("operations", 0, offset, OPERATION.dump_json(operation), "")
    (row,) = rows.rows["operations"]
    return dict(zip(_COLUMNS["operations"], row, strict=True))


def reconciliation_row(found: Reconciliation, offset: int = 0) -> dict[str, Any]:
    """A sweep as the sink stores it."""
    rows = Rows()
    rows.add("reconciliations", 0, offset, RECONCILIATION.dump_json(found), "")
    (row,) = rows.rows["reconciliations"]
    return dict(zip(_COLUMNS["reconciliations"], row, strict=True))


def transfer_row(
    transfer_id: str, code: str, ib: str, cause: str, amount: str, way: str, **more: Any
) -> dict[str, Any]:
    debit, credit = (part.strip() for part in way.split(">"))
    row: dict[str, Any] = {
        "transfer_id": transfer_id,
        "code": code,
        "debit": debit,
        "credit": credit,
        "amount": Decimal(amount),
        "currency": "USD",
        "ib_id": ib,
        "occurred_at": utc(1),
        "caused_by": cause,
        "reverses": None,
        "client_id": "",
        "account_key": "",
        "revision": "",
        "component": "",
        "rule": "",
        "plan_id": "",
        "plan_version": 0,
        "depth": 0,
        "path": [],
        "symbol": "",
        "lots": Decimal(0),
        "period": "",
        "factors": {},
    }
    return row | more | SOURCE


def per_lot(transfer_id: str, ib: str, cause: str, amount: str, way: str, **more: Any) -> dict[str, Any]:
    facts = {
        "client_id": "c1",
        "account_key": "live/1001",
        "component": "per_lot",
        "rule": "fx/class:forex",
        "plan_id": "gold",
        "plan_version": 2,
        "path": ["A", "M"],
        "symbol": "EURUSD",
        "lots": Decimal("1.00"),
        "factors": {"lots": "1", "rate per lot": f"{amount} USD (class:forex)", "amount": f"{amount} USD"},
    }
    return transfer_row(transfer_id, "accrual", ib, cause, amount, way, **(facts | more))


def transfer_rows() -> list[dict[str, Any]]:
    lot, a_pending, expense = "broker:expense:per_lot", "ib:A:pending", "broker:expense"
    spread, b_release = f"{expense}:spread_share", "ib:B:held > ib:B:pending"
    b3 = {"client_id": "c3", "component": "per_lot", "currency": "EUR"}
    end = utc(1, 0, month=10)
    return [
        per_lot("t1", "A", "live|1", "7.00", f"{lot} > {a_pending}"),
        per_lot("t2", "M", "live|1", "3.00", f"{lot} > ib:M:pending", depth=1),
        per_lot("t3", "A", "live|1", "1.25", f"{spread} > {a_pending}", component="spread_share"),
        per_lot(
            "t4", "A", "live|2", "14.00", f"{lot} > ib:A:held", client_id="c2", symbol="XAUUSD",
            lots=Decimal("2.00"), occurred_at=utc(2),
        ),
        per_lot("t5", "A", "live|3", "3.50", f"{lot} > {a_pending}", lots=Decimal("0.5"), occurred_at=utc(3)),
        transfer_row(
            "t6", "reversal", "A", "live|3", "3.50", f"{a_pending} > {lot}", reverses="t5", client_id="c1",
            component="per_lot", symbol="EURUSD", occurred_at=utc(3),
        ),
        per_lot(
            "t7", "B", "live|4", "2.005", f"{lot} > ib:B:held", lots=Decimal("0.30"), path=["B", "M"],
            occurred_at=utc(4), **b3,
        ),
        transfer_row("t8", "release", "B", "kyc-c3", "2.005", b_release, occurred_at=utc(5), **b3),
        transfer_row(
            "t9", "accrual", "A", "cpa|c1", "200.00", f"{expense}:cpa > {a_pending}", client_id="c1",
            component="cpa", rule="cpa", plan_id="gold", plan_version=2, path=["A", "M"], occurred_at=utc(6),
        ),
        transfer_row("s1", "statement", "A", "period|2026-09", "208.25", f"{a_pending} > ib:A:payable",
                     period="2026-09", occurred_at=end),
        transfer_row("s2", "statement", "B", "period|2026-09", "2.00", "ib:B:pending > ib:B:payable",
                     period="2026-09", occurred_at=end, currency="EUR"),
        transfer_row("r2", "rounding", "B", "period|2026-09", "0.005", "ib:B:pending > rounding",
                     period="2026-09", occurred_at=end, currency="EUR"),
    ]  # fmt: skip


def deal_row(number: int, day: int, lots: str, symbol: str = "EURUSD.x") -> dict[str, Any]:
    empty = dict.fromkeys(("volume_closed_e8", "contract_size", "bid", "ask", "rate_profit"))
    zeros = dict.fromkeys(("profit", "commission", "fee", "swap"), Decimal(0))
    texts = dict.fromkeys(("server_time", "position_id", "reason", "group", "comment"), "")
    return {
        "deal_key": f"live|{number}",
        "revision": "r1",
        "platform": "mt5",
        "server": "live",
        "login": 1001,
        "deal_id": str(number),
        "kind": "trade",
        "occurred_at": utc(day),
        "side": "buy",
        "entry": "out",
        "symbol": symbol,
        "volume_e8": int(Decimal(lots) * 10**8),
        "price": Decimal("1.1"),
        "currency": "USD",
        "is_service": False,
        "source": "deals.csv:2",
        **empty,
        **zeros,
        **texts,
        **SOURCE,
    }


def rejection_row(number: int, status: str, code: str) -> dict[str, Any]:
    return {
        "deal_key": f"live|{number}",
        "revision": "r1",
        "status": status,
        "code": code,
        "text": f"why {number}",
        "account_key": "live/9",
        "client_id": "",
        "occurred_at": utc(min(number, 28)),
    } | SOURCE


def statement_row(statement_id: str, ib: str, currency: str, accrued: str, payable: str) -> dict[str, Any]:
    zero = Decimal(0)
    rounding = Decimal(accrued) - Decimal(payable)
    return {
        "statement_id": statement_id,
        "ib_id": ib,
        "period": "2026-09",
        "starts_at": utc(1, 0),
        "ends_at": utc(1, 0, month=10),
        "currency": currency,
        "opening": zero,
        "accrued": Decimal(accrued),
        "reversed": zero,
        "payable": Decimal(payable),
        "rounding": rounding,
        "closing": zero,
        "held": zero,
    } | SOURCE


def partner_row(ib: str, name: str, parent: str | None, *, kyc: bool) -> dict[str, Any]:
    return {
        "ib_id": ib,
        "name": name,
        "currency": "USD",
        "parent": parent,
        "kyc_approved": kyc,
        "definition": "{}",
    } | SOURCE


def client_row(client_id: str, ib: str) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "occurred_at": utc(1, 1),
        "ib_id": ib,
        "country": "CY",
        "click": {},
        "event_id": f"reg-{client_id}",
    } | SOURCE


def milestone_row(milestone_id: str, kind: str = "ftd", ib: str = "A", **more: Any) -> dict[str, Any]:
    row = {
        "milestone_id": milestone_id,
        "kind": kind,
        "client_id": "c1",
        "ib_id": ib,
        "occurred_at": utc(1),
        "amount": Decimal("250"),
        "currency": "USD",
        "click": {"clickid": "k 1&2", "sub1": "s/1"},
    }
    return row | more | SOURCE


@pytest.fixture(scope="package", autouse=True)
def routes_built_once() -> Iterator[None]:
    """Let hundreds of apps share their routes, which each builds anew for its first request, in 0.3 s."""
    included: dict[int, BaseRoute] = {}
    include = Api.include_router

    def share(app: Api, router: APIRouter) -> None:
        if id(router) in included:
            app.router.routes.append(included[id(router)])
            app.router._mark_routes_changed()
        else:
            include(app, router)
            included[id(router)] = app.router.routes[-1]

    with patch.object(Api, "include_router", share):
        yield


@pytest.fixture(scope="package")
def chdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One engine for this folder's tests; it closes before another folder's tests open theirs."""
    with services.ledger(tmp_path_factory.mktemp("chdb")) as client:
        yield client


@pytest.fixture
def opened(chdb: Client) -> Iterator[Ledger]:
    """The tables as the test before left them."""
    path = str(chdb.command("SELECT path FROM system.disks WHERE name = 'default'"))
    ledger = Ledger(lambda: services.embedded(Path(path)))
    yield ledger
    ledger.close()


@pytest.fixture
def empty_ledger(chdb: Client, opened: Ledger) -> Ledger:
    """The tables without a row."""
    empty(chdb)
    return opened


@pytest.fixture
def ledger(chdb: Client, opened: Ledger, written: set[tuple[str, str]]) -> Ledger:
    """The hand-written ledger of this module's docstring, written anew unless it stands as it was written."""
    if not written or parts(chdb) != written:
        empty(chdb)
        write(chdb)
        written.clear()
        written.update(parts(chdb))
    return opened


@pytest.fixture(scope="package")
def written() -> set[tuple[str, str]]:
    """The parts of the hand-written ledger when it was written last."""
    return set()


def parts(chdb: Client) -> set[tuple[str, str]]:
    """Table and name of each part that holds rows: what is inserted, changed or merged has another name."""
    sql = "SELECT table, name FROM system.parts WHERE active AND database = currentDatabase()"
    return {(table, name) for table, name in chdb.query(sql).result_rows}


def empty(chdb: Client) -> None:
    """Take the rows out of every table that a test may write."""
    held = {table for table, _ in parts(chdb)}
    for table in TABLES:
        if table in held:
            chdb.command(f"TRUNCATE TABLE {table}")


def write(chdb: Client) -> None:
    """Insert the rows of the hand-written ledger."""
    insert(chdb, "transfers", *transfer_rows())
    insert(
        chdb,
        "deals",
        deal_row(1, 1, "1"),
        deal_row(2, 2, "2", "GOLD"),
        deal_row(3, 3, "0.5"),
        deal_row(4, 4, "0.3"),
    )
    insert(
        chdb, "partners",
        partner_row("M", "Meridian", None, kyc=True),
        partner_row("A", "=Atlas", "M", kyc=True),
        partner_row("B", "Boreal", "M", kyc=False),
    )  # fmt: skip
    insert(chdb, "clients", client_row("c1", "A"), client_row("c2", "A"), client_row("c3", "B"))
    insert(
        chdb, "periods",
        {"period": "2026-09", "starts_at": utc(1, 0), "ends_at": utc(1, 0, month=10)} | SOURCE,
        {"period": "2026-10", "starts_at": utc(1, 0, month=10), "ends_at": utc(1, 0, month=11)} | SOURCE,
    )  # fmt: skip
    insert(chdb, "plans", {"plan_id": "gold", "version": 2, "definition": '{"plan_id":"gold"}'} | SOURCE)
    insert(
        chdb, "statements",
        statement_row("st-A", "A", "USD", "208.25", "208.25"),
        statement_row("st-B", "B", "EUR", "2.005", "2.00"),
    )  # fmt: skip
    insert(
        chdb, "rejections",
        rejection_row(1, "waiting", "unknown_account"),  # deal 1 was rated since: not counted
        rejection_row(3, "rejected", "deleted"),  # its accrual was reversed
        rejection_row(5, "waiting", "unknown_symbol"),
        rejection_row(6, "rejected", "entry_not_paid"),
    )  # fmt: skip
    letter = {
        "source": "deals.csv",
        "position": "9",
        "code": "bad_number",
        "reason": "not a number",
        "payload": "x",
    }
    insert(chdb, "dead_letters", {"dead_letter_id": "d1", "received_at": utc(1)} | letter | SOURCE)


def routes_of(method: str) -> list[str]:
    """The paths of every route of the app that takes a method, and whose answer ends."""
    every = (one for router in ROUTERS for one in router.routes)
    found = [one.path for one in every if isinstance(one, APIRoute) and method in one.methods]
    return [path for path in found if path != ENDLESS]


class Browser:
    """Asks an app without a socket, one request at a time."""

    def __init__(self, app: FastAPI, base_url: str = "http://127.0.0.1:8080") -> None:
        self.app = app
        self.base_url = base_url

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send GET."""
        return asyncio.run(self._request("GET", path, **options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send POST."""
        return asyncio.run(self._request("POST", path, **options))

    def put(self, path: str, **options: Any) -> httpx.Response:
        """Send PUT."""
        return asyncio.run(self._request("PUT", path, **options))

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=self.base_url) as client:
            return await client.request(method, path, **options)


@pytest.fixture
def http(ledger: Ledger) -> Browser:
    """The API over the hand-written ledger, asked from this machine."""
    return browser(ledger)


def browser(ledger: Ledger, base_url: str = "http://127.0.0.1:8080", **settings: Any) -> Browser:
    return Browser(create_app(ledger, Settings(_env_file=None, **settings)), base_url)
