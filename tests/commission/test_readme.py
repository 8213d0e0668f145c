"""The room's README: its example runs and says what it claims."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "commission" / "README.md"


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """1.5 lots at 5 are 7.50, by the two accounts and factors the comment under it shows."""
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(example, {})  # noqa: S102 # the project's own text
    claimed = example.rstrip().rsplit("\n# ", 1)[1]
    assert claimed.startswith("broker:expense:per_lot → ib:ib-north:pending 7.50000000 USD")
    assert capsys.readouterr().out.startswith(claimed)
