"""The Web API as a live source, against a server over real sockets that fails as real ones do."""

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commission.events import Deal
from ingest.mt5 import web_deals as mt5_web_deals
from ingest.mt5 import web_session as mt5_web_session
from ingest.mt5.web_access import WebApi, answer_to, password_hash
from ingest.mt5.web_api import KIND, Mt5WebApi, cursor_of, time_of
from ingest.server_time import to_us
from ingest.sources import Page, UnreadableSource
from schemas.errors import Unavailable, Unusable
from tests.ingest.ingest_exports import NEW_YORK, ledger, mt5, sorted_out
from tests.ingest.mt5.records import TEN, cash, manager
from tests.ingest.mt5.web_api_server import FAULTS, MANAGER_LOGIN, PASSWORD, Server, serving

USERS = {5001: "real\\usd", 5002: "real\\jpy", 5003: "test\\usd"}
GROUPS = {
    "real\\usd": {"Group": "real\\usd", "Currency": "USD", "MarginMode": "2"},
    "real\\jpy": {"Group": "real\\jpy", "Currency": "JPY", "MarginMode": "0"},
    "test\\usd": {"Group": "test\\usd", "Currency": "USD", "MarginMode": "2"},
}
VARIABLE = "MT5_TEST_PASSWORD"
NOON = datetime(2025, 6, 2, 12, tzinfo=UTC)
TEN_AT = datetime(2025, 6, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)


def server(*deals: dict[str, Any], **more: Any) -> Server:
    return Server(deals=list(deals), groups=dict(GROUPS), users=dict(USERS), **more)


@contextmanager
def source(held: Server, profile: Any = None, now: Any = None, **more: Any) -> Iterator[Mt5WebApi]:
    """A source over a server: of all groups but the test's unless told, with waits cut short."""
    asked = {"timeout_s": 0.5, "requests_per_s": 100} | more
    if "logins" not in asked:
        asked.setdefault("groups", ("real\\*",))
    with serving(held) as url:
        api = WebApi(url=url, login=int(MANAGER_LOGIN), password_env=VARIABLE, **asked)
        with Mt5WebApi(
            api, profile or mt5(), sleep=lambda seconds: None, now=now or (lambda: NOON)
        ) as opened:
            yield opened


def read(pages: Iterator[Page]) -> tuple[list[Any], list[Any], str]:
    items: list[Any] = []
    cursor = ""
    for page in pages:
        items += page.items
        cursor = page.cursor
    return *sorted_out(items), cursor


def at(minute: int, second: int = 0) -> int:
    """Milliseconds of 10:00 and some minutes, as the server counts."""
    return (TEN + minute * 60 + second) * 1000


def test_a_poll_reads_what_is_new_with_an_overlap() -> None:
    """From a cursor on, deals come in order with their account's currency and group; the cursor follows."""
    held = server(
        manager(2, TimeMsc=at(5)), manager(1, Login=5002, TimeMsc=at(1)), cash(3, "9.00", Login=5003)
    )
    with source(held) as opened:
        deals, letters, cursor = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert ledger(deals, "deal_id", "login", "currency", "group", "source") == [
            ("1", "5002", "JPY", "real\\jpy", f"{KIND} Demo-MT5:deal 1"),
            ("2", "5001", "USD", "real\\usd", f"{KIND} Demo-MT5:deal 2"),
        ]
        assert (letters, time_of(cursor)) == ([], datetime(2025, 6, 2, 10, 5))  # noqa: DTZ001
        held.deals += [manager(4, TimeMsc=at(6)), manager(5, TimeMsc=at(-60))]
        deals, _, cursor = read(opened.poll(cursor))
        # The overlap is 15 minutes: 1 and 2 come again, 5 with a time an hour ago is for the sweep.
        assert [deal.deal_id for deal in deals] == ["1", "2", "4"]
        assert [d.deal_id for d in opened.window(NOON - 3 * HOUR, NOON) if isinstance(d, Deal)] == [
            "5", "1", "2", "4",
        ]  # fmt: skip


def test_an_idle_poll_says_the_same_again() -> None:
    """Two polls of a server where nothing happens give equal items and one cursor: nothing to publish."""
    held = server(manager(1, TimeMsc=at(5)), manager(2, TimeMsc=at(6), Price="?"))
    with source(held) as opened:
        deals, letters, cursor = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert (len(deals), len(letters)) == (1, 1)
        assert read(opened.poll(cursor)) == (deals, letters, cursor)


