"""`ibflow demo` touches nothing but a folder that it made."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.app import app
from infra.commands.demo import MARKER, demo_settings, make_folder
from infra.commands.demo_people import ROLES, add_endpoint
from infra.postbacks.desk import EndpointDesk
from infra.processes.owner import Owner
from infra.processes.stack import Stack
from schemas.errors import Unavailable, Unusable
from tests.endpoint_world import NOON, keys, memory_log

PRODUCTION = {
    "IBFLOW_KAFKA": "kafka.example:9092",
    "IBFLOW_CLICKHOUSE": "clickhouse://u:p@db.example:8123/ledger",
    "IBFLOW_API_TOKEN": "everybody's",
    "IBFLOW_OPERATOR_TOKEN": "anna-secret",
    "IBFLOW_API_HOST": "0.0.0.0",  # noqa: S104 # what must not be taken over
    "IBFLOW_POSTBACKS": "postbacks.yaml",
    "IBFLOW_BRIDGES_FILE": "bridges.yaml",
    "IBFLOW_STORE": "memory",
}


def test_the_networks_endpoint_exists() -> None:
    """Whoever signs in to the demo as the network has an endpoint by the name that they see."""
    desk = EndpointDesk(memory_log(), keys, now=lambda: NOON)
    add_endpoint(desk)
    assert list(desk.listed()) == [*ROLES["network"].endpoints]


def test_a_demo_takes_nothing_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a variable nor a `.env` beside it names its Kafka, ClickHouse, tokens or receivers."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in PRODUCTION.items()))
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    settings = demo_settings(tmp_path / "demo")
    assert ("", "", "", "rocksdb", "127.0.0.1") == (
        settings.kafka,
        settings.clickhouse,
        settings.token,
        settings.store,
        settings.api_host,
    )
    assert (None, None, None) == (settings.postbacks, settings.bridges_file, settings.operators_file)


def test_its_worker_is_given_every_setting_it_reads(tmp_path: Path) -> None:
    """A worker is a process of its own that reads the same `.env`: what it is given comes first."""
    stack = Stack(demo_settings(tmp_path))
    assert {
        "IBFLOW_DATA_DIR": str(tmp_path),
        "IBFLOW_KAFKA": "",
        "IBFLOW_KAFKA_PROTOCOL": "PLAINTEXT",
        "IBFLOW_KAFKA_MECHANISM": "SCRAM-SHA-512",
        "IBFLOW_KAFKA_USER": "",
        "IBFLOW_KAFKA_PASSWORD": "",
        "IBFLOW_PARTITIONS": "4",
        "IBFLOW_REPLICATION": "1",
        "IBFLOW_STORE": "rocksdb",
    } == stack.settings.for_worker()


@pytest.mark.parametrize("name", ["file", "folder", "folder/empty/..", "link"])
def test_a_folder_that_no_demo_made_is_left_alone(name: str, tmp_path: Path) -> None:
    """`demo --data` of any other folder is exit 2 and one sentence; nothing in it is touched."""
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder" / "empty").mkdir(parents=True)
    (tmp_path / "folder" / "ledger").write_text("years of work")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(app, ["demo", "--data", str(tmp_path / name)])
    assert (2, True) == (result.exit_code, "a folder" in result.stderr or "--data" in result.stderr)
    assert (before, "years of work") == (
        sorted(tmp_path.rglob("*")),
        (tmp_path / "folder/ledger").read_text(),
    )


def test_its_own_folder_is_emptied_unless_a_demo_runs_there(tmp_path: Path) -> None:
    """A new or empty folder gets the marker; one with the marker is emptied; links are not followed."""
    folder, other = tmp_path / "a" / "demo", tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    make_folder(folder)
    assert [MARKER] == [path.name for path in folder.iterdir()]
    (folder / "clickhouse" / "store").mkdir(parents=True)
    (folder / "worker-1.log").touch()
    (folder / "link").symlink_to(other)
    owner = Owner.take(folder)
    with pytest.raises(Unavailable, match="another ibflow"):
        make_folder(folder)
    assert (folder / "clickhouse" / "store").is_dir()
    owner.leave()
    make_folder(folder)
    assert ([MARKER], True) == ([path.name for path in folder.iterdir()], (other / "kept").exists())
    (folder / MARKER).unlink()
    (folder / "file").touch()
    with pytest.raises(Unusable, match=r"was not made by `ibflow demo`"):
        make_folder(folder)
