"""What ibflow keeps is for whoever runs it: folders 0700, files 0600, of every process it starts."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.processes.owner import Owner

START_S = 120


def open_to_others(path: Path) -> str:
    """Path and mode of what others may read; empty if they may not, or where RocksDB has just removed it."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return ""
    return f"{path} {mode:o}" if mode & 0o077 else ""


@pytest.mark.timeout(240)
def test_nobody_else_reads_the_data(tmp_path: Path) -> None:
    """Kafka, ClickHouse, RocksDB, logs, notes and locks of a whole `ibflow dev`, started with umask 022."""
    data, log = tmp_path / "data", tmp_path / "dev.out"
    kept = {name: text for name, text in os.environ.items() if not name.startswith("IBFLOW_")}
    settings = {"IBFLOW_DATA_DIR": str(data), "IBFLOW_STORE": "rocksdb", "IBFLOW_API_PORT": "0"}
    with log.open("wb") as out:
        dev = subprocess.Popen(
            [sys.executable, "-m", "infra.cli", "dev"],
            env={**kept, **settings},
            stdout=out,
            stderr=out,
            umask=0o022,
        )
    try:
        deadline = time.monotonic() + START_S
        while "up: a probe went through" not in log.read_text():
            assert dev.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        found = [data, *data.rglob("*")]
        names = {path.relative_to(data).parts[0] for path in found[1:]}
        assert {"kafka", "clickhouse", "state", "worker-1.log", "serve.json", "owner.lock"} <= names
        assert [] == [told for path in found if (told := open_to_others(path))]
    finally:
        dev.send_signal(signal.SIGINT)
        dev.wait(90)


def test_a_folder_that_is_open_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A new one is its owner's alone; one that was there is not closed behind its owner's back."""
    Owner.take(tmp_path / "new" / "data").leave()
    assert 0o700 == (tmp_path / "new" / "data").stat().st_mode & 0o777
    assert "" == caplog.text
    tmp_path.chmod(0o755)
    Owner.take(tmp_path).leave()
    assert f"close it with `chmod 700 {tmp_path}`" in caplog.text
    assert 0o755 == tmp_path.stat().st_mode & 0o777
