"""docker-compose.yml says what the settings model understands, and starts commands that exist."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from infra.cli import app
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
    assert all(service["command"][0] in commands for service in ours.values())
    assert all(set(service["depends_on"]) <= set(compose["services"]) for service in ours.values())


def test_images_are_official_and_pinned(compose: dict[str, Any]) -> None:
    """Kafka and ClickHouse are the official images at a fixed version, Kafka the one run natively."""
    images = {name: service["image"] for name, service in compose["services"].items() if "image" in service}
    assert images["kafka"] == "apache/kafka:4.1.1"
    assert images["clickhouse"].startswith("clickhouse/clickhouse-server:")
    assert not images["clickhouse"].endswith(":latest")
