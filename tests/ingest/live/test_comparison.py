"""The sweep deal by deal: what it takes over, what it must not, and when it trusts no source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from commission.events import LOT_E8, Deal
from ingest.live import comparison
from ingest.live.comparison import Findings, Held, slices, sweep, tombstone
from ingest.mt5.record import Money, Mt5Record, to_deals
from ingest.source_items import Item
from schemas.dead_letters import to_dead_letter
from schemas.errors import Unusable
from tests.ingest.ingest_exports import RECEIVED, mt5

START = datetime(2025, 6, 2, tzinfo=UTC)
END = START + timedelta(days=2)
HOUR = timedelta(hours=1)


def deals(number: int, hour: int = 10, **more: Any) -> tuple[Deal, ...]:
    """The deals of one MT5 record: a lot bought, `hour` hours into the window."""
    usual: dict[str, Any] = {
        "deal": number, "login": 5001, "kind": "trade", "side": "buy", "entry": "in", "symbol": "EURUSD",
        "occurred_at": START + hour * HOUR, "server_time": "", "money": Money(Decimal(0)), "currency": "USD",
        "volume_e8": LOT_E8, "price": Decimal("1.1"), "position_id": "7",
    }  # fmt: skip
    return to_deals(Mt5Record(**(usual | more)), mt5())


def deal(number: int, hour: int = 10, **more: Any) -> Deal:
    (one,) = deals(number, hour, **more)
    return one


def edited(one: Deal) -> Deal:
    """The same deal after a dealer corrected its commission."""
    (number,) = [int(one.deal_id)]
    return deal(number, round((one.occurred_at - START) / HOUR), money=Money(Decimal(0), Decimal("-3.5")))


class Ours:
    """What we hold, in a dictionary: revisions in the order they were first seen, the last one stands."""

    def __init__(self, known: Sequence[Deal]) -> None:
        self.revisions: dict[str, list[Deal]] = {}
        for one in known:
            self.revisions.setdefault(one.deal_id, []).append(one)

    def between(self, since: datetime, until: datetime) -> Iterator[tuple[str, Held]]:
        """Those that happened in a slice."""
        every = self.of([*self.revisions]).items()
        return ((number, held) for number, held in every if since <= held.occurred_at < until)

    def of(self, deal_ids: Sequence[str]) -> dict[str, Held]:
        """Those of these that there are."""
        return {number: _held(self.revisions[number]) for number in deal_ids if number in self.revisions}


def _held(revisions: list[Deal]) -> Held:
    last, seen = revisions[-1], tuple(one.revision for one in revisions)
    return Held(last.revision, last.kind, last.occurred_at, last.volume_e8, last.profit, seen)


def ours(*known: Deal) -> Ours:
    return Ours(known)


@dataclass
class Theirs:
    """What the platform says, in a list."""

    items: list[Item]

    def between(self, since: datetime, until: datetime) -> Iterator[Item]:
        """A slice, and with the first one what cannot be read."""
        for item in self.items:
            if not isinstance(item, Deal) or since <= item.occurred_at < until:
                yield item
        self.items = [item for item in self.items if isinstance(item, Deal)]


def run(theirs: list[Item], held: Ours, **options: Any) -> tuple[Findings, list[Item]]:
    findings = Findings()
    return findings, list(sweep(Theirs(theirs), held, START, END, findings, **options))


def counts(found: Findings) -> dict[str, int]:
    """The counts that are not nought."""
    told = {
        "missing": found.missing, "different": found.different, "disputed": found.disputed,
        "unreadable": found.unreadable, "extra": len(found.extra),
    }  # fmt: skip
    return {name: count for name, count in told.items() if count}


def test_what_is_the_same_is_left_alone() -> None:
    """Equal revisions are nothing to do, and both sides count the same volume: 2 lots on the first day."""
    both: list[Deal] = [deal(1), deal(2, 23), deal(3, 24)]
    found, published = run([*both], ours(*both))
    assert ({}, []) == (counts(found), published)
    assert (3, 3) == (found.theirs, found.ours)
    volumes = [(day.day.day, day.theirs_e8 // LOT_E8, day.ours_e8 // LOT_E8) for day in found.days]
    assert [(2, 2, 2), (3, 1, 1)] == volumes


def test_missing_and_different_are_published_extra_is_told() -> None:
    """Deal 2 is only theirs, 3 has another revision, 4 is only ours."""
    found, published = run([deal(1), deal(2), edited(deal(3))], ours(deal(1), deal(3), deal(4, 30)))
    assert {"missing": 1, "different": 1, "extra": 1} == counts(found)
    assert [deal(2), edited(deal(3))] == published
    assert {"4": START + 30 * HOUR} == found.extra
    told = [(one.deal_id, one.verdict) for one in found.examples]
    assert [("3", "different"), ("2", "missing"), ("4", "extra")] == told


def test_an_edit_that_was_taken_back_is_told_under_a_name_of_its_own() -> None:
    """A, B, A again: the fold knows A as replaced, so it comes as `A~2`; the next sweep finds it equal."""
    first = deal(1)
    found, published = run([first], ours(first, edited(first)))
    (again,) = published
    assert isinstance(again, Deal)
    assert {"different": 1} == counts(found)
    assert (f"{first.revision}~2", replace(first, revision="")) == (
        again.revision,
        replace(again, revision=""),
    )
    found, published = run([first], ours(first, edited(first), again))
    assert ({}, []) == (counts(found), published)
    found, published = run([edited(first)], ours(first, edited(first), again))
    assert [f"{edited(first).revision}~3"] == [one.revision for one in published if isinstance(one, Deal)]


def test_a_source_without_reasons_does_not_unsay_a_service_deal() -> None:
    """What is known for a roll-over equals a report's deal; the other way round it differs."""
    plain, rolled = deal(1), deal(1, reason="rollover")
    for held in ((rolled,), (plain, rolled), (rolled, edited(plain), rolled)):
        assert ({}, []) == (counts((found := run([plain], ours(*held)))[0]), found[1])
    assert ({"different": 1}, [rolled]) == (counts((found := run([rolled], ours(plain)))[0]), found[1])
    _, (again,) = run([plain], ours(rolled, edited(plain)))
    assert isinstance(again, Deal)
    assert f"{plain.revision}~2" == again.revision


