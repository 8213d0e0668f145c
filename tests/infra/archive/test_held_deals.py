"""What we hold, as the archive tells it, is what the fold stands by: on every ClickHouse there is."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from commission.client.state import DealState
from commission.events import AccountLinked, ClientRegistered, Deal, DealKind
from infra.archive.clickhouse_log import ArchiveLog, OpenArchive
from infra.archive.held_deals import Holdings
from ingest.live.comparison import Findings, sweep
from schemas import topics
from schemas.settings import Settings
from schemas.wire import Record
from streams.in_memory import LocalPipeline
from streams.partition import Message
from streams.table_rows import Rows
from tests import services
from tests.build import told_at
from tests.effort import tries

START = datetime(2026, 9, 1, tzinfo=UTC)
SERVER = "mt5-live"
CRM: list[Record] = [
    ClientRegistered(event_id="r", client_id="c", occurred_at=START, ib_id=None),
    AccountLinked(event_id="a", client_id="c", server=SERVER, login=1, occurred_at=START),
]


def deal(number: str, revision: str, kind: DealKind = "trade", day: int = 0, **more: Any) -> Deal:
    facts: dict[str, Any] = {
        "platform": "mt5", "server": SERVER, "login": 1, "deal_id": number, "revision": revision,
        "kind": kind, "occurred_at": START + timedelta(days=day), "side": "buy", "entry": "in",
        "symbol": "EURUSD", "volume_e8": 100_000_000, "position_id": "9", "price": Decimal("1.1"),
        "currency": "USD", "profit": Decimal("-0.5"),
    }  # fmt: skip
    return Deal(**(facts | more))


class Archived:
    """A pipeline in memory whose messages a sink stores, one after another."""

    def __init__(self, client: Client) -> None:
        self._rows: list[tuple[Message, int]] = []
        self.pipeline = LocalPipeline(on_message=lambda message, at: self._rows.append((message, at)))
        self._client = client

    def take(self, records: Sequence[Record]) -> None:
        """Fold and store."""
        list(self.pipeline.feed(records))
        rows = Rows()
        for message, offset in self._rows:
            rows.add(message.topic, 0, offset, message.value, message.source)
        self._rows.clear()
        rows.store(self._client)

    def standing(self, number: str) -> str:
        """The revision that the fold stands by."""
        state = self.pipeline._stages[topics.CLIENT_BOOK].load(f"d:c:{SERVER}|{number}")
        assert isinstance(state, DealState)
        return state.revision


@pytest.fixture(scope="module", params=services.ledger_kinds())
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = Settings(data_dir=tmp_path_factory.mktemp("held")).chdb_dir
    with services.ledger(folder, request.param) as found:
        yield found


@pytest.fixture
def archived(client: Client) -> Archived:
    for table in ("deals", "deal_revisions", "books"):
        client.command(f"TRUNCATE TABLE {table}")
    found = Archived(client)
    found.take(CRM)
    return found


def holdings(client: Client, *logins: int) -> Holdings:
    log: ArchiveLog
    with OpenArchive(client).open() as log:
        return Holdings(log.rows, log.lines, SERVER, logins)


REVISIONS: list[tuple[str, DealKind]] = [
    ("r0", "trade"),
    ("r1", "trade"),
    ("r2", "cancelled"),
    ("r3", "deleted"),
    ("r0s", "trade"),
]


@hypothesis_settings(
    max_examples=tries(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(told=st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 4)), min_size=1, max_size=8))
def test_what_is_held_is_what_the_fold_stands_by(
    client: Client, archived: Archived, told: list[tuple[str, int]]
) -> None:
    """In any order, edited back, cancelled, deleted, for a service deal: the archive names the fold's."""
    del archived
    for table in ("deals", "deal_revisions", "books"):
        client.command(f"TRUNCATE TABLE {table}")
    fresh = Archived(client)
    fresh.take(CRM)
    for number, revision in told:
        name, kind = REVISIONS[revision]
        fresh.take([deal(number, name, kind)])
    held = dict(holdings(client).between(START, START + timedelta(days=1)))
    assert {number: fresh.standing(number) for number, _ in told} == {n: h.revision for n, h in held.items()}


