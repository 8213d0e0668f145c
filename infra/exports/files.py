"""A long file written as its rows come: no more of it than some thousands of rows is in memory."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import xlsxwriter

from api.export_desk import Kind
from api.ledger import Row
from api.views.csv_cells import Cell, to_cell
from api.views.exported_lists import Columns
from api.views.report_files import COLUMN_WIDTH
from api.views.workbook import write_xlsx

PART_ROWS = 50_000
"""Of a part of a Parquet file; the parts are put together as a stream."""
_TYPES: dict[type, Any] = {
    str: pl.String, int: pl.Int64, Decimal: pl.Decimal(38, 8), datetime: pl.Datetime("us", "UTC"),
}  # fmt: skip

Blocks = Iterable[Sequence[Row]]


def write(kind: Kind, path: Path, columns: Columns, blocks: Blocks) -> None:
    """Write the rows under their columns into a new file; what it needs meanwhile lies beside it."""
    WRITERS[kind](path, columns, blocks)


def _csv(path: Path, columns: Columns, blocks: Blocks) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows([to_cell(cell) for cell in row] for row in _cells(columns, blocks))


def _xlsx(path: Path, columns: Columns, blocks: Blocks) -> None:
    how = {"constant_memory": True, "tmpdir": str(path.parent)}
    book = xlsxwriter.Workbook(str(path), how)
    cells = (
        [cell if isinstance(cell, Decimal) else to_cell(cell) for cell in row]
        for row in _cells(columns, blocks)
    )
    widths = [(name, COLUMN_WIDTH) for name in columns]
    write_xlsx(book, path.stem, datetime.now(UTC), widths, cells, "General")


def _parquet(path: Path, columns: Columns, blocks: Blocks) -> None:
    schema = {name: _TYPES[kind] for name, kind in columns.items()}
    parts: list[Path] = []

    def keep(rows: list[list[Cell]]) -> None:
        part = path.with_suffix(f".{len(parts)}.part")
        pl.DataFrame(rows, schema=schema, orient="row").write_parquet(part)
        parts.append(part)

    rows: list[list[Cell]] = []
    for row in _cells(columns, blocks):
        rows.append(row)
        if len(rows) == PART_ROWS:
            keep(rows)
            rows = []
    if rows or not parts:
        keep(rows)
    pl.scan_parquet(parts).sink_parquet(path)
    for part in parts:
        part.unlink()


def _cells(columns: Columns, blocks: Blocks) -> Iterator[list[Cell]]:
    for block in blocks:
        for row in block:
            yield [_cell(row[name]) for name in columns]


def _cell(value: Any) -> Cell:
    """A list or a map as JSON text."""
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict | tuple) else value


WRITERS: dict[Kind, Callable[[Path, Columns, Blocks], None]] = {
    "csv": _csv,
    "xlsx": _xlsx,
    "parquet": _parquet,
}
