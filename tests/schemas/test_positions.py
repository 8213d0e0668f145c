"""Source positions: what travels together is taken apart again; a repeat is known, however it is grouped."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.positions import (
    NOWHERE,
    Position,
    Segment,
    joined,
    origin_of,
    position_of_line,
    segments_of,
    split,
    unseen,
)
from schemas.topics import CLIENT_BOOK, SETTLEMENTS
from schemas.wire import MAX_BATCH_RECORDS
from streams.partition import Message
from streams.protocol import join

SOURCE = "client-book/3/9/1|7/0:2,9/0:1,9/1:3"
VALUE = b"a\nb\nc\nd\ne\nf"


def test_one_cause_is_named_plainly() -> None:
    """A message of one cause is `topic/partition/offset/part`, whole."""
    assert joined("client-book/3", [Segment((7, 2), 5)]) == "client-book/3/7/2"
    assert segments_of("client-book/3/7/2") == [Segment((7, 2), 0)]
    assert list(split("client-book/3/7/2", VALUE)) == [("client-book/3/7/2", VALUE)]


def test_several_causes_are_told_by_their_lines() -> None:
    """The newest position first, then each segment in order."""
    segments = [Segment((7, 0), 2), Segment((9, 0), 1), Segment((9, 1), 3)]
    assert joined("client-book/3", segments) == SOURCE
    assert segments_of(SOURCE) == segments
    assert origin_of(SOURCE) == ("client-book/3", (9, 1))
    assert list(split(SOURCE, VALUE)) == [
        ("client-book/3/7/0", b"a\nb"),
        ("client-book/3/9/0", b"c"),
        ("client-book/3/9/1", b"d\ne\nf"),
    ]
    assert [position_of_line(SOURCE, line) for line in range(6)] == [(7, 0)] * 2 + [(9, 0)] + [(9, 1)] * 3


@pytest.mark.parametrize(
    ("known", "new"),
    [
        ((6, 9), VALUE),
        ((7, 0), b"\n\nc\nd\ne\nf"),
        ((8, 0), b"\n\nc\nd\ne\nf"),
        ((9, 0), b"\n\n\nd\ne\nf"),
        ((9, 1), None),
        ((10, 0), None),
    ],
)
def test_what_is_known_of_a_message_is_left_out(known: Position, new: bytes | None) -> None:
    """Known lines become empty, so that the others keep their numbers; the position never goes back."""
    newest = max(known, (9, 1))
    assert unseen(SOURCE, VALUE, {"client-book/3": known}) == ("client-book/3", newest, new)
    assert unseen(SOURCE, VALUE, {"client-book/2": known}) == ("client-book/3", (9, 1), VALUE)


@given(
    lines=st.lists(st.integers(1, 4), min_size=1, max_size=12),
    first=st.lists(st.booleans(), min_size=12, max_size=12),
    again=st.lists(st.booleans(), min_size=12, max_size=12),
    crash=st.integers(0, 12),
)
def test_grouped_anew_after_a_crash_every_line_counts_once(
    lines: list[int], first: list[bool], again: list[bool], crash: int
) -> None:
    """However causes are grouped, and wherever the sender begins again, its receiver takes each line once."""
    names = [[b"%d.%d" % (offset, line) for line in range(count)] for offset, count in enumerate(lines)]
    sent = [
        Message(CLIENT_BOOK, 0, b"\n".join(own), f"account-book/0/{offset}/0")
        for offset, own in enumerate(names)
    ]
    log = [
        message
        for run, cuts in ((sent, first), (sent[min(crash, len(sent)) :], again))
        for group in grouped(run, cuts)
        for message in join(group)
    ]
    known: dict[str, Position] = {}
    taken: list[bytes] = []
    for message in log:
        origin, known[origin], new = unseen(message.source, message.value, known)
        taken += [line for line in (new or b"").split(b"\n") if line]
    assert taken == list(itertools.chain(*names))


def grouped(messages: list[Message], cuts: list[bool]) -> list[list[Message]]:
    """Messages in groups, a new one where the cut says so."""
    groups: list[list[Message]] = []
    for message, cut in zip(messages, cuts, strict=False):
        if cut or not groups:
            groups.append([])
        groups[-1].append(message)
    return groups


def test_targets_and_limits_part_what_travels_together() -> None:
    """One message a target partition, unless it would be too large; settlements go one by one."""
    some = [Message(CLIENT_BOOK, number % 2, b"x", f"account-book/0/{number}/0") for number in range(4)]
    assert [(m.partition, m.value, m.source) for m in join(some)] == [
        (0, b"x\nx", "account-book/0/2/0|0/0:1,2/0:1"),
        (1, b"x\nx", "account-book/0/3/0|1/0:1,3/0:1"),
    ]
    large = b"\n".join([b"x"] * MAX_BATCH_RECORDS)
    three = [Message(CLIENT_BOOK, 0, v, f"account-book/0/{n}/0") for n, v in enumerate((b"x", large, b"x"))]
    assert [m.source for m in join(three)] == [f"account-book/0/{n}/0" for n in range(3)]
    apart = [Message(SETTLEMENTS, 0, b"x", f"partner-book/0/{number}/0") for number in range(2)]
    assert join(apart) == apart


def test_nowhere_is_before_everything() -> None:
    """Offset 0, part 0 is news to who knows nothing."""
    assert (0, 0) > NOWHERE