def test_the_window_is_that_of_the_standing_revision(client: Client, archived: Archived) -> None:
    """A deal moved from the first day to the second is held on the second; another server's is not ours."""
    archived.take([deal("1", "a", day=0), deal("1", "b", day=1), deal("2", "c", day=0, server="other")])
    first, second = START, START + timedelta(days=1)
    held = holdings(client)
    assert {} == dict(held.between(first, second))
    ((number, one),) = held.between(second, second + timedelta(days=1))
    assert ("1", "b", ("a", "b"), second) == (number, one.revision, one.seen, one.occurred_at)
    assert (100_000_000, Decimal("-0.5"), "trade") == (one.volume_e8, one.profit, one.kind)


def test_deals_are_found_by_number_and_read_back_whole(client: Client, archived: Archived) -> None:
    """Whatever there is of a list, of any length; what is read back equals what was told."""
    told = [deal(str(number), "a", day=number) for number in range(700)]
    told.append(deal("77:c", "b", kind="balance", side=None, entry=None, price=None))
    archived.take(told)
    held, asked = holdings(client), [one.deal_id for one in told] + ["none", "with,comma", "1:o"]
    assert {one.deal_id for one in told} == held.of(asked).keys()
    assert sorted(told, key=str) == sorted(held.deals(asked), key=str)


def test_logins_narrow_what_is_held(client: Client, archived: Archived) -> None:
    """A statement speaks for its account alone."""
    archived.take([deal("1", "a"), deal("2", "a", login=22), deal("3", "a", login=2)])
    day = START, START + timedelta(days=1)
    assert ["2"] == [number for number, _ in holdings(client, 22).between(*day)]
    assert ["2", "3"] == sorted(number for number, _ in holdings(client, 2, 22).between(*day))


def test_an_edit_taken_back_reaches_the_ledger_by_a_sweep(client: Client, archived: Archived) -> None:
    """The platform changed a deal and changed it back: told again it changes nothing, swept it does, once."""
    first, second = deal("1", "a"), deal("1", "b", volume_e8=200_000_000)
    archived.take([first, second, first])
    assert "b" == archived.standing("1")
    for standing in ("a~2", "a~2"):
        findings = Findings()
        window = (START, START + timedelta(days=1))
        published = sweep(Platform([first]), holdings(client), *window, findings)
        archived.take([one for one in published if isinstance(one, Deal)])
        assert standing == archived.standing("1")
    assert (0, 0, 0) == (findings.missing, findings.different, findings.disputed)
    archived.take([second, first])
    assert "a~2" == archived.standing("1")


class Platform:
    """What a platform says, in a list."""

    def __init__(self, deals: Sequence[Deal]) -> None:
        self._deals = deals

    def between(self, since: datetime, until: datetime) -> Iterator[Deal]:
        """A slice."""
        return (one for one in self._deals if since <= one.occurred_at < until)


def test_an_untold_position_is_held_as_such_until_it_is_told(client: Client, archived: Archived) -> None:
    """Read back with no position, told by a sweep once; an untold record that comes later is none."""
    told, untold = told_at(deal("1", ""), "9"), told_at(deal("1", ""), None)
    window = (START, START + timedelta(days=1))
    archived.take([untold])
    assert [untold] == list(holdings(client).deals(["1"]))
    for retried in (1, 0):
        findings = Findings()
        published = list(sweep(Platform([told]), holdings(client), *window, findings))
        archived.take([one for one in published if isinstance(one, Deal)])
        assert (retried, 0, told.revision) == (findings.retried, findings.different, archived.standing("1"))
    archived.take([untold, told_at(deal("2", ""), "9"), told_at(deal("2", ""), None)])
    held = dict(holdings(client).between(*window))
    assert {n: one.revision for n, one in held.items()} == {n: archived.standing(n) for n in ("1", "2")}
