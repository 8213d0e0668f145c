"""Server wall-clock times to UTC: the zone gives the dates of the switch, a shift the rest."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

EXAMPLES = "America/New_York+7h, Europe/Helsinki, UTC or +02:00"
MAX_SHIFT = timedelta(hours=24)
MAX_REMEMBERED = 100_000
"""Hours or minutes whose conversion a clock keeps: 11 years of hours, 69 days of minutes."""
MIN_YEAR, MAX_YEAR = 2000, 2099
"""Years a deal can be of; platforms write 1970 where they mean no time."""
MIN_JUMP = timedelta(minutes=1)
"""Deals a little out of order are common; only a longer way back is a clock set back."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_US = timedelta(microseconds=1)
_OFFSET = re.compile(r"([+-])([0-9]{2}):([0-9]{2})")
_ZONE = re.compile(r"([A-Za-z][A-Za-z0-9_+/-]*?)(?:([+-])([0-9]{1,2})h(?:([0-9]{2})m)?)?")
_TIME = re.compile(rb"([0-9]{4})([.-])([0-9]{2})\2([0-9]{2}) ([0-9]{2}):([0-9]{2})")
_SECONDS = re.compile(rb"(?::([0-5][0-9])(?:\.([0-9]{1,6}))?)?")


@dataclass(frozen=True, slots=True)
class ServerClock:
    """One server's clock: it shows its zone's wall-clock time plus `shift`.

    `is_fixed` is True for a rule such as `+02:00`, which never switches: `fixed_offset_note` warns, since
    few brokers' servers do so. `UTC` is taken at its word.
    """

    rule: str
    zone: tzinfo
    shift: timedelta = timedelta(0)
    is_fixed: bool = False
    _ahead: dict[datetime, timedelta | None] = field(default_factory=dict, compare=False, repr=False)

    def to_utc(self, server_time: datetime, fold: int = 0) -> datetime:
        """Convert a naive server time; `fold` 1 means the second pass of a repeated hour.

        A time inside the gap of a forward switch counts as if the clock had not moved yet:
        servers follow their operating system up to an hour late.
        """
        ahead = self.ahead_in(server_time.replace(minute=0, second=0, microsecond=0, fold=0))
        if ahead is None:
            ahead = self._ahead_at(server_time, fold)
        return (server_time - ahead).replace(tzinfo=UTC, fold=0)

    def to_server_time(self, at: datetime) -> datetime:
        """What the clock shows at a moment, naive; two moments of a repeated hour show the same."""
        return at.astimezone(self.zone).replace(tzinfo=None, fold=0) + self.shift

    def ahead_in(self, hour: datetime) -> timedelta | None:
        """How far the clock is ahead of UTC all through an hour of its own; None if it moves in it."""
        try:
            return self._ahead[hour]
        except KeyError:
            return self._remember(hour)

    def is_repeated(self, server_time: datetime) -> bool:
        """Tell whether the clock shows this time twice."""
        return self._raw_ahead(server_time, 0) > self._raw_ahead(server_time, 1)

    def _ahead_at(self, server_time: datetime, fold: int) -> timedelta:
        return self._raw_ahead(server_time, fold if self.is_repeated(server_time) else 0)

    def _raw_ahead(self, server_time: datetime, fold: int) -> timedelta:
        wall = (server_time - self.shift).replace(tzinfo=self.zone, fold=fold)
        return self.shift + (wall.utcoffset() or timedelta(0))

    def _remember(self, hour: datetime) -> timedelta | None:
        if hour.tzinfo is not None:
            raise ValueError("a server time has no zone of its own; pass it naive")
        last = hour + timedelta(hours=1) - _ONE_US
        seen = {self._raw_ahead(at, fold) for at in (hour, last) for fold in (0, 1)}
        if len(self._ahead) >= MAX_REMEMBERED:
            self._ahead.clear()
        self._ahead[hour] = seen.pop() if len(seen) == 1 else None
        return self._ahead[hour]


class RepeatedHour:
    """Tells the two passes of a repeated hour apart; give it deals in the order of their numbers.

    The second pass starts where time jumps back while the deal number grows. A deal before the
    jump is in the first pass.
    """

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock
        self._latest: datetime | None = None
        self._deal = 0
        self._fold = 0

    def to_utc(self, server_time: datetime, deal: int) -> datetime:
        """Convert the time of the next deal."""
        if not self._clock.is_repeated(server_time):
            return self._clock.to_utc(server_time)
        latest, day = self._latest, timedelta(hours=12)
        if latest is None or abs(server_time - latest) > day:
            self._latest, self._fold = server_time, 0
        elif server_time < latest - MIN_JUMP and deal > self._deal:
            self._latest, self._fold = server_time, 1
        else:
            self._latest = max(latest, server_time)
        self._deal = deal
        return self._clock.to_utc(server_time, self._fold)


