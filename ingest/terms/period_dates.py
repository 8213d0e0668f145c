"""The calendar of broker.yaml: its periods and time zone."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from commission.terms.calendar import PeriodDefined, overlapping
from ingest.terms.located import LocatedRecord
from ingest.terms.yaml_page import Fields, Page

SPAN = ("period", "from", "to")
CALENDAR_NEEDED = ("zone", *SPAN)
CALENDAR_LISTED = ("zone", "periods")
MAX_PERIODS = {"day": 3_660, "week": 1_200, "half_month": 1_200, "month": 1_200, "quarter": 400}
"""Ten years of days, fifty of half-months, a hundred of months and quarters."""
LAST_CUT = 28
"""Every month has this day."""


def _to_zone(text: str) -> tzinfo | None:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # unknown, not a name, a folder of zones
        return None


def read_calendar(page: Page, top: Fields) -> tuple[tzinfo, list[LocatedRecord]]:
    """The calendar's zone and its periods: of one kind, or of several kinds one after the other."""
    if "calendar" not in top:
        return UTC, []
    value, line = top["calendar"], top.line_at("calendar")
    is_listed = isinstance(value, Fields) and "periods" in value
    keys = page.mapping(
        value, "calendar", line=line, required=CALENDAR_LISTED if is_listed else CALENDAR_NEEDED
    )
    utc: tzinfo = UTC
    zone = page.parsed(keys, "zone", "calendar", _to_zone, "write an IANA zone such as Europe/Nicosia", utc)
    if not is_listed:
        return zone, list(_read_span(page, keys, zone))
    spans = [
        page.mapping(span, "periods", line=keys.line_at("periods"), required=SPAN)
        for span in page.items(keys, "periods")
    ]
    found = [record for span in spans for record in _read_span(page, span, zone)]
    periods = [one.record for one in found if isinstance(one.record, PeriodDefined)]
    for one, why in overlapping(periods):
        page.fail(
            keys.line_at("periods"), f"calendar: {one.period} {why}; end one kind where the next begins"
        )
    return zone, found


def _read_span(page: Page, keys: Fields, zone: tzinfo) -> Iterator[LocatedRecord]:
    """The periods of one kind from the first to the last."""
    name = page.choice(keys, "period", "calendar", tuple(_KINDS), "month")
    kind = _KINDS[name]
    first = page.parsed(keys, "from", "calendar", kind.start, kind.hint, None)
    last = page.parsed(keys, "to", "calendar", kind.start, kind.hint, first)
    if first is None or last is None:
        return
    starts = _starts(kind, first, last, MAX_PERIODS[name])
    if last < first or len(starts) > MAX_PERIODS[name] + 1:
        told = f"calendar: `to` must be `from` or later, by less than {MAX_PERIODS[name]} {name}s"
        page.fail(keys.line_at("to"), told)
    elif last not in starts:
        told = f"calendar: no {name} from {kind.name(first)} on begins with {kind.name(last)}"
        page.fail(keys.line_at("to"), f"{told}; cut them all on one day")
    else:
        place = Fields(keys.line_at("from"))
        for start, end in pairwise(starts):
            yield LocatedRecord(_period(kind.name(start), start, end, zone), page.file, place)


def _to_day(text: str) -> date | None:
    return _to_date("%Y-%m-%d", text) if re.fullmatch(r"[12]\d{3}-\d\d-\d\d", text) else None


def _to_week(text: str) -> date | None:
    return _to_date("%G-W%V-%u", f"{text}-1") if re.fullmatch(r"[12]\d{3}-W\d\d", text) else None


def _to_half_month(text: str) -> date | None:
    found = re.fullmatch(r"([12]\d{3}-\d\d)-H([12])", text)
    return _to_day(f"{found[1]}-{'01' if found[2] == '1' else '16'}") if found else None


def _to_month(text: str) -> date | None:
    day = _to_day(f"{text}-01") or _to_day(text)
    return day if day is not None and day.day <= LAST_CUT else None


def _to_quarter(text: str) -> date | None:
    found = re.fullmatch(r"([12]\d{3})-Q([1-4])", text)
    return date(int(found[1]), 3 * int(found[2]) - 2, 1) if found else None


def _to_date(form: str, text: str) -> date | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _months_on(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return day.replace(year=day.year + years, month=month + 1)


class _Kind(NamedTuple):
    """A kind of period: its name → its first day, what to write, the name again, the next first day."""

    start: Callable[[str], date | None]
    hint: str
    name: Callable[[date], str]
    after: Callable[[date], date]


_KINDS: dict[str, _Kind] = {
    "day": _Kind(
        _to_day, "write a day as 2026-09-01", lambda day: day.isoformat(), lambda day: day + timedelta(days=1)
    ),
    "week": _Kind(
        _to_week,
        "write an ISO week as 2026-W36",
        lambda day: f"{day:%G-W%V}",
        lambda day: day + timedelta(days=7),
    ),
    "half_month": _Kind(
        _to_half_month,
        "write the half from the 1st as 2026-09-H1, the one from the 16th as 2026-09-H2",
        lambda day: f"{day:%Y-%m}-H{1 if day.day == 1 else 2}",
        lambda day: day.replace(day=16) if day.day == 1 else _months_on(day.replace(day=1), 1),
    ),
    "month": _Kind(
        _to_month,
        f"write year and month as 2026-09, or a first day up to the {LAST_CUT}th as 2026-08-26",
        lambda day: f"{day:%Y-%m}" if day.day == 1 else day.isoformat(),
        lambda day: _months_on(day, 1),
    ),
    "quarter": _Kind(
        _to_quarter,
        "write a quarter as 2026-Q3",
        lambda day: f"{day.year}-Q{(day.month + 2) // 3}",
        lambda day: _months_on(day, 3),
    ),
}


def _starts(kind: _Kind, first: date, last: date, most: int) -> list[date]:
    """The first days of the periods from `first` to `last`, and of the one after; bounded."""
    starts = [first]
    while starts[-1] <= last and len(starts) <= most + 1:
        starts.append(kind.after(starts[-1]))
    return starts


def _period(name: str, start: date, end: date, zone: tzinfo) -> PeriodDefined:
    def midnight(day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)

    days = tuple(midnight(start + timedelta(days=n)) for n in range((end - start).days))
    return PeriodDefined(
        period=name,
        starts_at=days[0],
        ends_at=midnight(end),
        days=days,
        first_weekday=start.weekday(),
    )
