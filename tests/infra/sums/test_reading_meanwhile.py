"""Reports that are read while the sink stores, ends anywhere and begins again, and while sums are built."""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.queries import commissions, standing
from api.queries.acquisition import cohorts
from api.queries.commission_sql import ReportFilter
from api.queries.dimensions import GroupBy
from api.queries.movers import movers
from api.queries.over_time import over_time
from api.queries.partners import tree, walk
from api.queries.periods import Interval
from api.scope import EVERYTHING
from api.views.margin import margin
from commission.events import Deal
from commission.outputs import Milestone, Transfer
from infra.sums.builder import SumsBuilder
from schemas import topics
from schemas.wire import encode
from streams.table_rows import Rows
from tests import services
from tests.effort import tries
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
            caused_by=f"live|{key}", client_id=f"c{key}", account_key="live/1", component="per_lot",
            symbol=dice.choice(("EURUSD", "XAUUSD")), lots=Decimal(1),
        )  # fmt: skip
        rows.add(topics.PARTNER_BOOK, 0, number * 100 + deal, encode([row])[0], "client-book/0/1/0")
        charged = Deal(
            platform="mt5", server="live", login=1, deal_id=key, revision="r", kind="trade", occurred_at=at,
            commission=Decimal(-1), currency="USD",
        )  # fmt: skip
        first = Milestone(
            milestone_id=key, kind="first_trade", client_id=f"c{key}", ib_id="a", occurred_at=at
        )
        for topic, record in ((topics.ACCOUNT_BOOK, charged), (topics.MILESTONES, first)):
            rows.add(topic, 0, number * 100 + deal, encode([record])[0], "")
    return rows


def register(client: Client) -> None:
    """Every deal has a client of its own, of IB a, registered before."""
    names = ["client_id", "occurred_at", "ib_id", "_topic", "_partition", "_offset"]
    keys = [f"c{number}-{deal}" for number in range(BATCHES) for deal in range(BATCH_DEALS)]
    rows = [[key, START, "a", topics.CLIENT_BOOK, 0, place] for place, key in enumerate(keys)]
    client.insert("clients", rows, names)


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
    wanted = ReportFilter(EVERYTHING, Interval(START, START + timedelta(days=3)))
    kept = margin(ledger, wanted, "ib", "USD").total
    yield "cost", kept["cost"], int(kept["cost"])
    yield "revenue", kept["revenue"], int(kept["revenue"])
    moved = sum((row["change"] for row in movers(ledger, wanted, 10)["items"]), Decimal(0))
    yield "movers", moved, int(moved)
    (volume,) = commissions.volume(ledger, EVERYTHING, Interval()).currencies or [{"lots": 0, "deals": 0}]
    yield "volume", Decimal(volume["lots"]), volume["deals"]
    active = standing.clients(ledger, EVERYTHING, Interval())["traded"]
    yield "active clients", Decimal(active), active
    (cohort,) = cohorts(ledger, EVERYTHING, Interval())
    yield "acquisition", Decimal(cohort["traded"]), cohort["traded"]
    chart = over_time(ledger, EVERYTHING, Interval(), "USD", ["a"]).rows
    yield "chart", sum((net for *_, net in chart), Decimal(0)), int(sum(net for *_, net in chart))
    pending = sum((row["pending"] for row in standing.balances(ledger, EVERYTHING)), Decimal(0))
    yield "balances", pending, int(pending)
    nodes = [row for node in walk(tree(ledger, EVERYTHING)) for row in node["totals"]]
    yield "tree", sum((row["earned"] for row in nodes), Decimal(0)), sum(row["deals"] for row in nodes)


@pytest.mark.parametrize("seed", range(1, 1 + tries(1)))
def test_no_answer_goes_backwards_or_counts_twice(tmp_path: Path, seed: int) -> None:
    """1 USD a deal: each report has what was stored before it was asked, and no more than was begun after."""
    connect: Callable[[], Client] = lambda: services.embedded(tmp_path / "db")  # noqa: E731
    with services.ledger(tmp_path / "db") as client:
        register(client)
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