def test_a_deal_edited_in_place_is_a_new_revision() -> None:
    """A cancelled deal within the overlap comes again under its number with another revision."""
    held = server(manager(1, TimeMsc=at(5)))
    with source(held) as opened:
        (before,), _, cursor = read(opened.poll(opened.cursor_at(TEN_AT)))
        held.deals[0] = manager(1, TimeMsc=at(5), Action=13, ModifyFlags=1)
        (after,), _, _ = read(opened.poll(cursor))
        assert (before.deal_key, before.kind, after.kind) == (after.deal_key, "trade", "cancelled")
        assert before.revision != after.revision


def test_hedging_and_netting_follow_the_group() -> None:
    """The group's margin mode decides whether an in/out can be: here 5001 is hedging and 5002 netting."""
    turn = {"Entry": 2, "VolumeClosedExt": 1_000, "VolumeClosed": 0}
    held = server(manager(1, Login=5001, **turn), manager(2, Login=5002, **turn))
    with source(held) as opened:
        deals, letters, _ = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert [deal.deal_id for deal in deals] == ["2"]
        assert [(letter.code, letter.position) for letter in letters] == [("inout_on_hedging", "deal 1")]


def test_an_account_the_server_does_not_know() -> None:
    """A deal of a deleted user takes the profile's currency, or is a dead letter that says what to do."""
    held = server(manager(1, Login=77))
    with source(held, logins=(77,)) as opened:
        _, (letter,), _ = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert letter.code == "no_currency"
    with source(held, mt5(currency="EUR"), logins=(77,)) as opened:
        (deal,), _, _ = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert deal.currency == "EUR"


