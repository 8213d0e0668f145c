"""Answers that never change: asked once, whatever else is asked with them, and bounded."""

from typing import Any

from api.kept_answers import MAX_ROWS_OF_ONE, KeptAnswers
from api.ledger import Ledger, OneReading, Row

SQL = "SELECT {day:Date32}"


class Counting(Ledger):
    """Answers every question by how many there were."""

    def __init__(self) -> None:
        super().__init__(lambda: None)  # type: ignore[arg-type, return-value]
        self.asked = 0

    def rows(self, sql: str, **values: object) -> list[Row]:
        """One row."""
        self.asked += 1
        return [{"asked": self.asked}]


def test_a_question_is_one_by_what_its_sql_names() -> None:
    """`until` is in no SQL here; another day is another question; what a caller does to a row is its own."""
    ledger = Counting()
    first = ledger.remembered(SQL, day=1, until="12:00")
    first[0]["asked"] = "changed"
    assert [{"asked": 1}] == ledger.remembered(SQL, day=1, until="12:01")
    assert [{"asked": 2}] == ledger.remembered(SQL, day=2, until="12:01")
    assert [{"asked": 1}] == OneReading(ledger).remembered(SQL, day=1)
    assert ledger.asked == 2


def test_a_page_asks_once_and_waits_for_itself() -> None:
    """The answer of what failed is its error, for all who ask for it."""
    page = OneReading(Counting())
    assert page.rows(SQL, day=1) == page.rows(SQL, day=1) == [{"asked": 1}]
    assert page.rows(SQL, day=2) == [{"asked": 2}]


def test_what_was_used_least_recently_goes_first() -> None:
    """Room for six rows: an answer of two weighs three, so that a third one displaces the second."""
    kept, rows = KeptAnswers(max_rows=6), [{"n": 1}, {"n": 2}]
    kept.keep(b"a", rows)
    kept.keep(b"b", rows)
    assert kept.get(b"a") == rows
    kept.keep(b"c", rows)
    assert [kept.get(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


def test_a_large_answer_is_not_kept() -> None:
    kept = KeptAnswers()
    many: list[dict[str, Any]] = [{}] * (MAX_ROWS_OF_ONE + 1)
    kept.keep(b"a", many)
    assert kept.get(b"a") is None
    kept.keep(b"a", many[1:])
    assert kept.get(b"a") == many[1:]
