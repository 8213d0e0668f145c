"""Tallies that come before their plan, period or rate: each in a key of its own, counted in later."""

from typing import Any

from msgspec.structs import replace

from commission.partner.waiting import WAITING
from commission.terms.rates import Band, Caps, Tiers
from streams.state_codec import encode_state as dump
from tests.build import D, exchange, per_lot, plan
from tests.commission.partner.book import Book, days, owed, tally

CAPPED = replace(per_lot("*=5", caps=Caps(per_period=D(3))), name="it")
OWN = plan("own USD", CAPPED)


def waiting(book: Book) -> list[str]:
    """The keys of what waits."""
    return [key for key, value in book.state.items() if key.startswith("t:") and value is not None]


def size(value: Any) -> int:
    """Bytes as it is stored."""
    return len(dump("", value))


def test_what_waits_for_a_plan_is_counted_in_with_it() -> None:
    """300 tallies of 5 on one day, before their plan, which pays at most 3 a day: 3 - 1,500 are posted."""
    book = Book(days(3))
    assert book.tell(tally(0, "5")) == []
    first = size(book.state[WAITING])
    assert book.tell(*(tally(0, "5", caused_by=f"live|{n}") for n in range(299))) == []
    assert len(waiting(book)) == 300
    assert size(book.state[WAITING]) <= first + 2  # a number of three digits
    assert owed(book.learn(OWN)) == D(-1497)
    assert waiting(book) == []


def test_what_waits_for_another_plan_is_not_read_again() -> None:
    """Version 2 is unknown still: what is told of version 1, or a rate, does not touch its tallies."""
    book = Book(days(3))
    book.tell(tally(0, "5"), tally(1, "5", plan_version=2))
    assert owed(book.learn(OWN)) == D(-2)
    before = dict(book.state)
    assert book.learn(exchange("EUR/USD 1", day=1)) == []
    assert book.state == before
    assert owed(book.learn(replace(OWN, version=2))) == D(-2)


def test_what_waits_for_a_period_is_read_again_when_one_may_be_its_own() -> None:
    """Days 0 to 2 are known; tallies of days 5 and 9 wait. Day 7 is of neither, day 9 of one; then comes 5.

    Each is capped at 3 of 5. Afterwards day 20 waits by itself, and a period of day 6 is not its own.
    """
    calendar = days(40)
    book = Book(calendar[:3], OWN)
    assert book.tell(tally(9, "5"), tally(5, "5")) == []
    before = waiting(book)
    assert book.learn(calendar[12]) == []
    assert waiting(book) == before
    assert book.learn(calendar[7]) == []
    assert owed(book.learn(calendar[9])) == D(-2)
    assert owed(book.learn(calendar[5])) == D(-2)
    assert book.tell(tally(20, "5")) == []
    before = waiting(book)
    assert book.learn(calendar[6]) == []
    assert waiting(book) == before
    assert owed(book.learn(calendar[20])) == D(-2)


def test_a_period_that_waits_for_a_rate_waits_once() -> None:
    """A cap of 3 euros, no rate known: 200 tallies of 5 on each of two days, and one of each day waits.

    At 1.5 dollars the cap is 4.50 a day: of 1,005 and 1,000 all but that is taken back. Other rates change
    nothing.
    """
    book = Book(days(3), replace(OWN, currency="EUR"))
    for day in (0, 1):
        assert book.tell(*(tally(day, "5", caused_by=f"live|{n}") for n in range(200))) == []
    assert len(waiting(book)) == 2
    assert book.learn(exchange("GBP/USD 2", day=1)) == []
    assert len(waiting(book)) == 2
    assert book.tell(tally(0, "5")) == []
    assert len(waiting(book)) == 2
    assert owed(book.learn(exchange("EUR/USD 1.5", day=1))) == D(-1996)
    assert waiting(book) == []


def test_a_level_told_of_before_its_cap_has_a_rate_is_settled_once_it_has() -> None:
    """1 lot on day 0 reaches band 1 for day 40, where 5 count twice; the cap of 8 euros needs a rate of then.

    The rate of day 0 is too old on day 40. With one, its 10 are cut to 8: 3 more than its 5.
    """
    level = Tiers(by="lots", bands=(Band(start=D(1), factor=D(2)),), mode="level", lookback_periods=40)
    component = replace(per_lot("*=5", tiers=level, caps=Caps(per_period=D(8))), name="it")
    book = Book(days(41), plan("own EUR", component))
    book.learn(exchange("EUR/USD 1", day=1))
    assert book.tell(tally(40, "5", "10")) == []
    assert book.tell(tally(0, "5", "10")) == []
    assert owed(book.learn(exchange("EUR/USD 1", day=41))) == D(3)
