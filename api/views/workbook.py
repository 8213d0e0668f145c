"""One sheet as a workbook: amounts are numbers, all else text, no formula; the same bytes each time."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING

from api.views.csv_cells import Cell
from commission.money import plain

if TYPE_CHECKING:
    import xlsxwriter

EXACT_DIGITS = 15
"""What a spreadsheet keeps of a number; a longer amount is written as text."""


def to_xlsx(
    title: str,
    made: datetime,
    columns: Sequence[tuple[str, int]],
    rows: Iterable[Sequence[Cell]],
    number_format: str,
    *,
    by_disk: bool = False,
) -> bytes:
    """Write a sheet under the names and widths of its columns; a `Decimal` is a number with that format.

    `by_disk` keeps rows in a temporary file: for many, of which none is secret.
    """
    import xlsxwriter  # noqa: PLC0415  # slow to import, rarely needed

    buffer = BytesIO()
    how = {"constant_memory": True} if by_disk else {"in_memory": True}
    write_xlsx(xlsxwriter.Workbook(buffer, how), title, made, columns, rows, number_format)
    return buffer.getvalue()


def write_xlsx(
    book: "xlsxwriter.Workbook",
    title: str,
    made: datetime,
    columns: Sequence[tuple[str, int]],
    rows: Iterable[Sequence[Cell]],
    number_format: str,
) -> None:
    """The same into a workbook that was opened, which is closed."""
    book.set_properties({"title": title, "created": made.astimezone(UTC).replace(tzinfo=None, microsecond=0)})
    sheet = book.add_worksheet()
    head, number = book.add_format({"bold": True}), book.add_format({"num_format": number_format})
    for at, (name, width) in enumerate(columns):
        sheet.set_column(at, at, width)
        sheet.write_string(0, at, name, head)
    sheet.freeze_panes(1, 0)
    for line, row in enumerate(rows, 1):
        for at, cell in enumerate(row):
            if isinstance(cell, Decimal) and len(cell.normalize().as_tuple().digits) <= EXACT_DIGITS:
                sheet.write_number(line, at, float(cell), number)
            else:
                sheet.write_string(line, at, plain(cell) if isinstance(cell, Decimal) else str(cell))
    book.close()
