"""In which order the sink stores what comes, and what of it together."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import Deal
from commission.outputs import Rejection, Transfer
from schemas import topics
from schemas.wire import Record, encode
from streams.partition import Message
from streams.sink import BUSY_ROWS, REST_SECONDS, Sink
from tests.simulation.database import Database, Delivered
from tests.simulation.world import Place

DEALS, TRANSFERS, REJECTIONS = (topics.ACCOUNT_BOOK, 0), (topics.PARTNER_BOOK, 0), (topics.REJECTIONS, 0)
AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
DEAL = Deal(platform="mt5", server="live", login=1, deal_id="", revision="r", kind="trade", occurred_at=AT)
TRANSFER = Transfer(
    transfer_id="", code="accrual", debit="broker:expense:lot", credit="ib:a:pending", amount=Decimal(1),
    currency="USD", ib_id="a", occurred_at=AT, caused_by="",
)  # fmt: skip
REJECTION = Rejection(
    deal_key="", revision="r", status="rejected", code="no_ib", text="", account_key="live/1", occurred_at=AT
)
FIRST = ["deals", "transfers"]
REST = ["rejections", "books", "sink_positions"]


class Topics:
    """A consumer of what a test says has come."""

    def __init__(self) -> None:
        self.come: list[Delivered] = []
        self.ends: dict[Place, int] = {}
        self.then: Callable[[], object] = lambda: None
        """Done whenever something was asked for."""

    def write(self, place: Place, *records: Record) -> None:
        """One more message."""
        offset = self.ends.get(place, 0)
        source = f"client-book/0/{offset}/0" if place != DEALS else ""
        self.come.append(Delivered(place, offset, Message(*place, b"\n".join(encode(records)), source)))
        self.ends[place] = offset + 1

    def list_topics(self, **_how: object) -> SimpleNamespace:
        """One partition each."""
        return SimpleNamespace(
            topics={topic.name: SimpleNamespace(partitions=[0]) for topic in topics.TOPICS}
        )

    def assign(self, _places: object) -> None:
        """It begins with what is written next."""

    def consume(self, count: int, _patience: float) -> list[Delivered]:
        """All that has come."""
        found, self.come = self.come, []
        self.then()
        return found

    def close(self) -> None:
        """It is read no more."""


class World:
    """A sink, its topics and its database, at a time that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.topics = 100.0, Topics()
        self.inserts: list[str] = []
        self.database = Database(self._note)
        monkeypatch.setattr("streams.sink.Consumer", lambda _: self.topics)
        monkeypatch.setattr("streams.sink.AdminClient", lambda _: None)
        monkeypatch.setattr("streams.sink.time", SimpleNamespace(monotonic=lambda: self.now))
        self.sink = self.begun()

    def begun(self) -> Sink:
        """A sink that has taken up its partitions."""
        client: Any = self.database
        client.close = lambda: None
        sink = Sink(client, "")
        sink.assign()
        return sink

    def _note(self, where: str) -> None:
        when, table = where.split()
        if when == "after" and table not in ("day_marks", "moved_deals"):
            self.inserts.append(table)

    def write(self, number: int) -> None:
        """A deal that is paid, and one that is refused."""
        paid, refused = str(2 * number), str(2 * number + 1)
        self.topics.write(DEALS, replace(DEAL, deal_id=paid), replace(DEAL, deal_id=refused))
        self.topics.write(TRANSFERS, replace(TRANSFER, transfer_id=f"t{number}", caused_by=f"live|{paid}"))
        self.topics.write(REJECTIONS, replace(REJECTION, deal_key=f"live|{refused}"))

    def stored(self) -> list[str]:
        """What the next batch puts where, in order."""
        self.inserts.clear()
        self.sink.store_once()
        return list(self.inserts)

    def positions(self) -> dict[Place, int]:
        """How far each of the topics is stored, as the sink and its database say."""
        told = {place: self.sink.positions()[place] for place in (DEALS, TRANSFERS, REJECTIONS)}
        rows = self.database.tables["sink_positions"].values()
        kept = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        assert told == {place: kept.get(place, 0) for place in told}
        return told


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Nothing is stored yet."""
    return World(monkeypatch)


def test_small_batches_wait_for_deals_and_transfers_alone(world: World) -> None:
    """The first is stored whole; of those soon after it the rest comes together, half a second later."""
    world.write(0)
    assert FIRST + REST == world.stored()
    assert dict.fromkeys((DEALS, TRANSFERS, REJECTIONS), 1) == world.positions()
    for number in (1, 2):
        world.now += REST_SECONDS / 4
        world.write(number)
        assert world.stored() == FIRST
        assert dict.fromkeys((DEALS, TRANSFERS, REJECTIONS), 1) == world.positions()
    world.now += REST_SECONDS / 2
    world.write(3)
    assert FIRST + REST == world.stored()
    assert dict.fromkeys((DEALS, TRANSFERS, REJECTIONS), 4) == world.positions()
    assert 4 == len(world.database.tables["rejections"])
    assert 8 == len(world.database.tables["books"])


def test_the_rest_is_stored_once_nothing_comes(world: World) -> None:
    """At once, however soon; then there is nothing to store."""
    world.write(0)
    world.stored()
    world.write(1)
    assert world.stored() == FIRST
    assert world.stored() == REST
    assert dict.fromkeys((DEALS, TRANSFERS, REJECTIONS), 2) == world.positions()
    assert world.stored() == []


def test_a_large_batch_is_stored_whole(world: World) -> None:
    """What many inserts cost no longer matters."""
    world.write(0)
    world.stored()
    for number in range(1, BUSY_ROWS // 6 + 2):  # two deals, a transfer, a rejection, two messages
        world.write(number)
    assert FIRST + REST == world.stored()


def test_what_was_not_stored_whole_is_stored_again(world: World) -> None:
    """A sink that begins anew goes by the positions: rows that were there already stay as they are."""
    world.write(0)
    world.stored()
    world.write(1)
    again = list(world.topics.come)
    assert world.stored() == FIRST
    world.sink = world.begun()
    assert dict.fromkeys((DEALS, TRANSFERS, REJECTIONS), 1) == world.positions()
    world.topics.come = again
    assert FIRST + REST == world.stored()
    counts = {
        table: len(world.database.tables[table]) for table in ("deals", "transfers", "rejections", "books")
    }
    assert counts == {"deals": 4, "transfers": 2, "rejections": 2, "books": 4}


def test_a_sink_that_is_stopped_stores_the_rest(world: World) -> None:
    """It ends with nothing to repeat."""
    world.write(0)
    world.stored()
    world.write(1)
    world.topics.then = world.sink.stop
    world.inserts.clear()
    world.sink.run()
    assert FIRST + REST == world.inserts
    assert dict.fromkeys((DEALS, TRANSFERS, REJECTIONS), 2) == world.positions()
