"""`ibflow normalise` says what is wrong and what is missing in as few lines as there are things to say."""

import io
import json
import re
from pathlib import Path

from rich.console import Console
from typer.testing import CliRunner

from infra.cli.app import app
from infra.sources.complaints import MAX_KINDS, Complaints
from ingest.sources import DeadLetterWriter, RowRejected
from tests.build import at

TERMINAL = {"ticket": 7, "entry": 0, "position_id": 7, "type": 0}


def told(*rows: tuple[str, str]) -> list[str]:
    """The lines for rows with these codes and reasons, numbered from line 2."""
    complaints, graveyard = Complaints("deals.csv"), DeadLetterWriter("mt5-deals-csv deals.csv", at(1))
    for number, (code, reason) in enumerate(rows, start=2):
        complaints.add(graveyard.to_dead_letter(b"", f"line {number}", RowRejected(code, reason)))
    text = io.StringIO()
    complaints.tell(Console(file=text, soft_wrap=True))
    return text.getvalue().splitlines()


def test_rows_alike_in_what_is_wrong_are_one_line() -> None:
    """A thousand volumes that are none: a count and three examples; what differs stays apart."""
    lines = told(
        *(("bad_volume", f"Volume `{n}x` is no number") for n in range(1000)), ("bad_type", "Type `?`")
    )
    assert lines == [
        "deals.csv 1,000 rows (such as line 2, line 3, line 4): Volume `0x` is no number",
        "deals.csv line 1002: Type `?`",
    ]
    assert told(("a", "it is 1"), ("a", "it is 2")) == ["deals.csv 2 rows (line 2, line 3): it is 1"]


def test_kinds_of_reasons_are_bounded() -> None:
    """Reasons that a damaged file makes endlessly different end as one line."""
    words = [f"{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(MAX_KINDS + 50)]
    assert len(told(*(("bad", word) for word in words))) == MAX_KINDS + 1


def test_everything_missing_is_asked_for_at_once(tmp_path: Path) -> None:
    """Server, clock, login and currency by the names of their options, in one sentence."""
    path = tmp_path / "deals.json"
    path.write_text(json.dumps([TERMINAL]), "utf-8")
    for given, missing in (
        ([], ["--server", "--timezone", "--login", "--currency"]),
        (["--server", "a", "--currency", "USD"], ["--timezone", "--login"]),
        (["--login", "1", "--currency", "USD"], ["--server", "--timezone"]),
    ):
        result = CliRunner().invoke(app, ["normalise", str(path), *given])
        assert result.exit_code == 2
        assert "is JSON of an MT5 terminal's deals, and does not say all that is needed" in result.stderr
        assert re.findall(r"(--[a-z]+) \(", result.stderr) == missing
