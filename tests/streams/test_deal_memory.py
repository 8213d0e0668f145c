"""Deals of several days are found as the database would find them, and it is asked about few."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from clickhouse_connect.driver.client import Client

from commission.events import Deal
from commission.outputs import Rejection, Transfer
from schemas import topics
from schemas.wire import Record, encode
from streams import deal_memory
from streams.day_marks import DayMarks
from streams.deal_memory import DealMemory, NewestIds
from streams.table_rows import Rows
from tests import services

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOVED = "SELECT deal_key FROM deal_revisions GROUP BY deal_key HAVING uniqExact(toDate32(occurred_at)) > 1"


@pytest.fixture
def chdb(tmp_path: Path) -> Iterator[Client]:
    """An empty database."""
    with services.ledger(tmp_path) as client:
        yield client


class Counting:
    """A client that counts the deals it is asked about."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> Any:
        """Ask, and note how many deals."""
        self.asked += len((parameters or {}).get("ids", ()))
        return self._client.query(sql, parameters=parameters)


def deal(deal_id: str, at: datetime = AT, server: str = "live") -> Deal:
    return Deal(
        platform="mt5", server=server, login=1, deal_id=deal_id, revision=at.isoformat(), kind="trade",
        occurred_at=at,
    )  # fmt: skip


def rows_of(*records: Record) -> Rows:
    """One batch, as the sink makes it of what the stages read and sent."""
    rows, entry = Rows(), {Transfer: topics.PARTNER_BOOK, Rejection: topics.REJECTIONS}
    for number, record in enumerate(records):
        topic = entry.get(type(record), topics.ACCOUNT_BOOK)
        rows.add(topic, 0, number, encode([record])[0], "client-book/0/1/0")
    return rows


def column(client: Client, sql: str) -> list[str]:
    return sorted(row[0] for row in client.query(sql).result_rows)


@pytest.mark.parametrize("seed", [1, 2])
def test_deals_of_several_days_are_found(chdb: Client, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids rise, and come back, in words and with zeros before them; a sink remembers few, or began anew.

    What is noted is what the database itself finds among all revisions.
    """
    monkeypatch.setattr(deal_memory, "WINDOW_BYTES", 16)  # 32 tickets
    monkeypatch.setattr(deal_memory, "MAX_SERVERS", 1)
    dice, memory, newest = random.Random(seed), DealMemory(chdb), 990
    names: list[str] = []
    for _ in range(25):
        if dice.random() < 0.1:
            memory = DealMemory(chdb)
        deals = []
        for _ in range(dice.randint(4, 12)):
            newest += dice.choice((0, 1, 1, 2, 3, 50))
            name = dice.choice(("{}", "{}:open", "{}:close", "0{}", "x-{}")).format(newest)
            if names and dice.random() < 0.3:
                name = dice.choice(names[-20:] if dice.random() < 0.5 else names)
            names.append(name)
            at = AT + timedelta(days=dice.random() < 0.5)
            deals.append(deal(name, at, "live" if dice.random() < 0.9 else "live|2"))
        rows_of(*deals).store(chdb, DayMarks(chdb, memory))
    found = column(chdb, "SELECT DISTINCT deal_key FROM moved_deals")
    assert len(found) > 5
    assert column(chdb, MOVED) == found


@pytest.mark.parametrize("at_hand", [deal_memory.MAX_MOVED, 0])
def test_the_day_of_a_refusal_is_marked_when_the_deal_is_paid(
    chdb: Client, at_hand: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused on 1 March, corrected to 2 March, and paid then: two batches later, both days change.

    Also if there are more deals of several days than are kept at hand.
    """
    monkeypatch.setattr(deal_memory, "MAX_MOVED", at_hand)
    memory, later = DealMemory(chdb), AT + timedelta(days=1)
    refusal = Rejection(
        deal_key="live|7", revision="r", status="waiting", code="no_ib", text="no IB", account_key="live/1",
        occurred_at=AT,
    )  # fmt: skip
    paid = Transfer(
        transfer_id="t", code="accrual", debit="broker:expense:lots", credit="ib:a:pending",
        amount=Decimal(7), currency="USD", ib_id="a", occurred_at=later, caused_by="live|7",
        account_key="live/1", component="lots",
    )  # fmt: skip
    rows_of(deal("7"), refusal).store(chdb, DayMarks(chdb, memory))
    rows_of(deal("7", later)).store(chdb, DayMarks(chdb, memory))
    assert {date(2026, 3, 1), date(2026, 3, 2)} == marked(chdb, memory, paid)
    assert {date(2026, 3, 1), date(2026, 3, 2)} == marked(chdb, DealMemory(chdb), paid)


def marked(client: Client, memory: DealMemory, *records: Transfer) -> set[date]:
    marks = DayMarks(client, memory)
    marks.begin({"transfers": b"\n".join(encode(records))})
    found = {row[0] for row in client.query("SELECT day FROM day_marks FINAL WHERE is_open").result_rows}
    marks.end()
    return found


def test_new_deals_are_not_asked_for(chdb: Client) -> None:
    """Of 1,000 deals in any order, and MT4's two for each of 1,000 tickets, none; sent again, each once."""
    client = Counting(chdb)
    memory, numbers = DealMemory(cast(Client, client)), list(range(5_000, 6_000))
    random.Random(1).shuffle(numbers)
    ids = [str(number) for number in numbers]
    tickets = [f"{number}:{part}" for part in ("open", "close") for number in numbers]
    for _ in range(2):
        for server, names in (("a", ids), ("b", tickets)):
            rows_of(*(deal(name, server=server) for name in names)).store(
                cast(Client, client), DayMarks(cast(Client, client), memory)
            )
        assert client.asked in (0, 3_000)
    assert 3_000 == client.asked


def test_after_a_restart_only_higher_ids_are_new(chdb: Client) -> None:
    """60 is the highest of this server; what begins with no number, or has 19 digits, does not count."""
    rows_of(*map(deal, ("7", "60:open", "x-99", "9" * 19)), deal("500", server="live2")).store(chdb)
    memory = DealMemory(chdb)
    told = [
        ("60", False),
        ("61", True),
        ("61", False),
        ("60:close", False),
        ("61:close", True),
        ("62:x", False),
    ]
    assert told == [(name, memory.is_new("live", name)) for name, _ in told]
    assert [True, False] == [memory.is_new("live2", name) for name in ("501", "500")]


def test_a_far_jump_keeps_the_window_small() -> None:
    """A bit for each id up to 4 MB; then lower ones are unknown, and memory stays."""
    ids = NewestIds(0)
    assert [True, True, False] == [ids.is_new(one) for one in (5, 10**17, 10**17)]
    assert [False, False] == [ids.is_new(one) for one in (5, 6)]
    assert len(ids.bits) <= deal_memory.WINDOW_BYTES
