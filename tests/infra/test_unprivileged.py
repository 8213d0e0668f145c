"""Processes as a service manager or an image starts them: another user, in a folder nobody writes to."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from infra.connect.running_server import running_url
from infra.connect.settings import prepare_topics
from ingest.publish.publisher import publish
from schemas.settings import Settings
from tests import services
from tests.build import deal
from tests.eventually import eventually

NOBODY = 65534
READS_ALL = "-all,+dac_read_search"
"""The interpreter may lie in a folder of root alone; reading is not what is tested."""
START_S = 60.0


def as_nobody() -> list[str]:
    """Runs what follows as a user without rights; a person who tests is one already."""
    if os.getuid() != 0:
        return []
    return [
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"),
        *(f"--inh-caps={READS_ALL}", f"--ambient-caps={READS_ALL}"),
    ]


@contextmanager
def running(cwd: Path, log_file: Path, environment: dict[str, str], *command: str) -> Iterator[None]:
    """An `ibflow` command as nobody; it must still run at the end of the block."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*as_nobody(), sys.executable, "-P", "-m", "infra.cli", *command],
            cwd=cwd,
            env={**os.environ, "HOME": "/nonexistent", **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
        assert process.poll() is None, log_file.read_text()
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A folder to start in that takes no file, and one for data, both reachable for anybody."""
    base = tmp_path_factory.mktemp("unprivileged")
    for folder in (base, base.parent, base.parent.parent):
        folder.chmod(0o755)
    here, data = base / "here", base / "data"
    here.mkdir(mode=0o555)
    data.mkdir()
    if os.getuid() == 0:
        os.chown(data, NOBODY, NOBODY)
    yield here, data
    here.chmod(0o755)


def test_nothing_is_written_outside_the_data_folder(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """A worker and a server of an unprivileged user in a read-only folder pass a message on and answer."""
    here, data = folders
    with pytest.raises(PermissionError) if os.getuid() else pytest.raises(subprocess.CalledProcessError):
        subprocess.run([*as_nobody(), "touch", here / "file"], check=True, capture_output=True)
    with services.kafka(tmp_path / "kafka") as kafka:
        settings = Settings(data_dir=data, kafka=kafka, api_port=0, partitions=2)
        prepare_topics(settings, kafka)
        environment = {"IBFLOW_KAFKA": kafka, "IBFLOW_DATA_DIR": str(data), "IBFLOW_API_PORT": "0"}
        environment |= {"IBFLOW_STORE": "rocksdb"}
        with (
            running(here, tmp_path / "worker.log", environment, "worker"),
            running(here, tmp_path / "serve.log", environment, "serve"),
        ):
            publish([deal("1 buy 1 EURUSD in", login=7)], kafka)
            assert {"deals": 1, "rejections": 1} == await_rows(settings)
    assert [] == list(here.iterdir())


def await_rows(settings: Settings) -> dict[str, int]:
    """The rows a deal of nobody's account leaves: itself, and that it waits; only a worker says so."""

    def stored() -> dict[str, int]:
        url = running_url(settings)
        rows = httpx.get(f"{url}/health").json()["rows"] if url is not None else {}
        return rows if rows.get("rejections") else {}

    rows = eventually(stored, within=START_S, every=0.2)
    return {name: rows.get(name, 0) for name in ("deals", "rejections")}
