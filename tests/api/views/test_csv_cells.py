"""Cells of CSV files: nothing in them runs."""

from decimal import Decimal

import pytest

from api.views.csv_cells import to_cell


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\x00=1", "\u200b=1", "\uff1d1", "=X()"],
)
def test_text_that_could_run_is_defused(text: str) -> None:
    """Whatever a spreadsheet would take for a formula starts with an apostrophe."""
    assert to_cell(text) == f"'{text}"


def test_harmless_cells_stay_as_they_are() -> None:
    """Words and numbers, negative ones too, are written plainly."""
    cells = [to_cell("Atlas - EU"), to_cell(Decimal("-1.50")), to_cell(3), to_cell(None)]
    assert cells == ["Atlas - EU", "-1.5", "3", ""]
