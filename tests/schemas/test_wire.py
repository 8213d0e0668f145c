"""Micro-batches are read once for all readers: what is good in them, and what is not."""

import pytest

from commission.events import Deal
from schemas.wire import BadLine, InvalidRecord, Record, decode_lines, encode
from tests.build import deal

FIRST, SECOND = deal("1 buy 1 EURUSD in"), deal("2 sell 1 EURUSD out")
LINES = encode([FIRST, SECOND])


def test_a_message_without_a_bad_line_is_all_good() -> None:
    """In order."""
    assert ([FIRST, SECOND], []) == decode_lines(b"\n".join(LINES))


def test_bad_lines_are_apart_from_the_good_ones_with_their_numbers() -> None:
    """Empty lines count, for a receiver empties what it has already; two records are not one line."""
    message = b"\n".join([b"", LINES[0], b"{", LINES[1], b",".join(LINES)])
    good, bad = decode_lines(message)
    assert [FIRST, SECOND] == good
    assert [(3, b"{"), (5, b",".join(LINES))] == [(line.number, line.line) for line in bad]
    assert all(line.reason for line in bad)


@pytest.mark.parametrize("rest", [[], [b"{"]], ids=["good", "bad"])
def test_a_reader_refuses_records_that_are_not_for_it(rest: list[bytes]) -> None:
    """With its own reason, whether or not another line is bad."""

    def check(record: Record) -> None:
        if isinstance(record, Deal) and record.deal_id == "1":
            raise InvalidRecord("not here")

    good, bad = decode_lines(b"\n".join([*LINES, *rest]), check)
    assert [SECOND] == good
    assert BadLine(1, LINES[0], "not here") == bad[0]
    assert 1 + len(rest) == len(bad)
