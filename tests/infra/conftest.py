"""A real ClickHouse for each test of proposals."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from schemas.settings import Settings
from tests import services


@pytest.fixture(params=services.clickhouse_kinds())
def connected(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    with services.ledger(Settings(data_dir=tmp_path).chdb_dir, request.param) as client:
        yield client
