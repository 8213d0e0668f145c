"""The live feed: who sees what of it, where it goes on after a break, and how it is bounded."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.client import Client

from api import feed as feeds
from api.feed import Feed, Reader
from api.feed_events import BEAT, Place, event_of, events, missed, place_of
from api.ledger import Ledger
from api.operators import Operator
from api.people import People
from api.queries.subtrees import scope_below
from api.routes.feed import still_may
from api.scope import EVERYTHING, NOTHING, Scope
from infra.connect.ports import listen
from infra.connect.server_thread import HttpThread
from schemas.people import Access
from tests.api.conftest import ENDLESS, Browser, browser, insert, per_lot
from tests.api.people_world import World
from tests.chromium import running

HERE_AT = datetime(2026, 10, 5, 12, tzinfo=UTC)


def post(chdb: Client, number: int, ib: str, at: datetime | None = None) -> str:
    """A transfer stored now, or then."""
    name = f"live-{number}"
    row = per_lot(name, ib, f"live|{number}", "1.00", f"broker:expense:per_lot > ib:{ib}:pending")
    insert(chdb, "transfers", row if at is None else row | {"stored_at": at})
    insert(chdb, "day_marks", {"day": row["occurred_at"].date(), "mark": 1_000 + number})
    return name


def read(text: str) -> list[tuple[str, Any]]:
    """Events of a stream: what each is, and what it has."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def ids(found: list[tuple[str, Any]]) -> list[str]:
    return [data["transfer_id"] for kind, data in found if kind == "transfer"]


async def take(stream: AsyncIterator[str], count: int) -> list[tuple[str, Any]]:
    """So many events, or those until the end."""
    found: list[tuple[str, Any]] = []
    async for text in stream:
        found += read(text)
        if len(found) >= count:
            break
    return found


def test_each_hears_what_it_sees_and_the_ledger_is_asked_once(ledger: Ledger, chdb: Client) -> None:
    """Three listen, of everything, of A, of nothing: one look a second whoever listens."""

    async def run() -> list[list[str]]:
        feed = Feed(ledger, 0.05)
        of_a = scope_below(ledger, ("A",), datetime.now(UTC), 64)
        with (
            feed.listening("x", EVERYTHING) as every,
            feed.listening("y", of_a) as own,
            feed.listening("z", NOTHING) as none,
        ):
            streams = [events(one, ([], False), lambda: True, beat_s=0.3) for one in (every, own, none)]
            while feed.looks < 1:
                await asyncio.sleep(0.01)
            for number, ib in enumerate(("A", "B", "M", "A")):
                post(chdb, number, ib)
            first = [ids(await take(streams[0], 4)), ids(await take(streams[1], 2))]
            looks = feed.looks
            await asyncio.sleep(0.3)
            assert feed.looks - looks <= 7, "not one look for each reader"
            return [*first, [one["transfer_id"] for one in list(none.waiting._queue)]]  # type: ignore[attr-defined]

    every, own, none = asyncio.run(run())
    assert sorted(every) == ["live-0", "live-1", "live-2", "live-3"]
    assert (sorted(own), none) == (["live-0", "live-3"], [])


