"""A real ClickHouse for each test of proposals."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from infra.clickhouse.migrations import migrate
from schemas.settings import Settings
from tests import services


@pytest.fixture(params=services.clickhouse_kinds())
def connected(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    folder = Settings(data_dir=tmp_path).chdb_dir
    folder.mkdir(parents=True)
    with services.clickhouse(request.param, folder) as client:
        migrate(client)
        yield client
