"""What `ibflow what-if` found, for people and machines: a table, JSON, CSV, and one page of HTML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from rich.table import Table

from api.portal import marks
from api.views.csv_cells import Cell, to_csv
from commission.money import plain
from infra.terminal import new_table
from infra.what_if.result import Line, WhatIf
from infra.what_if.simulate import DIMENSIONS

HERE = Path(__file__).parent
STYLE = Path(marks.__file__).parent / "static" / "portal.css"
TITLES = {"ib": "IB", "country": "Country", "symbol": "Symbol", "plan": "Plan"}
NAMELESS = {
    "country": "of a period, or unknown",
    "symbol": "not of one symbol",
    "plan": "held money forfeited",
    "ib": "",
}
"""What costs under no name are: true-ups of a period have no client, CPAs no symbol."""
HEADER = ("section", "name", "currency", "before", "after", "difference")
MAX_BARS = 20
"""IBs drawn in each chart; the table below has all of them."""
WIDTH, LEFT, RIGHT, ROW = 960, 190, 110, 34


def fate_of(fate: str) -> str:
    """A deal's fate in words; a deal of which neither fold said anything has none."""
    return fate.replace("_", " ") or "nothing given"


def to_json(found: WhatIf) -> dict[str, Any]:
    """As plain data; money is text with a point."""
    before, after = found.margins
    return {
        "currency": found.currency,
        "from": found.since.isoformat() if found.since else None,
        "to": found.until.isoformat() if found.until else None,
        "deals": found.deals,
        "totals": {
            "charged": plain(found.charged),
            "spread": plain(found.spread),
            "income": plain(found.income),
            "commission": _both(found.cost_before, found.cost_after),
            "margin": _both(before, after),
            "deals_without_spread": found.spread_unknown,
            "amounts_not_converted": found.unconverted,
        },
        "by": {dimension: [_line(line) for line in found.by[dimension]] for dimension in DIMENSIONS},
        "winners": [_line(line) for line in found.changed_ibs if line.difference > 0],
        "losers": [_line(line) for line in reversed(found.changed_ibs) if line.difference < 0],
        "fates": found.fates,
        "moves": [
            {"before": move.before, "after": move.after, "deals": move.deals, "examples": list(move.examples)}
            for move in found.moves
        ],
        "messages": found.messages,
        "seconds": round(found.seconds, 3),
    }


def _both(before: Decimal, after: Decimal) -> dict[str, str]:
    return {"before": plain(before), "after": plain(after), "difference": plain(after - before)}


def _line(line: Line) -> dict[str, str]:
    return {"name": line.name, "currency": line.currency, **_both(line.before, line.after)}


def to_csv_file(found: WhatIf) -> bytes:
    """One row a line of every section, and the totals; no cell runs in a spreadsheet."""
    return to_csv(HEADER, _csv_rows(found))


def _csv_rows(found: WhatIf) -> Iterator[Sequence[Cell]]:
    for name, before, after in _totals(found):
        yield "total", name, found.currency, before, after, after - before
    for dimension in DIMENSIONS:
        for line in found.by[dimension]:
            yield dimension, line.name, line.currency, line.before, line.after, line.difference
    for fate in sorted({*found.fates["before"], *found.fates["after"]}):
        before_deals, after_deals = (found.fates[name].get(fate, 0) for name in ("before", "after"))
        yield "deals", fate, "", before_deals, after_deals, after_deals - before_deals


def _totals(found: WhatIf) -> list[tuple[str, Decimal, Decimal]]:
    return [
        ("Charged to clients", found.charged, found.charged),
        ("Spread on closed lots", found.spread, found.spread),
        ("Commission of IBs", found.cost_before, found.cost_after),
        ("Margin after commission", *found.margins),
    ]


def gaps(found: WhatIf) -> list[str]:
    """What the totals lack."""
    told = []
    if found.spread_unknown:
        told.append(
            f"{found.spread_unknown:,} deals closed something and have no bid and ask: "
            "their spread is not in the margin"
        )
    if found.unconverted:
        told.append(
            f"{found.unconverted:,} amounts are not in the totals: no rate of exchange to "
            f"{found.currency} was known for their time"
        )
    return told


# A table in the terminal


