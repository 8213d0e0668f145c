"""One set of migrations: on a cluster every table is replicated, and every statement runs on all replicas."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from infra.clickhouse.migrations import HERE, MADE, migrate, statements
from infra.clickhouse.replicas import for_cluster
from schemas.errors import Unusable

STATEMENTS = [MADE, *(one for path in sorted(HERE.glob("0*.sql")) for one in statements(path))]


@pytest.fixture
def chdb(tmp_path: Path) -> Iterator[Client]:
    """Of use as a parser: it knows the engines, and has no replicas."""
    with clickhouse_connect.get_client(interface="chdb", path=str(tmp_path / "db")) as client:
        yield client


def test_every_statement_is_one_that_clickhouse_reads(chdb: Client) -> None:
    """Its own parser takes each apart; what defines something names the cluster, what moves rows does not."""
    assert len(STATEMENTS) > 90
    for statement in STATEMENTS:
        found = for_cluster(statement, "two")
        (told,) = chdb.query("SELECT formatQuery({sql:String})", parameters={"sql": found}).first_row
        moves_rows = found.startswith("INSERT INTO")
        assert moves_rows is (" ON CLUSTER two" not in told), found
        assert moves_rows is (statement == found)


def test_every_table_is_replicated_and_nothing_else_changes(chdb: Client) -> None:
    """As many tables as one server has, each of them by the engine it has there."""
    made = [one for one in STATEMENTS if one.startswith("CREATE TABLE")]
    for statement in made:
        found = for_cluster(statement, "two")
        engines = re.findall(r"ENGINE = (\w+)", found)
        assert [f"Replicated{one}" for one in re.findall(r"ENGINE = (\w+)", statement)] == engines
        assert statement == found.replace(" ON CLUSTER two", "").replace("ENGINE = Replicated", "ENGINE = ")
    migrate(chdb)
    tables = {row[0] for row in chdb.query("SHOW TABLES").result_rows}
    views = {
        row[0] for row in chdb.query("SELECT name FROM system.tables WHERE engine LIKE '%View'").result_rows
    }
    named = {re.match(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", one)[1] for one in made}  # type: ignore[index]
    assert tables - views <= named


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = ReplacingMergeTree(b)",
         "CREATE TABLE IF NOT EXISTS t ON CLUSTER two (a Int8) ENGINE = ReplicatedReplacingMergeTree(b)"),
        ("CREATE MATERIALIZED VIEW v TO t AS SELECT",
         "CREATE MATERIALIZED VIEW v ON CLUSTER two TO t AS SELECT"),
        ("ALTER TABLE t DROP INDEX IF EXISTS i", "ALTER TABLE t ON CLUSTER two DROP INDEX IF EXISTS i"),
        ("DROP VIEW IF EXISTS v", "DROP VIEW IF EXISTS v ON CLUSTER two"),
        ("EXCHANGE TABLES t AND u", "EXCHANGE TABLES t AND u ON CLUSTER two"),
        ("INSERT INTO t SELECT 1", "INSERT INTO t SELECT 1"),
    ],
)  # fmt: skip
def test_a_statement_for_all_replicas(statement: str, expected: str) -> None:
    """By hand, one of each kind; without a cluster it stays as it is."""
    assert expected == for_cluster(statement, "two")
    assert statement == for_cluster(statement, "")


@pytest.mark.parametrize(
    ("cluster", "replicated", "shards", "told"),
    [
        ("two", 0, 0, "knows no cluster two"),
        ("two", 0, 3, "two has 3 shards"),
        ("two", 1, 1, "tables of one server"),
        ("", 2, 0, "must name their cluster"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    cluster: str, replicated: int, shards: int, told: str
) -> None:
    """A cluster that is not there or has shards; two tables of the other kind. No statement is run."""

    class Server:
        """Knows so many shards, and has two tables, or none where that is not asked."""

        def query(self, sql: str, parameters: object = None) -> Any:
            tables = [(replicated, 2 if replicated else 0)]
            return type("Result", (), {"result_rows": [(shards,)] if parameters else tables})

    with pytest.raises(Unusable, match=told):
        migrate(Server(), cluster=cluster)  # type: ignore[arg-type]
