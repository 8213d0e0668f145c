"""The commission report as a file: for spreadsheets, and for polars, pandas, DuckDB and the like."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from api.ledger import FileKind, Ledger, TooManyRows
from api.problems import Problem
from api.queries import commissions
from api.queries.commission_sql import ReportFilter
from api.queries.dimensions import GroupBy
from api.views.csv_cells import to_cell, to_csv
from api.views.workbook import to_xlsx

MAX_TABLE_ROWS = 200_000
"""Of a file for spreadsheets."""
MAX_COLUMN_ROWS = 1_000_000
"""Of a file that is laid by columns, which the ledger writes itself."""

COLUMN_WIDTH = 16
NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""When every workbook was made, so that the same rows give the same bytes."""

Groups = tuple[GroupBy, ...]


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A kind of file: its type on the wire, and who writes it."""

    media_type: str
    write: Callable[[Ledger, ReportFilter, Groups, Sequence[str]], bytes]
    """The last are the columns, in their order."""


def _csv(ledger: Ledger, wanted: ReportFilter, groups: Groups, columns: Sequence[str]) -> bytes:
    return to_csv(columns, _table(ledger, wanted, groups, columns))


def _xlsx(ledger: Ledger, wanted: ReportFilter, groups: Groups, columns: Sequence[str]) -> bytes:
    rows = _table(ledger, wanted, groups, columns)
    widths = [(name, COLUMN_WIDTH) for name in columns]
    cells = ([to_cell(cell) if isinstance(cell, str) else Decimal(cell) for cell in row] for row in rows)
    return to_xlsx("commissions", NO_TIME, widths, cells, "General", by_disk=True)


def _table(
    ledger: Ledger, wanted: ReportFilter, groups: Groups, columns: Sequence[str]
) -> Iterator[list[str | int | Decimal]]:
    report = commissions.report(ledger, wanted, groups, MAX_TABLE_ROWS)
    if report["next_cursor"]:
        raise _too_long(MAX_TABLE_ROWS)
    return ([row[name] for name in columns] for row in report["items"])


def _by_columns(kind: FileKind) -> Callable[[Ledger, ReportFilter, Groups, Sequence[str]], bytes]:
    def write(ledger: Ledger, wanted: ReportFilter, groups: Groups, columns: Sequence[str]) -> bytes:
        try:
            return commissions.file(ledger, wanted, groups, kind, MAX_COLUMN_ROWS, columns)
        except TooManyRows:
            raise _too_long(MAX_COLUMN_ROWS) from None

    return write


def _too_long(rows: int) -> Problem:
    return Problem(
        422,
        f"The report has more than {rows:,} rows. Narrow it, or have it made by /v1/exports/commissions.",
        code="too_many_rows",
    )


FILES = {
    "csv": ReportFile("text/csv; charset=utf-8", _csv),
    "xlsx": ReportFile("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _xlsx),
    "arrow": ReportFile("application/vnd.apache.arrow.file", _by_columns("Arrow")),
    "parquet": ReportFile("application/vnd.apache.parquet", _by_columns("Parquet")),
}
