"""CSV and workbooks of a batch: exact amounts, nothing a spreadsheet would run."""

import csv
from decimal import Decimal
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

from hypothesis import given
from hypothesis import strategies as st

from infra.payout_files.tables import AMOUNT, COLUMNS, write_csv, write_xlsx
from ingest.formats.xlsx import xlsx_rows
from tests.infra.payout_files.orders import DOLLARS, LIVE, MIXED, MULLER, TETHER, line, order

RUN = ("=", "+", "-", "@", "\t", "\r")


@given(name=st.text(min_size=1), remittance=st.text(min_size=1))
def test_no_cell_of_a_csv_is_a_formula(name: str, remittance: str) -> None:
    """Whatever an IB is called; and the amount is a number all the same."""
    body = write_csv(order(line("A", "12.5", MULLER, remittance, name))).body.decode()
    _, row, total = csv.reader(StringIO(body, newline=""))
    assert not any(cell.startswith(RUN) for cell in (*row, *total))
    assert "12.50" == row[AMOUNT]


def test_a_workbook_has_numbers_to_add_up_and_no_formula(tmp_path: Path) -> None:
    """10.50 + 4.75 + 1,234,567.00 = 1,234,582.25, as a number in the last row; `=HYPERLINK(1)` is text."""
    file = tmp_path / "mixed.xlsx"
    file.write_bytes(write_xlsx(MIXED).body)
    head, *rows = (row.cells for row in xlsx_rows(file))
    assert list(COLUMNS) == list(head)
    assert ["10.5", "4.75", "1234567", "1234582.25"] == [row[AMOUNT] for row in rows]
    assert ["=HYPERLINK(1)", "IB-9", "Ordinary, with a comma", "3 lines"] == [row[1] for row in rows]
    with ZipFile(file) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet
    assert b"<v>1234582.25</v>" in sheet


def test_an_amount_that_a_spreadsheet_would_round_is_text(tmp_path: Path) -> None:
    """123,456,789.12345678 BTC have 17 digits, a spreadsheet keeps 15."""
    file = tmp_path / "coins.xlsx"
    file.write_bytes(write_xlsx(order(line("A", "123456789.12345678", TETHER), currency="BTC")).body)
    _, row, total = (row.cells for row in xlsx_rows(file))
    assert ["123456789.12345678"] * 2 == [row[AMOUNT], total[AMOUNT]]


def test_the_totals_row_is_the_sum_of_the_lines() -> None:
    """1,000.10 + 20.05 + 0.85 = 1,021.00."""
    *rows, total = csv.reader(StringIO(write_csv(DOLLARS).body.decode()))
    assert ["TOTAL", "3 lines", "1021.00", "USD"] == [total[0], total[1], total[AMOUNT], total[AMOUNT + 1]]
    assert Decimal(total[AMOUNT]) == sum(Decimal(row[AMOUNT]) for row in rows[1:])


def test_a_file_is_not_shown_with_its_content() -> None:
    """It has numbers in full: neither a log nor a traceback gets them from its `repr`."""
    written = write_csv(DOLLARS)
    assert b"55001234" in written.body
    assert "55001234" not in f"{written!r} {DOLLARS!r}"


def test_one_line_is_one_line() -> None:
    """English, in the totals row too."""
    assert b"TOTAL,1 line," in write_csv(order(line("A", "1", LIVE))).body
