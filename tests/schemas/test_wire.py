"""Micro-batches are read once for all readers: what is good in them, and what is not."""

import pytest

from commission.events import Deal
from schemas.wire import BadLine, batches, decode_lines, encode
from tests.build import deal, linked

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
    """With a reason of its own, whether or not another line is bad."""
    (link,) = encode([linked("1 anna")])
    good, bad = decode_lines(b"\n".join([link, *LINES, *rest]), {Deal})
    assert [FIRST, SECOND] == good
    assert BadLine(1, link, "no record of type account_linked belongs here") == bad[0]
    assert 1 + len(rest) == len(bad)


DEAL = LINES[0][len(b'{"type":"deal",') :]
ROW = (
    b'{"type":"transfer","transfer_id":"t","code":"accrual","debit":"a","credit":"b","amount":"%s","currency":"USD",'
    b'"ib_id":"i","occurred_at":"2026-09-01T00:00:00Z","caused_by":"%s","factors":{"lots":%s}}'
)
TALLY = (
    b'{"type":"tally","ib_id":"i","plan_id":"p","plan_version":1,"component":"c","client_id":"a","caused_by":"d",'
    b'"occurred_at":"2026-09-01T00:00:00Z","currency":"USD","amounts":["1","%s"]}'
)
PLAN = (
    b'{"type":"plan_defined","plan_id":"%s","version":1,"currency":"USD",'
    b'"components":[{"kind":"per_lot","name":"l","rates":[{"match":"*","value":"%s"}]}]}'
)
RATED = b'{"type":"%s","client_id":"a",%b"deal":{"type":"deal",%b'
APPROVAL = b'"proposal_id":"p","occurred_at":"2026-09-01T00:00:00Z",'
ODD = DEAL.replace(b'"volume_e8"', b'"balance":"-Infinity","volume_e8"')
LONG = b"x" * 1_025


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (ROW % (b"NaN", b"d", b'"1"'), "transfer.amount"),
        (TALLY % b"sNaN", "tally.amounts"),
        (PLAN % (b"p", b"inf"), "plan_defined.components.rates.value"),
        (RATED % (b"routed_deal", b"", ODD) + b"}", "routed_deal.deal.balance"),
        (RATED % (b"rerating_approved", APPROVAL, ODD) + b"}", "rerating_approved.deal.balance"),
        (ROW % (b"1", LONG, b'"1"'), "caused_by"),
        (ROW % (b"1", b"d", b'"%s"' % LONG), "factors"),
        (ROW % (b"1", b"d", b"[1]"), "factors"),
        (PLAN % (LONG, b"1"), "plan_id"),
    ],
)
def test_numbers_are_finite_and_texts_bounded_at_any_depth(line: bytes, place: str) -> None:
    """Whoever wrote the line, and however it is read: by itself, or among others."""
    good, bad = decode_lines(b"\n".join([LINES[0], line]))
    assert [FIRST] == good
    assert [(2, line)] == [(one.number, one.line) for one in bad]
    assert place in bad[0].reason


@pytest.mark.parametrize(
    "line",
    [
        ROW % (b"1", b"x" * 1_024, b'"1"'),
        TALLY % b"2",
        PLAN % (b"p", b"1"),
        RATED % (b"routed_deal", b"", DEAL) + b"}",
        RATED % (b"rerating_approved", APPROVAL, DEAL) + b"}",
    ],
)
def test_the_same_lines_are_good_with_plain_values(line: bytes) -> None:
    """So that what is refused above is refused for its value."""
    assert [] == decode_lines(line)[1]


@pytest.mark.parametrize(
    ("max_records", "max_bytes", "packed"),
    [
        (3, 12, [b"one\ntwo\nsix"]),  # three lines of three bytes, each with its newline
        (3, 11, [b"one\ntwo", b"six"]),
        (2, 12, [b"one\ntwo", b"six"]),
        (1, 12, [b"one", b"two", b"six"]),
        (3, 2, [b"one", b"two", b"six"]),  # a line that is too long goes alone
    ],
)
def test_lines_are_packed_up_to_both_limits(max_records: int, max_bytes: int, packed: list[bytes]) -> None:
    """A message is full with the last line that keeps both limits."""
    assert packed == batches([b"one", b"two", b"six"], max_records, max_bytes)


def test_no_lines_are_no_message() -> None:
    """Nothing is said to nobody."""
    assert batches([]) == []