def tables(found: WhatIf) -> Iterator[Table]:
    """Totals, IBs, and deals whose fate would change."""
    money = marks.rounded
    totals = _table(f"{found.deals:,} deals, in {found.currency}", "")
    for name, before, after in _totals(found):
        cells = (money(amount, found.currency) for amount in (before, after, after - before))
        totals.add_row(name, *cells)
    totals.caption = "\n".join(gaps(found)) or None
    yield totals
    ibs = _table("Cost by IB", "IB")
    for line in found.by["ib"]:
        cells = (money(amount, line.currency) for amount in (line.before, line.after, line.difference))
        ibs.add_row(f"{line.name} {line.currency}", *cells)
    yield ibs
    if found.moves:
        moves = new_table("Deals with another fate")
        for name in ("was", "would be", "deals", "such as"):
            moves.add_column(name)
        for move in found.moves:
            shown = ", ".join(move.examples[:2])
            moves.add_row(fate_of(move.before), fate_of(move.after), f"{move.deals:,}", shown)
        yield moves


def _table(title: str, first: str) -> Table:
    table = new_table(title)
    table.add_column(first, no_wrap=True)
    for name in ("before", "after", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    return table


# One page


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of a chart, with what it says when pointed at."""

    x: float
    y: float
    width: float
    css: str
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text of a chart."""

    x: float
    y: float
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Horizontal bars, laid out for the template to draw."""

    height: int
    zero: float
    thickness: int
    bars: list[Bar]
    labels: list[Label]
    summary: str


def to_html(found: WhatIf) -> str:
    """The report as one file that needs nothing else."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "rounded": marks.rounded,
        "count": marks.count,
        "at": marks.at,
        "fate": fate_of,
    }
    return environment.get_template("what_if.html").render(
        found=found,
        style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704 # our own file
        totals=_totals(found),
        gaps=gaps(found),
        titles=TITLES,
        nameless=NAMELESS,
        currencies=[
            (currency, costs_chart(found, currency), changes_chart(found, currency))
            for currency in sorted({line.currency for line in found.by["ib"]})
        ],
    )


def costs_chart(found: WhatIf, currency: str) -> Chart:
    """The dearest IBs, before and after, one bar under the other."""
    lines = [line for line in found.by["ib"] if line.currency == currency][:MAX_BARS]
    values = [value for line in lines for value in (line.before, line.after)]
    scale = _Scale.of(values)
    bars, labels = [], []
    for row, line in enumerate(lines):
        top = 8 + row * ROW
        for number, (what, amount) in enumerate((("before", line.before), ("after", line.after))):
            told = f"{line.name} {what}: {marks.rounded(amount, currency)} {currency}"
            bars.append(scale.bar(amount, top + number * 13, "s7" if number == 0 else "s0", told))
        labels.append(Label(LEFT - 10, top + 17, "end", _short(line.name)))
        end = max(scale.x(line.before), scale.x(line.after), scale.x(Decimal(0)))
        labels.append(Label(end + 8, top + 17, "start", marks.rounded(line.after, currency)))
    return Chart(16 + len(lines) * ROW, scale.x(Decimal(0)), 12, bars, labels, f"{len(lines)} IBs")


def changes_chart(found: WhatIf, currency: str) -> Chart | None:
    """Winners to the right, losers to the left, those who differ most."""
    changed = [line for line in found.changed_ibs if line.currency == currency]
    if not changed:
        return None
    most = sorted(changed, key=lambda line: -abs(line.difference))[:MAX_BARS]
    lines = [line for line in changed if line in most]
    scale = _Scale.of([line.difference for line in lines], both=True)
    bars, labels = [], []
    for row, line in enumerate(lines):
        top = 8 + row * 26
        amount = marks.rounded(line.difference, currency)
        told = f"{line.name}: {amount} {currency}"
        bars.append(scale.bar(line.difference, top, "s0" if line.difference > 0 else "s4", told))
        is_more = line.difference > 0
        end = scale.x(line.difference)
        labels.append(Label(LEFT - 10, top + 13, "end", _short(line.name)))
        labels.append(Label(end + 8 if is_more else end - 8, top + 13, "start" if is_more else "end", amount))
    return Chart(16 + len(lines) * 26, scale.x(Decimal(0)), 16, bars, labels, f"{len(lines)} IBs")


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


@dataclass(frozen=True, slots=True)
class _Scale:
    """Money to pixels; the labels at the bars' ends have room on both sides."""

    low: Decimal
    high: Decimal
    left: int

    @classmethod
    def of(cls, values: Sequence[Decimal], *, both: bool = False) -> "_Scale":
        zero = Decimal(0)
        low, high = min((zero, *values)), max((zero, *values))
        return cls(low, high if high > low else low + 1, LEFT + RIGHT if both and low < 0 else LEFT)

    def x(self, value: Decimal) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.left + float(share) * (WIDTH - RIGHT - self.left), 2)

    def bar(self, value: Decimal, y: float, css: str, title: str) -> Bar:
        ends = sorted((self.x(Decimal(0)), self.x(value)))
        return Bar(ends[0], y, max(round(ends[1] - ends[0], 2), 0.5), css, title)
