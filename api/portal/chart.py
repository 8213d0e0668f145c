"""The chart: net commission over time stacked by IB, laid out here and drawn as SVG by the template."""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from api.queries.over_time import OverTime, starts_of

WIDTH = 960
HEIGHT = 260
LEFT = 64
RIGHT = 8
TOP = 12
BOTTOM = 28
MAX_SERIES = 8
"""More IBs than colours an eye can tell apart; the rest is one series, `others`."""
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle of the stack."""

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A label of an axis and where it stands."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the template draws."""

    bars: list[Bar]
    x_marks: list[Mark]
    y_marks: list[Mark]
    zero: float
    legend: list[str]
    bucket: str
    """Of what, and whose: `day, broker's time`, or `week, UTC`, of which sums are kept."""
    summary: str


@dataclass(frozen=True, slots=True)
class _Scale:
    """Money to pixels."""

    low: float
    high: float

    def y(self, value: float) -> float:
        share = (self.high - value) / (self.high - self.low)
        return round(TOP + share * (HEIGHT - TOP - BOTTOM), 2)


def chart(found: OverTime, names: dict[str, str]) -> Chart | None:
    """Lay out (first day, IB, net), ``""`` being the sum of other IBs; None if there is nothing to draw."""
    rows = found.rows
    if not rows:
        return None
    legend = _legend(rows)
    starts = starts_of(found.unit, rows[0][0], rows[-1][0])
    stacks = _stacks(rows, legend, starts)
    highs = [sum(v for v in stack.values() if v > 0) for stack in stacks.values()]
    lows = [sum(v for v in stack.values() if v < 0) for stack in stacks.values()]
    marks = _ticks(float(min([*lows, Decimal(0)])), float(max([*highs, Decimal(0)])))
    scale = _Scale(marks[0], marks[-1])
    labels = [names.get(ib_id, ib_id) for ib_id in legend]
    return Chart(
        bars=_bars(stacks, starts, scale, labels),
        x_marks=_x_marks(starts),
        y_marks=[Mark(scale.y(value), _short(value)) for value in marks],
        zero=scale.y(0),
        legend=labels,
        bucket=f"{found.unit}, " + ("broker's time" if found.is_local else "UTC"),
        summary=f"{starts[0]} to {rows[-1][0]}, {len(labels)} series",
    )


def _legend(rows: list[tuple[date, str, Decimal]]) -> list[str]:
    """The IBs with the most first; `others` last, if the rows hold a sum of others."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for _, ib_id, net in rows:
        totals[ib_id] += net
    has_others = totals.pop("", None) is not None
    ranked = sorted(totals, key=lambda ib_id: (-totals[ib_id], ib_id))
    return [*ranked, OTHERS] if has_others else ranked


def _stacks(
    rows: list[tuple[date, str, Decimal]], legend: list[str], starts: list[date]
) -> dict[date, dict[int, Decimal]]:
    """First day → series → net."""
    series = {ib_id: number for number, ib_id in enumerate(legend)}
    stacks: dict[date, dict[int, Decimal]] = {start: defaultdict(Decimal) for start in starts}
    for start, ib_id, net in rows:
        stacks[start][series.get(ib_id, len(legend) - 1)] += net
    return stacks


def _bars(
    stacks: dict[date, dict[int, Decimal]], starts: list[date], scale: _Scale, labels: list[str]
) -> list[Bar]:
    step = (WIDTH - LEFT - RIGHT) / max(len(starts), 8)
    bars = []
    for number, start in enumerate(starts):
        ends = {True: 0.0, False: 0.0}
        for series, value in sorted(stacks[start].items()):
            if not value:
                continue
            base, end = ends[value > 0], ends[value > 0] + float(value)
            ends[value > 0] = end
            top, bottom = scale.y(max(base, end)), scale.y(min(base, end))
            title = f"{start}, {labels[series]}: {value:,.2f}"
            x = round(LEFT + number * step + step * 0.12, 2)
            bars.append(Bar(x, top, round(step * 0.76, 2), max(round(bottom - top, 2), 0.5), series, title))
    return bars


def _x_marks(starts: list[date]) -> list[Mark]:
    step = (WIDTH - LEFT - RIGHT) / max(len(starts), 8)
    every = math.ceil(len(starts) / 10)
    return [
        Mark(round(LEFT + (number + 0.5) * step, 2), f"{start:%b} {start.day}")
        for number, start in enumerate(starts)
        if number % every == 0
    ]


def _ticks(low: float, high: float) -> list[float]:
    """About five round values that enclose low and high."""
    rough = max(high - low, 0.01) / 4
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [number * step for number in range(first, last + 1)]


def _short(value: float) -> str:
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"
