"""Services of the sources that need one."""

from collections.abc import Iterator

import pytest

from tests.ingest.mock_kafka import Broker, mock_kafka
from tests.ingest.sql_server import SqlServer, fresh
from tests.services import mariadb


@pytest.fixture(scope="session")
def sql_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MariaDB for all tests of the run."""
    with mariadb(tmp_path_factory.mktemp("mariadb")) as address:
        yield address


@pytest.fixture
def sql(sql_address: str) -> Iterator[SqlServer]:
    """An empty database on it, gone after the test."""
    with fresh(sql_address) as server:
        yield server


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A mock Kafka of its own."""
    with mock_kafka() as started:
        yield started