class TimeReader:
    """Reads `YYYY.MM.DD HH:MM:SS.mmm` into UTC microseconds, remembering minutes: exports repeat them."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock
        self._minutes: dict[bytes, int | None] = {}
        self._seconds: dict[bytes, int] = {}

    def utc_us(self, text: bytes) -> int | None:
        """Read a time; None means a repeated hour, which takes a `RepeatedHour` to tell."""
        minute, seconds = text[:16], text[16:]
        try:
            start = self._minutes[minute]
        except KeyError:
            start = self._read_minute(minute)
        if start is None:
            return None
        try:
            return start + self._seconds[seconds]
        except KeyError:
            return start + self._read_seconds(seconds)

    def _read_minute(self, text: bytes) -> int | None:
        at = _to_minute(text)
        if len(self._minutes) >= MAX_REMEMBERED:
            self._minutes.clear()
        repeated = self._clock.is_repeated(at) or self._clock.is_repeated(at + timedelta(seconds=59))
        self._minutes[text] = None if repeated else to_us(self._clock.to_utc(at))
        return self._minutes[text]

    def _read_seconds(self, text: bytes) -> int:
        if len(self._seconds) >= MAX_REMEMBERED:
            self._seconds.clear()
        self._seconds[text] = _to_seconds_us(text)
        return self._seconds[text]


def parse_rule(text: str) -> ServerClock:
    """Read a time rule such as `America/New_York+7h`; raise ValueError with examples for others."""
    rule = text.strip()
    if fixed := _OFFSET.fullmatch(rule):
        offset = _span(fixed[1], fixed[2], fixed[3])
        if abs(offset) >= MAX_SHIFT:
            raise ValueError(f"time rule `{text}`: an offset is under 24 hours; write {EXAMPLES}")
        return ServerClock(rule, timezone(offset), is_fixed=True)
    parts = _ZONE.fullmatch(rule)
    if parts is None:
        raise ValueError(f"time rule `{text[:80]}` is not understood; write {EXAMPLES}")
    shift = _span(parts[2], parts[3], parts[4]) if parts[2] else timedelta(0)
    if abs(shift) > MAX_SHIFT:
        raise ValueError(f"time rule `{text}`: a shift is at most 24 hours; write {EXAMPLES}")
    return ServerClock(rule, _zone(parts[1], text), shift)


def fixed_offset_note(clock: ServerClock) -> str:
    """What to tell a person who gave a clock that never switches."""
    return (
        f"the clock {clock.rule} is the same in summer and winter; few brokers' servers are, so for half of a"
        f" year deals may count an hour off, and on another day: most are America/New_York+7h"
    )


def parse_server_time(text: str) -> datetime:
    """Read `YYYY.MM.DD HH:MM[:SS[.mmm]]` as a naive time; raise ValueError for anything else."""
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise ValueError(_not_a_time(text)) from None
    return _to_minute(raw[:16]) + timedelta(microseconds=_to_seconds_us(raw[16:]))


def to_us(at: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (at - _EPOCH) // _ONE_US


def from_us(at_us: int) -> datetime:
    """The UTC time `at_us` microseconds after 1970."""
    return _EPOCH + timedelta(0, 0, at_us)


def _zone(name: str, rule: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"time rule `{rule[:80]}`: no time zone is called `{name}`; write {EXAMPLES}"
        ) from None


def _span(sign: str, hours: str, minutes: str | None) -> timedelta:
    if int(minutes or 0) > 59:
        raise ValueError(f"`{sign}{hours}:{minutes}`: an hour has 60 minutes; write {EXAMPLES}")
    span = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return -span if sign == "-" else span


def _to_minute(text: bytes) -> datetime:
    parts = _TIME.fullmatch(text)
    if parts is None or not MIN_YEAR <= int(parts[1]) <= MAX_YEAR:
        raise ValueError(_not_a_time(text.decode(errors="replace")))
    try:
        # The server's wall clock; its zone is the profile's, added right after.
        return datetime(int(parts[1]), int(parts[3]), int(parts[4]), int(parts[5]), int(parts[6]))  # noqa: DTZ001
    except ValueError:
        raise ValueError(_not_a_time(text.decode(errors="replace"))) from None


def _to_seconds_us(text: bytes) -> int:
    parts = _SECONDS.fullmatch(text)
    if parts is None:
        raise ValueError(_not_a_time(f"…{text.decode(errors='replace')}"))
    return int(parts[1] or 0) * 1_000_000 + int((parts[2] or b"0").ljust(6, b"0"))


def _not_a_time(text: str) -> str:
    return f"`{text[:40]}` is not a time such as 2025.03.13 00:36:37.445, year {MIN_YEAR} to {MAX_YEAR}"
