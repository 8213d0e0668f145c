"""Tables and trees for a terminal: lines break between words; ids, places and numbers are never cut.

Left alone, rich shortens a column that does not fit, in the middle of an id. Here a column is at least as
wide as its longest word, and a table whose words need more than the terminal has is wider than it.
"""

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table

ENDLESS = 10_000
"""Columns: more than any line has."""


def show(*shown: RenderableType, console: Console | None = None) -> None:
    """Print to the terminal, or to a file as to a terminal of 80 columns."""
    target = console or Console()
    usual = target.width
    for one in shown:
        needed = _fit(one, target, usual) if isinstance(one, Table) else _measured(target, one).minimum
        target.width = max(usual, needed)
        target.print(one)
        target.width = usual


def _fit(table: Table, console: Console, width: int) -> int:
    """Give every column its width; the width of the whole."""
    spans = [
        [_measured(console, cell) for cell in (column.header, *column.cells)] for column in table.columns
    ]
    most = [max((span.maximum for span in column), default=0) for column in spans]
    least = [max((span.minimum for span in column), default=0) for column in spans]
    for place, column in enumerate(table.columns):
        if column.no_wrap:
            least[place] = most[place]
    edges = _measured(console, table).maximum - sum(most)
    left = max(0, width - edges - sum(least))
    for column, narrow, wide in sorted(
        zip(table.columns, least, most, strict=True), key=lambda one: one[2] - one[1]
    ):
        wanting = sum(1 for other in table.columns if other.width is None)
        given = min(wide - narrow, left // wanting)
        column.width = narrow + given
        left -= given
    return edges + sum(column.width or 0 for column in table.columns)


def _measured(console: Console, shown: RenderableType) -> Measurement:
    return Measurement.get(console, console.options.update(max_width=ENDLESS), shown)
