"""A mistyped variable is refused before anything happens; what is somebody else's is let through."""

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from infra.cli.app import app
from infra.cli.console import ExitCode


def said(**environment: str) -> Result:
    return CliRunner().invoke(app, ["schema"], env=environment)


def test_every_mistyped_control_is_named_with_what_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its file anybody may approve, and nobody is compared with a list: a typo must not do that."""
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("IBFLOW_SANCTION_FILE=list.csv\nIBFLOW_API_PORT=8300\nOTHER=1\n")
    result = said(IBFLOW_APPROVERS="approvers.yaml", IBFLOW_API_PROT="99")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.splitlines() == [
        "IBFLOW_API_PROT is no setting: is IBFLOW_API_PORT meant?",
        "IBFLOW_APPROVERS is no setting: is IBFLOW_APPROVERS_FILE meant?",
        "IBFLOW_SANCTION_FILE in .env is no setting: is IBFLOW_SANCTIONS_FILE meant?",
    ]


def test_settings_and_names_of_ones_own_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password's variable has the name that terms give it."""
    monkeypatch.chdir(tmp_path)
    given = ("IBFLOW_API_PORT", "IBFLOW_CLICKHOUSE_PASSWORD", "IBFLOW_MT5_PASSWORD", "IBFLOW_TEST_CLICKHOUSE")
    assert said(**dict.fromkeys(given, "8300")).exit_code == 0
