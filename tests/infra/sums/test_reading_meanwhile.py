"""Reports that are read while the sink stores, ends anywhere and begins again, and while sums are built."""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries import commissions
from api.queries.commission_sql import ReportFilter
from api.queries.dimensions import GroupBy
from api.queries.partners import tree, walk
from api.queries.periods import Interval
from api.scope import EVERYTHING
from commission.outputs import Transfer
from infra.clickhouse.migrations import migrate
from infra.sums.builder import SumsBuilder
from schemas import topics
from schemas.wire import encode
from streams.table_rows import Rows
from tests.infra.sums.crashes import Crash, Fragile

BATCHES, BATCH_DEALS = 25, 8
START = datetime(2025, 8, 30, tzinfo=UTC)
GROUPS: tuple[tuple[GroupBy, ...], ...] = ((), ("ib",), ("symbol",), ("day",), ("client",), ("class", "ib"))


def batch(number: int, dice: random.Random) -> Rows:
    """Deals of three days and months that meet, each of 1 USD and 1 lot to either of two IBs."""
    rows = Rows()
    for deal in range(BATCH_DEALS):
        key = f"{number}-{deal}"
        at = START + timedelta(hours=dice.randrange(72))
        row = Transfer(
            transfer_id=key, code="accrual", debit="broker:expense:per_lot", credit="ib:a:pending",
            amount=Decimal(1), currency="USD", ib_id=dice.choice("ab"), occurred_at=at,
            caused_by=f"live|{key}", client_id=f"c{deal}", account_key="live/1", component="per_lot",
            symbol=dice.choice(("EURUSD", "XAUUSD")), lots=Decimal(1),
        )  # fmt: skip
        rows.add(topics.PARTNER_BOOK, 0, number * 100 + deal, encode([row])[0], "client-book/0/1/0")
    return rows


class Progress:
    """How many deals a report must have at least, and how many it can have at most."""

    def __init__(self) -> None:
        self.stored = self.begun = 0


def store_all(client: Client, progress: Progress, seed: int) -> None:
    """The sink: every batch ends before some statement, a few times, and is then stored."""
    dice = random.Random(seed)
    for number in range(BATCHES):
        rows = batch(number, dice)
        progress.begun += BATCH_DEALS
        for _ in range(dice.randrange(3)):
            try:
                rows.store(cast(Client, Fragile(client, dice.randrange(9))))
            except Crash:
                continue
        rows.store(client)
        progress.stored += BATCH_DEALS


def readings(ledger: Ledger) -> Iterator[tuple[str, Decimal, int]]:
    """What each report says of all: its name, what was earned, and of how many deals."""
    for group_by in GROUPS:
        report = commissions.report(ledger, ReportFilter(EVERYTHING, Interval()), group_by, 1_000)
        for name in ("items", "totals"):
            rows = report[name]
            yield (
                f"{group_by} {name}",
                sum((r["net"] for r in rows), Decimal(0)),
                sum(r["deals"] for r in rows),
            )
    nodes = [row for node in walk(tree(ledger, EVERYTHING)) for row in node["totals"]]
    yield "tree", sum((row["earned"] for row in nodes), Decimal(0)), sum(row["deals"] for row in nodes)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_answer_goes_backwards_or_counts_twice(tmp_path: Path, seed: int) -> None:
    """1 USD a deal: each report has what was stored before it was asked, and no more than was begun after."""
    connect: Callable[[], Client] = lambda: clickhouse_connect.get_client(  # noqa: E731
        interface="chdb", path=str(tmp_path / "db")
    )
    with connect() as client:
        migrate(client)
        progress, errors = Progress(), list[BaseException]()
        ledger = Ledger(connect)

        def sink() -> None:
            try:
                with connect() as own:
                    store_all(own, progress, seed)
            except BaseException as error:
                errors.append(error)
                raise

        storing = threading.Thread(target=sink)
        storing.start()
        seen: dict[str, Decimal] = {}
        asked = 0
        builder = SumsBuilder(connect, quiet_s=0)
        while storing.is_alive() or not asked:
            builder.build()
            builder.build_months()
            least = progress.stored
            for name, net, deals in readings(ledger):
                assert max(Decimal(least), seen.get(name, Decimal(0))) <= net <= progress.begun, name
                assert least <= deals <= progress.begun, name
                seen[name] = net
            asked += 1
        storing.join()
        assert not errors
        assert {(net, deals) for _, net, deals in readings(ledger)} == {
            (Decimal(BATCHES * BATCH_DEALS), BATCHES * BATCH_DEALS)
        }
        ledger.close()
