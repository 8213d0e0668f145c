"""The calendar of broker.yaml: its periods and time zone."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

from commission.terms.calendar import PeriodDefined
from ingest.terms.located import LocatedRecord
from ingest.terms.yaml_page import Fields, Page

CALENDAR_NEEDED = ("zone", "period", "from", "to")
MAX_PERIODS = {"day": 3_660, "week": 1_200, "month": 1_200}
"""Ten years of days, a hundred of months."""


def _to_zone(text: str) -> tzinfo | None:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # unknown, not a name, a folder of zones
        return None


def read_calendar(page: Page, top: Fields) -> tuple[tzinfo, list[LocatedRecord]]:
    """The calendar's zone and its periods."""
    if "calendar" not in top:
        return UTC, []
    keys = page.mapping(
        top["calendar"],
        "calendar",
        line=top.line_at("calendar"),
        required=CALENDAR_NEEDED,
    )
    utc: tzinfo = UTC
    zone = page.parsed(keys, "zone", "calendar", _to_zone, "write an IANA zone such as Europe/Nicosia", utc)
    kind = page.choice(keys, "period", "calendar", tuple(_PERIODS), "month")
    to_start, hint = _PERIODS[kind]
    first = page.parsed(keys, "from", "calendar", to_start, hint, None)
    last = page.parsed(keys, "to", "calendar", to_start, hint, first)
    if first is None or last is None:
        return zone, []
    starts = _starts(kind, first, last)
    if last < first or len(starts) > MAX_PERIODS[kind] + 1:
        told = f"calendar: `to` must be `from` or later, by less than {MAX_PERIODS[kind]} {kind}s"
        page.fail(keys.line_at("to"), told)
        return zone, []
    place = Fields(keys.line_at("from"))
    return zone, [
        LocatedRecord(_period(_NAMES[kind](start), start, end, zone), page.file, place)
        for start, end in pairwise(starts)
    ]


def _to_day(text: str) -> date | None:
    return _to_date("%Y-%m-%d", text) if re.fullmatch(r"[12]\d{3}-\d\d-\d\d", text) else None


def _to_week(text: str) -> date | None:
    return _to_date("%G-W%V-%u", f"{text}-1") if re.fullmatch(r"[12]\d{3}-W\d\d", text) else None


def _to_month(text: str) -> date | None:
    return _to_date("%Y-%m-%d", f"{text}-01") if re.fullmatch(r"[12]\d{3}-\d\d", text) else None


def _to_date(form: str, text: str) -> date | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).date()
    except ValueError:
        return None


_PERIODS: dict[str, tuple[Callable[[str], date | None], str]] = {
    "day": (_to_day, "write a day as 2026-09-01"),
    "week": (_to_week, "write an ISO week as 2026-W36"),
    "month": (_to_month, "write year and month as 2026-09"),
}
"""By kind of period: how its name becomes its first day, and what to write."""
_NAMES: dict[str, Callable[[date], str]] = {
    "day": lambda day: day.isoformat(),
    "week": lambda day: f"{day:%G-W%V}",
    "month": lambda day: f"{day:%Y-%m}",
}


def _starts(kind: str, first: date, last: date) -> list[date]:
    """The first days of the periods from `first` to `last`, and of the one after; bounded."""
    starts = [first]
    while starts[-1] <= last and len(starts) <= MAX_PERIODS[kind] + 1:
        starts.append(_next(kind, starts[-1]))
    return starts


def _next(kind: str, day: date) -> date:
    if kind == "month":
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day + timedelta(days=7 if kind == "week" else 1)


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
