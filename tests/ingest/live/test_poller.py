"""The loop around a live server: whatever fails in between, the ledger is that of an undisturbed run."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from commission.events import Deal
from infra.commands.rate import rate
from ingest.counts import Counts
from ingest.live.cursor_file import CursorFile, Place
from ingest.live.poller import WINDOW_OVERLAP, Polling, Recent, back_off_s
from ingest.mt5.sql import Mt5Sql
from ingest.publish import outbox
from ingest.server_time import parse_rule
from ingest.source_items import Item
from ingest.sources import Page, ServerProfile
from ingest.sql.database import Database
from schemas.dead_letters import to_dead_letter
from schemas.errors import Unavailable
from schemas.topics import ACCOUNT_BOOK
from schemas.wire import decode_batch
from tests.build import ANNA, TERMS, registered
from tests.ingest.ingest_exports import RECEIVED, mt5
from tests.ingest.mock_kafka import Broker
from tests.ingest.sql_server import MT5_DEALS, SqlServer
from tests.ingest.sql_server import deal as row

AT = datetime(2026, 9, 3, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def deal(number: int, revision: str = "a", at: datetime = AT) -> Deal:
    return Deal(
        platform="mt5", server="live", login=1, deal_id=str(number), revision=revision, kind="balance",
        occurred_at=at, profit=Decimal(number), currency="USD",
    )  # fmt: skip


def published(broker: Broker) -> list[Deal]:
    """Every deal that Kafka has, doubles and all."""
    records = [
        record for message in broker.messages(ACCOUNT_BOOK) for record in decode_batch(message.value())
    ]
    return [record for record in records if isinstance(record, Deal)]


@dataclass
class Server:
    """A live source in memory: pages to come, failures to come, and what it was asked."""

    pages: list[Page | Unavailable]
    held: Sequence[Item] = ()
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def poll(self, cursor: str) -> Iterator[Page]:
        """Tell the pages to come."""
        self.asked.append(("poll", cursor))
        while self.pages:
            page = self.pages.pop(0)
            if isinstance(page, Unavailable):
                raise page
            yield page

    def cursor_at(self, moment: datetime) -> str:
        """Name the day."""
        return f"at {moment:%Y-%m-%d}"

    def window(self, since: datetime, until: datetime) -> Iterator[Item]:
        """Tell what the server holds."""
        self.asked.append(("window", since))
        assert until > datetime.now(UTC)
        yield from self.held


def polling(source: Server | Mt5Sql, broker: Broker, folder: Path, **more: object) -> Polling:
    options: dict[str, object] = {"interval_s": 0.01} | more
    return Polling(source, broker.bootstrap, CursorFile(folder / "feeds" / "live.json"), **options)  # type: ignore[arg-type]


def test_what_is_read_twice_is_sent_once(sql: SqlServer, broker: Broker, tmp_path: Path) -> None:
    """The overlap of a second poll sends nothing; an edit in it sends one deal."""
    sql.run(MT5_DEALS.format(name="mt5_deals"))
    sql.insert("mt5_deals", *(row(number, AT + number * MINUTE) for number in range(1, 31)))
    reading = polling(Mt5Sql(Database(sql.address), mt5(currency="USD")), broker, tmp_path)
    reading.run(threading.Event(), once=True)
    assert 30 == len(published(broker))
    reading.run(threading.Event(), once=True)
    assert 30 == len(published(broker))
    sql.insert("mt5_deals", row(30, AT + 30 * MINUTE, Profit=1))
    reading.run(threading.Event(), once=True)
    assert 31 == len(published(broker))
    assert 31 == reading.counts.deals["trade"]


def test_a_poller_killed_before_it_keeps_its_place(sql: SqlServer, broker: Broker, tmp_path: Path) -> None:
    """SIGKILL between publishing and keeping the place, again and again, leaves the undisturbed ledger."""
    sql.run(MT5_DEALS.format(name="mt5_deals"))
    rows = [
        row(number, AT + number * MINUTE, Login=1, PositionID=1 + number // 2, Entry=number % 2,
            Action=number % 2, Profit=number % 2 * 3)
        for number in range(2, 202)
    ]  # fmt: skip
    sql.insert("mt5_deals", *rows)
    file = tmp_path / "feeds" / "live.json"
    command = [
        sys.executable, "-m", "tests.ingest.live.killed_poller", json.dumps(asdict(sql.address)),
        broker.bootstrap, str(file),
    ]  # fmt: skip
    root = Path(__file__).parents[3]
    codes = [
        subprocess.run([*command, str(saves)], check=False, cwd=root, timeout=60).returncode
        for saves in (1, 3, 1, 2, 0)
    ]
    assert [-9, -9, -9, -9, 0] == codes
    arrived = published(broker)
    assert {str(number) for number in range(2, 202)} == {one.deal_id for one in arrived}
    assert len(arrived) > 200  # the kills did make doubles
    profile = ServerProfile("live", "mt5", parse_rule("UTC"), currency="USD")
    undisturbed = [item for page in Mt5Sql(Database(sql.address), profile).poll("") for item in page.items]
    transfers, expected = rate(TERMS, [*ANNA, *undisturbed])
    _, found = rate(TERMS, [*ANNA, *arrived])
    assert len(transfers) >= 100
    assert expected == found


def test_failures_are_waited_out(broker: Broker, tmp_path: Path) -> None:
    """A server that is away is asked again, and what it may have missed to tell is read before the stream."""
    stop, sentences = threading.Event(), list[str]()
    old = deal(5, at=AT - MINUTE)
    server = Server(
        [Page([deal(1)], "1"), Unavailable("gone"), Unavailable("still gone"), Page([deal(2)], "2")],
        held=[old],
    )
    reading, swept = polling(server, broker, tmp_path, told=sentences.append), list[datetime]()
    reading.sweep = lambda since, _: swept.append(since)

    def watch(counts: Counts) -> None:
        if counts.deals["balance"] == 3:
            stop.set()

    reading.on_progress = watch
    reading.run(stop)
    assert ["gone; trying again in", "still gone; trying again in"] == [
        s.rsplit(" ", 2)[0] for s in sentences
    ]
    assert ["1", "5", "2"] == [one.deal_id for one in published(broker)]
    since = AT - WINDOW_OVERLAP
    assert [("poll", ""), ("window", since), ("poll", "1"), ("window", since), ("poll", "1")] == server.asked
    assert [since, since] == swept
    assert Place("2", AT) == reading.places.load()


def test_kafka_away_keeps_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Kafka did not take is not counted as read."""
    monkeypatch.setattr(outbox, "METADATA_TIMEOUT_S", 0.5)
    monkeypatch.setitem(outbox.CONFIG, "log_level", 0)
    file = CursorFile(tmp_path / "live.json")
    with pytest.raises(Unavailable, match="Kafka at"):
        Polling(Server([Page([deal(1)], "1")]), "127.0.0.1:1", file, 1).run(threading.Event(), once=True)
    assert file.load() is None