def test_a_history_is_read_from_the_beginning() -> None:
    """Without a cursor every deal of every year is read, once, in fewer requests than days."""
    year = 365 * 86_400_000
    held = server(*(manager(n, TimeMsc=TEN * 1000 - n * year // 3) for n in range(1, 40)))
    with source(held) as opened:
        deals, letters, cursor = read(opened.poll(""))
        assert (sorted(int(deal.deal_id) for deal in deals), letters) == (list(range(1, 40)), [])
        assert sum("get_batch" in path for path in held.asked) < 400
        # Nothing for four months: the cursor still goes up to the newest period, which is under 33 days.
        assert time_of(cursor) > datetime(2025, 4, 30)  # noqa: DTZ001


def test_large_answers_are_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one answer would be too large the period is halved, and every deal still comes."""
    monkeypatch.setattr(mt5_web_session, "MAX_ANSWER_BYTES", 30_000)
    held = server(*(manager(n, TimeMsc=at(0, n)) for n in range(300)))
    held.deals[0]["Deal"] = "1000"
    with source(held) as opened:
        deals, _, _ = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert {int(deal.deal_id) for deal in deals} == {*range(1, 300), 1000}
    crowd = server(*(manager(n + 1, TimeMsc=at(0)) for n in range(300)))
    with source(crowd) as opened, pytest.raises(Unavailable, match="too large"):
        read(opened.poll(opened.cursor_at(TEN_AT)))


def test_masks_of_groups_are_asked_side_by_side() -> None:
    """Several masks use several connections; a deal that two of them match comes once."""
    held = server(manager(1), manager(2, Login=5002), manager(3, Login=5003))
    with source(held, groups=("real\\*", "*\\usd", "test\\*,!test\\eur"), connections=3) as opened:
        deals, _, _ = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert [deal.deal_id for deal in deals] == ["1", "2", "3"]
        assert held.logins <= 3


def test_pages_of_logins() -> None:
    """By logins, pages of at most 100 are read to the end, and the totals agree."""
    held = server(*(manager(n, Login=5001 + n % 2, TimeMsc=at(0, n % 50)) for n in range(1, 700)))
    with source(held, logins=(5001, 5002)) as opened:
        deals, letters, _ = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert (sorted(int(deal.deal_id) for deal in deals), letters) == (list(range(1, 700)), [])


@pytest.mark.parametrize("how", ["added", "deleted", "swapped"])
def test_pages_that_shift_are_read_again(how: str) -> None:
    """A deal that comes or goes while pages are read moves others over the edges: none is missed."""
    held = server(*(manager(n, TimeMsc=at(0, n // 20)) for n in range(10, 400)))
    left = [2]

    def shift(path: str, asked: dict[str, str]) -> None:
        if path != "/api/deal/get_page" or asked["offset"] == "0" or not left[0]:
            return
        left[0] -= 1
        if how in ("deleted", "swapped"):
            del held.deals[3]
        if how in ("added", "swapped"):
            held.deals.insert(0 if how == "added" else len(held.deals), manager(900 + left[0], TimeMsc=at(1)))

    held.before = shift
    with source(held, logins=(5001,)) as opened:
        deals, _, _ = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert sorted(deal.deal_id for deal in deals) == sorted(deal["Deal"] for deal in held.deals)
        assert left == [0]


def test_pages_that_never_hold_still_are_told() -> None:
    """A login whose deals change with every page is tried a few times, then told, never half read."""
    held = server(*(manager(n, TimeMsc=at(0)) for n in range(1, 150)))
    held.before = lambda path, asked: held.deals.append(manager(1000 + len(held.deals), TimeMsc=at(0)))
    with source(held, logins=(5001,)) as opened, pytest.raises(Unavailable, match="changed 5 times"):
        read(opened.poll(opened.cursor_at(TEN_AT)))
    assert mt5_web_deals.MAX_REREADS == 5


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_of_each_kind(fault: str) -> None:
    """After a fault of any kind the poll goes on, with a new login where the session is gone."""
    left = {"/api/deal/get_batch": 2, "/api/user/get_batch": 1, "/api/group/get": 1}

    def fail(path: str) -> str | None:
        left[path] -= 1
        return fault if left[path] >= 0 else None

    held = server(manager(1), manager(2, Login=5002), fault=fail, slow_s=0.7)
    with source(held) as opened:
        deals, letters, _ = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert ledger(deals, "deal_id", "currency") == [("1", "USD"), ("2", "JPY")]
        assert letters == []
        assert held.logins == (1 if fault == "backslash" else held.logins)


def test_a_server_that_stays_away_is_told() -> None:
    """After its tries a poll raises `Unavailable`, and says what the last answer was."""
    held = server(manager(1), fault=lambda path: "error")
    with source(held) as opened, pytest.raises(Unavailable, match="8 tries: HTTP 500"):
        read(opened.poll(opened.cursor_at(TEN_AT)))
    with serving(server()) as url:
        pass
    api = WebApi(url=url, login=1, password_env=VARIABLE, groups=("*",), requests_per_s=100)
    opened = Mt5WebApi(api, mt5(), sleep=lambda seconds: None)
    with opened, pytest.raises(Unavailable, match="8 tries: ConnectError"):
        read(opened.poll(opened.cursor_at(TEN_AT)))


@pytest.mark.parametrize("mode", [{}, {"logins": (5001, 5002)}])
@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_or_doubled_whatever_fails(seed: int, mode: Any) -> None:
    """Faults at a third of the requests, deals added and edited meanwhile: what arrives is what is there."""
    dice = random.Random(seed)
    times: dict[str, int] = {}

    def fail(path: str) -> str | None:
        with held.lock:
            # Not more often in a row than a poll tries.
            times[path] = times.get(path, 0) + 1 if dice.random() < 0.35 else 0
            return dice.choice([f for f in FAULTS if f != "slow"]) if 0 < times[path] < 3 else None

    held = server(fault=fail)
    clock = [NOON]
    known: dict[str, tuple[str, str]] = {}
    number = 0
    with source(held, now=lambda: clock[0], **mode) as opened:
        cursor = opened.cursor_at(NOON - HOUR)
        for _ in range(12):
            with held.lock:
                for _ in range(dice.randrange(40)):
                    number += dice.choice((1, 1, 1, 5000, -7)) if number > 100 else 1
                    if any(deal["Deal"] == str(number) for deal in held.deals):
                        continue
                    late_s = dice.choice((0, 0, 0, 30, 600))
                    when = to_us(clock[0]) // 1000 - late_s * 1000 - dice.randrange(1000)
                    held.deals.append(manager(number, Login=dice.choice((5001, 5002)), TimeMsc=when))
                for deal in dice.sample(held.deals, min(3, len(held.deals))):
                    if to_us(clock[0]) // 1000 - int(deal["TimeMsc"]) < 120_000:
                        deal |= {"Action": "13", "Profit": f"{dice.randrange(100)}.00"}
            try:
                for page in opened.poll(cursor):
                    deals, letters = sorted_out(list(page.items))
                    assert letters == []
                    known |= {deal.deal_key: (deal.kind, str(deal.profit)) for deal in deals}
                    cursor = page.cursor
            except Unavailable:
                continue
            clock[0] += timedelta(minutes=dice.randrange(1, 4))
        held.fault = lambda path: None
        known |= {
            deal.deal_key: (deal.kind, str(deal.profit))
            for page in opened.poll(cursor)
            for deal in sorted_out(list(page.items))[0]
        }
    kinds = {"0": "trade", "13": "cancelled"}
    there = {f"Demo-MT5|{d['Deal']}": (kinds[d["Action"]], d["Profit"]) for d in held.deals}
    assert len(there) > 100
    assert {key: (kind, f"{float(profit):.2f}") for key, (kind, profit) in known.items()} == there


def test_the_repeated_hour_is_read_as_one() -> None:
    """However polls fall, deals of a repeated hour keep the pass they had: their revisions do not change."""
    profile = mt5(rule=NEW_YORK)
    hour = 1_762_070_400  # 2025-11-02 08:00:00, which that clock shows twice
    # Deal, minutes of the server's clock since 08:00, UTC minutes since 05:00: worked out by hand.
    told = [(1, -10, -10), (2, 5, 5), (3, 55, 55), (4, 4, 64), (5, 56, 116), (6, 60, 120)]
    held = server()
    first_seen: dict[str, datetime] = {}
    start = datetime(2025, 11, 2, 5, tzinfo=UTC)
    now = [start]
    with source(held, profile, now=lambda: now[0]) as opened:
        cursor = opened.cursor_at(start - HOUR)
        for deal, minute, utc_minute in told:
            held.deals.append(manager(deal, TimeMsc=(hour + minute * 60) * 1000))
            now[0] = start + timedelta(minutes=utc_minute)
            deals, _, cursor = read(opened.poll(cursor))
            for found in deals:
                assert first_seen.setdefault(found.deal_id, found.occurred_at) == found.occurred_at
        minutes = {key: round((seen - start) / timedelta(minutes=1)) for key, seen in first_seen.items()}
        assert minutes == {str(deal): utc_minute for deal, _, utc_minute in told}
        second_pass = opened.window(start + HOUR, start + 2 * HOUR)
        assert [deal.deal_id for deal in second_pass if isinstance(deal, Deal)] == ["4", "5"]


@pytest.mark.parametrize("clock", ["server", "utc"])
def test_the_clock_of_periods(clock: Any) -> None:
    """A server whose periods count in UTC is read right when told so; otherwise nothing is read past it."""
    profile = mt5(rule="+03:00")
    deals = [manager(1, TimeMsc=at(5)), manager(2, TimeMsc=at(170))]
    for shift_s in (0, 3 * 3600):
        held = server(*deals, shift_s=shift_s)
        with source(held, profile, period_clock=clock) as opened:
            if (clock == "utc") == (shift_s != 0):
                found, _, _ = read(opened.poll(opened.cursor_at(TEN_AT - 3 * HOUR)))
                assert [deal.deal_id for deal in found] == ["1", "2"]
            else:
                with pytest.raises(Unavailable, match=r"answers with deals of another time|period_clock"):
                    read(opened.poll(opened.cursor_at(TEN_AT - 3 * HOUR)))


def test_a_deal_of_the_future_does_not_move_the_cursor_past_the_present() -> None:
    """An operator's typing error in a deal's time hides no deal that is still to come."""
    held = server(manager(1, TimeMsc=at(10)), manager(2, TimeMsc=at(20 * 60)))
    with source(held) as opened:
        deals, _, cursor = read(opened.poll(opened.cursor_at(TEN_AT)))
        assert [deal.deal_id for deal in deals] == ["1", "2"]
        assert time_of(cursor) == datetime(2025, 6, 2, 12)  # noqa: DTZ001


def test_the_challenge() -> None:
    """MD5 of the password in UTF-16LE, of that and WebAPI, of that and the challenge: as openssl has it."""
    assert password_hash("Password1").hex() == "904ba8ecb16273d2f0ae9c3b8a023752"
    challenge = bytes.fromhex("d4e005317e38bc0c349a51a0d73a07eb")
    assert answer_to(challenge, password_hash("Password1")) == "e91611ce68ea4b33bd287857d4f5c7c0"


def test_a_wrong_password_is_tried_once() -> None:
    """A refused login is told with the variable's name and not repeated, lest the login be locked."""
    held = server(manager(1))
    held.password = PASSWORD[::-1]
    with source(held) as opened, pytest.raises(Unavailable, match=VARIABLE):
        read(opened.poll(opened.cursor_at(TEN_AT)))
    assert sum("/api/auth/answer" in path for path in held.asked) == 1


def test_an_impostor_is_not_asked_for_anything() -> None:
    """A server that cannot prove the password gets no request after the login."""
    held = server(manager(1), is_impostor=True)
    with source(held) as opened, pytest.raises(Unavailable, match="is not the server it says"):
        read(opened.poll(opened.cursor_at(TEN_AT)))
    assert all("/api/auth/" in path for path in held.asked)


def test_the_password_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the password nor its hash nor its proof is in an address of deals, a log, an error."""
    caplog.set_level(logging.DEBUG)
    held = server(manager(1), fault=lambda path: "error")
    with source(held) as opened, pytest.raises(Unavailable) as raised:
        read(opened.poll(opened.cursor_at(TEN_AT)))
    told = f"{raised.value!r} {caplog.text} {held.asked}"
    assert PASSWORD not in told
    assert password_hash(PASSWORD).hex() not in told
    assert "srv_rand_answer" not in caplog.text + repr(raised.value)


def test_a_missing_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the environment variable nothing is asked, and its name is told."""
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(Unusable, match=VARIABLE), source(server()):
        pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://mt5.example.com"},
        {"url": "https://manager:secret@mt5.example.com"},
        {"url": "https://mt5.example.com/?password=secret"},
        {"url": "mt5.example.com"},
        {"url": "https://"},
        {"groups": ()},
        {"logins": (1,)},
        {"connections": 0},
        {"connections": 6},
        {"requests_per_s": 0},
        {"timeout_s": 0.0},
    ],
)
def test_what_cannot_be_asked(wrong: dict[str, Any]) -> None:
    """A wrong setting is refused with a sentence that repeats no secret."""
    right = {"url": "https://mt5.example.com", "login": 1, "password_env": "X", "groups": ("real\\*",)}
    WebApi(**right)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"write https|either|not 1 to|not more|not an address") as raised:
        WebApi(**(right | wrong))  # type: ignore[arg-type]
    assert "secret" not in str(raised.value)


