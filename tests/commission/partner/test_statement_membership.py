"""Which statement a row is on, told from the places in the partner book; offsets by hand."""

import pytest
from msgspec.structs import replace

from commission.partner.statement_membership import Booked, by_statement
from tests.build import at, ended, period
from tests.commission.books.partner_rows import MONTHS, earned, settle

SEPTEMBER, OCTOBER = period("2026-09"), period("2026-10")
KNOWN = ((0, SEPTEMBER), (0, OCTOBER))
ENDS = {"2026-09": 10, "2026-10": 20}


@pytest.mark.parametrize(
    ("day", "offset", "place"),
    [
        (3, 5, "2026-09"),
        (3, 10, "2026-09"),  # in the message that ended the month: rows come before the end
        (3, 11, "2026-10"),  # late
        (33, 5, "2026-10"),  # of October, told in September
        (33, 20, "2026-10"),
        (33, 21, ""),  # late, and no later period is known
        (3, 21, ""),
        (70, 5, "2026-09"),  # of a time without a period: the next statement there is
        (70, 15, "2026-10"),
        (70, 25, ""),
    ],
)
def test_a_row_is_on_the_first_statement_that_could_have_it(day: int, offset: int, place: str) -> None:
    """By its own time and by its place in the log."""
    row = earned("5", day=day)
    assert by_statement([Booked(offset, row)], KNOWN, ENDS) == {(place, "USD"): [row]}


def test_a_period_counts_from_where_it_was_learned() -> None:
    """November is told in the message of offset 12: a row before it has no period, one in it has."""
    periods = (*KNOWN, (12, period("2026-11")))
    early, late = earned("5", day=63), earned("6", day=63)
    found = by_statement([Booked(11, early), Booked(12, late)], periods, {"2026-09": 10, "2026-10": 20})
    assert found == {("2026-10", "USD"): [early], ("", "USD"): [late]}


def test_currencies_and_closing_rows_have_their_own_places() -> None:
    """The closing rows say their period themselves; money that is held is on no statement."""
    dollars, euros = earned("5"), earned("6", "EUR")
    paid = replace(
        earned("-5"), code="statement", credit="ib:ib-north:payable", period="2026-09", transfer_id="paid"
    )
    held = replace(earned("9"), credit="ib:ib-north:held")
    rows = [Booked(10, paid), Booked(3, euros), Booked(4, held), Booked(5, dollars)]
    assert by_statement(rows, KNOWN, ENDS) == {
        ("2026-09", "USD"): [paid, dollars],
        ("2026-09", "EUR"): [euros],
    }


def test_a_maturing_row_is_on_the_statement_of_that_day() -> None:
    """Earned on day 3 and mature on day 33, it is October's."""
    row = earned("5", matures_at=at(33))
    assert by_statement([Booked(1, row)], KNOWN, ENDS) == {("2026-10", "USD"): [row]}


def test_the_rows_are_those_the_fold_counted() -> None:
    """5 and late 7, 6 of October: statements of 2 and 3 rows, as the partner book says of itself."""
    five, seven, six = earned("5"), earned("7", day=4), earned("6", day=33)
    said = settle(five, ended("2026-09"), seven, six, ended("2026-10"))
    closing = [Booked({"2026-09": 2, "2026-10": 5}[row.period], row) for row in said.transfers if row.period]
    rows = [Booked(1, five), Booked(3, seven), Booked(4, six), *closing]
    found = by_statement(rows, [(0, month) for month in MONTHS], {"2026-09": 2, "2026-10": 5})
    assert {place: len(of_it) for place, of_it in found.items()} == {
        (statement.period, statement.currency): statement.transfers for statement in said.statements
    }
    assert found["2026-10", "USD"][-2:] == [seven, six]