def test_a_place_is_taken_up(broker: Broker, tmp_path: Path) -> None:
    """A new process goes on from the place kept; a lost or damaged one begins at --from, or at the start."""
    polling(Server([Page([deal(1)], "7")]), broker, tmp_path).run(threading.Event(), once=True)
    file = tmp_path / "feeds" / "live.json"
    again = Server([])
    polling(again, broker, tmp_path, since=AT).run(threading.Event(), once=True)
    assert [("window", AT - WINDOW_OVERLAP), ("poll", "7")] == again.asked
    for damage in (b"", b"{", b"[]", b'{"cursor": "7"}', b'{"cursor": "7", "last_deal_at": "2026-09-03"}'):
        file.write_bytes(damage)
        for since, cursor in ((AT, "at 2026-09-03"), (None, "")):
            fresh = Server([])
            polling(fresh, broker, tmp_path, since=since).run(threading.Event(), once=True)
            assert [("poll", cursor)] == fresh.asked


def test_one_process_a_server(broker: Broker, tmp_path: Path) -> None:
    """A second poller of the same server is told so."""
    with (
        CursorFile(tmp_path / "feeds" / "live.json").held(),
        pytest.raises(Unavailable, match="another process reads this server"),
    ):
        polling(Server([]), broker, tmp_path).run(threading.Event(), once=True)


def test_a_deal_of_the_future_hides_nothing(broker: Broker, tmp_path: Path) -> None:
    """A clock set wrong does not move the window over what is still to come."""
    late = deal(2, at=datetime(2090, 1, 1, tzinfo=UTC))
    reading = polling(Server([Page([deal(1), late], "1")]), broker, tmp_path)
    reading.run(threading.Event(), once=True)
    assert Place("1", AT) == reading.places.load()


def test_only_the_newest_revision_counts_as_known() -> None:
    """An edit that is taken back is sent again; a dead letter is sent once; a client event always."""
    recent = Recent()
    letter = to_dead_letter(b"x", source="s", position="1", code="c", reason="r", received_at=RECEIVED)
    first, edited, registration = deal(1, "a"), deal(1, "b"), registered("anna ib-north")
    assert [first, edited, first] == recent.unknown([first, first, edited, first])
    recent.remember([first, letter])
    assert [] == recent.unknown([first, letter])
    assert [edited] == recent.unknown([edited])
    recent.remember([edited])
    assert [first] == recent.unknown([first])
    recent.remember([registration])
    assert [registration] == recent.unknown([registration])


def test_memory_of_what_was_sent_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten, and sent again, which does no harm."""
    monkeypatch.setattr("ingest.live.poller.MAX_REMEMBERED", 3)
    recent = Recent()
    recent.remember([deal(number) for number in (1, 2, 3, 4, 5)])
    assert ["1", "2"] == [one.deal_id for one in recent.unknown([deal(n) for n in (1, 2, 3, 4, 5)])]


def test_back_off_doubles_up_to_a_minute() -> None:
    """1, 2, 4 … 60 s at most, and half of it at least."""
    assert [1, 2, 4, 32, 60, 60] == [back_off_s(n, lambda: 1.0) for n in (1, 2, 3, 6, 7, 999)]
    assert [0.5, 30] == [back_off_s(n, lambda: 0.0) for n in (1, 99)]