def test_the_rate_is_kept_over_all_connections() -> None:
    """At 20 requests a second the last of n has to wait for the n - 1 before it, whoever asks."""
    held = server(*(manager(n, Login=5001 + n % 3, TimeMsc=at(0)) for n in range(1, 4)))
    waited: list[float] = []
    with serving(held) as url:
        api = WebApi(
            url=url, login=int(MANAGER_LOGIN), password_env=VARIABLE, requests_per_s=20,
            logins=(5001, 5002, 5003),
        )  # fmt: skip
        with Mt5WebApi(api, mt5(currency="USD"), sleep=waited.append, now=lambda: NOON) as opened:
            started = time.monotonic()
            read(opened.poll(opened.cursor_at(TEN_AT)))
            took_s = time.monotonic() - started
    # The waits are not slept through, so each is the distance from now to the request's turn.
    assert max(waited) >= (len(held.asked) - 1) / 20 - took_s
    assert len(held.asked) > 10
    assert held.most_at_once <= 3


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 16, "٣"])
def test_a_cursor_of_another_source(cursor: str) -> None:
    """A cursor that is none is refused; one that is reads back."""
    with pytest.raises(UnreadableSource, match="not a cursor"):
        time_of(cursor)
    when = datetime(2025, 6, 2, 10, 0, 0, 123_000)  # noqa: DTZ001
    assert time_of(cursor_of(when)) == when
