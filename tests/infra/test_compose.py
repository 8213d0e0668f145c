"""docker-compose.yml says what the settings model understands, and starts commands that exist."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from infra.cli.app import app
from schemas.settings import Settings

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return loaded


def test_every_variable_is_a_setting(compose: dict[str, Any]) -> None:
    """No service sets an IBFLOW_ variable that nothing reads, and each reads back as it was meant."""
    environment = compose["services"]["serve"]["environment"]
    names = {name.removeprefix("IBFLOW_").lower() for name in environment}
    assert names <= set(Settings.model_fields)
    assert environment == compose["services"]["worker"]["environment"]
    values = {name: environment[f"IBFLOW_{name.upper()}"] for name in ("kafka", "partitions", "api_port")}
    settings = Settings(**values)
    assert (settings.kafka, settings.partitions, settings.api_port) == ("kafka:9092", 8, 8080)


def test_every_service_runs_a_command_of_ours(compose: dict[str, Any]) -> None:
    """The processes compose starts are sub-commands of `ibflow`, and every host they name is a service."""
    commands = get_command(app).commands  # type: ignore[attr-defined] # a typer app with commands is a group
    ours = {name: service for name, service in compose["services"].items() if "build" in service}
    assert {"worker", "serve"} == set(ours)
    assert {"linux/amd64"} == {service["platform"] for service in ours.values()}  # what has all wheels
    assert all(service["command"][0] in commands for service in ours.values())
    assert all(set(service["depends_on"]) <= set(compose["services"]) for service in ours.values())


def test_images_are_official_and_pinned(compose: dict[str, Any]) -> None:
    """Kafka and ClickHouse are the official images at a fixed version, Kafka the one run natively."""
    images = {name: service["image"] for name, service in compose["services"].items() if "image" in service}
    assert images["kafka"] == "apache/kafka:4.1.1"
    assert images["clickhouse"].startswith("clickhouse/clickhouse-server:")
    assert not images["clickhouse"].endswith(":latest")


def ignored(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {line.removeprefix("**/").rstrip("/") for line in lines if line and not line.startswith("#")}


def test_the_image_takes_in_no_leavings() -> None:
    """What git does not keep no image gets, nor the history and the tests; secrets stay outside."""
    assert set() == ignored(".gitignore") - ignored(".dockerignore")
    assert {".git", ".env", "tests", "ibflow-data"} <= ignored(".dockerignore")


def test_the_image_keeps_its_data_where_its_user_may_write() -> None:
    """The data folder is made, given to the user that it runs as, and named, before that user is taken."""
    lines = (ROOT / "infra" / "Dockerfile").read_text().splitlines()
    data = next(line.partition("=")[2] for line in lines if line.startswith("ENV IBFLOW_DATA_DIR="))
    user = next(n for n, line in enumerate(lines) if line == "USER ibflow")
    made = next(n for n, line in enumerate(lines) if f"mkdir {data} && chown ibflow: {data}" in line)
    assert made < user


def test_every_service_keeps_its_data(compose: dict[str, Any]) -> None:
    """In a volume of its own, so that it is there for the next container: of ours, what the image names."""
    lines = (ROOT / "infra" / "Dockerfile").read_text().splitlines()
    ours = next(line.partition("=")[2] for line in lines if line.startswith("ENV IBFLOW_DATA_DIR="))
    kept = {name: service["volumes"] for name, service in compose["services"].items()}
    assert all(volume.startswith(f"{name}:") for name, [volume] in kept.items())
    assert kept.keys() == compose["volumes"].keys()
    assert all(kept[name] == [f"{name}:{ours}"] for name in ("worker", "serve"))


def test_make_clean_leaves_what_git_keeps(tmp_path: Path) -> None:
    """Everything that git does not keep is gone, wherever it lies; a source file is not, nor is a ledger."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    data = {".ibflow", "ibflow-data"}
    left = ignored(".gitignore") - {"*.egg-info"} | {"ibflow-data", "build"}
    for name in left:
        (tmp_path / name / "within").mkdir(parents=True)
    (tmp_path / "room" / "__pycache__").mkdir(parents=True)
    (tmp_path / "room" / "source.py").touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True)
    found = {path.name for path in tmp_path.rglob("*")}
    assert {"Makefile", "room", "source.py", "within", *data} == found
