"""Random calendars: months, or weeks, half-months, months and quarters one after another."""

from datetime import datetime, timedelta

from commission.terms.calendar import PeriodDefined
from tests.build import at
from tests.oracle.dice import Dice, pick

FIRST, LAST = at(-30), at(122)
"""The first of August, and the first of January after it."""
KINDS = ("week", "half", "month", "quarter", "cut_off")


def random_calendar(dice: Dice) -> list[PeriodDefined]:
    """Periods without a gap in the order of their time; their names have no order where they change."""
    rng, start, kind = dice.of("calendar"), FIRST, "month"
    changes = dice.on("calendars", 0.4)
    found: list[PeriodDefined] = []
    while start < LAST:
        if changes and (not found or rng.random() < 0.3):
            kind = pick(rng, KINDS)
        end = end_of(kind, start)
        name = f"p{(37 * len(found) + 5) % 100:02}" if changes else f"{start:%Y-%m}"
        days = tuple(start + timedelta(days=n) for n in range((end - start).days))
        period = PeriodDefined(
            period=name, starts_at=start, ends_at=end, days=days, first_weekday=start.weekday()
        )
        found.append(period)
        start = end
    return found


def end_of(kind: str, start: datetime) -> datetime:
    """Where a period of a kind ends that begins on some day: the first was cut to fit."""
    days = {"week": 7 - start.weekday()}
    end = start + timedelta(days=days.get(kind, 1))
    while not is_end(kind, end):
        end += timedelta(days=1)
    return end


def is_end(kind: str, day: datetime) -> bool:
    """Whether periods of a kind end at the beginning of a day."""
    firsts = {"half": (1, 16), "month": (1,), "quarter": (1,), "cut_off": (26,)}
    is_quarter = kind != "quarter" or day.month in (1, 4, 7, 10)
    return kind == "week" or (day.day in firsts[kind] and is_quarter)