def test_a_deal_whose_time_was_moved_is_different_not_missing_and_extra() -> None:
    """Moved to the other day, either way, and from outside the window."""
    for was, now in ((10, 30), (30, 10), (-5, 10)):
        found, published = run([deal(1, now)], ours(deal(1, was)))
        assert ({"different": 1}, [deal(1, now)]) == (counts(found), published)


def test_an_ended_deal_is_not_brought_back() -> None:
    """The fold does not come back from an end; publishing would hide the difference. A person decides."""
    gone = tombstone(deal(1), "test")
    found, published = run([deal(1)], ours(deal(1), gone))
    assert ({"disputed": 1}, []) == (counts(found), published)
    assert "deleted, which is final" in found.examples[0].note


def test_what_both_sides_know_as_gone_is_nothing() -> None:
    """A deal deleted here and absent there agrees; one cancelled there is told by its new revision."""
    found, published = run([deal(2, kind="cancelled")], ours(tombstone(deal(1), "test"), deal(2)))
    assert ({"different": 1}, [deal(2, kind="cancelled")]) == (counts(found), published)


def test_a_source_that_contradicts_itself_is_disputed() -> None:
    """The same deal twice is one; told in two ways, the first counts and the second is told."""
    found, published = run([deal(1), deal(1)], ours())
    assert ({"missing": 1}, [deal(1)]) == (counts(found), published)
    found, published = run([deal(1), edited(deal(1))], ours(deal(1)))
    assert ({"disputed": 1}, []) == (counts(found), published)


def test_a_dead_letter_goes_on_and_leaves_the_window_open() -> None:
    """What cannot be read may be a deal."""
    letter = to_dead_letter(b"x", source="s", position="9", code="bad", reason="r", received_at=RECEIVED)
    found, published = run([letter, deal(1)], ours())
    assert ({"unreadable": 1, "missing": 1}, [letter, deal(1)]) == (counts(found), published)


def test_a_source_of_another_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of four deals an hour off are no edits; only an explicit word takes them over."""
    monkeypatch.setattr(comparison, "FEW_DIFFERENT", 2)
    theirs: list[Item] = [deal(1), *(deal(number, 11) for number in (2, 3, 4))]
    held = ours(*(deal(number) for number in (1, 2, 3, 4)))
    found, published = run(theirs, held)
    assert (3, 3, []) == (found.different, found.withheld, published)
    found, published = run(theirs, held, accept_many=True)
    assert (3, 0, 3) == (found.different, found.withheld, len(published))


def test_bounds_are_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many changed or extra deals end the sweep with what to look at; so does a window of years."""
    monkeypatch.setattr(comparison, "MAX_DIFFERENT", 1)
    monkeypatch.setattr(comparison, "MAX_EXTRA", 1)
    with pytest.raises(Unusable, match="time zone"):
        run([edited(deal(1)), edited(deal(2))], ours(deal(1), deal(2)))
    with pytest.raises(Unusable, match="part of the server"):
        run([], ours(deal(1), deal(2)))
    with pytest.raises(Unusable, match="at most 399 days"):
        list(slices(START, START + timedelta(days=500)))
    with pytest.raises(Unusable, match="before it begins"):
        list(slices(END, START))


def test_slices_cut_at_the_ends_of_days() -> None:
    """From 22:00 to 01:00 two days later: 2 hours, a day, 1 hour; nothing twice, nothing left out."""
    since = START - 2 * HOUR
    found = list(slices(since, END - 23 * HOUR))
    assert [2 * HOUR, 24 * HOUR, HOUR] == [until - at for at, until in found]
    assert [until for _, until in found][:-1] == [at for at, _ in found][1:]


def test_a_tombstone_is_a_revision_of_its_own_of_the_same_deal() -> None:
    """It keeps key, time and account, so that it reaches the client the deal went to."""
    one = deal(1)
    gone = tombstone(one, "reconciliation")
    assert "deleted" == gone.kind
    assert one.revision != gone.revision == tombstone(one, "other").revision
    assert (one.deal_key, one.account_key, one.occurred_at) == (
        gone.deal_key,
        gone.account_key,
        gone.occurred_at,
    )


def test_positions_that_were_not_told_are_no_differences() -> None:
    """200 deals without theirs: the better source tells them all, and is not distrusted for it."""
    told = [deal(number, number % 24) for number in range(1, 201)]
    untold = [deal(number, number % 24, position_id=None) for number in range(1, 201)]
    findings = Findings()
    published = list(sweep(Theirs(told), ours(*untold), START, END, findings))
    assert sorted(one.revision for one in told) == sorted(one.revision for one in published)
    assert (0, 0, 200) == (findings.different, findings.withheld, findings.retried)


def test_a_source_without_positions_changes_nothing_but_what_differs() -> None:
    """A deal alike in time, volume and profit is the same; an edit it tells is published."""
    told = [deal(1), deal(2)]
    edit = deal(2, position_id=None, money=Money(Decimal(9)))
    findings = Findings()
    published = list(sweep(Theirs([deal(1, position_id=None), edit]), ours(*told), START, END, findings))
    assert ([edit], 1) == (published, findings.different)