def test_a_reader_goes_on_where_it_was(ledger: Ledger, chdb: Client) -> None:
    """Behind its last event, in the order of posting, also in another process; only what it sees."""
    for number, ib in enumerate(("A", "B", "A", "A")):
        post(chdb, number, ib, HERE_AT + timedelta(milliseconds=number // 2))
    rows, is_cut = missed(ledger, EVERYTHING, Place(HERE_AT, "live-0"))
    of_a, _ = missed(ledger, Scope(frozenset({"A"})), Place(HERE_AT, "live-0"))
    later = {"live-1", "live-2", "live-3"} - {"live-0"}
    known = {row["transfer_id"] for row in rows if row["transfer_id"].startswith("live-")}
    assert (known <= later, {"live-2", "live-3"} <= known, is_cut) == (True, True, False)
    assert all(row["ib_id"] == "A" for row in of_a)
    assert [row["stored_at"] for row in rows] == sorted(row["stored_at"] for row in rows)
    last = place_of(event_of(rows[-1]).split("\n")[0].removeprefix("id: "))
    assert last is not None
    assert missed(ledger, EVERYTHING, last) == ([], False)


def test_what_is_left_out_is_said(ledger: Ledger, chdb: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than is read at once, of what was missed and of what is new: a gap, then the newest."""
    monkeypatch.setattr(feeds, "MAX_ROWS", 2)
    for number in range(3):
        post(chdb, number, "A", HERE_AT + timedelta(seconds=number))
    rows, is_cut = missed(ledger, Scope(frozenset({"A"})), Place(HERE_AT - timedelta(seconds=1), "gone"))
    assert (len(rows), is_cut) == (2, True)

    async def run() -> list[tuple[str, Any]]:
        reader = Reader(EVERYTHING, dict)
        return await take(events(reader, (rows, is_cut), lambda: True), 3)

    assert [kind for kind, _ in asyncio.run(run())] == ["gap", "transfer", "transfer"]


def test_days_that_are_not_looked_at_are_a_gap(ledger: Ledger, chdb: Client) -> None:
    """Nine days are written, and eight are read: the gap is said to who returns and who listens."""
    place = Place(datetime.now(UTC), "gone")
    rows, is_cut = missed(ledger, EVERYTHING, place)
    assert (rows, is_cut) == ([], False), "nothing was posted since"

    async def run() -> list[tuple[str, Any]]:
        feed = Feed(ledger, 0.05)
        with feed.listening("x", EVERYTHING) as reader:
            while feed.looks < 1:
                await asyncio.sleep(0.01)
            for number in range(9):
                way, at = "broker:expense:per_lot > ib:A:pending", HERE_AT + timedelta(days=number)
                row = per_lot(f"far-{number}", "A", f"live|{number}", "1.00", way, occurred_at=at)
                insert(chdb, "transfers", row)
            found = []
            async for text in events(reader, ([], False), lambda: True, beat_s=2):
                found += read(text)
                if any(kind == "gap" for kind, _ in found):
                    return found
        return found

    assert "gap" in [kind for kind, _ in asyncio.run(run())]
    rows, is_cut = missed(ledger, EVERYTHING, place)
    assert is_cut
    assert len(rows) == 8


def test_a_slow_reader_is_cut_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that may wait the third is too many: the last event says why, and nothing piles up."""
    monkeypatch.setattr(feeds, "MAX_QUEUED", 2)
    row = {"ib_id": "A", "transfer_id": "t", "stored_at": HERE_AT}

    async def run() -> tuple[list[tuple[str, Any]], int]:
        reader = Reader(EVERYTHING, dict)
        reader.waiting = asyncio.Queue(2)
        for _ in range(5):
            reader.give(row)
        return await take(events(reader, ([], False), lambda: True), 9), reader.waiting.qsize()

    found, waiting = asyncio.run(run())
    assert found == [("end", {"reason": "slow: more came than was read"})]
    assert waiting <= 2


def test_it_ends_with_the_session_and_with_its_time() -> None:
    """At a heartbeat that finds the session over; after ten minutes, so that the gate looks again."""

    async def ended(may: Callable[[], bool], life_s: float) -> tuple[list[str], list[tuple[str, Any]]]:
        stream = events(Reader(EVERYTHING, dict), ([], False), may, beat_s=0.01, life_s=life_s)
        texts = [text async for text in stream]
        return texts, read("".join(texts))

    beats, found = asyncio.run(ended(lambda: True, 0.5))
    assert (found[0][1]["reason"][:9], beats.count(BEAT) >= 2) == ("ask again", True)
    _, found = asyncio.run(ended(lambda: False, 9.0))
    assert found == [("end", {"reason": "the session is over"})]


def test_so_many_may_listen(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of one, and a number of all; who leaves makes room, and the last one ends the looking."""
    monkeypatch.setattr(feeds, "MAX_READERS", 5)

    async def run() -> None:
        feed = Feed(ledger)
        with (
            feed.listening("a", EVERYTHING), feed.listening("a", EVERYTHING),
            feed.listening("a", EVERYTHING), feed.listening("a", EVERYTHING),
        ):  # fmt: skip
            assert (feed.has_room("a"), feed.has_room("b")) == (False, True)
            with feed.listening("b", EVERYTHING):
                assert not feed.has_room("c")
            assert feed.has_room("c")
        assert feed._task is None

    asyncio.run(run())


def test_whoever_is_not_let_in_any_more_stops_listening(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that ended or rested, another role, a revoked key; and asking keeps no session awake."""
    world = World(ledger, monkeypatch)
    people = People(world.desk, world.sign_ins, world.audit)
    world.signed_in("iris")
    session = world.desk.sessions("iris")[0].session
    iris = Operator("iris", ibs=("A",), role="ib", session=session)
    for _ in range(4):
        assert still_may(people, iris)
        world.later(minutes=8)
    assert not still_may(people, iris), "it rested for half an hour, whatever was asked"
    world.signed_in("mary")
    mary = Operator("mary", role="manager", session=world.desk.sessions("mary")[0].session)
    assert still_may(people, mary)
    world.desk.change("mary", Access(role="manager", ibs=("B",)), "anna")
    assert not still_may(people, mary)
    assert still_may(None, Operator("shared token"))


@pytest.mark.parametrize("wrong", ["x", "12", ".t", "-1.t", "99999999999999.t", "1²3.t", "\x00.t"])
def test_a_place_that_is_none_is_refused(http: Browser, wrong: str) -> None:
    """Whatever a browser or somebody else sends as the last event's id."""
    assert place_of(wrong) is None
    if wrong.isascii() and wrong.isprintable():
        refused = http.get(ENDLESS, headers={"Last-Event-ID": wrong})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")


@pytest.fixture
def served(ledger: Ledger) -> Iterator[tuple[str, Any]]:
    """A real server, and its app."""
    app = browser(ledger).app
    listener, server = listen("127.0.0.1", 0), HttpThread(app, "feed")
    server.start(listener)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", app
    app.state.feed.close()
    server.stop()


def test_over_http_it_goes_on_after_a_break_and_ends_with_the_server(
    served: tuple[str, Any], chdb: Client
) -> None:
    """A reader hears a transfer, leaves, misses one and gets it; a server that stops says so."""
    url, app = served

    def begun() -> bool:
        return bool(app.state.feed.looks)

    with httpx.stream("GET", url + ENDLESS, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        while not begun():
            time.sleep(0.02)
        first = post(chdb, 1, "A")
        place = next(line for line in lines if line.startswith("id: ")).removeprefix("id: ")
        assert place.endswith(first)
    second = post(chdb, 2, "B")
    with httpx.stream("GET", url + ENDLESS, headers={"Last-Event-ID": place}, timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("id: ")).endswith(second)
        app.state.feed.close()
        assert "the server stops" in next(line for line in lines if "reason" in line)


def test_what_is_stored_while_the_looking_begins_is_told(
    served: tuple[str, Any], chdb: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reader's feed begins late: what was stored until then is of those that were missed."""
    url, _ = served
    begin = Feed._begin

    def late(feed: Feed) -> Any:
        time.sleep(0.5)  # an unwise order has asked for what was missed by now
        post(chdb, 31, "A")
        return begin(feed)

    monkeypatch.setattr(Feed, "_begin", late)
    place = f"{int(time.time() * 1000)}.now"
    with httpx.stream("GET", f"{url}{ENDLESS}?after={place}", timeout=10) as answer:
        assert next(line for line in answer.iter_lines() if line.startswith("id: ")).endswith("live-31")


def test_the_overview_goes_on_by_itself(served: tuple[str, Any], chdb: Client) -> None:
    """In a real Chromium: what is posted while the page is open is put on top, with its amount and links."""
    url, app = served
    with running() as chromium:
        page, faults = chromium.new_page(), []
        page.on("console", lambda one: faults.append(one.text) if one.type == "error" else None)
        page.goto(f"{url}/?currency=USD")
        before = page.locator("#newest tbody tr").count()
        while not app.state.feed.looks:
            time.sleep(0.02)
        name = post(chdb, 7, "A")
        row = page.locator("#newest tbody tr").first
        row.locator(f'a[href="/transfers/{name}"]').wait_for()
        assert (page.locator("#newest tbody tr").count(), faults) == (before + 1, [])
        shown = row.inner_text()
        assert [one for one in ("=Atlas", "1.00 USD", "EURUSD") if one not in shown] == [], shown
        assert row.locator("td").count() == 10
        page.goto(f"{url}/?currency=USD&columns=newest:&columns=newest:IB&columns=newest:Amount")
        name = post(chdb, 8, "A")
        row.locator(f'a[href="/transfers/{name}"]').wait_for()
        heads = page.locator("#newest thead th").all_inner_texts()
        assert (len(heads), row.locator("td").count()) == (4, 4), "only the columns that are chosen"
        assert row.locator("td").nth(2).inner_text() == "1.00 USD"
