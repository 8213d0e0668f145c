"""Click ids: ULIDs by their specification, and marks that nobody makes without the key."""

from datetime import UTC, datetime

import pytest

from commission.links.click_id import ALPHABET, Click, is_genuine, make, parse, ulid

KEY, OTHER = b"k" * 32, b"o" * 32
AT_MS = 1_469_918_176_385
"""30 July 2016, 22:36:16.385 UTC: the example of the ULID specification, whose time is written 01ARYZ6S41."""


def test_a_ulid_is_that_of_the_specification() -> None:
    """Ten characters of time, sixteen of randomness, in an order that sorts by time."""
    assert ulid(AT_MS, bytes(10)) == "01ARYZ6S41" + "0" * 16
    assert ulid(0, b"\xff" * 10) == "0" * 10 + "Z" * 16
    assert ulid(2**48 - 1, b"\xff" * 10) == "7" + "Z" * 25  # the largest there is
    assert ulid(1, bytes(10)) > ulid(0, b"\xff" * 10)


def test_an_id_tells_its_link_its_time_and_its_bot() -> None:
    """What was put in is read out; any of the keys will do."""
    of_person = make(AT_MS, bytes(range(10)), "spring_24", KEY)
    at = datetime(2016, 7, 30, 22, 36, 16, 385_000, tzinfo=UTC)
    assert is_genuine(of_person, (OTHER, KEY))
    assert parse(of_person) == Click(click_id=of_person, link="spring_24", at=at)
    of_bot = make(AT_MS, bytes(10), "spring_24", KEY, is_bot=True)
    assert parse(of_bot) == Click(click_id=of_bot, link="spring_24", at=at, is_bot=True)
    assert is_genuine(of_bot, (KEY,))
    assert len(of_person) == 26 + 1 + 9 + 2 + 16


def test_no_character_of_an_id_can_be_changed() -> None:
    """Another time, link, kind or mark is no genuine id, nor is one under a key that is not ours."""
    genuine = make(AT_MS, bytes(range(10)), "spring_24", KEY)
    for place, letter in enumerate(genuine):
        for other in ALPHABET + "abc_-":
            changed = genuine[:place] + other + genuine[place + 1 :]
            assert is_genuine(changed, (KEY,)) == (other == letter)
    assert not is_genuine(genuine, (OTHER,))
    assert not is_genuine(genuine, ())


@pytest.mark.parametrize(
    "text", ["", "x", "01ARYZ6S41" + "0" * 16, "é" * 60, "9" * 26 + "-spring-c" + "0" * 16, "\n" * 50]
)
def test_anything_else_is_no_id(text: str) -> None:
    """A CRM may send whatever a browser had."""
    assert not is_genuine(text, (KEY,))
    assert parse(text) is None
