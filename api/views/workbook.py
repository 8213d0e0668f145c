"""A table as a workbook that a spreadsheet shows and never runs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import xlsxwriter

from api.views.csv_cells import Cell, to_cell

EXACT_DIGITS = 15
"""What a spreadsheet keeps of a number; a longer one is written as text."""
NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""When every workbook was made, so that the same rows give the same bytes."""


def to_xlsx(title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """One sheet: numbers are numbers, all else is text, nothing is a formula."""
    buffer = BytesIO()
    book = xlsxwriter.Workbook(buffer, {"constant_memory": True})
    book.set_properties({"title": title, "created": NO_TIME.replace(tzinfo=None)})
    sheet, head = book.add_worksheet(title), book.add_format({"bold": True})
    for column, name in enumerate(header):
        sheet.write_string(0, column, name, head)
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(rows, 1):
        for column, cell in enumerate(row):
            if isinstance(cell, Decimal | int) and len(Decimal(cell).as_tuple().digits) <= EXACT_DIGITS:
                sheet.write_number(number, column, float(cell))
            else:
                sheet.write_string(number, column, to_cell(cell))
    book.close()
    return buffer.getvalue()
