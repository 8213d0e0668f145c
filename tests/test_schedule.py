"""Which share of the tests a process takes next."""

from tests.schedule import LONGEST, next_share, share

FIRST, SECOND = LONGEST[:2]
SHORT = ("tests/schemas/test_a.py", "tests/schemas/test_b.py")


def test_the_longest_begin_first() -> None:
    """In the order of the list, whatever order they were collected in."""
    assert FIRST == next_share([*SHORT, SECOND, FIRST], [])
    assert SECOND == next_share([*SHORT, SECOND], [SHORT[0]])
    assert SHORT[0] == next_share(SHORT, [])


def test_a_long_one_does_not_wait_behind_another() -> None:
    """A process with one of them under way is given a short one, while there is any."""
    assert SHORT[1] == next_share([SECOND, *SHORT], [FIRST])
    assert SECOND == next_share([SECOND], [FIRST])


def test_files_that_share_a_service_stay_together() -> None:
    """By how their path begins; any other file is by itself."""
    assert "one ClickHouse" == share("tests/api/test_access.py::test_one")
    assert "another ClickHouse" == share("tests/api/test_pages.py::test_one")
    assert "tests/test_hand.py" == share("tests/test_hand.py::test_one[1]")
