"""Files that settings name: what is wrong with any of them is told at once, before anything starts."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.app import app
from infra.processes.setting_files import READERS, check_setting_files
from schemas.errors import Unusable
from schemas.settings import Settings


def test_all_that_is_wrong_is_told_and_nothing_started(tmp_path: Path) -> None:
    """Three files are not there, one is no YAML: each with its variable, and no data folder is made."""
    (tmp_path / "payers.yaml").write_text("payers: [", encoding="utf-8")
    data = tmp_path / "data"
    known = {
        "IBFLOW_DATA_DIR": str(data), "IBFLOW_OPERATORS_FILE": f"{tmp_path}/none.yaml",
        "IBFLOW_PARTIES_FILE": f"{tmp_path}/no-parties.yaml", "IBFLOW_TERMS_DIR": f"{tmp_path}/terms",
        "IBFLOW_PAYERS_FILE": f"{tmp_path}/payers.yaml",
    }  # fmt: skip
    for command in ("dev", "serve"):
        result = CliRunner().invoke(app, [command], env=known)
        told = " ".join(result.output.split())
        assert (result.exit_code, data.exists()) == (2, False), told
        assert [told.count(f"{name}=") for name in known] == [0, 1, 1, 1, 1]
        assert "none.yaml cannot be read: No such file" in told
        assert "there is no folder" in told
        assert "payers.yaml is not YAML" in told


@pytest.mark.parametrize("name", READERS)
def test_each_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    """By the variable that names it; where none is named nothing is wrong."""
    check_setting_files(Settings(_env_file=None))
    with pytest.raises(Unusable, match=f"^IBFLOW_{name.upper()}={tmp_path}/gone: "):
        check_setting_files(Settings(_env_file=None, **{name: tmp_path / "gone"}))


def test_no_setting_of_a_file_is_forgotten() -> None:
    """Each path is read here, but those of connections and commands, which are checked where used."""
    elsewhere = {"data_dir", "token_file", "kafka_ca", "kafka_cert", "kafka_key"}
    elsewhere |= {"clickhouse_ca", "clickhouse_cert", "clickhouse_key"}
    paths = {name for name, one in Settings.model_fields.items() if "Path" in str(one.annotation)}
    assert paths - elsewhere == set(READERS)
