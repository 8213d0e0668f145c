"""Holes stay open until a later sweep of the same stretch and accounts finds nothing."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.reconciliations import (
    RECONCILIATION,
    DayVolume,
    Difference,
    Reconciliation,
    decode_reconciliation,
    open_gaps,
)
from tests.build import at

DAY = timedelta(days=1)


def sweep(since: int, until: int, when: int, unresolved: int = 0, **facts: Any) -> Reconciliation:
    """A sweep of days, finished in the order of `when`."""
    usual: dict[str, Any] = {
        "reconciliation_id": f"s{when}", "server": "live", "source": "test", "starts_at": at(1) + since * DAY,
        "ends_at": at(1) + until * DAY, "started_at": at(1), "theirs": 9,
        "finished_at": at(1) + when * DAY / 24,
        "ours": 9, "missing": unresolved, "different": 0, "extra": 0, "disputed": 0, "unreadable": 0,
        "ingested": 0, "deleted": 0,
    }  # fmt: skip
    return Reconciliation(**(usual | facts))


def holes(*sweeps: Reconciliation) -> list[tuple[int, int]]:
    """Open holes, as days."""
    return [((hole.starts_at - at(1)) // DAY, (hole.ends_at - at(1)) // DAY) for hole in open_gaps(sweeps)]


def test_what_was_taken_over_is_no_hole() -> None:
    """Missing and ingested, extra and deleted are resolved; disputed and unreadable never are."""
    assert [] == holes(sweep(0, 3, 1, 2, different=1, ingested=3, extra=4, deleted=4))
    assert [(0, 3)] == holes(sweep(0, 3, 1, disputed=1))
    assert [(0, 3)] == holes(sweep(0, 3, 1, unreadable=1))
    assert [(0, 3)] == holes(sweep(0, 3, 1, extra=1))


def test_later_sweeps_close_what_they_cover() -> None:
    """A month's hole is closed day by day; what no sweep has covered stays, also in the middle."""
    month = sweep(0, 30, 1, 5)
    assert [(0, 10), (11, 30)] == holes(month, sweep(10, 11, 2))
    assert [(20, 30)] == holes(month, sweep(0, 12, 2), sweep(12, 20, 3))
    assert [] == holes(month, sweep(12, 30, 3), sweep(0, 12, 2))
    assert [(0, 30)] == holes(month, sweep(0, 30, 0))
    assert [(0, 30)] == holes(month, sweep(0, 30, 2, server="demo"))


def test_a_sweep_of_some_accounts_closes_only_those() -> None:
    """A statement of one account closes no hole of the server; a sweep of all closes the account's."""
    assert [(0, 3)] == holes(sweep(0, 3, 1, 2), sweep(0, 3, 2, logins=(5,)))
    assert [] == holes(sweep(0, 3, 1, 2, logins=(5,)), sweep(0, 3, 2))
    assert [] == holes(sweep(0, 3, 1, 2, logins=(5,)), sweep(0, 3, 2, logins=(4, 5)))
    assert [(0, 3)] == holes(sweep(0, 3, 1, 2, logins=(5, 6)), sweep(0, 3, 2, logins=(5,)))


SWEEPS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(0, 1)), max_size=8)


@given(SWEEPS)
def test_each_day_is_as_its_newest_sweep_left_it(drawn: list[tuple[int, int, int]]) -> None:
    """Day by day, whatever the windows: open if and only if the newest sweep of the day left something."""
    made = [sweep(since, since + days, n, bad) for n, (since, days, bad) in enumerate(drawn)]
    open_days = [day for since, until in holes(*made) for day in range(since, until)]
    newest = {day: bad for since, days, bad in drawn for day in range(since, since + days)}
    assert {day for day, bad in newest.items() if bad} == set(open_days)


def test_the_record_comes_back_as_it_went() -> None:
    """Through JSON with days and deals; what is no reconciliation is None."""
    record = sweep(
        0, 3, 1, 1, logins=(7,),
        days=(DayVolume(day=at(1).date(), theirs=1, ours=0, theirs_e8=10**8, ours_e8=0),),
        examples=(Difference(deal_id="7", verdict="missing", occurred_at=at(1)),),
    )  # fmt: skip
    assert record == decode_reconciliation(RECONCILIATION.dump_json(record))
    assert decode_reconciliation(b'{"type": "book_command"}') is None


def test_bounds_hold() -> None:
    """A record of more days than a window has is refused."""
    day = {"day": "2026-09-01", "theirs": 1, "ours": 1, "theirs_e8": 1, "ours_e8": 1}
    whole = RECONCILIATION.dump_python(sweep(0, 1, 1), mode="json")
    RECONCILIATION.validate_python({**whole, "days": [day] * 400}, strict=False)
    with pytest.raises(ValidationError):
        RECONCILIATION.validate_python({**whole, "days": [day] * 401})
