"""Server time: the zone's dates, the shift, the gap, the repeated hour."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.server_time import RepeatedHour, TimeReader, parse_rule, parse_server_time, to_us

FIRST = datetime(2001, 1, 1)  # noqa: DTZ001 - a server's wall clock has no zone of its own
LAST = datetime(2098, 1, 1)  # noqa: DTZ001


def utc(text: str, rule: str, fold: int = 0) -> str:
    return parse_rule(rule).to_utc(parse_server_time(text), fold).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("server_time", "rule", "expected"),
    [
        ("2025.01.15 12:00:00", "America/New_York+7h", "2025-01-15 10:00:00"),
        ("2025.07.15 12:00:00", "America/New_York+7h", "2025-07-15 09:00:00"),
        # Between the US switch (9 March 2025) and the EU one (30 March) the two rules differ.
        ("2025.03.20 12:00:00", "America/New_York+7h", "2025-03-20 09:00:00"),
        ("2025.03.20 12:00:00", "Europe/Helsinki", "2025-03-20 10:00:00"),
        # And between the EU switch back (26 October 2025) and the US one (2 November).
        ("2025.10.29 12:00:00", "America/New_York+7h", "2025-10-29 09:00:00"),
        ("2025.10.29 12:00:00", "Europe/Helsinki", "2025-10-29 10:00:00"),
        ("2025.07.15 12:00:00", "UTC", "2025-07-15 12:00:00"),
        ("2025.07.15 12:00:00", "+02:00", "2025-07-15 10:00:00"),
        ("2025.07.15 12:00:00", "-05:30", "2025-07-15 17:30:00"),
        ("2025.07.15 12:00:00", "Etc/GMT-3", "2025-07-15 09:00:00"),
        ("2025.07.15 00:30:00", "America/New_York+7h30m", "2025-07-14 21:00:00"),
    ],
)
def test_zone_gives_the_dates(server_time: str, rule: str, expected: str) -> None:
    """A server's clock switches on the dates of its zone, whatever the shift."""
    assert utc(server_time, rule) == expected


def test_new_york_switch_in_server_time() -> None:
    """New York's 02:00 on 9 March 2025 is 09:00 on the server: 09:xx is a gap, and counts as unmoved."""
    rule = "America/New_York+7h"
    assert utc("2025.03.09 08:59:59", rule) == "2025-03-09 06:59:59"
    assert utc("2025.03.09 09:30:00", rule) == "2025-03-09 07:30:00"
    assert utc("2025.03.09 09:30:00", rule, fold=1) == "2025-03-09 07:30:00"
    assert utc("2025.03.09 10:00:00", rule) == "2025-03-09 07:00:00"


def test_repeated_hour_takes_fold() -> None:
    """08:xx on 2 November 2025 happens twice; fold says which, and elsewhere means nothing."""
    rule = "America/New_York+7h"
    assert utc("2025.11.02 08:30:00", rule, fold=0) == "2025-11-02 05:30:00"
    assert utc("2025.11.02 08:30:00", rule, fold=1) == "2025-11-02 06:30:00"
    assert utc("2025.11.02 07:30:00", rule, fold=1) == "2025-11-02 04:30:00"
    assert utc("2025.11.02 09:00:00", rule, fold=1) == "2025-11-02 07:00:00"


def test_jump_back_starts_the_second_pass() -> None:
    """Deals with growing numbers are in the second pass once time jumps back; small disorder is no jump."""
    passes = RepeatedHour(parse_rule("America/New_York+7h"))
    seen = [
        passes.to_utc(parse_server_time(f"2025.11.02 {time}"), deal).strftime("%H:%M:%S")
        for deal, time in (
            (1, "07:59:00"),
            (2, "08:40:00"),
            (3, "08:39:58"),
            (4, "08:55:00"),
            (5, "08:01:00"),
            (6, "08:54:00"),
            (7, "09:10:00"),
        )
    ]
    assert seen == ["04:59:00", "05:40:00", "05:39:58", "05:55:00", "06:01:00", "06:54:00", "07:10:00"]


def test_every_year_starts_in_the_first_pass() -> None:
    """The second pass of one year's repeated hour says nothing about the next year's."""
    passes = RepeatedHour(parse_rule("America/New_York+7h"))
    times = ((1, "2024.11.03 08:50:00"), (2, "2024.11.03 08:10:00"), (3, "2025.11.02 08:10:00"))
    assert [passes.to_utc(parse_server_time(text), deal).hour for deal, text in times] == [5, 6, 5]


@pytest.mark.parametrize(
    "rule",
    ["", "GMT+2", "+2", "02:00", "Mars/Base", "America", "../etc/passwd", "UTC+25h", "UTC+1h75m", "+24:00"],
)
def test_bad_rules_name_examples(rule: str) -> None:
    """A rule that is not understood is refused with examples of good ones."""
    with pytest.raises(ValueError, match="America/New_York"):
        parse_rule(rule)


def test_only_offsets_are_fixed() -> None:
    """A bare offset is marked, so that the caller can warn about summer time."""
    rules = ("+02:00", "UTC", "Europe/Helsinki", "America/New_York+7h")
    assert [parse_rule(rule).is_fixed for rule in rules] == [True, False, False, False]


def test_a_time_with_a_zone_is_refused() -> None:
    """Server times are naive; an aware one would be shifted twice."""
    with pytest.raises(ValueError, match="naive"):
        parse_rule("UTC").to_utc(datetime(2025, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "1970.01.01 00:00:00",
        "2025.02.30 00:00",
        "2025.13.01 00:00",
        "2025.01-01 00:00",
        "",
        "2025.01.01 24:00",
    ],
)
def test_no_times(text: str) -> None:
    """The platforms' empty time and impossible times are no times."""
    with pytest.raises(ValueError, match="is not a time"):
        parse_server_time(text)


@given(
    at=st.datetimes(FIRST, LAST),
    rule=st.sampled_from(("America/New_York+7h", "Europe/Helsinki", "Australia/Lord_Howe+0h30m")),
)
def test_remembered_hours_change_nothing(at: datetime, rule: str) -> None:
    """The remembered conversion of an hour equals the exact one, in odd zones and odd shifts too."""
    clock = parse_rule(rule)
    exact = clock.zone
    wall = (at - clock.shift).replace(tzinfo=exact)
    expected = at - clock.shift - (wall.utcoffset() or timedelta())
    assert clock.to_utc(at).replace(tzinfo=None) == expected
    assert clock.to_utc(at).replace(tzinfo=None) == expected  # from memory


@given(st.datetimes(FIRST, LAST))
def test_reader_agrees_with_the_clock(at: datetime) -> None:
    """The fast reader of export times gives what the clock gives, or says that the hour is repeated."""
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    clock = parse_rule("America/New_York+7h")
    text = f"{at:%Y.%m.%d %H:%M:%S}.{at.microsecond // 1000:03}"
    expected = None if clock.is_repeated(at) else to_us(clock.to_utc(at))
    reader = TimeReader(clock)
    assert reader.utc_us(text.encode()) == expected
    assert reader.utc_us(text.encode()) == expected
