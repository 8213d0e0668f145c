"""Tables and trees for a terminal: lines break between words; ids, places and numbers are never cut.

Left alone, rich shortens a column that does not fit, in the middle of an id. Here a column is at least as
wide as its longest word, and a table whose words need more than the terminal has is wider than it.
"""

from decimal import Decimal

from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table

from commission.money import shown

ENDLESS = 10_000
"""Columns: more than any line has."""


def show(*shown: RenderableType, console: Console | None = None) -> None:
    """Print to the terminal, or to a file as to a terminal of 80 columns."""
    target = console or Console()
    usual = target.width
    for part in shown:
        needed = _fit(part, target, usual) if isinstance(part, Table) else _measured(target, part).minimum
        target.width = max(usual, needed)
        target.print(part)
        target.width = usual


def new_table(title: str = "") -> Table:
    """An empty table in the one style of all commands."""
    return Table(
        title=title or None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def money(amount: Decimal | str, currency: str, *, signed: bool = False) -> str:
    """An amount in its currency's digits, as on the portal: `1,234.50`; what rounds to 0 has no sign."""
    text = shown(Decimal(amount), currency)
    return f"+{text}" if signed and text[0] != "-" and text.strip("0.") else text


def _fit(table: Table, console: Console, width: int) -> int:
    """Give every column its width; the width of the table."""
    spans = [
        [_measured(console, cell) for cell in (column.header, *column.cells)] for column in table.columns
    ]
    most = [max((span.maximum for span in column), default=0) for column in spans]
    least = [max((span.minimum for span in column), default=0) for column in spans]
    for number, column in enumerate(table.columns):
        if column.no_wrap:
            least[number] = most[number]
    edges = _measured(console, table).maximum - sum(most)
    left = max(0, width - edges - sum(least))
    for column, narrow, wide in sorted(
        zip(table.columns, least, most, strict=True), key=lambda span: span[2] - span[1]
    ):
        unset = sum(1 for other in table.columns if other.width is None)
        extra = min(wide - narrow, left // unset)
        column.width = narrow + extra
        left -= extra
    return edges + sum(column.width or 0 for column in table.columns)


def _measured(console: Console, shown: RenderableType) -> Measurement:
    return Measurement.get(console, console.options.update(max_width=ENDLESS), shown)
