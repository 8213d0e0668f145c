"""State stays small: what a long history leaves in the books, a kind of key at a time."""

from tests.commission.state_sizes import Size, calendar, days, deposits, edits, sizes


def test_a_client_with_many_deposits() -> None:
    """300 bytes a deposit, 110 for its event's id; what is written each time has 64 copies at most."""
    found = sizes(deposits(200), calendar(20))
    assert found["clients m"].keys == 200
    assert found["clients e"].keys == 202
    assert found["clients m"].largest < 300
    assert found["clients e"].largest < 110
    assert found["clients c"].largest < 4_000


def test_a_deal_with_many_edits() -> None:
    """Its own state names 16 revisions; each older one is 29 bytes, written once."""
    found = sizes(edits(100), calendar(30))
    assert Size(keys=83, bytes=83 * 29, largest=29) == found["clients r"]
    assert found["clients d"].largest < 1_150
    assert found["partners s"].largest < 300


def test_an_ib_with_many_days() -> None:
    """A closed day is 170 bytes for each component, and only for 400 days; of a balance nothing is kept."""
    found = sizes(days(40), calendar(40))
    assert found["partners s"].largest < 40 * 180
    assert found["partners i"].largest < 200
    assert found["clients d"].largest < 850
    assert found["clients c"].largest < 300
