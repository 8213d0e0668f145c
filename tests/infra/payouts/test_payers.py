"""From which account payouts are paid: a file that is wrong says where, and repeats no number."""

from datetime import date
from pathlib import Path

import pytest

from infra.payouts.payers import Payers, execution_date
from schemas.errors import Unusable

GOOD = "payers:\n  - {name: B, currencies: [EUR], account: {type: bank, iban: DE89370400440532013000}}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (GOOD.replace("3000", "3001"), "payers.yaml: iban: its check digits do not fit"),
        (GOOD.replace("[EUR]", "[]"), "payers.yaml: payers.0.currencies"),
        (GOOD.replace("name: B", "name: B, color: red"), "payers.yaml: payers.0.color"),
        (GOOD.replace("type: bank", "type: wallet"), "unknown field"),
        ("payers: []", "payers.yaml: payers"),
        ("{", "payers.yaml is not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str, why: str, tmp_path: Path) -> None:
    """With the file and the field."""
    path = tmp_path / "payers.yaml"
    path.write_text(text)
    with pytest.raises(Unusable) as raised:
        Payers.read(path)
    assert why in str(raised.value)
    assert "37040044" not in str(raised.value)


def test_no_file_is_nobody_and_one_that_is_not_there_a_mistake(tmp_path: Path) -> None:
    """Without a setting only tables are written."""
    assert Payers() == Payers.read(None)
    with pytest.raises(Unusable, match=r"payers.yaml cannot be read: No such file"):
        Payers.read(tmp_path / "payers.yaml")


def test_banks_work_from_monday_to_friday() -> None:
    """The day after an export; 9 October 2026 is a Friday."""
    days = {date(2026, 10, 8): 9, date(2026, 10, 9): 12, date(2026, 10, 10): 12, date(2026, 10, 11): 12}
    assert [*days.values()] == [execution_date(day).day for day in days]
